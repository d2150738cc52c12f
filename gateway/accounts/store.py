"""What a database must do for the accounts. tests/accounts/test_store.py has the contract that each one passes.

Every method is one transaction: when it returns, what it did outlives a crash; when it raises, nothing was done. All raise
AccountsUnavailable when the database cannot be asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from gateway.accounts.lexicons import LexiconStore
from gateway.accounts.model import (
    Balance,
    Charge,
    KeptKey,
    KeptToken,
    Key,
    KeyLimits,
    RouteSums,
    Usage,
)


class Store(LexiconStore, Protocol):
    """The database, in the hands of one process. Others may use it at the same time."""

    async def aclose(self) -> None:
        """Finish what was asked, and let go of the database."""
        ...

    async def add_key(self, kept: KeptKey) -> None:
        """A new key. Raises ValueError when there is one of this id."""
        ...

    async def find_key(self, id: str) -> KeptKey | None:
        """The key of this id, good or not."""
        ...

    async def find_keys(self, ids: Sequence[str]) -> list[Key]:
        """Those of these ids that there are, good or not, in any order."""
        ...

    async def list_keys(self) -> list[Key]:
        """All keys, in the order in which they were made."""
        ...

    async def revoke_key(self, id: str, now_ms: int) -> Key | None:
        """The key is good for nothing from now on, nor are its tokens; the first time counts. None = there is none."""
        ...

    async def limit_key(self, id: str, limits: KeyLimits) -> Key | None:
        """The key has these limits from its next request on, in place of those it had. None = there is none."""
        ...

    def note_use(self, id: str, now_ms: int) -> None:
        """The key was used. It is written down soon, and is never worth an error; the last use never goes back."""
        ...

    async def add_token(self, kept: KeptToken, now_ms: int, *, pending_max: int) -> None:
        """A new token; expired ones are forgotten. Raises RateLimited when so many of its key are waiting to be used."""
        ...

    async def take_token(self, id: str, digest: bytes, now_ms: int) -> str | None:
        """Use a token up, and give the id of its key. None = there is none, or none any more: of all who ask, one gets
        it."""
        ...

    # --- the ledger, in thousandths of a credit -----------------------------------------------------------------------
    #
    # What gives a future is done in the order of the calls, awaited or not; the future is done when it is on the disk.

    async def grant(self, account: str, millicredits: int, note: str, now_ms: int) -> Balance:
        """More credits for an account, which may be new."""
        ...

    async def balance(self, account: str) -> Balance:
        """What an account has; one that nobody knows has nothing."""
        ...

    async def balances(self) -> list[Balance]:
        """All accounts that were ever granted anything, in any order."""
        ...

    def reserve(self, charge: Charge, need: int, want: int, now_ms: int) -> asyncio.Future[int]:
        """Set aside `want` for a request, or what there is if that is at least `need` (1 or more); gives how much it was.
        The first one opens the request. Raises CreditsExhausted, or ValueError when the request has ended or is another
        process's or account's."""
        ...

    def post(self, request: str, amount: int, chars: int, now_ms: int) -> asyncio.Future[None]:
        """So much of what was set aside is spent, maybe nothing, for so many characters. Raises ValueError when this process
        has no such request open, or not so much set aside."""
        ...

    def end(self, request: str, now_ms: int) -> asyncio.Future[None]:
        """The request is over, and what it has still set aside is void. Twice is fine."""
        ...

    def record(
        self, charge: Charge, chars: int, begun_ms: int, now_ms: int
    ) -> asyncio.Future[None]:
        """A request that was free, and is over. Raises ValueError when there is one of this id."""
        ...

    async def recover(self, now_ms: int) -> int:
        """End the open requests of processes that are gone, never those of one that lives; gives how many."""
        ...

    async def usage(self, since_ms: int) -> list[Usage]:
        """What was spoken by requests that began no earlier, by account, key and model."""
        ...

    async def sums(self, account: str, key: str | None, now_ms: int) -> list[RouteSums]:
        """What an account had spoken, or one key of it, by route and model, in this order. A request is of the day on which
        it began. How long it takes does not depend on how many requests there were."""
        ...
