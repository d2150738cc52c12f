"""Places at an engine, given to whoever needs one soonest.

An engine makes a few segments at once and everybody else waits. Served in the order of arrival, somebody who has just
begun to listen would wait behind the stock of all the others; here the one whose listener runs dry first is next, as
`core.fairness` has it.

Where the engine lets what can wait stand still, the places that downloads have are free to listeners: who comes does not wait
until a download's segment is made.
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
    """The places of one engine. How many wait is bounded by the contexts and their lookahead.

    `yields`: an order that can wait stands still while others need its worker, so listeners may have as many places as there
    are, whatever downloads have. So at most twice as many orders are given to the engine, less one.
    """

    def __init__(self, places: int, *, yields: bool = False, by_arrival: bool = False) -> None:
        assert places >= 1
        self.places = places
        self._yields = yields
        self._by_arrival = by_arrival
        self._had_by_listeners = self._had_by_downloads = 0
        self.listeners = 0
        """How many follow a clock, as far as is known, and have audio to come that is not made yet, or not sent."""
        self._workers = max(1, places - 1)
        self._worked = Rate(COST_MEMORY_S)
        self._made = Rate(COST_MEMORY_S)
        self._line: FairLine[asyncio.Future[bool]] = FairLine(places, by_arrival=by_arrival)

    @property
    def free(self) -> int:
        """Places that nobody has."""
        return max(0, self.places - self._had_by_listeners - self._had_by_downloads)

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._line)

    def load(self, now: float) -> float:
        """The share of the places that listeners had lately."""
        return self._line.load(now)

    def worked(self, busy_s: float, audio_s: float, now: float, *, can_wait: bool = False) -> None:
        """A worker took so long to make so much audio, unless it stood still meanwhile."""
        if can_wait and self._yields:
            return
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
        if self._has_room(can_wait=False):
            return 0.0
        return (self._line.due(now) + 1) * self._line.turn_s / self.places

    @asynccontextmanager
    async def turn(
        self, needed_by: float, owner: str = "", *, eager: bool = False
    ) -> AsyncIterator[bool]:
        """A place for the block, told whether it is a download's. `needed_by` (loop time), `eager` and `owner` decide who is
        next, as `core.fairness` has it."""
        clock = asyncio.get_running_loop().time
        waits = await self._take(needed_by, owner, clock(), eager)
        begun = clock()
        self._line.taken(owner, begun, can_wait=waits)
        try:
            yield waits
        finally:
            now = clock()
            took_s = None if waits and self._yields else now - begun
            self._line.left(owner, now, took_s, can_wait=waits)
            self._give_back(waits, now)

    async def _take(self, needed_by: float, owner: str, now: float, eager: bool) -> bool:
        waits = not self._by_arrival and can_wait(needed_by, now, eager=eager)
        if self._has_room(can_wait=waits):
            self._have(+1, can_wait=waits)
            return waits
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        ticket = self._line.push(place, needed_by, owner, now, eager=eager)
        try:
            return await place
        except asyncio.CancelledError:
            if not place.cancelled():  # It had just been given.
                self._give_back(place.result(), asyncio.get_running_loop().time())
            else:
                self._line.withdraw(ticket)
            raise

    def _has_room(self, *, can_wait: bool) -> bool:
        taken = self._had_by_listeners
        if can_wait or not self._yields:
            taken += self._had_by_downloads
        return taken < self.places

    def _have(self, places: int, *, can_wait: bool) -> None:
        if can_wait:
            self._had_by_downloads += places
        else:
            self._had_by_listeners += places

    def _give_back(self, waits: bool, now: float) -> None:
        self._have(-1, can_wait=waits)
        while self._has_room(can_wait=False):
            downloads = self._has_room(can_wait=True)
            ticket = self._line.pop(now, downloads=downloads)
            if ticket is None:
                return
            if not ticket.item.done():  # Whoever was cancelled has not heard of it yet.
                # One that is far ahead and yet next needs its place as a listener does.
                waits = downloads and ticket.can_wait(now)
                self._have(+1, can_wait=waits)
                ticket.item.set_result(waits)


def new_turns(engines: Mapping[str, Engine], *, by_arrival: bool = False) -> dict[str, Turns]:
    """The places of each engine, one more than it has workers: no worker shall wait until the last order's end is told."""
    return {
        name: Turns(engine.info.workers + 1, yields=engine.info.yields, by_arrival=by_arrival)
        for name, engine in engines.items()
    }
