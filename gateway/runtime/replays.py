"""Requests that may come again: the keys by which a client says that a request is the one it has sent before.

    unknown ──claim──► running ──release──► known ──claim, equal──► running …
                          └──refused──► as before          └──too often, too old, too many──► refused or forgotten

Nothing of the speech is kept: equal requests give equal samples, so it is made again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

import msgspec

from gateway.core.errors import IdempotencyKeyInUse, IdempotencyKeyReused, IdempotencyKeySpent
from gateway.core.limits import Limits

RETRY_AFTER_MS = 1_000
TAKE_OVER_MS_MAX = 1_000
"""How long an answer that is broken off for another may take to be gone."""


class _Known(msgspec.Struct, gc=False):
    """What came with a key: `digest` of what was asked for, in the request `first`, which was answered again `replays`
    times; so many characters of it are paid for. Known until `until`, unless it is being answered."""

    digest: bytes
    first: str
    replays: int = 0
    until: float = 0.0
    paid_chars: int = 0


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


@dataclass(eq=False, slots=True)
class Claim:
    """A key that is being answered."""

    name: tuple[str, str]
    known: _Known
    unwanted: asyncio.Future[None] = field(default_factory=_future)
    """Set when somebody has come back for this answer, so that it need not go on."""
    over: asyncio.Future[None] = field(default_factory=_future)
    """Set when it is not answered any more."""

    @property
    def replay_of(self) -> str | None:
        """The request that was answered first; None = it is this one."""
        return self.known.first if self.known.replays else None


class Replays:
    """The keys of one server. Each principal has its own."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._running: dict[tuple[str, str], Claim] = {}
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        """Oldest first."""

    @property
    def known(self) -> int:
        """How many keys are remembered that are not being answered."""
        return len(self._known)

    @property
    def running(self) -> int:
        """How many are."""
        return len(self._running)

    async def claim(
        self, principal: str, key: str, digest: bytes, id: str, *, comes_back: bool
    ) -> Claim:
        """Answer request `id` by this key; `release` must follow. `digest` is of what is asked for.

        A running answer stays, unless its client says that it `comes_back`: then it is broken off. Raises
        IdempotencyKeyReused, IdempotencyKeyInUse or IdempotencyKeySpent, and then nothing has changed.
        """
        name = principal, key
        if (running := self._running.get(name)) is not None:
            self._judge(running.known, digest)
            if comes_back:
                await _break_off(running)
            if name in self._running:
                raise IdempotencyKeyInUse(
                    "the last request with this key is still being answered",
                    field="Idempotency-Key",
                    retry_after_ms=RETRY_AFTER_MS,
                )
        self._forget()
        known = self._known.get(name)
        if known is None:
            known = _Known(digest, id)
        else:
            self._judge(known, digest)
            del self._known[name]
            known.replays += 1
        self._running[name] = Claim(name, known)
        return self._running[name]

    def release(self, claim: Claim, *, counts: bool) -> None:
        """It is not answered any more. What was refused does not count: it is as if it had not come."""
        del self._running[claim.name]
        known = claim.known
        known.replays -= not counts
        if known.replays >= 0:
            known.until = _now() + self._limits.idempotency_key_ms / 1_000
            self._known[claim.name] = known
            self._forget()
        claim.over.set_result(None)

    def _judge(self, known: _Known, digest: bytes) -> None:
        """Whether this key may be answered once more."""
        if known.digest != digest:
            raise IdempotencyKeyReused(
                "this key came with another request before",
                field="Idempotency-Key",
                allowed="the same request, or another key",
            )
        if known.replays >= self._limits.replays_max:
            raise IdempotencyKeySpent(
                "this key was answered too often",
                field="Idempotency-Key",
                allowed=f"at most {self._limits.replays_max} times after the first",
            )

    def _forget(self) -> None:
        now = _now()
        while self._known:
            oldest = next(iter(self._known.values()))
            if oldest.until > now and len(self._known) <= self._limits.idempotency_keys_max:
                return
            self._known.popitem(last=False)


async def _break_off(running: Claim) -> None:
    """Wait until an answer is over, or for TAKE_OVER_MS_MAX."""
    if not running.unwanted.done():
        running.unwanted.set_result(None)
    await asyncio.wait({running.over}, timeout=TAKE_OVER_MS_MAX / 1_000)


def _now() -> float:
    return asyncio.get_running_loop().time()
