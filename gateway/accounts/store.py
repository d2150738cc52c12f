"""What a database must do for the accounts. tests/accounts/test_store.py has the contract that each one passes.

Every method is one transaction: when it returns, what it did outlives a crash; when it raises, nothing was done. All raise
AccountsUnavailable when the database cannot be asked.
"""

from __future__ import annotations

from typing import Protocol

from gateway.accounts.model import KeptKey, KeptToken, Key


class Store(Protocol):
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

    async def list_keys(self) -> list[Key]:
        """All keys, in the order in which they were made."""
        ...

    async def revoke_key(self, id: str, now_ms: int) -> Key | None:
        """The key is good for nothing from now on, nor are its tokens; the first time counts. None = there is none."""
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
