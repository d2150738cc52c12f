"""Lexicons over HTTP: `/v1/speech/lexicons` and each of them by its id. docs/lexicons.md says what they are."""

from __future__ import annotations

import asyncio
import secrets
from typing import Annotated
from urllib.parse import parse_qs

import msgspec
from msgspec import Meta
from starlette.types import Receive, Scope, Send

from gateway.accounts.caller import Caller
from gateway.accounts.clock import now_ms
from gateway.accounts.lexicons import KeptLexicon, LexiconEntry, LexiconKind
from gateway.accounts.model import Scope as Use
from gateway.core.errors import (
    Forbidden,
    GatewayError,
    MessageTooLarge,
    MethodNotAllowed,
    UnknownLexicon,
)
from gateway.core.lexicon import Lexicon, LexiconLimits, Rule, judged
from gateway.core.limits import Limits
from gateway.dialects.pls import MEDIA_TYPE, read_pls
from gateway.dialects.wire import convert, decode_object
from gateway.fronts.authentication import authenticate
from gateway.fronts.reply import headers, new_request_id, send_json
from gateway.fronts.requests import read_body
from gateway.fronts.system import send_problem
from gateway.runtime.house import House

XML = frozenset({MEDIA_TYPE, "application/xml", "text/xml"})
"""Media types of bodies that are taken for PLS; all others are taken for JSON."""


class LexiconBody(msgspec.Struct, frozen=True):
    """What a lexicon is made of."""

    rules: tuple[Rule, ...]
    name: Annotated[str, Meta(max_length=100)] = ""


class LexiconInfo(msgspec.Struct, frozen=True):
    """A lexicon as it is now. Times are milliseconds since 1970."""

    id: str
    name: str
    version: int
    created_ms: int
    changed_ms: int
    rules: tuple[Rule, ...]


class LexiconList(msgspec.Struct, frozen=True):
    """The lexicons of an account, in the order in which they were made. `rules` is how many each has."""

    lexicons: tuple[LexiconEntry, ...]


class LexiconRemoved(msgspec.Struct, frozen=True):
    """There is no lexicon of this id any more."""

    removed: str


class LexiconsOverHttp:
    """`/v1/speech/lexicons` and `/v1/speech/lexicons/{id}` as a plain ASGI application."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = new_request_id()
        try:
            answer = await self._answer(scope, receive)
        except GatewayError as error:
            await send_problem(send, error.problem, request_id)
            return
        head = headers(request_id, "application/json")
        await send_json(send, 200, msgspec.json.encode(answer), head)

    async def _answer(self, scope: Scope, receive: Receive) -> msgspec.Struct:
        id: str | None = scope["path_params"].get("id")
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        methods = ("GET", "POST") if id is None else ("GET", "PUT", "DELETE")
        if method not in methods:
            raise MethodNotAllowed(
                f"{method} means nothing here", allowed=", ".join(("HEAD", *methods))
            )
        caller = await authenticate(self._house, scope, Use.SPEECH)
        if method != "GET" and caller.session_ms_max is not None:
            raise Forbidden("a token changes no lexicon", allowed="a key")
        if id is None:
            return await (
                self._list(caller) if method == "GET" else self._add(caller, scope, receive)
            )
        match method:
            case "GET":
                return _info(_mine(await self._house.lexicons.find_lexicon(caller.account, id), id))
            case "PUT":
                return await self._change(caller, id, scope, receive)
            case _:
                return await self._remove(caller, id)

    async def _list(self, caller: Caller) -> LexiconList:
        found = await self._house.lexicons.list_lexicons(caller.account, LexiconKind.NATIVE)
        return LexiconList(tuple(found))

    async def _add(self, caller: Caller, scope: Scope, receive: Receive) -> LexiconInfo:
        body = await self._body(scope, receive)
        kept = new_lexicon(caller.account, body.name, body.rules, now_ms())
        limits = self._house.limits
        await self._house.lexicons.add_lexicon(kept, lexicons_max=limits.lexicons_max)
        return _info(kept)

    async def _change(self, caller: Caller, id: str, scope: Scope, receive: Receive) -> LexiconInfo:
        body = await self._body(scope, receive)
        now = now_ms()

        def change(kept: KeptLexicon) -> KeptLexicon:
            return _mine(kept, id).changed(body.rules, now, name=body.name)

        store = self._house.lexicons
        return _info(_mine(await store.change_lexicon(caller.account, id, change), id))

    async def _remove(self, caller: Caller, id: str) -> LexiconRemoved:
        store = self._house.lexicons
        _mine(await store.find_lexicon(caller.account, id), id)
        await store.remove_lexicon(caller.account, id)
        return LexiconRemoved(id)

    async def _body(self, scope: Scope, receive: Receive) -> LexiconBody:
        limits = self._house.limits
        body = await read_body(scope, receive, limits)
        if len(body) > limits.lexicon_bytes_max:
            raise MessageTooLarge(
                f"the lexicon has {len(body)} bytes",
                allowed=f"at most {limits.lexicon_bytes_max} bytes",
            )
        type_ = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
        name = parse_qs(scope["query_string"].decode("latin-1")).get("name", [""])[0]
        # Read in a thread, where each part of a document is its own turn of Python's lock.
        return await asyncio.to_thread(read_lexicon, body, type_, name, limits)


def read_lexicon(body: bytes, media_type: str, name: str, limits: Limits) -> LexiconBody:
    """A lexicon in JSON or PLS; the latter takes its `name` from elsewhere. Raises InvalidMessage, InvalidValue or
    Unsupported."""
    if media_type.partition(";")[0].strip().lower() in XML:
        read = convert({"rules": read_pls(body), "name": name}, LexiconBody)
    else:
        read = convert(decode_object(body), LexiconBody)
    bounds = LexiconLimits.of(limits)
    return msgspec.structs.replace(read, rules=judged(read.rules, bounds))


def new_lexicon(account: str, name: str, rules: tuple[Rule, ...], now: int) -> KeptLexicon:
    """The first version of a lexicon, with an id that no other one has."""
    lexicon = Lexicon(f"lx_{secrets.token_hex(8)}", 1, rules)
    return KeptLexicon(account, LexiconKind.NATIVE, name, lexicon, now, now)


def _mine(kept: KeptLexicon | None, id: str) -> KeptLexicon:
    """The lexicon, if it was made here. Raises UnknownLexicon."""
    if kept is None or kept.kind is not LexiconKind.NATIVE:
        raise UnknownLexicon(
            f"there is no lexicon {id!r}",
            field="id",
            allowed="an id that GET /v1/speech/lexicons lists",
        )
    return kept


def _info(kept: KeptLexicon) -> LexiconInfo:
    lexicon = kept.lexicon
    return LexiconInfo(
        *(lexicon.id, kept.name, lexicon.version, kept.created_ms, kept.changed_ms, lexicon.rules)
    )
