"""Who asks."""

from __future__ import annotations

import msgspec

from gateway.accounts.model import KeyLimits, Scope


class Caller(msgspec.Struct, frozen=True):
    """Who asks. `key` is the id that work, limits and sessions are counted to; `session_ms_max` bounds a connection that
    was opened with a token; `limits` are the key's own."""

    key: str
    account: str
    scopes: tuple[Scope, ...]
    session_ms_max: int | None = None
    limits: KeyLimits = KeyLimits()


LOCAL = Caller("local", "local", tuple(Scope))
"""Who asks where nobody has to say who he is."""
