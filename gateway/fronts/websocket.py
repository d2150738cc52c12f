"""Conversational speech over a WebSocket. The dialect negotiates and translates, the front carries, the mux serves.

Everything that can be judged from the handshake is judged before it is accepted, and refused with a real HTTP status
and a body (the ASGI extension "websocket.http.response").
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

from starlette.types import Receive, Scope, Send

from gateway.accounts.caller import Caller
from gateway.accounts.clock import now_ms
from gateway.accounts.model import Scope as Use
from gateway.core.errors import GatewayError, Internal, Problem
from gateway.core.params import WEBSOCKET_DEFAULTS, Catalog
from gateway.dialects.base import Conversation, Frame, Verdict
from gateway.dialects.handshake import Handshake
from gateway.dialects.native_websocket import NativeHandshake
from gateway.fronts.authentication import authenticate
from gateway.fronts.reply import (
    error_details,
    headers,
    new_request_id,
    owner_of,
    said_headers,
    send_json,
)
from gateway.fronts.requests import read_head
from gateway.runtime.house import House
from gateway.runtime.mux import Mux
from gateway.runtime.wire import Wire

INTERNAL_ERROR = 1011
GOODBYES = {1000, 1005}
"""Close codes of RFC 6455 §7.4.1. Who closes with 1000, or with none (1005), will not come back."""
CLOSE_MS_MAX = 1_000
"""How long a close frame may take to leave; a peer that does not read never gets it."""
SPEECH = "speech"
"""The extension of the scope that holds the `wire`, which knows how long the server's pings may wait behind audio."""

ROUTE = WEBSOCKET_DEFAULTS.route

log = logging.getLogger("gateway.websocket")


NATIVE = NativeHandshake()


class SpeechOverWebSocket:
    """One route of conversations in a dialect, as a plain ASGI application. `catalog` is what the dialect offers, if that is
    not what the native protocol does."""

    def __init__(
        self, house: House, handshake: Handshake = NATIVE, catalog: Catalog | None = None
    ) -> None:
        self._house = house
        self._handshake = handshake
        self._catalog = house.catalog if catalog is None else catalog

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection from its handshake to its end."""
        request_id = new_request_id()
        await receive()  # websocket.connect, always the first message (ASGI)
        try:
            request, offered = read_head(scope), scope["subprotocols"]
            shown = self._handshake.credentials(request, offered)
            caller = await authenticate(self._house, scope, Use.SPEECH, shown)
            agreed = self._handshake.agree(request, offered, self._catalog, self._house.limits)
            with self._house.admission.connection():
                await send(
                    {
                        "type": "websocket.accept",
                        "subprotocol": agreed.subprotocol,
                        "headers": headers(request_id, "")[1:],
                    }
                )
                try:
                    await self._serve(scope, agreed.conversation, request_id, caller, receive, send)
                finally:
                    # Through it the connection would hold itself: see guard/parting.py.
                    scope["extensions"].pop(SPEECH, None)
        except GatewayError as error:
            self._house.metrics.refused(ROUTE, error.problem)
            self._ended("refused")
            await self._refuse(send, error.problem, request_id)

    async def _refuse(self, send: Send, problem: Problem, request_id: str) -> None:
        refusal = self._handshake.refuse(problem, request_id, now_ms() / 1_000)
        head = said_headers(request_id, [*refusal.headers, *error_details(problem)])
        await send_json(send, refusal.status, refusal.body, head, prefix="websocket.http.response")

    async def _serve(
        self,
        scope: Scope,
        conversation: Conversation,
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
            why = mux.dismissed
            frames = [] if why is None else conversation.encode_error(why, None, None)
            await end(conversation.close_code(verdict), verdict.name.lower(), *frames)

        try:
            wire = Wire(take, give, lambda: said_goodbye, hang_up, ends_at=_ends_at(caller))
            scope.setdefault("extensions", {})[SPEECH] = {"wire": wire}
            mux = Mux(
                *(self._house, conversation, request_id),
                owner=owner_of(scope, caller),
                caller=caller,
                catalog=self._catalog,
                usage=ROUTE if self._handshake is NATIVE else self._handshake.name,
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
                "dialect": self._handshake.name,
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
