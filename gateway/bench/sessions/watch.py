"""A watch beside a load: how late the harness is, and who spends the CPU, second by second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from gateway.bench.instruments.hearing import sleep_until
from gateway.bench.instruments.stats import percentile
from gateway.bench.instruments.timeline import clock
from gateway.bench.proc import Cpu, cpu_of, nurseries_of
from gateway.bench.sessions.results import CpuShares, Harness

TICK_S = 0.005
SAMPLE_S = 1.0
LAG_P99_MS_MAX = 5.0
"""A harness that was later measured itself."""


class Sample(msgspec.Struct, frozen=True):
    """The state at a moment of `clock`. Without a server to look at, `cpu` is None."""

    at: float
    in_flight: int
    harness_s: float
    cpu: Cpu | None
    nurseries_s: float


class Watch:
    """Looks at the harness, and at the server where `pid` is known."""

    def __init__(self, pid: int | None, in_flight: Callable[[], int]) -> None:
        self._pid = pid
        self._in_flight = in_flight
        self._lags: list[tuple[float, float]] = []
        self._samples: list[Sample] = []

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look for the length of the block."""
        async with asyncio.TaskGroup() as tasks:
            tickers = [tasks.create_task(self._tick()), tasks.create_task(self._sample())]
            try:
                yield
            finally:
                self._look()
                for ticker in tickers:
                    ticker.cancel()

    def harness(self, begin: float, end: float) -> Harness:
        """How the harness did between two moments."""
        lags_ms = [lag * 1e3 for at, lag in self._lags if begin <= at < end] or [0.0]
        p99 = percentile(lags_ms, 99)
        first, last = self._edges(begin, end)
        seconds = last.at - first.at
        return Harness(
            lag_p99_ms=p99,
            lag_max_ms=max(lags_ms),
            cores=(last.harness_s - first.harness_s) / seconds if seconds else 0.0,
            is_valid=p99 <= LAG_P99_MS_MAX,
        )

    def cpu(self, begin: float, end: float) -> CpuShares | None:
        """Cores that were busy between two moments; None where the server cannot be looked at."""
        first, last = self._edges(begin, end)
        seconds = last.at - first.at
        if first.cpu is None or last.cpu is None or not seconds:
            return None
        spent = last.cpu - first.cpu
        nurseries_s = last.nurseries_s - first.nurseries_s
        harness_s = last.harness_s - first.harness_s
        server_s = spent.loop_s + spent.threads_s + spent.workers_s
        return CpuShares(
            loop=spent.loop_s / seconds,
            encoders=max(spent.threads_s, 0.0) / seconds,
            nurseries=nurseries_s / seconds,
            workers=max(spent.workers_s - nurseries_s, 0.0) / seconds,
            others=max(spent.machine_s - server_s - harness_s, 0.0) / seconds,
        )

    def in_flight(self, begin: float, end: float) -> tuple[float, int]:
        """Sessions going on: on average, and at most."""
        counts = [s.in_flight for s in self._samples if begin <= s.at <= end] or [0]
        return sum(counts) / len(counts), max(counts)

    def _edges(self, begin: float, end: float) -> tuple[Sample, Sample]:
        """The samples nearest to two moments."""
        first = min(self._samples, key=lambda sample: abs(sample.at - begin))
        return first, min(self._samples, key=lambda sample: abs(sample.at - end))

    async def _tick(self) -> None:
        while True:
            due = clock() + TICK_S
            await sleep_until(due)
            self._lags.append((due, clock() - due))

    async def _sample(self) -> None:
        due = clock()
        while True:
            self._look()
            due += SAMPLE_S
            await sleep_until(due)

    def _look(self) -> None:
        cpu = nurseries_s = None
        if self._pid is not None:
            try:
                cpu, nurseries_s = cpu_of(self._pid), nurseries_of(self._pid)
            except OSError:
                self._pid = None  # It is gone, which its clients will tell.
        self._samples.append(
            Sample(clock(), self._in_flight(), time.process_time(), cpu, nurseries_s or 0.0)
        )
