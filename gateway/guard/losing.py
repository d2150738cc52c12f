"""A connection that broke is told from one that its client closed."""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

ABNORMAL = 1006
"""RFC 6455 §7.1.5: the connection is gone, and no close frame came."""


class TellsLosses(WebSocketsSansIOProtocol):
    """uvicorn says 1005 of both, which is a client that closed it and gave no reason; and such a one does not come back."""

    def connection_lost(self, exc: Exception | None) -> None:
        if self.handshake_complete and self.conn.close_rcvd is None:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": ABNORMAL})
        super().connection_lost(exc)
