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
from gateway.accounts.model import Balance, Charge, RouteSums
from gateway.accounts.pricing import FREE, Price
from gateway.accounts.store import Store
from gateway.core.errors import GatewayError, Internal, Problem

log = logging.getLogger("gateway.accounts")


class Ledger:
    """Opens a meter for each context, and says what an account has. `prices` are by model; None = nothing costs anything,
    and is only counted. Amounts are thousandths of a credit."""

    def __init__(self, store: Store, prices: Mapping[str, Price] | None, block_chars: int) -> None:
        self._store = store
        self._prices = prices
        self._block_chars = block_chars

    def open(
        self,
        request: str,
        caller: Caller,
        chars: int | None,
        paid_chars: int = 0,
        route: str = "",
    ) -> Meter:
        """A meter for a context with an id that no other one ever has. `chars` is all its text, if that is known; the first
        `paid_chars` that are made were paid for before. `route` is what its usage is counted under."""
        return Meter(
            self._store, self._price, self._block_chars, request, caller, chars, paid_chars, route
        )

    @property
    def charges(self) -> bool:
        """Whether speech costs anything here."""
        return self._prices is not None

    def quote(self, model: str, chars: int, paid_chars: int = 0) -> int:
        """What a text of so many characters costs when all of it is made; the first `paid_chars` were paid for before. What
        cannot be spoken is free, which only shows when it is made."""
        return self._price(model).beyond(paid_chars, chars)

    async def balance(self, caller: Caller) -> Balance:
        """What the caller's account has. Raises AccountsUnavailable."""
        return await self._store.balance(caller.account)

    async def usage(self, caller: Caller, *, of_account: bool = False) -> list[RouteSums]:
        """What the caller's key had spoken, or all keys of its account, by route and model. Raises AccountsUnavailable."""
        key = None if of_account else caller.key
        return await self._store.sums(caller.account, key, now_ms())

    def _price(self, model: str) -> Price:
        return FREE if self._prices is None else self._prices[model]


class _Waiting(NamedTuple):
    segment: int
    chars: int
    answer: asyncio.Future[Problem | None]


class Meter:
    """What one context costs. Nothing here waits; `close` it once.

    The price is of all characters of a context together, so that steps are begun once and not with each piece.
    """

    def __init__(
        self,
        store: Store,
        price: Callable[[str], Price],
        block_chars: int,
        request: str,
        caller: Caller,
        chars: int | None,
        paid_chars: int,
        route: str,
    ) -> None:
        self.chars_made = 0
        """Characters of the pieces that were finished."""
        self._paid_chars = paid_chars
        self._store = store
        self._price_of = price
        self._block_chars = block_chars
        self._request = request
        self._caller = caller
        self._route = route
        self._chars_to_come = chars
        self._begun_ms = now_ms()
        self._charge: Charge | None = None
        self._price = FREE
        self._reserved = 0
        """Set aside so far, spent or not."""
        self._held: dict[int, int] = {}
        """Characters of the pieces that are covered and not finished."""
        self._waiting: deque[_Waiting] = deque()
        self._problem: Problem | None = None
        """Why nothing more is set aside."""
        self._is_asking = False
        self._chars_uncounted = 0
        """Characters of finished pieces that are not in the books: as long as nothing was set aside, there is no request."""
        self._is_closed = False

    @property
    def millicredits(self) -> int:
        """What was spent so far, in thousandths of a credit: exact once the context is over."""
        return self._cost(self.chars_made)

    def cover(self, segment: int, chars: int, model: str) -> asyncio.Future[Problem | None] | None:
        """Set aside what a piece of so many characters costs. None = there is enough; else it is known later whether there
        was, or why not. Once there was not, nothing more is made in this context."""
        if self._charge is None:
            caller = self._caller
            self._charge = Charge(self._request, caller.account, caller.key, model, self._route)
            self._price = self._price_of(model)
        if self._chars_to_come is not None:
            self._chars_to_come -= chars
        if self._problem is None and not self._waiting and self._covers(chars):
            self._held[segment] = chars
            return None
        answer: asyncio.Future[Problem | None] = asyncio.get_running_loop().create_future()
        if self._problem is not None:
            answer.set_result(self._problem)
            return answer
        self._waiting.append(_Waiting(segment, chars, answer))
        if len(self._waiting) == 1:
            self._reserve()
        return answer

    def finished(self, segment: int) -> None:
        """The piece was made: it is spent."""
        chars = self._held.pop(segment, None)
        if chars is None or self._is_closed:
            return
        spent = self.millicredits
        self.chars_made += chars
        self._chars_uncounted += chars
        if self._reserved:
            self._post(self.millicredits - spent)

    def abandoned(self, segment: int) -> None:
        """The piece will not be made, or was finished: what is still set aside for it is free again."""
        self._held.pop(segment, None)

    def close(self) -> None:
        """The context is over. Twice is fine."""
        if self._is_closed or self._charge is None:
            return
        self._is_closed = True
        charge, now = self._charge, now_ms()
        if self._reserved and self._chars_uncounted:
            self._post(0)
        if self._reserved or self._is_asking:
            self._soon(lambda: self._store.end(charge.request, now))
        elif self._chars_uncounted:
            begun, chars = self._begun_ms, self._chars_uncounted
            self._soon(lambda: self._store.record(charge, chars, begun, now))

    def _cost(self, chars: int) -> int:
        """Of the first so many characters that are made, beyond what was paid before."""
        return self._price.beyond(self._paid_chars, chars)

    def _covers(self, chars: int) -> bool:
        """Whether enough is set aside for so many more characters."""
        return self._beyond(chars) <= 0

    def _beyond(self, chars: int) -> int:
        """How much more would have to be set aside for so many more characters."""
        return self._cost(self.chars_made + sum(self._held.values()) + chars) - self._reserved

    def _reserve(self) -> None:
        """Ask for what the first of those who wait needs, and for the rest of a block."""
        assert self._charge is not None
        chars = self._waiting[0].chars
        to_come = self._block_chars if self._chars_to_come is None else self._chars_to_come
        need = self._beyond(chars)
        want = self._beyond(max(chars, min(self._block_chars, chars + to_come)))
        try:
            asked = self._store.reserve(self._charge, need, want, now_ms())
        except GatewayError as error:
            self._refuse(error.problem)
        else:
            self._is_asking = True
            asked.add_done_callback(self._answered)

    def _answered(self, asked: asyncio.Future[int]) -> None:
        self._is_asking = False
        error = asked.exception()
        if error is not None:
            if not isinstance(error, GatewayError):
                log.error("reserve_failed", extra={"request_id": self._request})
                error = Internal("the credits could not be set aside; the log knows why")
            self._refuse(error.problem)
            return
        self._reserved += asked.result()
        while self._waiting and self._covers(self._waiting[0].chars):
            segment, chars, answer = self._waiting.popleft()
            if not answer.done():
                self._held[segment] = chars
                answer.set_result(None)
        if self._waiting and not self._is_closed:
            self._reserve()

    def _post(self, amount: int) -> None:
        """Write down what was made since the last time, and what it cost."""
        request, chars, now = self._request, self._chars_uncounted, now_ms()
        self._chars_uncounted = 0
        self._soon(lambda: self._store.post(request, amount, chars, now))

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
