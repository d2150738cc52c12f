"""What only the store in SQLite has: a file, its versions, and threads."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from gateway.accounts import threads
from gateway.accounts.migrate import DatabaseUnusable, migrate, steps
from gateway.accounts.model import KeptKey, Key, Sum
from gateway.accounts.sqlite import open_sqlite
from gateway.accounts.threads import DatabaseThread, connect
from gateway.core.errors import AccountsUnavailable
from tests.limits.borders import border

EXAMPLES = {
    1: (
        "INSERT INTO keys VALUES ('k', zeroblob(32), 'acme', 'old', 'speech', 1, NULL, NULL, NULL)",
    ),
    2: (
        "INSERT INTO balances VALUES ('acme', 10, 3, 2)",
        "INSERT INTO requests VALUES ('r', 'acme', 'k', 'espeak', 'o', 1, NULL, 3, 3, 2)",
        "INSERT INTO entries VALUES (1, 'acme', 'grant', 10, NULL, 1, '')",
    ),
    3: (),
    4: (),
    5: (
        "INSERT INTO lexicons VALUES (1, 'lx', 'acme', 'native', 'old', 1, 0, CAST('[]' AS BLOB), 0, 1, 1)",
    ),
}
"""What a database of each version may hold, in that version's own words."""


def schema(database: sqlite3.Connection) -> list[str]:
    return [sql for (sql,) in database.execute("SELECT sql FROM sqlite_schema WHERE sql > ''")]


def as_of(version: int, path: Path) -> sqlite3.Connection:
    """A database as the code of that version made and filled it."""
    database = connect(path)
    for step in steps()[:version]:
        for statement in step.statements:
            database.execute(statement)
        for statement in EXAMPLES.get(step.number, ()):
            database.execute(statement)
    database.execute(f"PRAGMA user_version = {version}")
    return database


@pytest.mark.parametrize("version", range(len(steps()) + 1))
async def test_every_old_version_becomes_the_newest(version: int, tmp_path: Path) -> None:
    new, old = connect(tmp_path / "new.db"), as_of(version, tmp_path / "old.db")
    migrate(new)
    migrate(old)
    migrate(old)
    assert schema(old) == schema(new)
    assert [row[0] for row in old.execute("SELECT name FROM keys")] == ["old"] * (version > 0)
    assert old.execute("PRAGMA foreign_key_check").fetchall() == []
    old.close()
    new.close()
    store = await open_sqlite(tmp_path / "old.db")
    assert len(await store.list_keys()) == (version > 0)
    assert [each.total for each in await store.sums("acme", "k", 1)] == [Sum(1, 3, 3)] * (
        version > 1
    )
    await store.aclose()


def test_every_table_is_strict(tmp_path: Path) -> None:
    database = connect(tmp_path / "new.db")
    migrate(database)
    tables = database.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'")
    assert {name for name, strict in tables if not strict} <= {"sqlite_schema", "sqlite_sequence"}
    database.close()


async def test_a_step_that_fails_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = steps()[0]
    broken = [good, good._replace(number=2, statements=("CREATE TABLE a (b) STRICT;", "oops"))]
    monkeypatch.setattr("gateway.accounts.migrate.steps", lambda: broken)
    database = connect(tmp_path / "a.db")
    with pytest.raises(sqlite3.Error):
        migrate(database)
    assert schema(database) == []
    assert database.execute("PRAGMA user_version").fetchone() == (0,)
    database.close()


async def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    newer = as_of(len(steps()), tmp_path / "newer.db")
    newer.execute("PRAGMA user_version = 999")
    newer.close()
    (tmp_path / "text.db").write_text("no database at all, and longer than a header " * 9)
    for name in ("newer.db", "text.db", "missing/a.db", "."):
        with pytest.raises(DatabaseUnusable):
            await open_sqlite(tmp_path / name)


async def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    store = await open_sqlite(path)
    await store.add_key(KeptKey(Key("k", "a", "n", (), 1), bytes(32)))
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in os.listdir(tmp_path)}
    assert modes == dict.fromkeys(("accounts.db", "accounts.db-wal", "accounts.db-shm"), 0o600)
    await store.aclose()


async def test_commits_wait_for_the_disk(tmp_path: Path) -> None:
    thread = DatabaseThread(tmp_path / "a.db", writes=True)

    def settings(database: sqlite3.Connection) -> tuple[object, ...]:
        asked = ("journal_mode", "synchronous", "foreign_keys")
        return tuple(database.execute(f"PRAGMA {name}").fetchone()[0] for name in asked)

    assert await thread.ask(settings) == ("wal", 2, 1)
    await thread.aclose()


class TestThread:
    async def test_what_comes_meanwhile_is_one_commit(self, tmp_path: Path) -> None:
        thread = DatabaseThread(tmp_path / "a.db", writes=True)
        await thread.ask(lambda database: database.execute("CREATE TABLE t (n INTEGER) STRICT"))
        version = "PRAGMA data_version"
        other = connect(tmp_path / "a.db")
        before = other.execute(version).fetchone()[0]

        def add(number: int) -> threads.Work[int]:
            def work(database: sqlite3.Connection) -> int:
                if number % 7 == 0:
                    raise ValueError(str(number))
                database.execute("INSERT INTO t VALUES (?)", (number,))
                return number

            return work

        got = await asyncio.gather(
            *(thread.ask(add(number)) for number in range(500)), return_exceptions=True
        )
        assert [str(each) for each in got] == [str(number) for number in range(500)]
        (kept,) = other.execute("SELECT count(*) FROM t").fetchone()
        assert kept == sum(number % 7 != 0 for number in range(500))
        assert other.execute(version).fetchone()[0] - before < 50
        other.close()
        await thread.aclose()

    @border("accounts.threads.JOBS_PENDING_MAX")
    async def test_what_waits_is_bounded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: int
    ) -> None:
        monkeypatch.setattr(threads, "JOBS_PENDING_MAX", 3)
        thread = DatabaseThread(tmp_path / "a.db", writes=True)
        with (
            thread._changed
        ):  # The thread gets nothing meanwhile: the lock may be taken again by its owner.
            asked = [thread.ask(lambda database: None) for _ in range(min(3, 3 + more))]
            if more > 0:
                with pytest.raises(AccountsUnavailable):
                    thread.ask(lambda database: None)
        await asyncio.gather(*asked)
        await thread.aclose()
        with pytest.raises(AccountsUnavailable):
            thread.ask(lambda database: None)

    async def test_a_database_that_fails_is_said_and_tried_again(self, tmp_path: Path) -> None:
        path = tmp_path / "missing" / "a.db"
        thread = DatabaseThread(path, writes=True)
        with pytest.raises(AccountsUnavailable):
            await thread.ask(lambda database: None)
        path.parent.mkdir()
        assert await thread.ask(lambda database: 5) == 5
        with pytest.raises(AccountsUnavailable):
            await thread.ask(lambda database: database.execute("SELECT nonsense"))
        assert await thread.ask(lambda database: 6) == 6
        await thread.aclose()

    async def test_who_has_gone_is_not_told(self, tmp_path: Path) -> None:
        thread = DatabaseThread(tmp_path / "a.db", writes=True)
        await thread.ask(lambda database: database.execute("CREATE TABLE t (n INTEGER) STRICT"))
        gone = thread.ask(lambda database: database.execute("INSERT INTO t VALUES (1)"))
        gone.cancel()
        count = "SELECT count(*) FROM t"
        assert await thread.ask(lambda database: database.execute(count).fetchone()) == (1,)
        await thread.aclose()
