"""How many frames of audio leave in one turn of the event loop, and whose.

The loop serves everybody who is ready before it looks for anybody new. With hundreds of listeners who are all late, one
turn would take a third of a second, and whoever comes would learn only after several of them that there is no room. Let
through a few at a time, a turn stays short however many wait; and who is let through first is decided as it is for
engines and encoders (`core.fairness`).

A listener who is far ahead may stand here for long. When he interrupts, he waits for the answer and not for audio, which
comes behind the frame that stands here: so that is let through at once.
"""

from __future__ import annotations

import asyncio

from gateway.core.fairness import FairLine, Ticket

PASSES = 2
"""So many are let through in one turn. A frame takes about a millisecond of the loop at most."""


class Turnstile:
    """One per server. How many wait is bounded by its contexts. Everything happens on the event loop.

    Nobody holds a pass, so the line does not learn who had many: owners are equal, and a download that has waited for
    its second goes first.
    `by_arrival`: whoever came first is next, so that the other order can be compared with it.
    """

    def __init__(self, *, by_arrival: bool = False) -> None:
        self._loop = asyncio.get_running_loop()
        self._passes = PASSES
        """What is left of this turn."""
        self._is_counting = False
        """Somebody went through in this turn, or waits: the next one will be noticed."""
        self._line: FairLine[asyncio.Future[None]] = FairLine(PASSES, by_arrival=by_arrival)
        self._waiting: dict[object, Ticket[asyncio.Future[None]]] = {}
        """By what writes them."""

    async def through(
        self, needed_by: float, owner: str = "", *, eager: bool = False, writer: object = None
    ) -> None:
        """Return in this turn or in a later one. `needed_by` (loop time), `eager` and `owner` decide who is next, as
        `core.fairness` has it. A `writer` has one frame here at a time, and can be hurried."""
        if not self._is_counting:
            self._is_counting = True
            self._loop.call_soon(self._next_turn)
        if self._passes:
            self._passes -= 1
            return
        place: asyncio.Future[None] = self._loop.create_future()
        ticket = self._line.push(place, needed_by, owner, self._loop.time(), eager=eager)
        if writer is not None:
            self._waiting[writer] = ticket
        try:
            await place
        except asyncio.CancelledError:
            self._line.withdraw(ticket)
            raise
        finally:
            self._waiting.pop(writer, None)

    def hurry(self, writer: object) -> None:
        """Let its frame through now, if there is one; it is one more in this turn. Bounded by what clients may ask for."""
        ticket = self._waiting.get(writer)
        if ticket is not None and self._line.withdraw(ticket) and not ticket.item.done():
            ticket.item.set_result(None)

    def _next_turn(self) -> None:
        self._passes = PASSES
        now = self._loop.time()
        while self._passes and (ticket := self._line.pop(now)) is not None:
            if not ticket.item.done():  # Whoever was cancelled has not heard of it yet.
                ticket.item.set_result(None)
                self._passes -= 1
        self._is_counting = self._passes < PASSES
        if self._is_counting:
            self._loop.call_soon(self._next_turn)
