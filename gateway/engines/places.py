"""How many orders are in the making at once, and which of them stands still while another is made.

A segment of a download takes a worker for as long as any other, and with every worker at it a listener's segment would
wait. So the worker of an order that can wait is halted when an order that cannot finds no place, and goes on when no such
order is left. That costs two signals, and the cores are free at once.

Nobody waits for ever: an order is patient for `PATIENCE_MS_MAX` in all, and then stands in line with those that cannot wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

PATIENCE_MS_MAX = 250
"""For so long from when it came, an order that can wait lets others go first."""


class Halting(Protocol):
    """Work that can be made to stand still."""

    def halt(self) -> None:
        """Stand still. Called in turn with `go_on`."""

    def go_on(self) -> None:
        """Go on."""


class Place:
    """What an order holds, or waits for, from `Places.take` until it leaves."""

    __slots__ = ("given", "is_patient", "patience", "work")

    def __init__(self, given: asyncio.Future[None], *, is_patient: bool) -> None:
        self.given = given
        """Done once the order may begin."""
        self.is_patient = is_patient
        self.patience: asyncio.TimerHandle | None = None
        """What ends it."""
        self.work: Halting | None = None
        """None until it has begun."""


class Places:
    """`count` places. How many wait is the caller's to bound. Everything happens on the event loop."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._taken: list[Place] = []
        """In the order in which they began, or went on."""
        self._urgent: deque[Place] = deque()
        self._patient: deque[Place] = deque()
        """Those that wait. Whoever has begun stands still."""

    async def take(self, *, can_wait: bool = False) -> Place:
        """Wait for a place, which must be left. `can_wait`: its work may be halted for the sake of work that cannot wait."""
        loop = asyncio.get_running_loop()
        place = Place(loop.create_future(), is_patient=can_wait)
        if can_wait:
            place.patience = loop.call_later(PATIENCE_MS_MAX / 1_000, self._hurry, place)
        (self._patient if can_wait else self._urgent).append(place)
        self._give()
        try:
            await place.given
        except asyncio.CancelledError:
            self.leave(place)
            raise
        return place

    def begin(self, place: Place, work: Halting) -> None:
        """Say what is done there, so that it can be halted."""
        place.work = work
        self._give()

    def leave(self, place: Place) -> None:
        """Give the place back, whether its work stands still or not. Once only."""
        if place.patience is not None:
            place.patience.cancel()
        if place in self._taken:
            self._taken.remove(place)
            self._free += 1
            self._give()
        else:
            (self._patient if place.is_patient else self._urgent).remove(place)

    def _hurry(self, place: Place) -> None:
        """Its patience is over."""
        place.is_patient = False
        if place not in self._taken:
            self._patient.remove(place)
            self._urgent.append(place)
            self._give()

    def _give(self) -> None:
        """Let begin, or go on, whoever can."""
        while line := self._urgent or self._patient:
            if not self._free and not (self._urgent and self._halt_one()):
                return
            self._free -= 1
            place = line.popleft()
            self._taken.append(place)
            if place.work is not None:
                place.work.go_on()
            elif not place.given.done():  # It may have been cancelled and not know it yet.
                place.given.set_result(None)

    def _halt_one(self) -> bool:
        """Take a place from whoever can wait and began last; false when there is nobody."""
        for place in reversed(self._taken):
            if place.is_patient and place.work is not None:
                place.work.halt()
                self._taken.remove(place)
                self._patient.appendleft(place)
                self._free += 1
                return True
        return False
