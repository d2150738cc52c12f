"""Where claims are measured: the target, its clients, and a watch on the harness itself.

Timelines are filled while utterances go on and judged afterwards, between batches, so that decoding them delays nothing
that is timed. All the while a ticker notes how late the loop comes round; ticks that fell due while timelines were
judged do not count.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from gateway.bench.compare.plan import Plan
from gateway.bench.compare.results import Health
from gateway.bench.compare.target import Target, TargetFailed, own_target
from gateway.bench.instruments.hearing import sleep_until
from gateway.bench.instruments.http import HttpClient
from gateway.bench.instruments.metrics import Metrics, measure
from gateway.bench.instruments.stats import percentile
from gateway.bench.instruments.timeline import Timeline, Trouble, clock
from gateway.bench.instruments.utterance import Client, Piece, Utterance
from gateway.bench.instruments.websocket import WebSocketClient
from gateway.bench.subjects import Layout

LAG_P99_MS_MAX = 5.0
"""A harness that was later measured itself."""
TICK_S = 0.005
LEAD_IN_S = 0.05
FAILURES_IN_A_ROW = 5
"""So many, and the target is given up."""

Speak = Callable[[], Coroutine[Any, Any, Timeline]]


class Lab:
    """One target. `utterances` and `failures` count since `renew`."""

    def __init__(self, target: Target, plan: Plan, layout: Layout, *, is_own: bool) -> None:
        self.target = target
        self.plan = plan
        self.utterances = 0
        self.failures: Counter[str] = Counter()
        self._clients: list[Client] = []
        self._layout = layout
        self.is_own = is_own
        self._model: str | None = None
        self._in_a_row = 0
        self._lags_s: list[float] = []
        self._counts_from = 0.0
        self._begun = (time.monotonic(), time.process_time())

    def http(self) -> Client:
        """A client of its own over HTTP."""
        return self._kept(HttpClient(self.target.http_url, headers=self.target.headers))

    def websocket(self, query: str = "") -> Client:
        """A client of its own over WebSocket."""
        return self._kept(WebSocketClient(self.target.ws_url + query, headers=self.target.headers))

    def _kept(self, client: Client) -> Client:
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Close the clients of a claim, also where its measurement broke off. Calling twice is fine."""
        while self._clients:
            self._clients.pop().close()

    @asynccontextmanager
    async def clients(
        self, makers: Mapping[str, Callable[[], Client]]
    ) -> AsyncIterator[dict[str, Client]]:
        """A client of each kind, which has spoken a word on its connection; they are closed with the block."""
        clients = {way: make() for way, make in makers.items()}
        try:
            for client in clients.values():
                await client.speak(self.unpaced("Hello."), clock())
            yield clients
        finally:
            for client in clients.values():
                client.close()

    def unpaced(
        self, text: str, language: str = "en", parameters: Mapping[str, object] | None = None
    ) -> Utterance:
        """A complete text, to be sent as fast as it can be unless `parameters` say otherwise."""
        asked = {"lead_ms": None, "model": self.model, "language": language, **(parameters or {})}
        return Utterance((Piece(0.0, text),), parameters=asked)

    @property
    def model(self) -> str:
        """Who speaks at the present target."""
        return self.plan.model if self._model is None else self._model

    @contextmanager
    def fresh(
        self, settings: Mapping[str, str] | None = None, model: str | None = None
    ) -> Iterator[None]:
        """For the block, `target` is a gateway that nobody has used, where it is the benchmark's own, with `settings`
        (environment variables) and speaking with `model`."""
        if not self.is_own:
            yield
            return
        usual = self.target
        with own_target(self._layout, settings) as unused:
            self.target, self._model = unused, model
            self.forget()
            try:
                yield
            finally:
                self.target, self._model = usual, None
        self.forget()

    def renew(self) -> None:
        """Begin to count anew."""
        self.utterances = 0
        self.failures = Counter()
        self._lags_s = []
        self._begun = (time.monotonic(), time.process_time())

    def health(self) -> Health:
        """The harness since `renew`."""
        wall, cpu = time.monotonic() - self._begun[0], time.process_time() - self._begun[1]
        lags_ms = [lag * 1e3 for lag in self._lags_s] or [0.0]
        p99 = percentile(lags_ms, 99)
        return Health(p99, max(lags_ms), cpu / wall if wall else 0.0, p99 <= LAG_P99_MS_MAX)

    def forget(self) -> None:
        """The loop was held up, and nothing was timed meanwhile."""
        self._counts_from = clock()

    def judge(self, timelines: Iterable[Timeline]) -> list[Metrics]:
        """The figures of those that went well; the others are counted. Call when nothing goes on.

        Raises TargetFailed when too many in a row failed.
        """
        good = []
        for timeline in timelines:
            metrics = measure(timeline)
            self.utterances += 1
            if metrics.trouble is None:
                self._in_a_row = 0
                good.append(metrics)
            else:
                self._fail(metrics.trouble)
        self.forget()
        return good

    def _fail(self, trouble: Trouble) -> None:
        self.failures[trouble.failure] += 1
        self._in_a_row += 1
        if self._in_a_row >= FAILURES_IN_A_ROW:
            detail = " ".join(trouble.detail.split())[:200]
            raise TargetFailed(f"{self.target.origin} fails: {trouble.failure}: {detail}")

    async def in_turn(
        self, client: Client, utterances: Iterable[Utterance], *, cold: bool = False
    ) -> list[Metrics]:
        """Speak one after the other, each meant for the moment when the one before is over."""
        return self.judge([await client.speak(u, clock(), cold=cold) for u in utterances])

    async def at_once(self, speaks: Sequence[Speak]) -> list[Timeline]:
        """All at the same time; the timelines in their order."""
        async with asyncio.TaskGroup() as tasks:
            going_on = [tasks.create_task(speak()) for speak in speaks]
        return [task.result() for task in going_on]

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Note the loop's lateness while the block goes on."""
        async with asyncio.TaskGroup() as tasks:
            ticker = tasks.create_task(self._tick())
            try:
                yield
            finally:
                ticker.cancel()

    async def _tick(self) -> None:
        while True:
            due = clock() + TICK_S
            await sleep_until(due)
            if due - TICK_S > self._counts_from:
                self._lags_s.append(clock() - due)
