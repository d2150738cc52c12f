"""The store in a SQLite file: one thread writes, one reads, and other processes may do the same beside them."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from gateway.accounts import ledger_sql as sql, lexicons_sql
from gateway.accounts.lease import Lease
from gateway.accounts.lexicons import Change, KeptLexicon, LexiconEntry, LexiconKind
from gateway.accounts.migrate import DatabaseUnusable, migrate
from gateway.accounts.model import (
    Balance,
    Charge,
    KeptKey,
    KeptToken,
    Key,
    KeyLimits,
    RouteSums,
    Scope,
    Usage,
)
from gateway.accounts.threads import DatabaseThread, connect
from gateway.core.errors import AccountsUnavailable, RateLimited

_ADD_KEY = """
INSERT INTO keys (id, account, name, scopes, created_ms, expires_ms, revoked_ms, used_ms,
    requests_per_minute, chars_per_minute, contexts_max, digest)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_FIND_KEY = """
SELECT id, account, name, scopes, created_ms, expires_ms, revoked_ms, used_ms,
    requests_per_minute, chars_per_minute, contexts_max, digest
FROM keys WHERE id = ?
"""
_FIND_KEYS = """
SELECT id, account, name, scopes, created_ms, expires_ms, revoked_ms, used_ms,
    requests_per_minute, chars_per_minute, contexts_max
FROM keys WHERE id IN (SELECT value FROM json_each(?))
"""
_LIST_KEYS = """
SELECT id, account, name, scopes, created_ms, expires_ms, revoked_ms, used_ms,
    requests_per_minute, chars_per_minute, contexts_max
FROM keys ORDER BY rowid
"""
_REVOKE_KEY = """
UPDATE keys SET revoked_ms = coalesce(revoked_ms, ?) WHERE id = ?
RETURNING id, account, name, scopes, created_ms, expires_ms, revoked_ms, used_ms,
    requests_per_minute, chars_per_minute, contexts_max
"""
_LIMIT_KEY = """
UPDATE keys SET requests_per_minute = ?, chars_per_minute = ?, contexts_max = ? WHERE id = ?
RETURNING id, account, name, scopes, created_ms, expires_ms, revoked_ms, used_ms,
    requests_per_minute, chars_per_minute, contexts_max
"""


