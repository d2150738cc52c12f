"""An event loop whose clock jumps: a test of a ten-minute timeout takes no time and comes out the same every time.

Whenever nothing is ready to run, the clock moves to the next timer instead of waiting for it. Between jumps time stands
still, so code under test takes no time at all. With no timer either, only a thread or a socket could wake the loop: it
is given `OUTSIDE_WAIT_S` of real time and then the test fails with `NothingWillHappen` instead of hanging.

A test that waits for a thread or a socket while a timer runs would see that timer fire first: such tests use the
ordinary loop.
"""

from __future__ import annotations

import asyncio
import math
import selectors

OUTSIDE_WAIT_S = 5.0
"""Real time that a thread may take to wake a loop without timers."""


class NothingWillHappen(Exception):
    """Every task waits, no timer runs and nobody outside has woken the loop: a deadlock in the code under test."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 0.0 and counts virtual seconds."""

    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        # asyncio fires timers that are due within the clock's resolution. Whoever is woken so much too early and waits
        # for the rest would do so for ever, because here time does not pass by itself.
        self._clock_resolution = math.ulp(self._clock.now)
        return self._clock.now


class _JumpingSelector(selectors.DefaultSelector):
    """Polls instead of waiting, and moves the clock by what the wait would have taken."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            return self._wait_for_outside()
        self.now += max(timeout, 0.0)
        return ready

    def _wait_for_outside(self) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(OUTSIDE_WAIT_S)
        if not ready:
            raise NothingWillHappen("every task waits, and no timer is set")
        return ready
