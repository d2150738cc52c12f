"""Around a front that speaks: a span for each request or connection, from what crosses ASGI. Off, there is nothing around."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.runtime.house import House

if TYPE_CHECKING:
    from gateway.telemetry.tracing import Tracing

STATUS = "http.response.status_code"
"""OpenTelemetry's semantic conventions name this and `http.request.method` and `http.route`; `speech.` is ours."""
ACCEPTED, SERVER_FAULT = 101, 500


class Traced:
    """An ASGI application with its requests traced."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and take note of how it ends."""
        method, path = scope.get("method", "GET"), scope["path"]
        attributes = {"http.request.method": method, "http.route": path}
        name = f"{'WebSocket' if scope['type'] == 'websocket' else method} {path}"
        with self._tracing.request(name, scope["headers"], attributes) as span:

            async def watched_receive() -> Message:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    span.set_attribute("speech.close_code", message.get("code", 1005))
                return message

            async def watched_send(message: Message) -> None:
                match message["type"]:
                    case "http.response.start" | "websocket.http.response.start":
                        span.set_attribute(STATUS, message["status"])
                        if message["status"] >= SERVER_FAULT:
                            self._tracing.blame(span)
                    case "websocket.accept":
                        span.set_attribute(STATUS, ACCEPTED)
                    case "websocket.close":
                        span.set_attribute("speech.close_code", message.get("code", 1000))
                    case _:
                        pass
                for header, value in message.get("headers", ()):
                    if header == b"x-request-id":
                        span.set_attribute("speech.request_id", value.decode())
                await send(message)

            await self._app(scope, watched_receive, watched_send)


def traced(app: ASGIApp, house: House) -> ASGIApp:
    """The application, traced where anybody asks for traces."""
    return app if house.tracing is None else Traced(app, house.tracing)
