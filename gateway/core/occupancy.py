"""How busy a number of places has been lately."""

from __future__ import annotations

import math

MEMORY_S = 2.0
"""What was so long ago counts for a third."""
IDLE_SHARE = 0.001


class Occupancy:
    """The average share of `places` that are taken; the past fades with `memory_s`. `now` is seconds of a steady clock."""

    __slots__ = ("_at", "_level", "_memory_s", "_places", "taken")

    def __init__(self, places: int, memory_s: float = MEMORY_S) -> None:
        self.taken = 0
        """Places that are taken at this moment."""
        self._places = places
        self._memory_s = memory_s
        self._level = 0.0
        self._at = -math.inf

    def change(self, by: int, now: float) -> None:
        """So many more places are taken from now on (or fewer, if negative)."""
        self._settle(now)
        self.taken += by

    def share(self, now: float) -> float:
        """Lately, from 0 to 1."""
        self._settle(now)
        return self._level / self._places

    def idle(self, now: float) -> bool:
        """Whether nothing is taken, or was lately."""
        return not self.taken and self.share(now) < IDLE_SHARE

    def _settle(self, now: float) -> None:
        if now > self._at:
            self._level += (self.taken - self._level) * -math.expm1(
                (self._at - now) / self._memory_s
            )
            self._at = now


class Rate:
    """How much of something there was per second lately; the past fades with `memory_s`."""

    __slots__ = ("_at", "_level", "_memory_s")

    def __init__(self, memory_s: float = MEMORY_S) -> None:
        self._memory_s = memory_s
        self._level = 0.0
        self._at = -math.inf

    def add(self, amount: float, now: float) -> None:
        """So much more, at this moment."""
        self._level = self.per_s(now) + amount / self._memory_s

    def take_back(self, amount: float, added_at: float, now: float) -> None:
        """Of what was added then, so much was not so after all."""
        self._level = self.per_s(now) - self._faded(amount / self._memory_s, now - added_at)

    def per_s(self, now: float) -> float:
        """Lately."""
        if now > self._at:
            self._level = self._faded(self._level, now - self._at)
            self._at = now
        return self._level

    def _faded(self, level: float, past_s: float) -> float:
        return level * math.exp(-past_s / self._memory_s)
