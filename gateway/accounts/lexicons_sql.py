"""Lexicons in SQL, each function within the transaction of its caller."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from gateway.accounts.lexicons import (
    Change,
    KeptLexicon,
    LexiconEntry,
    LexiconKind,
    refuse_more,
)
from gateway.core.lexicon import Lexicon, Rule

_RULES = msgspec.json.Decoder(tuple[Rule, ...])

_ADD = """
INSERT INTO lexicons (id, account, kind, name, version, exact, rules, rules_count, created_ms, changed_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_FIND = """
SELECT account, kind, name, version, exact, rules, created_ms, changed_ms FROM lexicons WHERE id = ? AND account = ?
"""
_LIST = """
SELECT id, name, version, rules_count, created_ms, changed_ms FROM lexicons WHERE account = ? AND kind = ? ORDER BY number
"""
_CHANGE = """
UPDATE lexicons SET name = ?, version = ?, rules = ?, rules_count = ?, changed_ms = ? WHERE id = ?
"""


def add(database: sqlite3.Connection, kept: KeptLexicon, lexicons_max: int) -> None:
    """As `LexiconStore.add_lexicon`."""
    (there_are,) = database.execute(
        "SELECT count(*) FROM lexicons WHERE account = ? AND kind = ?", (kept.account, kept.kind)
    ).fetchone()
    lexicon = kept.lexicon
    try:
        database.execute(
            _ADD,
            (
                *(lexicon.id, kept.account, kept.kind, kept.name, lexicon.version, lexicon.exact),
                *(msgspec.json.encode(lexicon.rules), len(lexicon.rules)),
                *(kept.created_ms, kept.changed_ms),
            ),
        )
    except sqlite3.IntegrityError:
        raise ValueError(f"there is a lexicon {lexicon.id} already") from None
    refuse_more(there_are, lexicons_max)


def find(database: sqlite3.Connection, account: str, id: str) -> KeptLexicon | None:
    """As `LexiconStore.find_lexicon`."""
    row = database.execute(_FIND, (id, account)).fetchone()
    return None if row is None else _kept(id, row)


def entries(database: sqlite3.Connection, account: str, kind: LexiconKind) -> list[LexiconEntry]:
    """As `LexiconStore.list_lexicons`."""
    return [LexiconEntry(*row) for row in database.execute(_LIST, (account, kind))]


def change(
    database: sqlite3.Connection, account: str, id: str, change: Change
) -> KeptLexicon | None:
    """As `LexiconStore.change_lexicon`."""
    kept = find(database, account, id)
    if kept is None:
        return None
    changed = change(kept)
    lexicon = changed.lexicon
    database.execute(
        _CHANGE,
        (
            *(changed.name, lexicon.version),
            *(msgspec.json.encode(lexicon.rules), len(lexicon.rules)),
            *(changed.changed_ms, id),
        ),
    )
    return changed


def remove(database: sqlite3.Connection, account: str, id: str) -> bool:
    """As `LexiconStore.remove_lexicon`."""
    gone = database.execute("DELETE FROM lexicons WHERE id = ? AND account = ?", (id, account))
    return gone.rowcount > 0


def _kept(id: str, row: tuple[Any, ...]) -> KeptLexicon:
    account, kind, name, version, exact, rules, created_ms, changed_ms = row
    lexicon = Lexicon(id, version, _RULES.decode(rules), exact=bool(exact))
    return KeptLexicon(account, LexiconKind(kind), name, lexicon, created_ms, changed_ms)
