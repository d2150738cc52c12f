"""The WebSocket routes of Sarvam's protocol."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import WebSocketRoute

from gateway.dialects.sarvam_ws import SarvamHandshake
from gateway.fronts.traced import traced
from gateway.fronts.websocket import SpeechOverWebSocket
from gateway.runtime.house import House

PATHS = ("/text-to-speech/ws", "/text-to-speech/ws/v2")
"""The second is what clients take for bulbul:v4-flash; it is the same."""


def sarvam_sockets(house: House, bases: Sequence[str], *, refuses: bool) -> list[WebSocketRoute]:
    """Both paths, below each of the bases. With `refuses`, a control that a model has not is an error."""
    handshake = SarvamHandshake(refuse_unsupported=refuses)
    app = traced(SpeechOverWebSocket(house, handshake, house.vendors["sarvam"]), house)
    return [WebSocketRoute(f"{base}{path}", app) for base in bases for path in PATHS]
