from __future__ import annotations

import asyncio
import time

import anyio
import anyio.to_thread
import pytest

from tests.support import virtual_time
from tests.support.virtual_time import NothingWillHappen, VirtualTimeLoop

DAY_S = 86_400.0


@pytest.mark.virtual_time
async def test_the_clock_jumps_to_each_timer_in_turn() -> None:
    loop = asyncio.get_running_loop()
    fired: list[tuple[str, float]] = []

    async def wait(name: str, seconds: float) -> None:
        await anyio.sleep(seconds)
        fired.append((name, loop.time()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, "late", 3 * DAY_S)
        tasks.start_soon(wait, "soon", 0.25)
        tasks.start_soon(wait, "soon too", 0.25)
        tasks.start_soon(wait, "later", DAY_S)
    assert fired == [
        ("soon", 0.25),
        ("soon too", 0.25),
        ("later", pytest.approx(DAY_S)),
        ("late", pytest.approx(3 * DAY_S)),
    ]


@pytest.mark.virtual_time
async def test_time_stands_still_while_something_is_ready() -> None:
    loop = asyncio.get_running_loop()
    loop.call_later(1.0, lambda: None)
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert loop.time() == 0.0


@pytest.mark.virtual_time
async def test_timeouts_of_asyncio_and_anyio_follow_the_clock() -> None:
    loop = asyncio.get_running_loop()
    with anyio.move_on_after(600) as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert loop.time() == 600.0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await asyncio.get_running_loop().create_future()
    assert loop.time() == 660.0


@pytest.mark.virtual_time
async def test_a_cancelled_timer_moves_nothing() -> None:
    loop = asyncio.get_running_loop()
    loop.call_later(DAY_S, lambda: None).cancel()
    await anyio.sleep(1)
    assert loop.time() == 1.0


@pytest.mark.virtual_time
async def test_a_thread_may_wake_a_loop_without_timers() -> None:
    assert await anyio.to_thread.run_sync(lambda: 42) == 42
    assert asyncio.get_running_loop().time() == 0.0


def test_a_deadlock_fails_and_leaves_a_loop_that_can_be_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(virtual_time, "OUTSIDE_WAIT_S", 0.0)

    async def wait_for_nobody() -> None:
        await asyncio.get_running_loop().create_future()

    with (
        asyncio.Runner(loop_factory=VirtualTimeLoop) as runner,
        pytest.raises(NothingWillHappen),
    ):
        runner.run(wait_for_nobody())


async def test_other_tests_get_a_loop_on_real_time() -> None:
    assert abs(asyncio.get_running_loop().time() - time.monotonic()) < 1.0
