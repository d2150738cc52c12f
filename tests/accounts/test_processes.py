"""Processes that spend the credits of one account at once, while one of them is killed."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from gateway.accounts.sqlite import open_sqlite
from tests.accounts.debtor import NOW
from tests.support.checkout import ROOT

COUNT = 3_000
COST = COUNT * 2
"""Of so many debits, of 1, 2 and 3 in turn."""


@asynccontextmanager
async def debtor(path: Path, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Such a process; it is gone at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.accounts.debtor", str(path), name, str(COUNT)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def spent(process: asyncio.subprocess.Process, debits: int = COUNT) -> int:
    """What was done, up to so many debits."""
    assert process.stdout is not None
    total = 0
    for _ in range(debits):
        total += int(await process.stdout.readline() or b"0")
    return total


@pytest.mark.slow
@pytest.mark.parametrize("granted", [3 * COST, COST])
async def test_the_books_are_exact_and_nothing_that_was_done_is_lost(
    tmp_path: Path, granted: int
) -> None:
    path = tmp_path / "accounts.db"
    store = await open_sqlite(path)
    await store.grant("acme", granted, "", NOW)
    async with debtor(path, "a") as one, debtor(path, "b") as other, debtor(path, "c") as mortal:
        told = await spent(mortal, 200)
        mortal.kill()
        assert mortal.stdout is not None
        told += sum(map(int, (await mortal.stdout.read()).split()[:-1]))
        await mortal.wait()
        # What the dead one holds is given back while the others live, and nothing of theirs.
        await store.recover(NOW)
        living = await spent(one) + await spent(other)
    balance = await store.balance("acme")
    await store.aclose()
    with closing(sqlite3.connect(path)) as database:
        posted = "SELECT coalesce(sum(posted), 0) FROM requests WHERE key = ?"
        a, b, c = (database.execute(posted, (key,)).fetchone()[0] for key in "abc")
        entries = dict(
            database.execute("SELECT kind, sum(millicredits) FROM entries GROUP BY kind")
        )
    assert living == a + b
    assert told <= c
    assert balance.posted == living + c == entries["post"]
    assert balance.pending == 0 == entries["reserve"] - entries["post"] - entries.get("void", 0)
    if granted >= 3 * COST:
        assert living == 2 * COST
    assert 0 <= balance.available < granted
