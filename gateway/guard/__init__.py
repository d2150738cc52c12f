"""What uvicorn's protocols leave to us: bounds on what a peer may send before, instead of and faster than a message.

Classes to be mixed into uvicorn's: each has one bound, and `protocols` puts them together.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.core.limits import Limits
from gateway.guard.closing import CutsOff
from gateway.guard.handshake import JudgesHandshakes
from gateway.guard.losing import TellsLosses
from gateway.guard.messages import BoundsMessages
from gateway.guard.parting import LetsGoOfItsParser
from gateway.guard.pings import WaitsForPongs
from gateway.guard.requests import BoundsRequests
from gateway.guard.slices import InSlices


def protocols(limits: Limits) -> tuple[type[asyncio.Protocol], type[asyncio.Protocol]]:
    """uvicorn's protocols for HTTP and for WebSocket, bounded by these limits."""
    bounds = {"limits": limits}
    http = (InSlices, BoundsRequests, CutsOff, LetsGoOfItsParser, HttpToolsProtocol)
    bounded = (BoundsMessages, InSlices, JudgesHandshakes, TellsLosses, WaitsForPongs, CutsOff)
    websocket = (*bounded, WebSocketsSansIOProtocol)
    return type("Http", http, bounds), type("WebSocket", websocket, bounds)
