"""Who gets a place at an engine, and what becomes of places when people leave."""

from __future__ import annotations

import asyncio
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


class Room:
    """Counts who is inside at once."""

    def __init__(self, turns: Turns, chance: random.Random) -> None:
        self.inside = self.most = 0
        self._turns = turns
        self._chance = chance

    async def visit(self) -> None:
        async with self._turns.turn(self._chance.random()):
            self.inside += 1
            self.most = max(self.most, self.inside)
            try:
                await asyncio.sleep(self._chance.random())
            finally:
                self.inside -= 1


@pytest.mark.parametrize("seed", range(30))
async def test_no_place_is_lost_or_doubled_whoever_goes_when(seed: int) -> None:
    chance = random.Random(seed)
    turns = Turns(3)
    room = Room(turns, chance)
    async with asyncio.TaskGroup() as tasks:
        visits = [tasks.create_task(room.visit()) for _ in range(40)]
        for visitor in chance.sample(visits, 20):
            await asyncio.sleep(chance.random() / 4)
            visitor.cancel()

    assert (room.inside, room.most) == (0, 3)
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
