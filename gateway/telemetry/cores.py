"""How much of its cores the gateway takes, all together: the event loop, encoders' threads and the processes that speak.

Where all share one core no part looks busy by itself: each waits for the others, and none of them counts that.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PERIOD_S = 0.5
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

Took = Callable[[float, float], None]


async def watch_cores(took: Took, spent: Callable[[], float] | None = None) -> None:
    """Tell `took` again and again for how many seconds all cores would have been busy with what the gateway took, and out of
    how many. Runs until it is cancelled. `spent` gives the CPU seconds so far."""
    clock = asyncio.get_running_loop().time
    cores = len(os.sched_getaffinity(0))
    spent = Spent() if spent is None else spent
    begun, before = clock(), spent()
    while True:
        await asyncio.sleep(PERIOD_S)
        now, after = clock(), spent()
        took((after - before) / cores, now - begun)
        begun, before = now, after


class Spent:
    """CPU seconds of this process, of the children of its main thread, and of their children that have ended, since it was
    made. That is all there is: nurseries see off their workers, which live for a few milliseconds. Blocks for some tens
    of microseconds. `root` is where the system's files are."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._proc = root / "proc"
        self._children = self._proc / f"self/task/{os.getpid()}/children"
        self._known: dict[str, float] = {}
        self._of_children = 0.0

    def __call__(self) -> float:
        known = {}
        with suppress(OSError):  # Some systems do not tell.
            for child in self._children.read_text().split():
                with suppress(OSError):  # It has just ended.
                    known[child] = _family_s(self._proc / child / "stat")
        self._of_children += sum(
            max(0.0, now - self._known.get(child, 0.0)) for child, now in known.items()
        )
        self._known = known
        return time.process_time() + self._of_children


def _family_s(stat: Path) -> float:
    """What a process and its children that have ended took in user and in system mode (proc(5), fields 14 to 17)."""
    fields = stat.read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS_PER_S
