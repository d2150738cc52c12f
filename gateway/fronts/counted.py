"""Counts the connections of each address, as a plain ASGI application around all others."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.fronts.reply import address_of
from gateway.runtime.house import House

GONE = {"http.disconnect", "websocket.disconnect"}


class Counted:
    """Passes everything on. A request counts until it is answered, a WebSocket until its peer is gone, even where what it
    began goes on; whether they are too many is judged where it is asked who comes. `house` gives None while there is none."""

    def __init__(self, app: ASGIApp, house: Callable[[], House | None]) -> None:
        self._app = app
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        house = self._house()
        if house is None:
            await self._app(scope, receive, send)
            return
        addresses, address = house.addresses, address_of(scope)
        is_here = True

        def leave() -> None:
            nonlocal is_here
            if is_here:
                is_here = False
                addresses.left(address)

        async def heard() -> Message:
            message = await receive()
            if message["type"] in GONE:
                leave()
            return message

        addresses.arrived(address)
        try:
            await self._app(scope, heard, send)
        finally:
            leave()
