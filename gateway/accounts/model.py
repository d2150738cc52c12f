"""What the accounts know, as plain values. Times are milliseconds since 1970 (Unix time)."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Scope(StrEnum):
    """What a key may be used for."""

    SPEECH = "speech"
    """To speak, and to see how a text would be cut."""
    TOKENS = "tokens"
    """To mint single-use tokens for browsers."""


class Key(msgspec.Struct, frozen=True):
    """A key without its secret. What is counted is counted to its `account`; several keys may share one."""

    id: str
    account: str
    name: str
    scopes: tuple[Scope, ...]
    created_ms: int
    expires_ms: int | None = None
    revoked_ms: int | None = None
    used_ms: int | None = None

    def is_good(self, now_ms: int) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_ms is None and (self.expires_ms is None or now_ms < self.expires_ms)


class KeptKey(msgspec.Struct, frozen=True):
    """A key with the digest of its secret."""

    key: Key
    digest: bytes


class KeptToken(msgspec.Struct, frozen=True):
    """A token with the digest of its secret: opens one connection for the key that minted it, until `expires_ms`."""

    id: str
    digest: bytes
    key: str
    expires_ms: int
