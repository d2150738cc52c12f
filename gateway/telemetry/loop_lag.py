"""How late the event loop is: what no counter of ours would notice is one callback that holds up all others."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.telemetry.metrics import Metrics

PERIOD_S = 0.1


async def watch_loop(metrics: Metrics, took: Callable[[float, float, float], None]) -> None:
    """Sleep again and again, and record by how much each sleep was too long. Runs until it is cancelled.

    `took` is told for how many seconds the loop's thread worked, for how many it waited for a core or was late (because
    of its own work, too), and out of how many."""
    clock = asyncio.get_running_loop().time
    with busy() as busy_s:
        while True:
            begun, (worked_before, waited_before) = clock(), busy_s()
            await asyncio.sleep(PERIOD_S)
            elapsed = clock() - begun
            late = max(0.0, elapsed - PERIOD_S)
            metrics.loop_lag.observe(late)
            worked, waited = busy_s()
            worked_s, waited_s = worked - worked_before, waited - waited_before
            took(worked_s, max(waited_s, late), elapsed)


@contextmanager
def busy() -> Iterator[Callable[[], tuple[float, float]]]:
    """Tells for how long this thread has worked and for how long it has waited for a core, in seconds; 0 where the system
    does not count waiting (proc(5), /proc/pid/schedstat: nanoseconds of both)."""
    try:
        statistics = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    except OSError:
        yield lambda: (time.thread_time(), 0.0)
        return

    def counted() -> tuple[float, float]:
        worked, waited, *_ = os.pread(statistics, 64, 0).split()
        return int(worked) / 1e9, int(waited) / 1e9

    try:
        yield counted
    finally:
        os.close(statistics)
