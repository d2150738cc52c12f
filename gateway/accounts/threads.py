"""A thread with a connection to SQLite, which does in one transaction all that was asked while it was busy.

A commit waits for the disk, for milliseconds; a hundred debits in one commit wait once. That is group commit: nobody
waits for a batch to fill, and whoever asks is answered when the commit that has his part in it is done.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from gateway.core.errors import AccountsUnavailable

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

JOBS_PENDING_MAX = 20_000
"""What may be asked and not yet be answered."""
BATCH_MAX = 1_000
"""Jobs of one transaction, so that the first of them does not wait for long."""
BUSY_MS = 5_000
"""How long another process may hold the database before this one gives up."""

_FAILURES = (sqlite3.Error, OSError)

log = logging.getLogger("gateway.accounts")


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode, whose commits are on the disk when they are done. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1_000)
    try:
        for setting in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "trusted_schema = OFF",
        ):
            connection.execute(f"PRAGMA {setting}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


class _Job(NamedTuple):
    work: Work[Any]
    answer: asyncio.Future[Any]


class _Outcome(NamedTuple):
    job: _Job
    value: Any
    error: Exception | None


class DatabaseThread:
    """Does jobs in the order in which they were asked. `writes` says whether they change anything: then they are in one
    transaction together, else they see one state of the database."""

    def __init__(self, path: Path, *, writes: bool) -> None:
        self._path = path
        self._begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(
            target=self._run, name="accounts-write" if writes else "accounts-read", daemon=True
        )
        self._thread.start()

    def ask(self, work: Work[T]) -> asyncio.Future[T]:
        """Have `work` done; the answer is what it returns or raises, once it is committed. Cancelling the answer does not
        undo it. Raises AccountsUnavailable when too much is waiting."""
        answer: asyncio.Future[T] = self._loop.create_future()
        with self._changed:
            if self._closing or len(self._jobs) >= JOBS_PENDING_MAX:
                raise AccountsUnavailable("the accounts cannot be asked now", retry_after_ms=1_000)
            self._jobs.append(_Job(work, answer))
            self._changed.notify()
        return answer

    async def aclose(self) -> None:
        """Do what was asked, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        await self._ended

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while batch := self._next_batch():
            try:
                connection = connection or connect(self._path)
                outcomes = self._perform(connection, batch)
            except sqlite3.Error as error:
                outcomes = [_Outcome(job, None, error) for job in batch]
                if connection is not None:
                    connection.close()
                    connection = None
            self._loop.call_soon_threadsafe(_tell, outcomes)
        if connection is not None:
            connection.close()
        self._loop.call_soon_threadsafe(self._ended.set_result, None)

    def _next_batch(self) -> list[_Job]:
        with self._changed:
            while not self._jobs and not self._closing:
                self._changed.wait()
            return [self._jobs.popleft() for _ in range(min(BATCH_MAX, len(self._jobs)))]

    def _perform(self, connection: sqlite3.Connection, batch: list[_Job]) -> list[_Outcome]:
        outcomes = []
        connection.execute(self._begin)
        for job in batch:
            connection.execute("SAVEPOINT job")
            try:
                outcomes.append(_Outcome(job, job.work(connection), None))
            except Exception as error:  # noqa: BLE001  # the edge of a worker: whoever asked gets it
                connection.execute("ROLLBACK TO job")
                outcomes.append(_Outcome(job, None, error))
            connection.execute("RELEASE job")
        connection.execute("COMMIT")
        return outcomes


def _tell(outcomes: list[_Outcome]) -> None:
    for job, value, error in outcomes:
        if isinstance(error, _FAILURES):
            log.error("accounts_failed", extra={"error": type(error).__name__})
        if job.answer.done():
            continue
        if error is None:
            job.answer.set_result(value)
        elif isinstance(error, _FAILURES):
            job.answer.set_exception(
                AccountsUnavailable("the accounts' database failed", retry_after_ms=1_000)
            )
        else:
            job.answer.set_exception(error)
