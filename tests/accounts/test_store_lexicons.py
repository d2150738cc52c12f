"""The contract of what keeps lexicons: every store of the accounts, and memory where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from gateway.accounts.lexicons import (
    KeptLexicon,
    LexiconEntry,
    LexiconKind,
    LexiconsInMemory,
    LexiconStore,
)
from gateway.core.errors import InvalidValue, TooManyLexicons
from gateway.core.lexicon import Lexicon, Rule
from tests.accounts.stores import STORES

NOW = 1_700_000_000_000
RULES = (Rule("en", "SQL", "sequel"), Rule("hi-in", "नमस्ते", "'; DROP TABLE lexicons; --"))
MEMORY = "memory"

pytestmark = pytest.mark.parametrize("store_name", [*STORES, MEMORY])


@asynccontextmanager
async def opened(store_name: str, directory: Path) -> AsyncIterator[LexiconStore]:
    if store_name == MEMORY:
        yield LexiconsInMemory()
        return
    async with STORES[store_name](directory) as store:
        yield store


def a_lexicon(id: str = "lx_1", account: str = "acme", **changes: object) -> KeptLexicon:
    known: dict[str, object] = {
        "kind": LexiconKind.NATIVE,
        "name": "brands",
        "lexicon": Lexicon(id, 1, RULES),
        "created_ms": NOW,
        "changed_ms": NOW,
    }
    return KeptLexicon(account, **{**known, **changes})  # type: ignore[arg-type]


async def test_is_found_as_it_was_made(store_name: str, tmp_path: Path) -> None:
    async with opened(store_name, tmp_path) as store:
        exact = a_lexicon("p_1", kind=LexiconKind.SARVAM, lexicon=Lexicon("p_1", 1, (), exact=True))
        for kept in (a_lexicon(), exact):
            await store.add_lexicon(kept, lexicons_max=1)
            assert await store.find_lexicon("acme", kept.lexicon.id) == kept
        assert await store.find_lexicon("acme", "lx_2") is None
        with pytest.raises(ValueError, match="already"):
            await store.add_lexicon(a_lexicon(account="other"), lexicons_max=9)
        assert await store.find_lexicon("acme", "lx_1") == a_lexicon()


async def test_is_not_there_for_anybody_else(store_name: str, tmp_path: Path) -> None:
    async with opened(store_name, tmp_path) as store:
        await store.add_lexicon(a_lexicon(), lexicons_max=1)
        assert await store.find_lexicon("other", "lx_1") is None
        assert await store.list_lexicons("other", LexiconKind.NATIVE) == []
        assert await store.change_lexicon("other", "lx_1", lambda kept: kept) is None
        assert await store.remove_lexicon("other", "lx_1") is False
        assert await store.find_lexicon("acme", "lx_1") == a_lexicon()


async def test_those_of_a_kind_are_listed_in_order(store_name: str, tmp_path: Path) -> None:
    async with opened(store_name, tmp_path) as store:
        for id in ("lx_b", "lx_a", "lx_c"):
            await store.add_lexicon(a_lexicon(id), lexicons_max=3)
        await store.add_lexicon(a_lexicon("p_1", kind=LexiconKind.SARVAM), lexicons_max=3)
        assert await store.remove_lexicon("acme", "lx_a") is True
        assert await store.remove_lexicon("acme", "lx_a") is False
        assert await store.list_lexicons("acme", LexiconKind.NATIVE) == [
            LexiconEntry(id, "brands", 1, 2, NOW, NOW) for id in ("lx_b", "lx_c")
        ]


async def test_each_kind_and_account_has_its_own_bound(store_name: str, tmp_path: Path) -> None:
    async with opened(store_name, tmp_path) as store:
        for number in range(2):
            await store.add_lexicon(a_lexicon(f"lx_{number}"), lexicons_max=2)
        with pytest.raises(TooManyLexicons):
            await store.add_lexicon(a_lexicon("lx_2"), lexicons_max=2)
        assert await store.find_lexicon("acme", "lx_2") is None, "it was refused"
        await store.add_lexicon(a_lexicon("lx_2", "other"), lexicons_max=2)
        await store.add_lexicon(a_lexicon("p_1", kind=LexiconKind.SARVAM), lexicons_max=2)
        await store.remove_lexicon("acme", "lx_0")
        await store.add_lexicon(a_lexicon("lx_3"), lexicons_max=2)


async def test_a_change_is_its_next_version(store_name: str, tmp_path: Path) -> None:
    async with opened(store_name, tmp_path) as store:
        await store.add_lexicon(a_lexicon(), lexicons_max=1)
        changed = await store.change_lexicon(
            "acme", "lx_1", lambda kept: kept.changed(RULES[:1], NOW + 5, name="new")
        )
        expected = a_lexicon(name="new", lexicon=Lexicon("lx_1", 2, RULES[:1]), changed_ms=NOW + 5)
        assert changed == expected == await store.find_lexicon("acme", "lx_1")
        assert await store.list_lexicons("acme", LexiconKind.NATIVE) == [
            LexiconEntry("lx_1", "new", 2, 1, NOW, NOW + 5)
        ]


async def test_a_change_that_is_refused_leaves_all_as_it_was(
    store_name: str, tmp_path: Path
) -> None:
    def refuse(kept: KeptLexicon) -> NoReturn:
        raise InvalidValue("no", field="rules")

    async with opened(store_name, tmp_path) as store:
        await store.add_lexicon(a_lexicon(), lexicons_max=1)
        with pytest.raises(InvalidValue):
            await store.change_lexicon("acme", "lx_1", refuse)
        assert await store.find_lexicon("acme", "lx_1") == a_lexicon()


async def test_no_change_is_lost(store_name: str, tmp_path: Path) -> None:
    """Each adds a rule to what it finds, all at once."""

    def with_rule(number: int, kept: KeptLexicon) -> KeptLexicon:
        rule = Rule("en", f"word{number}", "alias")
        return kept.changed((*kept.lexicon.rules, rule), NOW)

    async with opened(store_name, tmp_path) as store:
        await store.add_lexicon(a_lexicon(), lexicons_max=1)
        await asyncio.gather(
            *(
                store.change_lexicon("acme", "lx_1", lambda kept, n=n: with_rule(n, kept))  # type: ignore[misc]
                for n in range(50)
            )
        )
        found = await store.find_lexicon("acme", "lx_1")
        assert found is not None
        assert found.lexicon.version == 51
        assert {rule.word for rule in found.lexicon.rules[2:]} == {f"word{n}" for n in range(50)}
