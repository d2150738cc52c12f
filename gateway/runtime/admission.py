"""Who may come in: bounds that hold over all connections, asked before anything is accepted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.core.errors import Overloaded
from gateway.core.limits import Limits
from gateway.runtime.drain import Drain
from gateway.runtime.forecast import Forecast

RETRY_AFTER_MS = 1_000


class Admission:
    """Counts what is open. Everything happens on the event loop, so plain integers do."""

    def __init__(self, limits: Limits, forecast: Forecast) -> None:
        self._limits = limits
        self.forecast = forecast
        self.connections = 0
        self.contexts = 0
        self.drain = Drain()

    @contextmanager
    def connection(self) -> Iterator[None]:
        """A place for one connection, held for the block. Raises Overloaded or Draining."""
        self.drain.refuse()
        self.forecast.judge()
        if self.connections >= self._limits.connections_max:
            raise Overloaded(
                "all connections are taken",
                allowed=f"{self._limits.connections_max} connections",
                retry_after_ms=RETRY_AFTER_MS,
            )
        self.connections += 1
        try:
            yield
        finally:
            self.connections -= 1

    @contextmanager
    def without_connection(self) -> Iterator[None]:
        """Inside `connection`: give its place to another, who has one already, for the block."""
        self.connections -= 1
        try:
            yield
        finally:
            self.connections += 1

    def open_context(self, engine: str, *, promised: bool = False) -> None:
        """Take a place for one context; give it back with `close_context`. Raises Overloaded or, unless it was
        `promised` before that began, Draining."""
        if not promised:
            self.drain.refuse()
        self.forecast.judge_wait(engine)
        if self.contexts >= self._limits.contexts_total_max:
            raise Overloaded(
                "all contexts are taken",
                allowed=f"{self._limits.contexts_total_max} contexts",
                retry_after_ms=RETRY_AFTER_MS,
            )
        self.contexts += 1

    def contexts_free(self) -> int:
        """About how many more contexts could be served well now."""
        free = self._limits.contexts_total_max - self.contexts
        listeners = self.forecast.listeners_free()
        return max(0, free if listeners is None else min(free, listeners))

    def close_context(self) -> None:
        """Give a context's place back."""
        self.contexts -= 1
