"""How late the event loop is: what no counter of ours would notice is one callback that holds up all others."""

from __future__ import annotations

import asyncio

from gateway.telemetry.metrics import Metrics

PERIOD_S = 0.1


async def watch_loop(metrics: Metrics) -> None:
    """Sleep again and again, and record by how much each sleep was too long. Runs until it is cancelled."""
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + PERIOD_S
        await asyncio.sleep(PERIOD_S)
        metrics.loop_lag.observe(max(0.0, clock() - due))
