"""Places at an engine, given to whoever needs one soonest.

An engine makes a few segments at once and everybody else waits. Served in the order of arrival, somebody who has just
begun to listen would wait behind the stock of all the others; here the one whose listener runs dry first is next, as
`core.fairness` has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from gateway.core.fairness import FairLine, can_wait
from gateway.core.occupancy import Rate
from gateway.engines.base import Engine

COST_MEMORY_S = 10.0
"""What it took so long ago to make audio counts for a third."""


class Turns:
    """The places of one engine. How many wait is bounded by the contexts and their lookahead."""

    def __init__(self, places: int, *, by_arrival: bool = False) -> None:
        assert places >= 1
        self.places = places
        self.free = places
        """Places that nobody has."""
        self.listeners = 0
        """How many follow a clock, as far as is known, and have audio to come that is not made yet, or not sent."""
        self._workers = max(1, places - 1)
        self._worked = Rate(COST_MEMORY_S)
        self._made = Rate(COST_MEMORY_S)
        self._line: FairLine[asyncio.Future[None]] = FairLine(places, by_arrival=by_arrival)

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._line)

    def load(self, now: float) -> float:
        """The share of the places that listeners had lately."""
        return self._line.load(now)

    def worked(self, busy_s: float, audio_s: float, now: float) -> None:
        """A worker took so long to make so much audio."""
        self._worked.add(busy_s, now)
        self._made.add(audio_s, now)

    def promised(self, now: float, newcomers: int = 0) -> float:
        """The share of the workers that the listeners need who are there, and so many more: each takes a second of audio per
        second.

        What they had lately does not tell: who has just come is ahead of the clock, and needs nothing for a while.
        """
        made = self._made.per_s(now)
        cost = self._worked.per_s(now) / made if made else 0.0
        return (self.listeners + newcomers) * cost / self._workers

    def wait_s(self, now: float) -> float:
        """How long a newcomer would wait for a place, as it looks now."""
        return 0.0 if self.free else (self._line.due(now) + 1) * self._line.turn_s / self.places

    @asynccontextmanager
    async def turn(
        self, needed_by: float, owner: str = "", *, eager: bool = False
    ) -> AsyncIterator[None]:
        """A place for the block. `needed_by` (loop time), `eager` and `owner` decide who is next, as `core.fairness` has it."""
        clock = asyncio.get_running_loop().time
        await self._take(needed_by, owner, clock(), eager)
        begun = clock()
        waits = can_wait(needed_by, begun, eager=eager)
        self._line.taken(owner, begun, can_wait=waits)
        try:
            yield
        finally:
            now = clock()
            self._line.left(owner, now, now - begun, can_wait=waits)
            self._pass_on(now)

    async def _take(self, needed_by: float, owner: str, now: float, eager: bool) -> None:
        if self.free:
            self.free -= 1
            return
        place = asyncio.get_running_loop().create_future()
        ticket = self._line.push(place, needed_by, owner, now, eager=eager)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self._pass_on(asyncio.get_running_loop().time())  # It had just been given.
            else:
                self._line.withdraw(ticket)
            raise

    def _pass_on(self, now: float) -> None:
        while (ticket := self._line.pop(now)) is not None:
            if not ticket.item.done():  # Whoever was cancelled has not heard of it yet.
                ticket.item.set_result(None)
                return
        self.free += 1


def new_turns(engines: Mapping[str, Engine], *, by_arrival: bool = False) -> dict[str, Turns]:
    """The places of each engine, one more than it has workers: no worker shall wait until the last order's end is told."""
    return {
        name: Turns(engine.info.workers + 1, by_arrival=by_arrival)
        for name, engine in engines.items()
    }
