"""However many are ready, few frames leave in one turn of the event loop, and those first that are needed first."""

from __future__ import annotations

import asyncio
import math

import pytest

from gateway.runtime.turnstile import PASSES, Turnstile

pytestmark = pytest.mark.virtual_time


async def test_a_few_need_not_wait() -> None:
    turnstile = Turnstile()
    for _ in range(PASSES):
        with pytest.raises(StopIteration):
            turnstile.through(0.0).send(None)


async def test_only_so_many_go_through_in_one_turn_and_everybody_does_in_the_end() -> None:
    turnstile = Turnstile()
    turns, gone = [0], 0

    async def come() -> None:
        nonlocal gone
        for _ in range(3):
            await turnstile.through(0.0)
            turns[-1] += 1
        gone += 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(50):
            tasks.create_task(come())
        while gone < 50:
            turns.append(0)
            await asyncio.sleep(0)
    # A turn of the loop and the count of one may overlap.
    assert max(turns) <= 2 * PASSES
    assert len(turns) >= 150 / PASSES
    await turnstile.through(0.0)


async def test_whoever_needs_it_first_is_first_and_downloads_are_last() -> None:
    turnstile = Turnstile()
    order: list[str] = []

    async def come(name: str, needed_by: float, *, eager: bool = False) -> None:
        await turnstile.through(needed_by, eager=eager)
        order.append(name)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(PASSES):
            tasks.create_task(turnstile.through(0.0))
        tasks.create_task(come("file", math.inf))
        tasks.create_task(come("far ahead", 30.0, eager=True))
        tasks.create_task(come("later", 3.0))
        tasks.create_task(come("newcomer", 0.0))
        tasks.create_task(come("sooner", 2.0))
    assert order == ["newcomer", "sooner", "later", "file", "far ahead"]


async def test_by_arrival_nothing_else_counts() -> None:
    turnstile = Turnstile(by_arrival=True)
    order: list[int] = []

    async def come(number: int) -> None:
        await turnstile.through(-number)
        order.append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(20):
            tasks.create_task(come(number))
    assert order == list(range(20))


async def test_who_interrupts_does_not_wait_behind_others() -> None:
    turnstile = Turnstile()
    order: list[str] = []

    async def come(name: str, needed_by: float) -> None:
        await turnstile.through(needed_by, writer=name)
        order.append(name)

    async with asyncio.TaskGroup() as tasks:
        for number in range(3 * PASSES):
            tasks.create_task(come(f"newcomer {number}", 0.0))
        tasks.create_task(come("far ahead", 30.0))
        await asyncio.sleep(0)
        turnstile.hurry("far ahead")
        turnstile.hurry("far ahead")
        turnstile.hurry("somebody else")
        assert "far ahead" not in order
        await asyncio.sleep(0)
        assert order.index("far ahead") <= 2 * PASSES
    assert len(order) == 3 * PASSES + 1
    assert not turnstile._waiting


@pytest.mark.parametrize("was_let_in", [False, True])
async def test_who_is_cancelled_takes_nobodys_pass(was_let_in: bool) -> None:
    turnstile = Turnstile()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(PASSES):
            tasks.create_task(turnstile.through(0.0))
        waiting = [tasks.create_task(turnstile.through(0.0)) for _ in range(3 * PASSES)]
        await asyncio.sleep(0)
        if was_let_in:
            await asyncio.sleep(0)
        for task in waiting[: 2 * PASSES]:
            task.cancel()
    assert sum(not task.cancelled() for task in waiting) >= PASSES
    assert len(turnstile._line) == 0
