"""The bound on a send, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from gateway.runtime.stall import Stall

pytestmark = pytest.mark.virtual_time

STALL_S = 30.0


def stall(played_by: float | None = None) -> Stall:
    return Stall(STALL_S, lambda: played_by)


def now() -> float:
    return asyncio.get_running_loop().time()


async def never() -> None:
    await asyncio.Event().wait()


async def test_a_send_that_nobody_takes_ends_when_it_is_overdue() -> None:
    begun = now()

    with pytest.raises(TimeoutError):
        await stall().bound(never())

    assert now() - begun == STALL_S


async def test_a_listener_may_first_play_what_it_has() -> None:
    begun = now()

    with pytest.raises(TimeoutError):
        await stall(played_by=begun + 7.0).bound(never())

    assert now() - begun == 7.0 + STALL_S


async def test_each_send_has_its_own_time() -> None:
    sends = stall()
    for _ in range(5):
        await sends.bound(asyncio.sleep(STALL_S - 1))
    begun = now()

    with pytest.raises(TimeoutError):
        await sends.bound(never())

    assert now() - begun == STALL_S


async def test_the_time_between_two_sends_counts_for_neither() -> None:
    sends = stall()
    await sends.bound(asyncio.sleep(0))
    await asyncio.sleep(10 * STALL_S)

    await sends.bound(asyncio.sleep(STALL_S - 1))


async def test_a_task_that_is_cancelled_stays_cancelled() -> None:
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(stall().bound(never()))
        await asyncio.sleep(1)
        sending.cancel()

    assert sending.cancelled()


async def test_what_a_send_raises_goes_through() -> None:
    async def refused() -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await stall().bound(refused())
