"""Where a request shows who sends it, and the answer to who does not.

A key comes in `Authorization: Bearer` or `X-API-Key`. A browser's WebSocket can set neither, so it shows a single-use token:
among its subprotocols as `token.<token>`, or in the query. A key is never taken from there, as URLs end up in logs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import parse_qs

from starlette.types import Scope

from gateway.accounts.caller import Caller
from gateway.accounts.credentials import Kind
from gateway.accounts.model import Scope as Use
from gateway.core.errors import Unauthorized
from gateway.fronts.reply import address_of
from gateway.runtime.house import House

SUBPROTOCOL = "token."
QUERY = "token"
_BEARER = "bearer "


async def authenticate(
    house: House, scope: Scope, needs: Use, shown: Iterable[str] | None = None
) -> Caller:
    """The caller of a request or handshake, which is one more of his. `shown` is every key or token that it shows, where these
    are in other places than ours; going through them may raise Unauthorized. Raises Unauthorized, Forbidden, RateLimited or
    AccountsUnavailable."""
    gate, addresses = house.gate, house.addresses
    address = address_of(scope)
    addresses.judge(address)
    if gate.is_open:
        return await gate.admit(None, needs)
    try:
        caller = await gate.admit(_only(set(_shown(scope) if shown is None else shown)), needs)
    except Unauthorized:
        addresses.mistake(address)
        raise
    house.quotas.request(caller)
    return caller


def _only(shown: set[str]) -> str | None:
    if len(shown) > 1:
        raise Unauthorized("more than one credential is shown", allowed="one key or token")
    return next(iter(shown), None)


def _shown(scope: Scope) -> Iterator[str]:
    for name, value in scope["headers"]:
        if name == b"authorization":
            text = value.decode("latin-1")
            if text[: len(_BEARER)].lower() != _BEARER:
                raise Unauthorized(
                    "this way of showing a key is not known", allowed="Authorization: Bearer"
                )
            yield text[len(_BEARER) :].strip()
        elif name == b"x-api-key":
            yield value.decode("latin-1").strip()
    if scope["type"] == "websocket":
        yield from map(_token, _in_address(scope))


def _in_address(scope: Scope) -> Iterator[str]:
    for name in scope["subprotocols"]:
        if name.startswith(SUBPROTOCOL):
            yield name.removeprefix(SUBPROTOCOL)
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    yield from query.get(QUERY, ())


def _token(shown: str) -> str:
    if shown.startswith(f"{Kind.KEY}_"):
        raise Unauthorized(
            "a key is shown where only tokens may be; take it for known to others, and revoke it",
            allowed="a token",
        )
    return shown
