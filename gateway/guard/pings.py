"""A ping that waits behind audio is not late."""

from __future__ import annotations

from typing import cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.fronts.websocket import SPEECH
from gateway.runtime.wire import Wire


class WaitsForPongs(WebSocketsSansIOProtocol):
    """Allows a ping its time from when what was sent before it has been played.

    A player that takes bytes only when it has room reads the ping, and so answers it, no earlier than that."""

    def keepalive_timeout(self) -> None:
        speech = self.scope["extensions"].get(SPEECH)
        played_by = None if speech is None else cast(Wire, speech["wire"]).played_by()
        due = max(self.ping_sent_at, played_by or self.ping_sent_at) + (self.ping_timeout or 0)
        if self.loop.time() < due:
            self.pong_timer = self.loop.call_at(due, self.keepalive_timeout)
        else:
            super().keepalive_timeout()
