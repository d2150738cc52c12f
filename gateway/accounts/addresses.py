"""What one address may have before anybody knows who it is: connections at once, and keys that are not good."""

from __future__ import annotations

import math
from collections.abc import Callable

from gateway.accounts.quotas import Rate
from gateway.core.errors import RateLimited
from gateway.core.limits import Limits

RETRY_AFTER_MS = 1_000


class Addresses:
    """What each address has had lately and has now. All on the event loop; `clock` is in seconds."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._mistakes = Rate(limits.address_mistakes_per_minute)
        self._connections: dict[str, int] = {}

    def judge(self, address: str) -> None:
        """Whether somebody at this address may ask at all, being among its connections. Raises RateLimited when these are
        too many, or after too many keys that were not good."""
        most = self._limits.address_connections_max
        if most and self._connections.get(address, 0) > most:
            raise RateLimited(
                "this address has as many connections open as it may",
                allowed=f"{most} at once",
                retry_after_ms=RETRY_AFTER_MS,
            )
        wait_s = self._mistakes.wait_s(address, 1, self._clock())
        if wait_s > 0:
            raise RateLimited(
                "too many keys that are not good came from this address",
                allowed=f"{self._limits.address_mistakes_per_minute} a minute",
                retry_after_ms=math.ceil(wait_s * 1_000),
            )

    def mistake(self, address: str) -> None:
        """A key that is not good came from this address."""
        self._mistakes.take(address, 1, self._clock())

    def arrived(self, address: str) -> None:
        """One more connection; `left` must follow."""
        self._connections[address] = self._connections.get(address, 0) + 1

    def left(self, address: str) -> None:
        """It is gone."""
        others = self._connections.pop(address) - 1
        if others:
            self._connections[address] = others
