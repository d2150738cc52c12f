"""A closing connection comes to its end."""

from __future__ import annotations

import asyncio
from typing import cast

from gateway.core.limits import Limits


class CutsOff(asyncio.Protocol):
    """A connection that is closing ends within twice `send_stall_ms`, although its peer takes no byte, or one at a time.

    Closing waits until everything has left, and what is left for a peer that never reads never leaves. As soon as the
    kernel takes no more, writing is paused: audio waits in its session, where a clear reaches it, and here it is seen.
    Those who are not closing yet are watched by `runtime/stall.py`, which knows what they have to play.
    """

    limits: Limits
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _look_again: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        cast(asyncio.WriteTransport, transport).set_write_buffer_limits(high=0)
        super().connection_made(transport)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch(was_closing=False)

    def resume_writing(self) -> None:
        self._unwatch()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self, *, was_closing: bool) -> None:
        delay_s = self.limits.send_stall_ms / 1_000
        left = self.transport.get_write_buffer_size()
        self._look_again = self.loop.call_later(delay_s, self._look, left, was_closing)

    def _unwatch(self) -> None:
        if self._look_again is not None:
            self._look_again.cancel()

    def _look(self, left_before: int, was_closing: bool) -> None:
        closing = self.transport.is_closing()
        taken = self.transport.get_write_buffer_size() < left_before
        if closing and (was_closing or not taken):
            self.transport.abort()
        else:
            self._watch(was_closing=closing)
