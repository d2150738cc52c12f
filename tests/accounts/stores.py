"""Every store there is, for the contract suite: another database is another line here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from gateway.accounts.sqlite import open_sqlite
from gateway.accounts.store import Store

OpenStore = Callable[[Path], AbstractAsyncContextManager[Store]]
"""Opens a database that belongs to a directory; twice on the same one is two processes on one database."""


@asynccontextmanager
async def sqlite_store(directory: Path) -> AsyncIterator[Store]:
    store = await open_sqlite(directory / "accounts.db")
    try:
        yield store
    finally:
        await store.aclose()


STORES: dict[str, OpenStore] = {"sqlite": sqlite_store}
