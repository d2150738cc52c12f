"""The routes of GistMag's protocol."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

import msgspec
from starlette.types import ASGIApp

from gateway.accounts.ledger import Ledger
from gateway.core.errors import Forbidden, NotFound, NotOffered, Unauthorized
from gateway.dialects.gistmag.errors import GistMagWords
from gateway.dialects.gistmag.keys import GistMagKeyBody, is_form, shown_keys
from gateway.dialects.gistmag.speech import BatchExchange, StreamExchange, WholeExchange
from gateway.dialects.gistmag.voices import list_voices
from gateway.dialects.http import Exchange, HttpRequest
from gateway.dialects.wire import convert, decode_object
from gateway.fronts.described.gistmag import (
    CLONES,
    ENDPOINTS,
    NAME,
    GistMagKey,
    GistMagUsage,
    GistMagVoices,
    described,
)
from gateway.fronts.http import SpeechOverHttp
from gateway.fronts.traced import traced
from gateway.fronts.vendor import READ, Asked, Front, VendorJson, vendor_routes
from gateway.runtime.house import House

WORDS = GistMagWords()


def gistmag(house: House, *, refuses: bool) -> Front:
    """All routes. With `refuses`, a field that an endpoint has not is an error."""
    catalog = house.vendors[NAME]
    voices = msgspec.Raw(msgspec.json.encode(GistMagVoices(tuple(list_voices(catalog)))))
    exchanges: tuple[Exchange, ...] = (
        WholeExchange(refuses=refuses),
        StreamExchange(refuses=refuses),
        BatchExchange(refuses=refuses),
    )

    async def tell_voices(asked: Asked) -> msgspec.Raw:
        return voices

    async def tell_usage(asked: Asked) -> GistMagUsage:
        if house.ledger is None:
            raise NotFound("nothing is counted here", allowed="a gateway with accounts")
        return await _usage(house.ledger, asked)

    apps: dict[str, ASGIApp] = {
        path: traced(SpeechOverHttp(house, exchange, catalog, tells_credits=True), house)
        for path, exchange in zip(ENDPOINTS, exchanges, strict=True)
    }
    apps["/tts/voices"] = VendorJson(house, WORDS, tell_voices, for_everybody=True)
    apps["/usage"] = VendorJson(
        house, WORDS, tell_usage, methods=(*READ, "POST"), shown=_shown, takes_body=True
    )
    apps["/verify-key"] = VendorJson(
        *(house, WORDS, _verify),
        methods=("POST",),
        shown=_shown,
        for_everybody=True,
        takes_body=True,
    )
    clone = VendorJson(house, WORDS, _no_clones, methods=("POST",), for_everybody=True)
    apps |= dict.fromkeys(CLONES, clone)
    dialect = described(catalog, house.limits)
    return Front(vendor_routes(dialect, apps, own=("/tts",)), dialect)


def _shown(request: HttpRequest) -> Iterable[str] | None:
    """The keys of a request that has nothing else. Raises InvalidValue where there is none in JSON, and what `keys_in` raises."""
    if request.method == "POST" and not is_form(request):
        convert(decode_object(request.body), GistMagKeyBody)
    return shown_keys(request)


async def _no_clones(asked: Asked) -> NoReturn:
    raise NotOffered(
        "voices are not cloned here: the engine has its own", allowed="POST /tts with a voice_name"
    )


async def _verify(asked: Asked) -> GistMagKey:
    """Costs nothing; a key that is no good is counted to the address it came from like everywhere."""
    try:
        caller = await asked.admit()
    except (Unauthorized, Forbidden) as error:
        return GistMagKey(valid=False, error=error.problem.message)
    return GistMagKey(valid=True, subscription_tier="pro", user_id=caller.account)


async def _usage(ledger: Ledger, asked: Asked) -> GistMagUsage:
    balance = await ledger.balance(asked.caller)
    ours = {f"{NAME}{path}": path for path in ENDPOINTS}
    sums = [each for each in await ledger.usage(asked.caller) if each.route in ours]
    by_endpoint = dict.fromkeys(ENDPOINTS, 0)
    for each in sums:
        by_endpoint[ours[each.route]] += each.total.requests
    return GistMagUsage(
        total_requests=sum(by_endpoint.values()),
        total_credits_used=_credits(each.total.millicredits for each in sums),
        requests_this_month=sum(each.month.requests for each in sums),
        credits_used_this_month=_credits(each.month.millicredits for each in sums),
        subscription_tier="pro",
        credits_remaining=max(0, balance.available) // 1_000,
        usage_by_endpoint=by_endpoint,
    )


def _credits(millicredits: Iterable[int]) -> int:
    """Whole ones, begun ones included: the catalog may have other prices than the vendor."""
    return -(-sum(millicredits) // 1_000)
