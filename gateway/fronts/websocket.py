"""Conversational speech over a WebSocket. The front negotiates and carries; the mux serves.

Everything that can be judged from the handshake is judged before it is accepted, and refused with a real HTTP status
and a JSON body (the ASGI extension "websocket.http.response").
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from gateway.accounts.caller import Caller
from gateway.accounts.model import Scope as Use
from gateway.core.errors import GatewayError, Internal
from gateway.core.params import WEBSOCKET_DEFAULTS
from gateway.dialects.base import Frame
from gateway.dialects.native import (
    NativeConversation,
    Subprotocol,
    audio_form,
    choose_subprotocol,
    encode_http_error,
)
from gateway.fronts.authentication import authenticate
from gateway.fronts.reply import error_headers, headers, new_request_id, owner_of, send_json
from gateway.runtime.house import House
from gateway.runtime.mux import Mux
from gateway.runtime.wire import Verdict, Wire

POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011
SERVICE_RESTART = 1012
GOODBYES = {1000, 1005}
"""Close codes of RFC 6455 §7.4.1 and, for 1012, of its registry. Who closes with 1000, or with none (1005), will not come back."""
CLOSE_MS_MAX = 1_000
"""How long a close frame may take to leave; a peer that does not read never gets it."""
SPEECH = "speech"
"""The extension of the scope that holds the `wire`, which knows how long the server's pings may wait behind audio."""

ROUTE = WEBSOCKET_DEFAULTS.route

log = logging.getLogger("gateway.websocket")


class SpeechOverWebSocket:
    """`GET /v1/speech` with an upgrade, as a plain ASGI application."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection from its handshake to its end."""
        request_id = new_request_id()
        await receive()  # websocket.connect, always the first message (ASGI)
        try:
            caller = await authenticate(self._house, scope, Use.SPEECH)
            subprotocol = choose_subprotocol(scope["subprotocols"])
            query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            conversation = NativeConversation(
                audio_form(query.get("audio", [None])[-1]), subprotocol or Subprotocol.JSON
            )
            with self._house.admission.connection():
                head = headers(request_id, "")[1:]
                await send(
                    {"type": "websocket.accept", "subprotocol": subprotocol, "headers": head}
                )
                await self._serve(scope, conversation, request_id, caller, receive, send)
        except GatewayError as error:
            self._house.metrics.refused(ROUTE, error.problem)
            self._ended("refused")
            await send_json(
                send,
                error.problem.status,
                encode_http_error(error.problem, request_id),
                error_headers(error.problem, request_id),
                prefix="websocket.http.response",
            )

    async def _serve(
        self,
        scope: Scope,
        conversation: NativeConversation,
        request_id: str,
        caller: Caller,
        receive: Receive,
        send: Send,
    ) -> None:
        begun = time.monotonic()
        said_goodbye = False

        async def take() -> Frame | None:
            nonlocal said_goodbye
            message = await receive()
            if message["type"] == "websocket.disconnect":
                said_goodbye = message.get("code") in GOODBYES
                return None
            text = message.get("text")
            return text if text is not None else bytes(message["bytes"])

        async def give(frame: Frame) -> None:
            kind = "text" if isinstance(frame, str) else "bytes"
            await send({"type": "websocket.send", kind: frame})

        async def end(code: int, reason: str, *frames: Frame) -> None:
            """Say goodbye to a peer that may be gone, or may have stopped listening."""
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_MS_MAX / 1_000):
                    for frame in frames:
                        await give(frame)
                    await send({"type": "websocket.close", "code": code, "reason": reason})

        async def hang_up(verdict: Verdict) -> None:
            code = SERVICE_RESTART if verdict is Verdict.DRAINING else POLICY_VIOLATION
            await end(code, verdict.name.lower())

        try:
            wire = Wire(take, give, lambda: said_goodbye, hang_up, ends_at=_ends_at(caller))
            scope.setdefault("extensions", {})[SPEECH] = {"wire": wire}
            mux = Mux(
                *(self._house, conversation, request_id),
                owner=owner_of(scope, caller),
                caller=caller,
            )
            verdict = await mux.run(wire)
        except ExceptionGroup:
            # The edge of the connection: whatever a task of it died of, the others never hear of it.
            log.exception("connection_crashed", extra={"request_id": request_id})
            problem = Internal("the connection failed; the log knows why").problem
            frames = conversation.encode_error(problem, None, None)
            self._house.metrics.refused(ROUTE, problem)
            self._ended("failed")
            await end(INTERNAL_ERROR, problem.code, *frames)
            return
        self._ended(verdict.name.lower())
        if verdict not in {Verdict.PEER_GONE, Verdict.RESUMED_ELSEWHERE}:
            await hang_up(verdict)
        log.info(
            "speech_websocket",
            extra={
                "request_id": request_id,
                "key": caller.key,
                "verdict": verdict.name.lower(),
                "ms": round((time.monotonic() - begun) * 1_000, 1),
            },
        )

    def _ended(self, cause: str) -> None:
        self._house.metrics.connections_ended.labels(ROUTE, cause).inc()


def _ends_at(caller: Caller) -> float | None:
    """When a connection of this caller must end, in loop time."""
    if caller.session_ms_max is None:
        return None
    return asyncio.get_running_loop().time() + caller.session_ms_max / 1_000
