"""What group commit is worth: `./test -m wall_clock tests/accounts/test_throughput.py -s`, on a quiet machine."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import gateway.accounts.threads as threads
from gateway.accounts.model import Charge
from gateway.accounts.sqlite import open_sqlite
from gateway.accounts.store import Store

NOW = 1_700_000_000_000
DEBITS = 2_000
GAIN = 5.0


async def debit(store: Store, number: int) -> None:
    charge = Charge(f"req_{number}", "acme", "k", "espeak")
    await store.reserve(charge, 1, 1, NOW)


async def one_after_the_other(store: Store) -> None:
    for number in range(DEBITS):
        await debit(store, number)


async def at_once(store: Store) -> None:
    await asyncio.gather(*(debit(store, number) for number in range(DEBITS)))


async def per_second(path: Path, debits: Callable[[Store], Awaitable[None]]) -> float:
    store = await open_sqlite(path)
    await store.grant("acme", DEBITS, "", NOW)
    begun = time.perf_counter()
    await debits(store)
    took = time.perf_counter() - begun
    assert (await store.balance("acme")).pending == DEBITS
    await store.aclose()
    return DEBITS / took


@pytest.mark.wall_clock
@pytest.mark.timeout(120)
async def test_debits_that_come_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grouped = await per_second(tmp_path / "grouped.db", at_once)
    alone = await per_second(tmp_path / "alone.db", one_after_the_other)
    monkeypatch.setattr(threads, "BATCH_MAX", 1)
    single = await per_second(tmp_path / "single.db", at_once)
    told = f"{grouped:,.0f} in groups, {single:,.0f} in a transaction each, {alone:,.0f} awaited"
    sys.stdout.write(f"debits per second: {told}\n")
    assert grouped > GAIN * single
    assert grouped > GAIN * alone
