"""`GET /v1/speech/usage`: what a key had spoken, and what its account has left."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import add

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.accounts.caller import Caller
from gateway.accounts.ledger import Ledger
from gateway.accounts.model import Balance, RouteSums, Scope as Use, Sum
from gateway.core.errors import Forbidden, GatewayError, MethodNotAllowed, NotFound
from gateway.fronts.authentication import authenticate
from gateway.fronts.reply import headers, new_request_id, send_json
from gateway.fronts.system import send_problem
from gateway.runtime.house import House


class Spoken(msgspec.Struct, frozen=True):
    """What was spoken in some time."""

    requests: int
    chars: int
    credits: float


class RouteUsage(msgspec.Struct, frozen=True):
    """What came by a route for a model."""

    route: str
    model: str
    today: Spoken
    month: Spoken
    total: Spoken


class Credits(msgspec.Struct, frozen=True):
    """What an account has: `available` may be spent, `held` is set aside for speech under way, `spent` is gone."""

    available: float
    held: float
    spent: float


class UsageInfo(msgspec.Struct, frozen=True):
    """The answer. `credits` are the account's; the rest is the key's own. Days and months are those of UTC."""

    key: str
    account: str
    charged: bool
    credits: Credits
    today: Spoken
    month: Spoken
    total: Spoken
    routes: tuple[RouteUsage, ...]


class UsageOverHttp:
    """Usage as a plain ASGI application."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = new_request_id()
        try:
            if scope["method"] not in {"GET", "HEAD"}:
                raise MethodNotAllowed("usage is read by GET", allowed="GET, HEAD")
            caller = await authenticate(self._house, scope, Use.SPEECH)
            if caller.session_ms_max is not None:
                raise Forbidden("a token is there to speak with", allowed="a key")
            if self._house.ledger is None:
                raise NotFound("nothing is counted here", allowed="a gateway with accounts")
            found = await _usage(self._house.ledger, caller)
        except GatewayError as error:
            await send_problem(send, error.problem, request_id)
            return
        body = msgspec.json.encode(found)
        await send_json(send, 200, body, headers(request_id, "application/json"))


async def _usage(ledger: Ledger, caller: Caller) -> UsageInfo:
    routes = await ledger.usage(caller)
    balance = await ledger.balance(caller)
    return UsageInfo(
        caller.key,
        caller.account,
        ledger.charges,
        _credits(balance),
        _spoken(each.today for each in routes),
        _spoken(each.month for each in routes),
        _spoken(each.total for each in routes),
        tuple(map(_route, routes)),
    )


def _route(sums: RouteSums) -> RouteUsage:
    parts = (_spoken([each]) for each in (sums.today, sums.month, sums.total))
    return RouteUsage(sums.route, sums.model, *parts)


def _spoken(sums: Iterable[Sum]) -> Spoken:
    whole = reduce(add, sums, Sum())
    return Spoken(whole.requests, whole.chars, whole.millicredits / 1_000)


def _credits(balance: Balance) -> Credits:
    amounts = (balance.available, balance.pending, balance.posted)
    return Credits(*(amount / 1_000 for amount in amounts))
