"""A handshake that is none is answered in our words, and always answered."""

from __future__ import annotations

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from gateway.core.errors import InvalidMessage
from gateway.guard.answers import last_answer

VERSION = [(b"sec-websocket-version", b"13")]
"""What RFC 6455 §4.4 wants a refusal to name."""


class JudgesHandshakes(WebSocketsSansIOProtocol):
    """Refuses what `websockets` refuses or cannot read; uvicorn leaves a connection open that it cannot read."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated and self.conn.handshake_exc is not None:
            self._refuse()

    def handle_connect(self, event: Request) -> None:
        if self.conn.accept(event).status_code == 101:
            super().handle_connect(event)
        else:
            self._refuse()

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            # uvicorn sends this refusal, and then says in the log that there was none.
            self.handshake_complete = True

    def _refuse(self) -> None:
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        error = InvalidMessage("the WebSocket handshake is not as RFC 6455 has it")
        self.transport.write(last_answer(error, VERSION))
        self.transport.close()
