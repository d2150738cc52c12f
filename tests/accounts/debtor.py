"""A process that debits an account as often as it is told, all at once: `python -m tests.accounts.debtor PATH NAME COUNT`.

It writes a line for each debit that is done: how much it was.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from gateway.accounts.model import Charge
from gateway.accounts.sqlite import open_sqlite
from gateway.accounts.store import Store
from gateway.core.errors import CreditsExhausted

NOW = 1_700_000_000_000


async def debit(store: Store, name: str, number: int) -> None:
    """One request, from its beginning to its end."""
    charge, cost = Charge(f"{name}_{number}", "acme", name, "espeak"), 1 + number % 3
    try:
        await store.reserve(charge, cost, cost, NOW)
    except CreditsExhausted:
        return
    await store.post(charge.request, cost, cost, NOW)
    sys.stdout.write(f"{cost}\n")
    sys.stdout.flush()
    await store.end(charge.request, NOW)


async def main(path: str, name: str, count: str) -> None:
    """Do them all."""
    store = await open_sqlite(Path(path))
    await asyncio.gather(*(debit(store, name, number) for number in range(int(count))))
    await store.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
