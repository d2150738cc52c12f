"""Which web pages may use the gateway from a browser.

A browser lets any page open a WebSocket to any server, and send any server a simple POST; only the `Origin` tells whose
page it was (RFC 6455 §10.2). So a page of an origin that is not allowed is refused, before anything is accepted or made.
Who sends no `Origin` is no browser, and is not judged here. Cookies are never involved: no answer allows credentials.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.core.errors import OriginForbidden
from gateway.fronts.proxies import Proxies, is_loopback
from gateway.fronts.reply import EVERY_ANSWER, Headers, new_request_id
from gateway.fronts.system import send_problem

ANY = "*"
EXPOSED = (
    "content-disposition, retry-after, x-adjusted-parameters, x-bits-per-sample, x-channels, x-credits-remaining, x-credits-used, "
    "x-ignored-fields, x-ignored-parameters, x-processing-time-ms, x-replay-of, x-request-id, x-sample-rate, "
    "x-speech-model, x-speech-voice, x-speech-warnings"
)
"""Headers of answers that a page may read, beyond those that every page may."""
PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, POST"),
    (
        b"access-control-allow-headers",
        b"accept, authorization, content-type, idempotency-key, x-api-key",
    ),
    (b"access-control-max-age", b"600"),
]
_SYNTAX = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """A web page's scheme, host and port, as browsers compare them."""

    scheme: str
    host: str
    port: int | None

    @property
    def is_loopback(self) -> bool:
        """A page of this machine."""
        return is_loopback(self.host)


def read_origin(text: str) -> Origin | None:
    """An origin in its serialized form (RFC 6454 §6.2); None = it is none, or `null`, which anybody can be."""
    match = _SYNTAX.fullmatch(text.lower())
    if match is None:
        return None
    scheme, host, port = match.groups()
    return Origin(scheme, host, int(port) if port else _DEFAULT_PORTS.get(scheme))


class Origins:
    """Passes on what may come, and lets allowed pages read the answers (CORS), as a plain ASGI application.

    Allowed are the configured origins, and the gateway's own: the page that it was asked by its own name. On a loopback
    address that name could be anybody's (DNS rebinding), so there the pages of this machine are allowed instead, unless a
    trusted proxy passed the request on.
    """

    def __init__(
        self, app: ASGIApp, *, allowed: Sequence[str], proxies: Proxies, on_loopback: bool
    ) -> None:
        """`allowed` has origins as `read_origin` takes them, or `*` for all."""
        self._app = app
        self._any = ANY in allowed
        self._allowed = {read_origin(origin) for origin in allowed if origin != ANY}
        self._proxies = proxies
        self._on_loopback = on_loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        passed_on = self._proxies.resolve(scope)
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        if not origins:
            await self._app(scope, receive, send)
        elif len(origins) > 1 or not self._may_come(scope, origins[0], passed_on=passed_on):
            await _refuse(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            await self._answer_page(scope, receive, send, origins[0])

    def _may_come(self, scope: Scope, origin: bytes, *, passed_on: bool) -> bool:
        page = read_origin(origin.decode("latin-1"))
        if page is None:
            return self._any
        if self._any or page in self._allowed:
            return True
        if self._on_loopback and not passed_on:
            return page.is_loopback
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        scheme = scope["scheme"].replace("ws", "http")
        return len(hosts) == 1 and page == read_origin(f"{scheme}://{hosts[0]}")

    async def _answer_page(self, scope: Scope, receive: Receive, send: Send, origin: bytes) -> None:
        cors: Headers = [
            (b"access-control-allow-origin", b"*" if self._any else origin),
            (b"access-control-expose-headers", EXPOSED.encode()),
        ]
        asks = any(name == b"access-control-request-method" for name, _ in scope["headers"])
        if scope["method"] == "OPTIONS" and asks:
            id_ = (b"x-request-id", new_request_id().encode())
            head = _varied([*EVERY_ANSWER, *cors, *PREFLIGHT, id_])
            await send({"type": "http.response.start", "status": 204, "headers": head})
            await send({"type": "http.response.body"})
            return

        async def send_to_page(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _varied([*message["headers"], *cors])}
            await send(message)

        await self._app(scope, receive, send_to_page)


def _varied(headers: Headers) -> Headers:
    """The headers, with the origin among what the answer depends on."""
    vary = b", ".join(value for name, value in headers if name == b"vary")
    if b"origin" in vary.lower():
        return headers
    others = [(name, value) for name, value in headers if name != b"vary"]
    return [*others, (b"vary", b", ".join(filter(None, (vary, b"origin"))))]


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    error = OriginForbidden(
        "pages of this origin may not use this server",
        field="Origin",
        allowed="an origin in the server's configuration",
    )
    websocket = scope["type"] == "websocket"
    if websocket:
        await receive()
    prefix = "websocket.http.response" if websocket else "http.response"
    await send_problem(send, error.problem, new_request_id(), prefix=prefix)
