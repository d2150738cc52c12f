"""Who gets a place at an engine, and what becomes of places when people leave."""

from __future__ import annotations

import asyncio
import math
import random

import pytest

from gateway.runtime.turns import Turns

pytestmark = pytest.mark.virtual_time


class Visitor:
    """Takes a turn, notes that it has it, and keeps it until told otherwise."""

    def __init__(
        self, turns: Turns, served: list[float], tasks: asyncio.TaskGroup, needed_by: float
    ) -> None:
        self._done = asyncio.Event()
        self.task = tasks.create_task(self._visit(turns, served, needed_by))

    async def _visit(self, turns: Turns, served: list[float], needed_by: float) -> None:
        async with turns.turn(needed_by):
            served.append(needed_by)
            await self._done.wait()

    def leave(self) -> None:
        self._done.set()


async def settle() -> None:
    """Let everybody do what can be done now: time only passes when nobody can."""
    await asyncio.sleep(1)


async def test_whoever_needs_it_soonest_is_next() -> None:
    served: list[float] = []
    async with asyncio.TaskGroup() as tasks:
        turns = Turns(1)
        holder = Visitor(turns, served, tasks, 0.0)
        await settle()
        waiting = [Visitor(turns, served, tasks, needed_by) for needed_by in (5.0, 1.0, 3.0, 1.0)]
        await settle()
        assert served == [0.0]
        for visitor in (holder, *waiting):
            visitor.leave()
            await settle()

    assert served == [0.0, 1.0, 1.0, 3.0, 5.0]


async def test_equals_are_served_as_they_came() -> None:
    order: list[int] = []
    turns = Turns(1)

    async def visit(number: int) -> None:
        async with turns.turn(1.0):
            order.append(number)

    async with asyncio.TaskGroup() as tasks, turns.turn(0.0):
        for number in range(20):
            tasks.create_task(visit(number))
        await settle()

    assert order == list(range(20))


async def test_a_listener_has_a_place_although_downloads_have_all() -> None:
    """Where the engine yields. It is told which are downloads; a further one waits until there is room for both."""
    told: list[tuple[float, bool]] = []
    async with asyncio.TaskGroup() as tasks:
        turns = Turns(2, yields=True)

        async def visit(needed_by: float, done: asyncio.Event) -> None:
            async with turns.turn(needed_by) as waits:
                told.append((needed_by, waits))
                await done.wait()

        done = [asyncio.Event() for _ in range(6)]
        for needed_by, event in zip(
            (math.inf, math.inf, math.inf, 5.0, 6.0, 7.0), done, strict=True
        ):
            tasks.create_task(visit(needed_by, event))
            await asyncio.sleep(0)
        assert told == [(math.inf, True), (math.inf, True), (5.0, False), (6.0, False)]
        assert (turns.free, turns.waiting) == (0, 2)
        assert turns.wait_s(0.0) == 0.0
        done[0].set()  # Three are left, and two places.
        await asyncio.sleep(0.5)
        assert len(told) == 4
        done[3].set()
        await asyncio.sleep(0.5)
        assert told[4:] == [(7.0, False)]
        for event in done:
            event.set()
    assert told[5:] == [(math.inf, True)]
    assert turns.free == 2


@pytest.mark.parametrize("yields", [False, True])
def test_what_may_have_stood_still_tells_no_cost(yields: bool) -> None:
    turns = Turns(2, yields=yields)
    turns.listeners = 1
    turns.worked(1.0, 10.0, 0.0, can_wait=True)
    assert (turns.promised(0.0) > 0) == (not yields)
    turns.worked(1.0, 10.0, 0.0)
    assert turns.promised(0.0) == pytest.approx(0.1)


class Room:
    """Counts who is inside at once."""

    def __init__(self, turns: Turns, chance: random.Random) -> None:
        self.inside = self.most = 0
        self._turns = turns
        self._chance = chance

    async def visit(self, can_wait: bool) -> None:
        async with self._turns.turn(math.inf if can_wait else self._chance.random()):
            self.inside += 1
            self.most = max(self.most, self.inside)
            try:
                await asyncio.sleep(self._chance.random())
            finally:
                self.inside -= 1


@pytest.mark.parametrize(("yields", "most"), [(False, 3), (True, 5)])
@pytest.mark.parametrize("seed", range(30))
async def test_no_place_is_lost_or_doubled_whoever_goes_when(
    seed: int, yields: bool, most: int
) -> None:
    chance = random.Random(seed)
    turns = Turns(3, yields=yields)
    room = Room(turns, chance)
    async with asyncio.TaskGroup() as tasks:
        visits = [tasks.create_task(room.visit(number % 2 == 0)) for number in range(40)]
        for visitor in chance.sample(visits, 20):
            await asyncio.sleep(chance.random() / 4)
            visitor.cancel()

    assert room.inside == 0
    assert 3 <= room.most <= most
    async with asyncio.timeout(0.1), turns.turn(0), turns.turn(0), turns.turn(0):
        pass  # All places are there again.


async def test_a_place_given_to_one_who_leaves_at_that_moment_goes_on() -> None:
    served: list[float] = []
    async with asyncio.TaskGroup() as tasks:
        turns = Turns(1)
        holder = Visitor(turns, served, tasks, 0.0)
        await settle()
        leaving, staying = (Visitor(turns, served, tasks, needed_by) for needed_by in (1.0, 2.0))
        await settle()
        holder.leave()
        await asyncio.sleep(0)  # The holder has gone, and the next one has not woken up yet.
        assert holder.task.done()
        leaving.task.cancel()
        staying.leave()

    assert served == [0.0, 2.0]
