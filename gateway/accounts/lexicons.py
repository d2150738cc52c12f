"""Where lexicons are kept: with the accounts, or in memory where there are none. tests/accounts/test_store_lexicons.py has
the contract that both pass."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import msgspec

from gateway.core.errors import TooManyLexicons
from gateway.core.lexicon import Lexicon, Rule


class LexiconKind(StrEnum):
    """By whose words a lexicon was made; those of each kind are listed and bounded by themselves."""

    NATIVE = "native"
    SARVAM = "sarvam"


class KeptLexicon(msgspec.Struct, frozen=True):
    """A lexicon and whose it is. Times are milliseconds since 1970."""

    account: str
    kind: LexiconKind
    name: str
    lexicon: Lexicon
    created_ms: int
    changed_ms: int

    def changed(
        self, rules: tuple[Rule, ...], now_ms: int, *, name: str | None = None
    ) -> KeptLexicon:
        """Its next version."""
        return msgspec.structs.replace(
            self,
            name=self.name if name is None else name,
            lexicon=msgspec.structs.replace(
                self.lexicon, rules=rules, version=self.lexicon.version + 1
            ),
            changed_ms=now_ms,
        )


class LexiconEntry(msgspec.Struct, frozen=True):
    """A lexicon in a list, with how many rules it has. Times are milliseconds since 1970."""

    id: str
    name: str
    version: int
    rules: int
    created_ms: int
    changed_ms: int


Change = Callable[[KeptLexicon], KeptLexicon]
"""From a version to the next, by `KeptLexicon.changed`. What it raises leaves everything as it was. It may be called in
another thread."""


class LexiconStore(Protocol):
    """What keeps lexicons. Each belongs to an account; for all others it is not there. Every method is one transaction, and
    raises AccountsUnavailable when the database cannot be asked."""

    async def add_lexicon(self, kept: KeptLexicon, *, lexicons_max: int) -> None:
        """A new one. Raises ValueError when there is one of this id, whosever it is, and TooManyLexicons when the account has
        so many of its kind."""
        ...

    async def find_lexicon(self, account: str, id: str) -> KeptLexicon | None:
        """The one of this id, of whatever kind, as it is now."""
        ...

    async def list_lexicons(self, account: str, kind: LexiconKind) -> list[LexiconEntry]:
        """Those of an account, in the order in which they were made."""
        ...

    async def change_lexicon(self, account: str, id: str, change: Change) -> KeptLexicon | None:
        """Make it what `change` makes of it; between the two nobody else changes it. None = there is none."""
        ...

    async def remove_lexicon(self, account: str, id: str) -> bool:
        """Forget it. False = there is none."""
        ...


class LexiconsInMemory:
    """As `LexiconStore`, as long as the process lives."""

    def __init__(self) -> None:
        self._kept: dict[str, KeptLexicon] = {}

    async def add_lexicon(self, kept: KeptLexicon, *, lexicons_max: int) -> None:
        if kept.lexicon.id in self._kept:
            raise ValueError(f"there is a lexicon {kept.lexicon.id} already")
        refuse_more(len(await self.list_lexicons(kept.account, kept.kind)), lexicons_max)
        self._kept[kept.lexicon.id] = kept

    async def find_lexicon(self, account: str, id: str) -> KeptLexicon | None:
        kept = self._kept.get(id)
        return kept if kept is not None and kept.account == account else None

    async def list_lexicons(self, account: str, kind: LexiconKind) -> list[LexiconEntry]:
        return [
            LexiconEntry(
                kept.lexicon.id,
                kept.name,
                kept.lexicon.version,
                len(kept.lexicon.rules),
                kept.created_ms,
                kept.changed_ms,
            )
            for kept in self._kept.values()
            if kept.account == account and kept.kind is kind
        ]

    async def change_lexicon(self, account: str, id: str, change: Change) -> KeptLexicon | None:
        kept = await self.find_lexicon(account, id)
        if kept is None:
            return None
        self._kept[id] = changed = change(kept)
        return changed

    async def remove_lexicon(self, account: str, id: str) -> bool:
        if await self.find_lexicon(account, id) is None:
            return False
        del self._kept[id]
        return True


def refuse_more(there_are: int, lexicons_max: int) -> None:
    """Raises TooManyLexicons."""
    if there_are >= lexicons_max:
        raise TooManyLexicons(
            f"there are {there_are} lexicons; remove one first",
            allowed=f"at most {lexicons_max}",
        )
