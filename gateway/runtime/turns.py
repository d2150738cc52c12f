"""Places at an engine, given to whoever needs one soonest.

An engine makes a few segments at once and everybody else waits. Served in the order of arrival, somebody who has just
begun to listen would wait behind the stock of all the others; here the one whose listener runs dry first is next.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from gateway.engines.base import Engine

_Waiter = tuple[float, int, asyncio.Future[None]]
"""When it is needed, its number among the arrivals, and what it waits for."""


class Turns:
    """The places of one engine. How many wait is bounded by the contexts and their lookahead."""

    def __init__(self, places: int) -> None:
        assert places >= 1
        self.free = places
        """Places that nobody has."""
        self._arrivals = itertools.count()
        self._waiting: list[_Waiter] = []

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self, needed_by: float) -> AsyncIterator[None]:
        """A place for the block. The earliest `needed_by` (loop time) is next, equal ones in the order of arrival."""
        await self._take(needed_by)
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self, needed_by: float) -> None:
        if self.free:
            self.free -= 1
            return
        place = asyncio.get_running_loop().create_future()
        waiter = (needed_by, next(self._arrivals), place)
        heapq.heappush(self._waiting, waiter)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self._pass_on()  # It had just been given.
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
                heapq.heapify(self._waiting)
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            place = heapq.heappop(self._waiting)[2]
            if not place.done():  # Whoever was cancelled has not heard of it yet.
                place.set_result(None)
                return
        self.free += 1


def new_turns(engines: Mapping[str, Engine]) -> dict[str, Turns]:
    """The places of each engine, one more than it has workers: no worker shall wait until the last order's end is told."""
    return {name: Turns(engine.info.workers + 1) for name, engine in engines.items()}
