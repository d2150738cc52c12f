"""How busy the event loop's thread is: what it works, and what it waits for a core."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.telemetry.loop_lag import busy

SPIN_S = 0.4
SPINNING = "print('on', flush=True)\nwhile True: pass"


def spun_s() -> tuple[float, float]:
    """For how long this thread worked and waited while it did nothing but count for a while."""
    with busy() as busy_s:
        worked, waited = busy_s()
        end = time.monotonic() + SPIN_S
        while time.monotonic() < end:
            pass
        worked_then, waited_then = busy_s()
    return worked_then - worked, waited_then - waited


@pytest.mark.skipif(
    not Path("/proc/thread-self/schedstat").exists(), reason="the system does not count waiting"
)
def test_waiting_for_a_core_counts() -> None:
    """Another process spins on the only core, so that this one has half of it."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(everywhere)})
    try:
        with subprocess.Popen([sys.executable, "-c", SPINNING], stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            other.stdout.readline()
            worked_s, waited_s = spun_s()
            other.kill()
    finally:
        os.sched_setaffinity(0, everywhere)
    assert waited_s > 0.3 * worked_s
    assert worked_s + waited_s > 0.8 * SPIN_S


def test_without_such_counts_work_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise FileNotFoundError

    monkeypatch.setattr("gateway.telemetry.loop_lag.os.open", refuse)
    worked_s, waited_s = spun_s()
    assert worked_s > 0.0
    assert waited_s == 0.0
