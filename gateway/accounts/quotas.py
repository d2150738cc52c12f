"""How much a key may have: requests and characters per minute, contexts at once.

A rate is judged by the generic cell rate algorithm (GCRA, ITU-T I.371 §A): one time per key says everything, so there is
nothing to sweep, and when the next one will do is known exactly. Who has asked for nothing for a minute may have a whole
minute's worth at once.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from gateway.accounts.caller import LOCAL, Caller
from gateway.core.errors import RateLimited
from gateway.core.limits import Limits

MINUTE_S = 60.0
ROUNDING_S = 1e-6
"""Nobody is sent away for so short."""
REMEMBERED_MAX = 100_000
"""Keys or addresses of which it is remembered what they had. Beyond it the one that asked longest ago is forgotten."""


class Standing(NamedTuple):
    """What of a minute's worth is left now, and in how many seconds all of it will be."""

    limit: int
    left: int
    whole_in_s: float


class Rate:
    """So many per minute for each of many, or what is said of one. 0 = as many as they like."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._paid_until: OrderedDict[str, float] = OrderedDict()
        """Until when what was had is paid for by the time that passes."""

    def wait_s(self, who: str, count: int, now: float, per_minute: int | None = None) -> float:
        """How long `who` has to wait for `count` more; 0 = not at all. What is more than a minute's worth may be had by
        who has had nothing for a minute; it is paid for afterwards."""
        interval_s = self._interval_s(per_minute)
        if not interval_s:
            return 0.0
        cost_s = min(count * interval_s, MINUTE_S)
        wait_s = self._paid_until.get(who, now) + cost_s - MINUTE_S - now
        return wait_s if wait_s > ROUNDING_S else 0.0

    def take(self, who: str, count: int, now: float, per_minute: int | None = None) -> None:
        """`who` has had so many, whether they were free or not."""
        if interval_s := self._interval_s(per_minute):
            begins = max(now, self._paid_until.pop(who, now))
            self._paid_until[who] = begins + count * interval_s
            if len(self._paid_until) > REMEMBERED_MAX:
                self._paid_until.popitem(last=False)

    def standing(self, who: str, now: float, per_minute: int | None = None) -> Standing | None:
        """How `who` stands; None = any number is free."""
        interval_s = self._interval_s(per_minute)
        if not interval_s:
            return None
        whole_in_s = max(0.0, self._paid_until.get(who, now) - now)
        left = math.floor((MINUTE_S - whole_in_s + ROUNDING_S) / interval_s)
        return Standing(round(MINUTE_S / interval_s), max(0, left), whole_in_s)

    def _interval_s(self, per_minute: int | None) -> float:
        most = self._per_minute if per_minute is None else per_minute
        return MINUTE_S / most if most else 0.0


class Quotas:
    """What each key has had lately and has now. All on the event loop; `clock` is in seconds. The local caller, who has no key,
    may have anything."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._requests = Rate(limits.key_requests_per_minute)
        self._chars = Rate(limits.key_chars_per_minute)
        self._contexts: dict[str, int] = {}

    def request(self, caller: Caller) -> None:
        """One more request or handshake of this key. Raises RateLimited, and then it is not counted."""
        self._take(self._requests, caller, 1, "requests", self._requests_most(caller))

    def requests(self, caller: Caller) -> Standing | None:
        """How many more this key may make; None = any number."""
        if caller is LOCAL:
            return None
        return self._requests.standing(caller.key, self._clock(), self._requests_most(caller))

    def _requests_most(self, caller: Caller) -> int:
        own = caller.limits.requests_per_minute
        return self._limits.key_requests_per_minute if own is None else own

    def chars(self, caller: Caller, count: int) -> None:
        """So many more characters. Raises RateLimited, and then none of them is counted."""
        own = caller.limits.chars_per_minute
        most = self._limits.key_chars_per_minute if own is None else own
        self._take(self._chars, caller, count, "characters", most)

    def open_context(self, caller: Caller) -> None:
        """One more context; give it back with `close_context`. Raises RateLimited when the key has as many as it may."""
        open_ones = self._contexts.get(caller.key, 0)
        own = caller.limits.contexts_max
        most = self._limits.key_contexts_max if own is None else own
        if most and caller is not LOCAL and open_ones >= most:
            raise RateLimited(
                "this key has as many contexts open as it may",
                allowed=f"{most} at once",
                retry_after_ms=1_000,
            )
        self._contexts[caller.key] = open_ones + 1

    def close_context(self, caller: Caller) -> None:
        """Give a context back."""
        left = self._contexts.pop(caller.key) - 1
        if left:
            self._contexts[caller.key] = left

    def _take(self, rate: Rate, caller: Caller, count: int, what: str, most: int) -> None:
        if caller is LOCAL:
            return
        now = self._clock()
        wait_s = rate.wait_s(caller.key, count, now, most)
        if wait_s > 0:
            raise RateLimited(
                f"this key has had its {what} for now",
                allowed=f"{most} {what} a minute",
                retry_after_ms=math.ceil(wait_s * 1_000),
                limit=most,
            )
        rate.take(caller.key, count, now, most)
