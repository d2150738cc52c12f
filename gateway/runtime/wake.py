"""Waiting for something new or for a point in time, whichever comes first."""

from __future__ import annotations

import asyncio


class Wake:
    """One waiter, any number of callers. A call while nobody waits is remembered."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self) -> None:
        """There may be something new."""
        self._event.set()

    async def wait(self, deadline: float | None) -> None:
        """Return when called, or at `deadline` (loop time); None = no deadline."""
        timer = None if deadline is None else self._loop.call_at(deadline, self._event.set)
        try:
            await self._event.wait()
        finally:
            self._event.clear()
            if timer is not None:
                timer.cancel()
