"""What a test says that stands at the border of a limit, and how to look at a moment in virtual time.

`@border("name")` runs a test three times, with `more` one below, at and one above the limit, in its own unit: a byte, a
message, a millisecond. `test_every_limit.py` wants one for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

Test = TypeVar("Test", bound=Callable[..., Any])
T = TypeVar("T")
AROUND = (-1, 0, 1)
TURNS = 30
"""Of the loop: more than anything takes that follows from one timer without another one."""


def border(*names: str) -> Callable[[Test], Test]:
    """A test of these limits, or constants, that is run with `more` = -1, 0 and 1."""

    def mark(test: Test) -> Test:
        for each in (pytest.mark.parametrize("more", AROUND), pytest.mark.border(*names)):
            test = each(test)
        return test

    return mark


async def turns() -> None:
    """Let everything happen that is to happen now."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def after(begun: float, ms: float) -> None:
    """Sleep until so long after `begun`, in loop time, and until all has happened that was due by then."""
    loop = asyncio.get_running_loop()
    moment: asyncio.Future[None] = loop.create_future()
    loop.call_at(begun + ms / 1_000, moment.set_result, None)
    await moment
    await turns()


def now() -> float:
    """Loop time."""
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def under_way(doing: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """A task, for the block; at its end it is awaited."""
    async with asyncio.TaskGroup() as tasks:
        yield tasks.create_task(doing)


async def is_over(doing: Coroutine[Any, Any, object]) -> bool:
    """Whether this comes to its end without any time passing; it is cancelled if not."""
    async with under_way(doing) as task:
        await turns()
        over = task.done()
        task.cancel()
    return over
