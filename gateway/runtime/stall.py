"""A bound on how long one send may take, that costs next to nothing while sends are quick.

`asyncio.timeout` would arm a timer for every frame. Here one timer serves one send after the other: when it fires it
looks which one is under way, and waits on while that is not overdue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Stall:
    """Ends a send that takes longer than `stall_s` and longer than what the listener has to play.

    `played_by` says when everything that was sent will have been played, in loop time; None = nothing was.
    """

    def __init__(self, stall_s: float, played_by: Callable[[], float | None]) -> None:
        self._stall_s = stall_s
        self._played_by = played_by
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._since: float | None = None
        """When the send under way began; None = there is none."""
        self._overdue = False

    async def bound(self, sending: Awaitable[None]) -> None:
        """Await a send. Raises TimeoutError when it is overdue. One at a time, and always in the same task."""
        self._since = self._loop.time()
        if self._timer is None:
            self._task = asyncio.current_task()
            self._timer = self._loop.call_at(self._since + self._stall_s, self._look)
        try:
            await sending
        except asyncio.CancelledError:
            if self._overdue and self._task is not None and self._task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            self._since = None

    def close(self) -> None:
        """There will be no further send. Twice is fine."""
        # When it was cancelled, its traceback leads back here (see guard/parting.py).
        self._task = None
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if self._since is None:
            return
        due = max(self._since, self._played_by() or self._since) + self._stall_s
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._look)
        elif self._task is not None:
            self._overdue = True
            self._task.cancel()
