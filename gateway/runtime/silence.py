"""A connection over which nothing is said, and on which nothing is under way, comes to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Silence:
    """Notices when no message has come for `first_ms`, or no other one for `idle_ms`. As long as `busy()`, it is no silence.
    One timer, however much is said.
    """

    def __init__(self, first_ms: int, idle_ms: int, busy: Callable[[], bool]) -> None:
        self._first_ms = first_ms
        self._idle_ms = idle_ms
        self._busy = busy
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._first = True
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, end: Callable[[bool], object]) -> None:
        """Watch from now on. `end(first)` is called once: `first` is true when there was no message at all."""
        self._since = self._loop.time()
        self._timer = self._loop.call_at(self._due(), self._look, end)

    def broken(self) -> None:
        """Something was said."""
        self._since = self._loop.time()
        self._first = False

    def close(self) -> None:
        """The connection has ended. Twice is fine."""
        if self._timer is not None:
            self._timer.cancel()

    def _due(self) -> float:
        return self._since + (self._first_ms if self._first else self._idle_ms) / 1_000

    def _look(self, end: Callable[[bool], object]) -> None:
        if self._busy():
            self._since = self._loop.time()
        if self._loop.time() < self._due():
            self._timer = self._loop.call_at(self._due(), self._look, end)
        else:
            end(self._first)
