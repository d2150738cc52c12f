"""One read of a socket is looked at in slices, and others get their turn between them.

The kernel hands over a quarter of a megabyte at once. In six bytes each that is forty thousand WebSocket frames, which
take a tenth of a second to take apart; nobody else is served meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

SLICE_BYTES = 4_096
"""At 2 to 4 µs for the smallest frame, a slice of them takes about 2 ms."""
UNREAD_BYTES_MAX = 1_048_576
"""Which wait to be looked at. Reading pauses meanwhile, so that one read is usual; it resumes while a connection closes."""


class Valve:
    """A transport that reads on when its protocol wants more and has looked at what it has."""

    def __init__(self, transport: asyncio.Transport, go_on: Callable[[], None]) -> None:
        self.transport = transport
        self.write = transport.write
        self.wanted = True
        """The protocol wants more."""
        self.given_away = False
        """Another protocol has the transport now."""
        self._go_on = go_on

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def pause_reading(self) -> None:
        """The protocol wants no more for now."""
        self.wanted = False
        self.shut()

    def resume_reading(self) -> None:
        """The protocol wants more."""
        self.wanted = True
        self._go_on()

    def shut(self) -> None:
        """Read nothing for now. Twice is fine."""
        if not self.given_away and not self.transport.is_closing():
            self.transport.pause_reading()

    def open(self) -> None:
        """Read on. Twice is fine."""
        if not self.given_away and not self.transport.is_closing():
            self.transport.resume_reading()

    def give_away(self) -> asyncio.Transport:
        """The transport, open, for another protocol."""
        self.open()
        self.given_away = True
        self.let_go()
        return self.transport

    def let_go(self) -> None:
        """Of the protocol, which has no more to read (see `parting.py`)."""
        self._go_on = _stay


def _stay() -> None:
    pass


class InSlices(asyncio.Protocol):
    """The outermost of the mixed-in classes: those behind it get `SLICE_BYTES` at most at a time."""

    loop: asyncio.AbstractEventLoop
    _valve: Valve
    _next: asyncio.Handle | None = None
    """The next slice, when there is one and it may be looked at."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport may be another protocol's valve, when a connection is upgraded."""
        self._unread = bytearray()
        plain = transport.give_away() if isinstance(transport, Valve) else transport
        self._valve = Valve(cast(asyncio.Transport, plain), self._go_on)
        super().connection_made(cast(asyncio.BaseTransport, self._valve))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._next is not None:
            self._next.cancel()
        super().connection_lost(exc)
        self._valve.let_go()

    def data_received(self, data: bytes) -> None:
        if self._next is None and not self._unread and len(data) <= SLICE_BYTES:
            self._look_at(data)
            return
        self._unread += data
        if len(self._unread) > UNREAD_BYTES_MAX:
            self._valve.abort()
        self._go_on()

    def wait_s(self) -> float:
        """How long the next slice has to wait: not at all, unless a class behind this one says so."""
        return 0.0

    def _look_at(self, data: bytes) -> None:
        super().data_received(data)
        wait_s = self.wait_s()
        if wait_s > 0:
            self._valve.shut()
            self._next = self.loop.call_later(wait_s, self._take)
        elif self._unread:
            self._go_on()

    def _go_on(self) -> None:
        """Have the next slice looked at, if it may be; read on when there is none."""
        if self._next is not None or not self._valve.wanted:
            return
        if self._unread:
            self._valve.shut()
            self._next = self.loop.call_soon(self._take)
        else:
            self._valve.open()

    def _take(self) -> None:
        self._next = None
        if self._valve.given_away or self._valve.is_closing():
            self._unread.clear()  # It came before an upgrade was granted, or nobody answers it any more.
        elif self._unread and self._valve.wanted:
            piece = bytes(self._unread[:SLICE_BYTES])
            del self._unread[:SLICE_BYTES]
            self._look_at(piece)
            if self._next is None:
                self._go_on()
        else:
            self._go_on()
