"""What carries the messages of a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field

from gateway.dialects.base import Frame, Verdict


def _future() -> asyncio.Future[Verdict]:
    return asyncio.get_running_loop().create_future()


@dataclass(eq=False, slots=True)
class Wire:
    """One socket, as the mux sees it. `receive` gives None when the peer is gone; `send` raises OSError then.

    `said_goodbye` tells whether the peer closed it on purpose; `hang_up` closes it from our side. It may be used until
    `ends_at`, in loop time."""

    receive: Callable[[], Awaitable[Frame | None]]
    send: Callable[[Frame], Awaitable[None]]
    said_goodbye: Callable[[], bool] = lambda: True
    hang_up: Callable[[Verdict], Coroutine[None, None, None]] | None = None
    played_by: Callable[[], float | None] = lambda: None
    """When what was sent will have been played, in loop time; None = nothing was. Set by whoever serves the wire."""
    pinged: Callable[[], None] = lambda: None
    """To be called when the peer is asked whether it is there, behind all that was sent,"""
    answered: Callable[[], None] = lambda: None
    """and when it has answered that. Both are set by whoever serves the wire."""
    ends_at: float | None = None
    over: asyncio.Future[Verdict] = field(default_factory=_future)
    """Set when it is no longer used."""

    def end(self, verdict: Verdict) -> None:
        """It is no longer used. The first call counts."""
        if not self.over.done():
            self.over.set_result(verdict)
