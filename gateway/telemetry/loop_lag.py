"""How late the event loop is: what no counter of ours would notice is one callback that holds up all others."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.telemetry.metrics import Metrics

PERIOD_S = 0.1


async def watch_loop(metrics: Metrics, took: Callable[[float, float], None]) -> None:
    """Sleep again and again, and record by how much each sleep was too long. Runs until it is cancelled.

    `took` is told for how many seconds the loop's thread worked, waited for a core, or was late, and out of how many."""
    clock = asyncio.get_running_loop().time
    with runnable() as runnable_s:
        while True:
            begun, wanted = clock(), runnable_s()
            await asyncio.sleep(PERIOD_S)
            elapsed = clock() - begun
            late = max(0.0, elapsed - PERIOD_S)
            metrics.loop_lag.observe(late)
            took(max(late, runnable_s() - wanted), elapsed)


@contextmanager
def runnable() -> Iterator[Callable[[], float]]:
    """Tells for how long this thread has worked or waited for a core, in seconds. Where the system does not count waiting
    (proc(5), /proc/pid/schedstat: nanoseconds of both), for how long it has worked."""
    try:
        statistics = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    except OSError:
        yield time.thread_time
        return
    try:
        yield lambda: sum(map(int, os.pread(statistics, 64, 0).split()[:2])) / 1e9
    finally:
        os.close(statistics)
