"""Bounds of the threads that stand before the accounts' database."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

import gateway.accounts.threads as database
from gateway.accounts.threads import BUSY_MS, DatabaseThread, connect
from tests.limits.borders import border

FEW = 5


@asynccontextmanager
async def held_up(path: Path) -> AsyncIterator[DatabaseThread]:
    """A thread that is busy with one job, for the block."""
    begun, go = threading.Event(), threading.Event()

    def work(connection: sqlite3.Connection) -> None:
        begun.set()
        assert go.wait(10)

    thread = DatabaseThread(path, writes=True)
    try:
        answer = thread.ask(work)
        await asyncio.to_thread(begun.wait, 10)
        yield thread
    finally:
        go.set()
        await answer
        await thread.aclose()


def nothing(connection: sqlite3.Connection) -> None:
    """A job."""


@border("accounts.threads.BATCH_MAX")
async def test_jobs_of_one_transaction(
    more: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BATCH_MAX", FEW)
    honest = DatabaseThread._next_batch
    sizes: list[int] = []

    def noting(thread: DatabaseThread) -> list[database._Job]:
        batch = honest(thread)
        sizes.append(len(batch))
        return batch

    monkeypatch.setattr(DatabaseThread, "_next_batch", noting)
    async with held_up(tmp_path / "accounts") as thread:
        for _ in range(FEW + more):
            thread.ask(nothing)
    assert sizes == ([1, FEW, 1, 0] if more > 0 else [1, FEW + more, 0])


def test_how_long_another_process_may_hold_the_database(tmp_path: Path) -> None:
    """SQLite counts, as it was told."""
    with closing(connect(tmp_path / "accounts")) as connection:
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (BUSY_MS,)
