"""How much of its cores the gateway takes, with the processes that work for it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.telemetry.cores import PERIOD_S, TICKS_PER_S, Spent, watch_cores

NURSERY = """
import os, sys
if os.fork() == 0:
    while os.times().user < 0.2: pass
    os._exit(0)
os.wait()
print(os.times().children_user, flush=True)
sys.stdin.read()
"""
"""Does nothing itself; its child spins for a fifth of a second, and is seen off."""


@pytest.mark.virtual_time
async def test_what_is_told_is_the_time_for_which_all_cores_were_busy() -> None:
    busy_s: list[float] = []
    spent = iter([5.0, 5.1, 5.1, 6.1])

    def took(busy: float, elapsed: float) -> None:
        assert elapsed == pytest.approx(PERIOD_S)
        busy_s.append(busy)

    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch_cores(took, lambda: next(spent)))
        await asyncio.sleep(3.5 * PERIOD_S)
        watching.cancel()
    cores = len(os.sched_getaffinity(0))
    assert busy_s == pytest.approx([0.1 / cores, 0.0, 1.0 / cores])


def test_children_of_children_count_and_nothing_counts_less_when_they_are_gone() -> None:
    spent = Spent()
    before, own = spent(), time.process_time()
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as nursery:
        assert nursery.stdout is not None
        assert float(nursery.stdout.readline()) >= 0.2
        during = spent()
        assert during - before - (time.process_time() - own) >= 0.2 - 2 / TICKS_PER_S
        nursery.kill()
    assert spent() >= during


def children_of(root: Path, **stats: str) -> None:
    """A /proc that knows these children."""
    task = root / f"proc/self/task/{os.getpid()}"
    task.mkdir(parents=True, exist_ok=True)
    (task / "children").write_text("".join(f"{pid[1:]} " for pid in stats))
    for pid, stat in stats.items():
        (root / "proc" / pid[1:]).mkdir(exist_ok=True)
        (root / "proc" / pid[1:] / "stat").write_text(stat)


def stat_of(*ticks: int, name: str = "python") -> str:
    """As in proc(5), with user and system time of the process and of its children in fields 14 to 17."""
    times = " ".join(map(str, ticks))
    return f"7 ({name}) S{10 * ' 0'} {times} 20 0 1"


@pytest.fixture
def of_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., float]:
    """Seconds of these children so far, when this process takes none."""
    monkeypatch.setattr("gateway.telemetry.cores.time.process_time", lambda: 0.0)
    spent = Spent(tmp_path)

    def look(**stats: str) -> float:
        children_of(tmp_path, **stats)
        return spent() * TICKS_PER_S

    return look


def test_a_child_that_another_replaces(of_children: Callable[..., float]) -> None:
    assert of_children(p7=stat_of(1, 2, 30, 40, name="a (b) c")) == pytest.approx(73)
    assert of_children(p7=stat_of(1, 2, 40, 40)) == pytest.approx(83)
    assert of_children(p8=stat_of(1, 0, 0, 0)) == pytest.approx(84)
    assert of_children() == pytest.approx(84)


def test_a_system_that_does_not_tell_of_children(tmp_path: Path) -> None:
    assert Spent(tmp_path)() == pytest.approx(time.process_time(), abs=0.1)
