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


class KeyLimits(msgspec.Struct, frozen=True):
    """What a single key may have. None = as configured for all keys, 0 = any number."""

    requests_per_minute: int | None = None
    chars_per_minute: int | None = None
    contexts_max: int | None = None


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
    limits: KeyLimits = KeyLimits()

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


class Balance(msgspec.Struct, frozen=True):
    """What an account has, in thousandths of a credit: `posted` was spent, `pending` is set aside for speech under way."""

    account: str
    granted: int = 0
    posted: int = 0
    pending: int = 0

    @property
    def available(self) -> int:
        """What may still be set aside."""
        return self.granted - self.posted - self.pending


class Charge(msgspec.Struct, frozen=True):
    """Whom a request is charged to. `request` is the server's own id of it, which no other one ever has; `route` says by
    which way it came, in words of ours."""

    request: str
    account: str
    key: str
    model: str
    route: str = ""


class Usage(msgspec.Struct, frozen=True):
    """What a key had spoken by a model. `credits` are thousandths."""

    account: str
    key: str
    model: str
    requests: int
    chars: int
    millicredits: int


class Sum(msgspec.Struct, frozen=True):
    """What was spoken in some time."""

    requests: int = 0
    chars: int = 0
    millicredits: int = 0

    def __add__(self, other: Sum) -> Sum:
        return Sum(
            self.requests + other.requests,
            self.chars + other.chars,
            self.millicredits + other.millicredits,
        )


class RouteSums(msgspec.Struct, frozen=True):
    """What came by a route for a model: today, this month and ever. Days and months are those of UTC."""

    route: str
    model: str
    today: Sum
    month: Sum
    total: Sum
