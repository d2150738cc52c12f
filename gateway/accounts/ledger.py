"""What speech costs, while it is being made.

A context sets credits aside in blocks, before the pieces that they are for; it posts what a piece cost when the piece is
finished, and what is left when the context is over is void. So speech that fails costs nothing, speech that is interrupted
costs what was made, and a process that dies charges nobody for what it had not made.

Setting aside takes a commit, which runs beside the synthesis: a piece that is made before it is paid for waits, so that
nobody hears what is not. As long as the block lasts there is nothing to wait for.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gateway.accounts.caller import Caller
from gateway.accounts.clock import now_ms
from gateway.accounts.model import Charge
from gateway.accounts.store import Store
from gateway.core.errors import GatewayError, Internal, Problem

log = logging.getLogger("gateway.accounts")


class Ledger:
    """Opens a meter for each context. `prices` are thousandths of a credit per character, by model; None = nothing costs
    anything, and is only counted."""

    def __init__(self, store: Store, prices: Mapping[str, int] | None, block_chars: int) -> None:
        self._store = store
        self._prices = prices
        self._block_chars = block_chars

    def open(self, request: str, caller: Caller, chars: int | None, paid_chars: int = 0) -> Meter:
        """A meter for a context with an id that no other one ever has. `chars` is all its text, if that is known; the first
        `paid_chars` that are made were paid for before."""
        return Meter(
            self._store, self._prices, self._block_chars, request, caller, chars, paid_chars
        )


class _Piece(NamedTuple):
    cost: int
    chars: int


class _Waiting(NamedTuple):
    segment: int
    piece: _Piece
    answer: asyncio.Future[Problem | None]


class Meter:
    """What one context costs. Nothing here waits; `close` it once."""

    def __init__(
        self,
        store: Store,
        prices: Mapping[str, int] | None,
        block_chars: int,
        request: str,
        caller: Caller,
        chars: int | None,
        paid_chars: int,
    ) -> None:
        self.chars_made = 0
        """Characters of the pieces that were finished."""
        self._paid_chars = paid_chars
        self._store = store
        self._prices = prices
        self._block_chars = block_chars
        self._request = request
        self._caller = caller
        self._chars_to_come = chars
        self._begun_ms = now_ms()
        self._charge: Charge | None = None
        self._price = 0
        self._free = 0
        """Set aside, and not for any piece yet."""
        self._held: dict[int, _Piece] = {}
        self._waiting: deque[_Waiting] = deque()
        self._problem: Problem | None = None
        """Why nothing more is set aside."""
        self._has_reserved = False
        self._free_chars = 0
        """Characters of finished pieces that cost nothing."""
        self._is_closed = False

    def cover(self, segment: int, chars: int, model: str) -> asyncio.Future[Problem | None] | None:
        """Set aside what a piece of so many characters costs. None = there is enough; else it is known later whether there
        was, or why not. Once there was not, nothing more is made in this context."""
        if self._charge is None:
            self._charge = Charge(self._request, self._caller.account, self._caller.key, model)
            self._price = 0 if self._prices is None else self._prices[model]
        free = min(chars, self._paid_chars)
        self._paid_chars -= free
        piece = _Piece((chars - free) * self._price, chars)
        if self._chars_to_come is not None:
            self._chars_to_come -= chars
        if piece.cost == 0 or (not self._waiting and piece.cost <= self._free):
            self._hold(segment, piece)
            return None
        answer: asyncio.Future[Problem | None] = asyncio.get_running_loop().create_future()
        if self._problem is not None:
            answer.set_result(self._problem)
            return answer
        self._waiting.append(_Waiting(segment, piece, answer))
        if len(self._waiting) == 1:
            self._reserve()
        return answer

    def finished(self, segment: int) -> None:
        """The piece was made: it is spent."""
        piece = self._held.pop(segment, None)
        if piece is None or self._is_closed:
            return
        self.chars_made += piece.chars
        if piece.cost == 0:
            self._free_chars += piece.chars
        else:
            request, now = self._request, now_ms()
            self._soon(lambda: self._store.post(request, piece.cost, piece.chars, now))

    def abandoned(self, segment: int) -> None:
        """The piece will not be made, or was finished: what is still set aside for it is free again."""
        piece = self._held.pop(segment, None)
        if piece is not None:
            self._free += piece.cost

    def close(self) -> None:
        """The context is over. Twice is fine."""
        if self._is_closed or self._charge is None:
            return
        self._is_closed = True
        charge, now = self._charge, now_ms()
        if self._has_reserved:
            self._soon(lambda: self._store.end(charge.request, now))
        elif self._free_chars:
            begun, chars = self._begun_ms, self._free_chars
            self._soon(lambda: self._store.record(charge, chars, begun, now))

    def _hold(self, segment: int, piece: _Piece) -> None:
        self._free -= piece.cost
        self._held[segment] = piece

    def _reserve(self) -> None:
        """Ask for what the first of those who wait needs, and for the rest of a block."""
        assert self._charge is not None
        piece = self._waiting[0].piece
        to_come = self._block_chars if self._chars_to_come is None else self._chars_to_come
        need = piece.cost - self._free
        want = max(need, min(self._block_chars, piece.chars + to_come) * self._price - self._free)
        self._has_reserved = True
        try:
            asked = self._store.reserve(self._charge, need, want, now_ms())
        except GatewayError as error:
            self._refuse(error.problem)
        else:
            asked.add_done_callback(self._reserved)

    def _reserved(self, asked: asyncio.Future[int]) -> None:
        error = asked.exception()
        if error is not None:
            if not isinstance(error, GatewayError):
                log.error("reserve_failed", extra={"request_id": self._request})
                error = Internal("the credits could not be set aside; the log knows why")
            self._refuse(error.problem)
            return
        self._free += asked.result()
        while self._waiting and self._waiting[0].piece.cost <= self._free:
            segment, piece, answer = self._waiting.popleft()
            if not answer.done():
                self._hold(segment, piece)
                answer.set_result(None)
        if self._waiting and not self._is_closed:
            self._reserve()

    def _refuse(self, problem: Problem) -> None:
        self._problem = problem
        while self._waiting:
            answer = self._waiting.popleft().answer
            if not answer.done():
                answer.set_result(problem)

    def _soon(self, ask: Callable[[], asyncio.Future[None]]) -> None:
        """Have it done without waiting. Should it fail, what was set aside is void later: a failure of ours is free."""
        try:
            ask().add_done_callback(self._asked)
        except GatewayError as error:
            self._lost(error)

    def _asked(self, asked: asyncio.Future[None]) -> None:
        if (error := asked.exception()) is not None:
            self._lost(error)

    def _lost(self, error: BaseException) -> None:
        name = type(error).__name__
        log.warning("charge_lost", extra={"request_id": self._request, "error": name})
