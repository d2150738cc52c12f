"""The routes of YourVoic's protocol."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import add

from babel import Locale, UnknownLocaleError
from starlette.types import ASGIApp

from gateway.accounts.caller import Caller
from gateway.accounts.model import Sum
from gateway.core.errors import Forbidden
from gateway.core.params import Catalog
from gateway.dialects.yourvoic.lists import (
    YourVoicCredits,
    YourVoicSpoken,
    YourVoicUsage,
    YourVoicUsed,
    YourVoicVoices,
    languages,
    models,
    voices,
)
from gateway.dialects.yourvoic.speech import CREDITS_UNLIMITED, Generate, Stream
from gateway.fronts.described.yourvoic import NAME, WORDS, YourVoicHealth, described
from gateway.fronts.http import SpeechOverHttp
from gateway.fronts.traced import traced
from gateway.fronts.vendor import Asked, Front, Tell, VendorJson, vendor_routes
from gateway.runtime.house import House


def yourvoic(house: House, *, refuses: bool) -> Front:
    """All routes. With `refuses`, a control that a model has not is an error."""
    catalog = house.vendors[NAME]
    dialect = described(catalog, house.limits)
    told = {
        "/v1/languages": languages(catalog, _names(catalog)),
        "/v1/models": models(
            catalog, {model: house.prices[model].of(1_000) for model in catalog.models}
        ),
    }

    def speech(exchange: Generate | Stream) -> ASGIApp:
        return traced(SpeechOverHttp(house, exchange, catalog, tells_credits=True), house)

    async def list_voices(asked: Asked) -> YourVoicVoices:
        return voices(catalog, asked.request.query)

    async def credits(asked: Asked) -> YourVoicCredits:
        return await _credits(house, asked)

    async def usage(asked: Asked) -> YourVoicUsage:
        return await _usage(house, asked)

    apps: dict[str, ASGIApp] = {
        "/v1/tts/generate": speech(Generate(refuses=refuses)),
        "/v1/tts/stream": speech(Stream(refuses=refuses)),
        **{path: VendorJson(house, WORDS, _always(answer)) for path, answer in told.items()},
        "/v1/voices": VendorJson(house, WORDS, list_voices),
        "/v1/usage": VendorJson(house, WORDS, usage),
        "/v1/user/credits": VendorJson(house, WORDS, credits),
        "/health": VendorJson(house, WORDS, _always(YourVoicHealth("ok")), for_everybody=True),
    }
    return Front(vendor_routes(dialect, apps, own=("/api", "/v1/tts", "/v1/user")), dialect)


def _always(answer: object) -> Tell:
    async def tell(asked: Asked) -> object:
        return answer

    return tell


async def _credits(house: House, asked: Asked) -> YourVoicCredits:
    caller = _owner(asked)
    if house.ledger is None or not house.ledger.charges:
        return YourVoicCredits(CREDITS_UNLIMITED, 0)
    month = (await _usage(house, asked)).this_month
    balance = await house.ledger.balance(caller)
    return YourVoicCredits(balance.available / 1_000, month.credits)


async def _usage(house: House, asked: Asked) -> YourVoicUsage:
    caller = _owner(asked)
    sums = [] if house.ledger is None else await house.ledger.usage(caller, of_account=True)
    return YourVoicUsage(
        _spoken(each.today for each in sums),
        _spoken(each.month for each in sums),
        _spoken(each.total for each in sums),
        tuple(_used(each.month, each.route, each.model) for each in sums),
    )


def _owner(asked: Asked) -> Caller:
    """Who asks, with his own key. Raises Forbidden."""
    if asked.caller.session_ms_max is not None:
        raise Forbidden("a token is there to speak with", allowed="a key")
    return asked.caller


def _spoken(sums: Iterable[Sum]) -> YourVoicSpoken:
    whole = reduce(add, sums, Sum())
    return YourVoicSpoken(whole.requests, whole.chars, whole.millicredits / 1_000)


def _used(month: Sum, route: str, model: str) -> YourVoicUsed:
    return YourVoicUsed(
        month.requests,
        month.chars,
        month.millicredits / 1_000,
        endpoint=route.removeprefix(NAME),
        model=model,
    )


def _names(catalog: Catalog) -> dict[str, str]:
    """The English names of the languages, by their codes."""
    speakers = (voice for model in catalog.models.values() for voice in model.voices.values())
    codes = {code for voice in speakers for code in voice.languages}
    return {code: _name(code) for code in codes}


def _name(code: str) -> str:
    try:
        return Locale.parse(code, sep="-").get_display_name("en") or code
    except (ValueError, UnknownLocaleError):
        return code
