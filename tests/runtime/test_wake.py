from __future__ import annotations

import asyncio

import pytest

from gateway.runtime.wake import Wake

pytestmark = pytest.mark.virtual_time


async def test_a_call_while_nobody_waits_is_remembered_once() -> None:
    wake = Wake()
    wake()
    wake()
    await wake.wait(None)
    await wake.wait(1.0)
    assert asyncio.get_running_loop().time() == 1.0


async def test_the_deadline_wakes_and_a_call_comes_first() -> None:
    wake = Wake()
    asyncio.get_running_loop().call_later(2.0, wake)
    await wake.wait(10.0)
    assert asyncio.get_running_loop().time() == 2.0
    await wake.wait(10.0)
    assert asyncio.get_running_loop().time() == 10.0


async def test_a_deadline_in_the_past_returns_at_once() -> None:
    await Wake().wait(-1.0)
    assert asyncio.get_running_loop().time() == 0.0


async def test_a_timer_that_was_not_needed_wakes_nobody_later() -> None:
    wake = Wake()
    wake()
    await wake.wait(1.0)
    await wake.wait(5.0)
    assert asyncio.get_running_loop().time() == 5.0
