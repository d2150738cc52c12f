"""Going away in good order: nobody new comes in, those who are in finish, and at a known time it is over.

    serving ──begin──► draining ──deadline──► over

Whoever has work watches, and is called at both steps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.core.errors import Draining

RETRY_AFTER_MS = 1_000
"""By then a load balancer asks another replica."""


class Drain:
    """The state of one server's end. Everything happens on the event loop."""

    def __init__(self) -> None:
        self.deadline: float | None = None
        """When work ends, in loop time; None = the server is not going away."""
        self.is_over = False
        """The deadline has passed: whatever is left stops now."""
        self._watchers: set[Callable[[], None]] = set()

    @property
    def has_begun(self) -> bool:
        """True once nobody new is let in."""
        return self.deadline is not None

    def begin(self, seconds: float) -> None:
        """Let nobody new in, and stop what is left after so many seconds. The first call counts."""
        if self.has_begun:
            return
        loop = asyncio.get_running_loop()
        self.deadline = loop.time() + seconds
        self._tell()
        loop.call_at(self.deadline, self._end)

    def refuse(self) -> None:
        """Raises Draining once it has begun."""
        if self.has_begun:
            raise Draining("the server is going away", retry_after_ms=RETRY_AFTER_MS)

    def left_ms(self, now: float) -> int:
        """How long work may go on."""
        assert self.deadline is not None
        return max(0, round((self.deadline - now) * 1_000))

    @contextmanager
    def watched(self, watcher: Callable[[], None]) -> Iterator[None]:
        """Call `watcher` when it begins and when it is over, for the block; at once if it has begun."""
        self._watchers.add(watcher)
        try:
            if self.has_begun:
                watcher()
            yield
        finally:
            self._watchers.discard(watcher)

    def _end(self) -> None:
        self.is_over = True
        self._tell()

    def _tell(self) -> None:
        for watcher in list(self._watchers):
            watcher()
