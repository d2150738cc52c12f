"""A ping that waits behind audio is not late; one that is answered tells that all before it has arrived."""

from __future__ import annotations

from typing import cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from gateway.fronts.websocket import SPEECH
from gateway.runtime.wire import Wire


class WaitsForPongs(WebSocketsSansIOProtocol):
    """Allows a ping its time from when what was sent before it has been played.

    A player that takes bytes only when it has room reads the ping, and so answers it, no earlier than that."""

    def keepalive_timeout(self) -> None:
        wire = self._wire()
        played_by = None if wire is None else wire.played_by()
        due = max(self.ping_sent_at, played_by or self.ping_sent_at) + (self.ping_timeout or 0)
        if self.loop.time() < due:
            self.pong_timer = self.loop.call_at(due, self.keepalive_timeout)
        else:
            super().keepalive_timeout()

    def send_keepalive_ping(self) -> None:
        super().send_keepalive_ping()
        if self.pending_ping_payload is not None and (wire := self._wire()) is not None:
            wire.pinged()

    def handle_pong(self, event: Frame) -> None:
        is_awaited = self.pending_ping_payload is not None
        super().handle_pong(event)
        if is_awaited and self.pending_ping_payload is None and (wire := self._wire()) is not None:
            wire.answered()

    def _wire(self) -> Wire | None:
        speech = self.scope["extensions"].get(SPEECH)
        return None if speech is None else cast(Wire, speech["wire"])
