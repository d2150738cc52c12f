"""What /proc says about a process whose doings are known."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.bench.proc import children, cpu_of, memory_of

BURN = "t = time.process_time()\nwhile time.process_time() - t < {s}: pass\n"


@contextmanager
def process_after(code: str) -> Iterator[int]:
    """A Python process that has run the code and then waits; its pid."""
    program = f"import time, os, threading\n{code}\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate(b"\n")


def test_the_main_thread_and_the_others_are_told_apart() -> None:
    code = (
        "def burn():\n t = time.thread_time()\n while time.thread_time() - t < 0.2: pass\n"
        "thread = threading.Thread(target=lambda: (burn(), held.wait()), daemon=True)\n"
        "held = threading.Event()\nthread.start()\n" + BURN.format(s=0.1)
    )
    with process_after(
        f"{code}\nwhile thread.is_alive() and time.process_time() < 0.3: pass"
    ) as pid:
        cpu = cpu_of(pid)

    assert cpu.threads_s > 0.05
    assert cpu.loop_s > 0.05
    assert cpu.workers_s == 0


def test_a_child_that_was_waited_for_counts_among_the_workers() -> None:
    code = f"if not os.fork():\n exec({BURN.format(s=0.1)!r}); os._exit(0)\nos.wait()"
    # The burner is a grandchild of what is asked about, as the engine's workers are.
    outer = (
        f"pid = os.fork()\nif not pid:\n exec({code!r}); print(flush=True); input(); os._exit(0)"
    )
    program = f"import os, time\n{outer}\nos.wait()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        cpu, kids = cpu_of(process.pid), children(process.pid)
        process.communicate(b"\n")

    assert len(kids) == 1
    assert cpu.workers_s > 0.05
    assert cpu.loop_s < cpu.workers_s


def test_memory_that_was_touched_is_counted() -> None:
    with process_after("") as small, process_after("held = bytearray(b'x') * (64 << 20)") as large:
        grown = memory_of(large).pss - memory_of(small).pss

    assert 60 << 20 < grown < 70 << 20


def test_a_process_that_is_gone_has_no_children() -> None:
    with process_after("") as pid:
        pass

    assert children(pid) == []