class SqliteStore:
    """The store; made by `open_sqlite`. As `Store`."""

    def __init__(self, path: Path) -> None:
        self._writes = DatabaseThread(path, writes=True)
        self._reads = DatabaseThread(path, writes=False)
        self._lease = Lease(path)

    async def aclose(self) -> None:
        await self._writes.aclose()
        await self._reads.aclose()
        self._lease.release()

    async def add_key(self, kept: KeptKey) -> None:
        key = kept.key

        def work(database: sqlite3.Connection) -> None:
            try:
                database.execute(
                    _ADD_KEY,
                    (
                        *(key.id, key.account, key.name, " ".join(key.scopes), key.created_ms),
                        *(key.expires_ms, key.revoked_ms, key.used_ms),
                        *(*msgspec.structs.astuple(key.limits), kept.digest),
                    ),
                )
            except sqlite3.IntegrityError:
                raise ValueError(f"there is a key {key.id} already") from None

        await self._writes.ask(work)

    async def find_key(self, id: str) -> KeptKey | None:
        def work(database: sqlite3.Connection) -> KeptKey | None:
            row = database.execute(_FIND_KEY, (id,)).fetchone()
            return None if row is None else KeptKey(_key(row[:-1]), row[-1])

        return await self._reads.ask(work)

    async def find_keys(self, ids: Sequence[str]) -> list[Key]:
        def work(database: sqlite3.Connection) -> list[Key]:
            asked = msgspec.json.encode(ids).decode()
            return [_key(row) for row in database.execute(_FIND_KEYS, (asked,))]

        return await self._reads.ask(work)

    async def list_keys(self) -> list[Key]:
        def work(database: sqlite3.Connection) -> list[Key]:
            return [_key(row) for row in database.execute(_LIST_KEYS)]

        return await self._reads.ask(work)

    async def revoke_key(self, id: str, now_ms: int) -> Key | None:
        def work(database: sqlite3.Connection) -> Key | None:
            database.execute("DELETE FROM tokens WHERE key = ?", (id,))
            row = database.execute(_REVOKE_KEY, (now_ms, id)).fetchone()
            return None if row is None else _key(row)

        return await self._writes.ask(work)

    async def limit_key(self, id: str, limits: KeyLimits) -> Key | None:
        def work(database: sqlite3.Connection) -> Key | None:
            values = (*msgspec.structs.astuple(limits), id)
            row = database.execute(_LIMIT_KEY, values).fetchone()
            return None if row is None else _key(row)

        return await self._writes.ask(work)

    def note_use(self, id: str, now_ms: int) -> None:
        def work(database: sqlite3.Connection) -> None:
            database.execute(
                "UPDATE keys SET used_ms = max(coalesce(used_ms, 0), ?) WHERE id = ?", (now_ms, id)
            )

        with suppress(AccountsUnavailable):
            # Asked for its failure, so that asyncio does not complain that nobody did.
            self._writes.ask(work).add_done_callback(asyncio.Future.exception)

    async def add_token(self, kept: KeptToken, now_ms: int, *, pending_max: int) -> None:
        def work(database: sqlite3.Connection) -> None:
            database.execute("DELETE FROM tokens WHERE expires_ms <= ?", (now_ms,))
            waiting, earliest_ms = database.execute(
                "SELECT count(*), min(expires_ms) FROM tokens WHERE key = ?", (kept.key,)
            ).fetchone()
            if waiting >= pending_max:
                raise RateLimited(
                    "too many tokens of this key are waiting to be used",
                    allowed=f"at most {pending_max}",
                    retry_after_ms=earliest_ms - now_ms,
                )
            database.execute(
                "INSERT INTO tokens (id, digest, key, expires_ms) VALUES (?, ?, ?, ?)",
                (kept.id, kept.digest, kept.key, kept.expires_ms),
            )

        await self._writes.ask(work)

    async def take_token(self, id: str, digest: bytes, now_ms: int) -> str | None:
        def work(database: sqlite3.Connection) -> str | None:
            row = database.execute(
                "DELETE FROM tokens WHERE id = ? AND digest = ? AND expires_ms > ? RETURNING key",
                (id, digest, now_ms),
            ).fetchone()
            return None if row is None else str(row[0])

        return await self._writes.ask(work)

    async def grant(self, account: str, millicredits: int, note: str, now_ms: int) -> Balance:
        def work(database: sqlite3.Connection) -> Balance:
            return sql.grant(database, account, millicredits, note, now_ms)

        return await self._writes.ask(work)

    async def balance(self, account: str) -> Balance:
        return await self._reads.ask(lambda database: sql.balance(database, account))

    async def balances(self) -> list[Balance]:
        return await self._reads.ask(sql.balances)

    def reserve(self, charge: Charge, need: int, want: int, now_ms: int) -> asyncio.Future[int]:
        def work(database: sqlite3.Connection) -> int:
            self._lease.hold()
            return sql.reserve(database, charge, self._lease.owner, need, want, now_ms)

        return self._writes.ask(work)

    def post(self, request: str, amount: int, chars: int, now_ms: int) -> asyncio.Future[None]:
        def work(database: sqlite3.Connection) -> None:
            sql.post(database, request, self._lease.owner, amount, chars, now_ms)

        return self._writes.ask(work)

    def end(self, request: str, now_ms: int) -> asyncio.Future[None]:
        return self._writes.ask(lambda database: sql.end(database, request, now_ms))

    def record(
        self, charge: Charge, chars: int, begun_ms: int, now_ms: int
    ) -> asyncio.Future[None]:
        def work(database: sqlite3.Connection) -> None:
            sql.record(database, charge, self._lease.owner, chars, begun_ms, now_ms)

        return self._writes.ask(work)

    async def recover(self, now_ms: int) -> int:
        def work(database: sqlite3.Connection) -> int:
            return sql.recover(database, self._lease.owner, self._lease.lives, now_ms)

        return await self._writes.ask(work)

    async def usage(self, since_ms: int) -> list[Usage]:
        return await self._reads.ask(lambda database: sql.usage(database, since_ms))

    async def sums(self, account: str, key: str | None, now_ms: int) -> list[RouteSums]:
        return await self._reads.ask(lambda database: sql.sums(database, account, key, now_ms))

    async def add_lexicon(self, kept: KeptLexicon, *, lexicons_max: int) -> None:
        await self._writes.ask(lambda database: lexicons_sql.add(database, kept, lexicons_max))

    async def find_lexicon(self, account: str, id: str) -> KeptLexicon | None:
        return await self._reads.ask(lambda database: lexicons_sql.find(database, account, id))

    async def list_lexicons(self, account: str, kind: LexiconKind) -> list[LexiconEntry]:
        return await self._reads.ask(lambda database: lexicons_sql.entries(database, account, kind))

    async def change_lexicon(self, account: str, id: str, change: Change) -> KeptLexicon | None:
        return await self._writes.ask(
            lambda database: lexicons_sql.change(database, account, id, change)
        )

    async def remove_lexicon(self, account: str, id: str) -> bool:
        return await self._writes.ask(lambda database: lexicons_sql.remove(database, account, id))


def _key(row: tuple[Any, ...]) -> Key:
    id, account, name, scopes, created, expires, revoked, used, *limits = row
    may = tuple(Scope(scope) for scope in scopes.split())
    return Key(id, account, name, may, created, expires, revoked, used, KeyLimits(*limits))


async def open_sqlite(path: Path) -> SqliteStore:
    """The store in this file, which is made if it is missing (readable by its owner only) and brought to the newest
    version. Raises DatabaseUnusable."""
    try:
        await asyncio.to_thread(_prepare, path)
    except OSError as error:
        raise DatabaseUnusable(f"{path}: {error.strerror}") from None
    except (sqlite3.Error, DatabaseUnusable) as error:
        raise DatabaseUnusable(f"{path}: {error}") from None
    return SqliteStore(path)


def _prepare(path: Path) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = connect(path)
    try:
        migrate(connection)
    finally:
        connection.close()
