"""What requests and sessions did, kept for a while for those who have their ids.

A context is known from its beginning; when it is over, its receipt is kept, until there are too many or it is too old.
Frozen structs without the collector's attention, because ten thousand of them would stop the loop at each collection.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import msgspec

from gateway.core.errors import NotFound
from gateway.core.limits import Limits
from gateway.core.vocabulary import Progress, Route
from gateway.telemetry.receipt import ContextReceipt, Receipt

_WORST_FIRST = (Progress.RUNNING, Progress.FAILED, Progress.CANCELLED, Progress.COMPLETE)


class RequestReceipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an HTTP request or a WebSocket session did. `state` is the first that one of its contexts has of running,
    failed, cancelled and complete; `contexts_forgotten` were over before those that are told of."""

    id: str
    route: Route
    state: Progress
    age_ms: int
    contexts: tuple[ContextReceipt, ...]
    contexts_forgotten: int = 0


class _File(msgspec.Struct, gc=False):
    """A request: its ended contexts that are kept have the numbers from `first` to before `following`."""

    principal: str
    route: Route
    begun: float
    first: int = 0
    following: int = 0


class Receipts:
    """The receipts of one server, by the ids of requests and sessions."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._files: dict[str, _File] = {}
        self._open: dict[str, list[Receipt]] = {}
        self._kept: OrderedDict[tuple[str, int], tuple[float, ContextReceipt]] = OrderedDict()
        """With the time until which each is kept, oldest first."""

    @property
    def kept(self) -> int:
        """How many contexts are remembered that are over."""
        return len(self._kept)

    @property
    def open(self) -> int:
        """How many are not over."""
        return sum(map(len, self._open.values()))

    def begin(self, id: str, principal: str, route: Route, receipt: Receipt) -> None:
        """A context of the request or session `id` has begun; only `principal` may ask."""
        if id not in self._files:
            self._files[id] = _File(principal, route, _now())
        self._open.setdefault(id, []).append(receipt)

    def withdraw(self, id: str, receipt: Receipt) -> None:
        """It has not begun after all."""
        self._leave(id, receipt)
        self._clean(id)

    def end(self, id: str, receipt: Receipt) -> None:
        """It is over, and `receipt` has its last word."""
        self._leave(id, receipt)
        file = self._files[id]
        until = _now() + self._limits.receipt_ms / 1_000
        self._kept[id, file.following] = until, receipt.now()
        file.following += 1
        self._forget()

    def find(self, id: str, principal: str) -> RequestReceipt:
        """What is known of a request. Raises NotFound, for those of others too."""
        self._forget()
        file = self._files.get(id)
        if file is None or file.principal != principal:
            raise NotFound("there is no such request, or not any more", field="id")
        ended = (self._kept[id, number][1] for number in range(file.first, file.following))
        contexts = (*ended, *(receipt.now() for receipt in self._open.get(id, ())))
        return RequestReceipt(
            id,
            file.route,
            min((context.state for context in contexts), key=_WORST_FIRST.index),
            round((_now() - file.begun) * 1_000),
            contexts,
            file.first,
        )

    def _leave(self, id: str, receipt: Receipt) -> None:
        left = [other for other in self._open.pop(id) if other is not receipt]
        if left:
            self._open[id] = left

    def _forget(self) -> None:
        now = _now()
        while self._kept:
            (id, number), (until, _) = next(iter(self._kept.items()))
            if until > now and len(self._kept) <= self._limits.receipts_max:
                return
            del self._kept[id, number]
            self._files[id].first = number + 1
            self._clean(id)

    def _clean(self, id: str) -> None:
        """Nothing is kept of a request of which nothing is known."""
        file = self._files[id]
        if file.first == file.following and id not in self._open:
            del self._files[id]


def _now() -> float:
    return asyncio.get_running_loop().time()
