"""What a vendor's dialect needs of the fronts beside its speech: small answers in JSON, asked for with its kind of key, and
every no below its paths in its own words.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.accounts.caller import Caller
from gateway.accounts.clock import now_ms
from gateway.accounts.model import Scope as Use
from gateway.core.errors import GatewayError, Internal, MethodNotAllowed, NotFound, Problem
from gateway.dialects.http import HttpRequest, Words
from gateway.fronts.authentication import authenticate
from gateway.fronts.described.operation import Dialect
from gateway.fronts.reply import error_details, headers, new_request_id, said_headers, send_json
from gateway.fronts.requests import read_body, read_head
from gateway.runtime.house import House

READ = ("GET", "HEAD")

log = logging.getLogger("gateway.http")


Shown = Callable[[HttpRequest], Iterable[str] | None]
"""Every key or token that a request shows, as `Exchange.credentials` gives them."""


class Asked:
    """A request for a small answer."""

    def __init__(self, house: House, scope: Scope, request: HttpRequest, shown: Shown) -> None:
        self.request = request
        self._caller: Caller | None = None
        self._house = house
        self._scope = scope
        self._shown = shown

    @property
    def caller(self) -> Caller:
        """Who asks, where it is not for everybody."""
        assert self._caller is not None
        return self._caller

    async def admit(self) -> Caller:
        """Find out who asks; it is one more of his requests. Raises what `authenticate` raises."""
        shown = self._shown(self.request)
        self._caller = await authenticate(self._house, self._scope, Use.SPEECH, shown)
        return self._caller


Tell = Callable[[Asked], Awaitable[object]]
"""Gives what is told, for msgspec to encode. May raise GatewayError."""


def usual_places(request: HttpRequest) -> None:
    """Keys are where the native protocol has them."""


class VendorJson:
    """A small answer in JSON, as a plain ASGI application.

    Only who may speak is told it, unless it is `for_everybody`. A request's body is read where it `takes_body`, before anybody
    is asked for a key, which may be in it, unless it is `after_key`.
    """

    def __init__(
        self,
        house: House,
        words: Words,
        tell: Tell,
        *,
        methods: tuple[str, ...] = READ,
        shown: Shown = usual_places,
        for_everybody: bool = False,
        takes_body: bool = False,
        after_key: bool = False,
    ) -> None:
        self._house = house
        self._words = words
        self._tell = tell
        self._methods = methods
        self._shown = shown
        self._for_everybody = for_everybody
        self._takes_body = takes_body
        self._after_key = after_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = new_request_id()
        try:
            told = await self._answer(scope, receive)
            body = msgspec.json.encode(told)
        except GatewayError as error:
            await send_refusal(send, self._words, error.problem, request_id)
        except Exception:
            # The edge of the connection, so that a bug of ours has the dialect's words, too.
            log.exception("request_crashed", extra={"request_id": request_id})
            problem = Internal("the request failed; the log knows why").problem
            await send_refusal(send, self._words, problem, request_id)
        else:
            await send_json(send, 200, body, headers(request_id, "application/json"))

    async def _answer(self, scope: Scope, receive: Receive) -> object:
        if scope["method"] not in self._methods:
            raise MethodNotAllowed(
                f"{scope['method']} means nothing here", allowed=", ".join(self._methods)
            )
        asked = Asked(self._house, scope, read_head(scope), self._shown)
        if self._after_key:
            await asked.admit()
        if self._takes_body:
            body = await read_body(scope, receive, self._house.limits)
            asked.request = msgspec.structs.replace(asked.request, body=body)
        if not (self._for_everybody or self._after_key):
            await asked.admit()
        return await self._tell(asked)


class Nowhere:
    """The answer for paths below a vendor's that are none of its own, as a plain ASGI application."""

    def __init__(self, words: Words) -> None:
        self._words = words

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse a handshake."""
        websocket = scope["type"] == "websocket"
        if websocket:
            await receive()
        prefix = "websocket.http.response" if websocket else "http.response"
        problem = NotFound("there is nothing at this path").problem
        await send_refusal(send, self._words, problem, new_request_id(), prefix=prefix)


async def send_refusal(
    send: Send, words: Words, problem: Problem, request_id: str, *, prefix: str = "http.response"
) -> None:
    """An error as the dialect words it."""
    refusal = words.refuse(problem, request_id, now_ms() / 1_000)
    head = said_headers(request_id, [*refusal.headers, *error_details(problem)])
    await send_json(send, refusal.status, refusal.body, head, prefix=prefix)


class Front(NamedTuple):
    """What a dialect adds to the gateway, and how that is described."""

    routes: Sequence[BaseRoute]
    described: Dialect


def vendor_routes(
    dialect: Dialect, apps: Mapping[str, ASGIApp], own: Sequence[str] = ()
) -> list[BaseRoute]:
    """Each of the `apps`, by its path, below each base of the dialect. All else below `/<dialect>`, and below the paths in `own`,
    which nobody else has anything below, is nowhere."""
    routes: list[BaseRoute] = [
        Route(base + path, app) for base in dialect.bases for path, app in apps.items()
    ]
    nowhere = Nowhere(dialect.words)
    return [*routes, *(Mount(path, nowhere) for path in (*own, f"/{dialect.name}"))]
