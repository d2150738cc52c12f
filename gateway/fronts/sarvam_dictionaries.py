"""Sarvam's pronunciation dictionaries over HTTP, kept among the lexicons. Everything below Sarvam's path of them."""

from __future__ import annotations

import asyncio
import secrets

from gateway.accounts.caller import Caller
from gateway.accounts.clock import now_ms
from gateway.accounts.lexicons import KeptLexicon, LexiconKind
from gateway.core.errors import Forbidden, InvalidValue, UnknownLexicon
from gateway.core.lexicon import Lexicon, Rule, merged
from gateway.dialects.sarvam_dictionaries import (
    DICTIONARIES_MAX,
    SarvamDictionaries,
    SarvamDictionary,
    SarvamDictionaryCreated,
    SarvamDictionaryDeleted,
    SarvamDictionaryList,
    SarvamDictionaryUpdated,
    dictionary_id,
)
from gateway.fronts.vendor import Asked
from gateway.runtime.house import House

ID_DIGITS = 8
ID_TRIES = 5
"""For an id that nobody has: there are four billion, over all accounts."""

Told = (
    SarvamDictionary
    | SarvamDictionaryCreated
    | SarvamDictionaryDeleted
    | SarvamDictionaryList
    | SarvamDictionaryUpdated
)


class Dictionaries:
    """What is told of dictionaries. Those of other kinds of lexicons are not there."""

    def __init__(self, house: House, words: SarvamDictionaries) -> None:
        self._house = house
        self._words = words

    async def tell(self, asked: Asked) -> Told:
        """The answer at the path without an id. Raises GatewayError."""
        caller = asked.caller
        if asked.request.method in {"GET", "HEAD"}:
            found = await self._house.lexicons.list_lexicons(caller.account, LexiconKind.SARVAM)
            return SarvamDictionaryList(len(found), tuple(each.id for each in found))
        if caller.session_ms_max is not None:
            raise Forbidden("a token changes no dictionary", allowed="a key")
        match asked.request.method:
            case "POST":
                return await self._create(caller, await self._read(asked))
            case "PUT":
                return await self._update(caller, _named(asked), await self._read(asked))
            case _:
                return await self._delete(caller, _named(asked))

    async def tell_one(self, asked: Asked) -> SarvamDictionary:
        """The answer at the path of one. Raises GatewayError."""
        id = asked.request.path_params["dict_id"]
        kept = _mine(await self._house.lexicons.find_lexicon(asked.caller.account, id), id)
        return SarvamDictionary(self._words.written(kept.lexicon.rules))

    async def _read(self, asked: Asked) -> tuple[Rule, ...]:
        request = asked.request
        type_ = request.headers.get("content-type", "")
        # In a thread, where each part of a file is its own turn of Python's lock.
        return await asyncio.to_thread(self._words.read, type_, request.body, self._house.limits)

    async def _create(self, caller: Caller, rules: tuple[Rule, ...]) -> SarvamDictionaryCreated:
        now = now_ms()
        for _ in range(ID_TRIES - 1):
            try:
                return await self._add(caller, rules, now)
            except ValueError:
                continue
        return await self._add(caller, rules, now)

    async def _add(
        self, caller: Caller, rules: tuple[Rule, ...], now: int
    ) -> SarvamDictionaryCreated:
        id = dictionary_id(secrets.token_hex(ID_DIGITS // 2))
        lexicon = Lexicon(id, 1, rules, exact=True)
        kept = KeptLexicon(caller.account, LexiconKind.SARVAM, "", lexicon, now, now)
        await self._house.lexicons.add_lexicon(kept, lexicons_max=DICTIONARIES_MAX)
        return SarvamDictionaryCreated(id)

    async def _update(
        self, caller: Caller, id: str, rules: tuple[Rule, ...]
    ) -> SarvamDictionaryUpdated:
        now, limits = now_ms(), self._house.limits

        def change(kept: KeptLexicon) -> KeptLexicon:
            both = merged(_mine(kept, id).lexicon.rules, rules)
            return kept.changed(self._words.judged(both, limits), now)

        kept = _mine(await self._house.lexicons.change_lexicon(caller.account, id, change), id)
        return SarvamDictionaryUpdated(id, self._words.written(kept.lexicon.rules))

    async def _delete(self, caller: Caller, id: str) -> SarvamDictionaryDeleted:
        store = self._house.lexicons
        _mine(await store.find_lexicon(caller.account, id), id)
        await store.remove_lexicon(caller.account, id)
        return SarvamDictionaryDeleted(True, f"Dictionary {id} is deleted.")


def _named(asked: Asked) -> str:
    """The id in the query. Raises InvalidValue."""
    id = asked.request.query.get("dict_id")
    if not id:
        raise InvalidValue("no dictionary is named", field="dict_id", allowed="dict_id=p_…")
    return id


def _mine(kept: KeptLexicon | None, id: str) -> KeptLexicon:
    """The dictionary, if it is one. Raises UnknownLexicon."""
    if kept is None or kept.kind is not LexiconKind.SARVAM:
        raise UnknownLexicon(f"there is no dictionary {id!r}", field="dict_id")
    return kept
