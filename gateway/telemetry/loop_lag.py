"""How late the event loop is: what no counter of ours would notice is one callback that holds up all others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gateway.telemetry.metrics import Metrics

PERIOD_S = 0.1


async def watch_loop(metrics: Metrics, took: Callable[[float, float], None]) -> None:
    """Sleep again and again, and record by how much each sleep was too long. Runs until it is cancelled.

    `took` is told for how many seconds the loop's thread worked, or was late, and out of how many."""
    clock = asyncio.get_running_loop().time
    while True:
        begun, worked = clock(), time.thread_time()
        await asyncio.sleep(PERIOD_S)
        elapsed = clock() - begun
        late = max(0.0, elapsed - PERIOD_S)
        metrics.loop_lag.observe(late)
        took(max(late, time.thread_time() - worked), elapsed)
