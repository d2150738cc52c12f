"""The machine: files, cores, memory, clock. Figures of a container's limits go before those of its host."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from gateway.app import cores, worker_processes
from gateway.config import Config
from gateway.doctor.finding import Finding, fail, ok, warn
from gateway.open_files import files_allowed, files_needed

CGROUP = Path("sys/fs/cgroup")
BASE_BYTES = 80 * 1_048_576
"""The server with its voices and locales, idle; measured: 73 MB."""
WORKER_BYTES = 10 * 1_048_576
"""A worker; most of it is shared with its nursery."""
CONTEXT_BYTES = 250_000
"""A connection with one open context and some audio; measured over 400. With an Opus encoder it is 1.7 MB."""

_TIME_ERROR = 5
"""adjtimex(2): the kernel's clock is not synchronised."""
_TIMEX_BYTES = 512
"""More than struct timex has on any system."""


def check_files(config: Config) -> Finding:
    """Whether every connection that the limits allow may have its file descriptor."""
    needed, allowed = files_needed(config.limits, worker_processes(config)), files_allowed()
    saw = f"{allowed:,} files may be open; limits.sockets_max and the workers need {needed:,}"
    if allowed >= needed:
        return ok("files", saw)
    advice = "raise it (ulimit -Hn, LimitNOFILE=, ulimits: nofile), or lower limits.sockets_max"
    everyday = files_needed(
        config.limits, worker_processes(config), sockets=config.limits.connections_max
    )
    return (warn if allowed >= everyday else fail)("files", saw, advice)


def check_cores(config: Config, root: Path = Path("/")) -> Finding:
    """Whether the workers fit onto the cores, and a container's share of them."""
    asked, there, quota = worker_processes(config), cores(), cpu_quota(root)
    saw = f"{there} core{'s' * (there != 1)}, {asked} worker{'s' * (asked != 1)}"
    if quota is not None and quota < there:
        saw += f", of which the container may use {quota:g}"
        there = max(1, round(quota))
    if asked > there:
        advice = f"engines.espeak.workers = {there}: more only wait for each other"
        return warn("cores", saw, advice)
    if there == 1:
        return warn("cores", saw, "two or more: server, encoders and workers share this one")
    return ok("cores", saw)


def check_memory(config: Config, root: Path = Path("/")) -> Finding:
    """Whether what the limits allow fits into what is there."""
    limits = config.limits
    free = memory_free(root)
    if free is None:
        return warn("memory", "it cannot be told how much there is", "look at it yourself")
    least = BASE_BYTES + worker_processes(config) * WORKER_BYTES
    most = least + limits.resume_rings_bytes_max + limits.contexts_total_max * CONTEXT_BYTES
    saw = f"{_mb(free)} free; idle {_mb(least)}, with all that the limits allow about {_mb(most)}"
    if free < least:
        return fail("memory", saw, "give it more, or fewer engines.espeak.workers")
    if free < most:
        advice = "lower limits.contexts_total_max and limits.resume_rings_bytes_max, or add memory"
        return warn("memory", saw, advice)
    return ok("memory", saw)


def check_clock() -> Finding:
    """Whether the kernel thinks that its clock is right; log times and graphs are wrong otherwise, speech is not."""
    if sys.platform != "linux":
        return ok("clock", "not looked at on this system")
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    if state < 0:
        return ok("clock", f"cannot be asked here: {os.strerror(ctypes.get_errno())}")
    if state == _TIME_ERROR:
        advice = "install chrony or systemd-timesyncd; in a container, its host decides"
        return warn("clock", "nothing keeps it right: times in logs and graphs may be off", advice)
    return ok("clock", "it is synchronised")


def cpu_quota(root: Path) -> float | None:
    """The cores' worth of time that a container may use; None = all."""
    read = _words(root / CGROUP / "cpu.max")
    if len(read) != 2:  # the first version of cgroups has two files
        read = [
            *_words(root / CGROUP / "cpu" / "cpu.cfs_quota_us"),
            *_words(root / CGROUP / "cpu" / "cpu.cfs_period_us"),
        ]
    if len(read) != 2 or not all(word.isdecimal() for word in read) or read[1] == "0":
        return None
    return int(read[0]) / int(read[1])


def memory_free(root: Path) -> int | None:
    """Bytes that could still be had; None = unknown."""
    free = []
    for line in _lines(root / "proc" / "meminfo"):
        name, _, value = line.partition(":")
        if name == "MemAvailable" and (kilobytes := value.removesuffix("kB").strip()).isdecimal():
            free.append(int(kilobytes) * 1_024)
    for most, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        figures = [*_words(root / CGROUP / most), *_words(root / CGROUP / used)]
        if len(figures) == 2 and all(figure.isdecimal() for figure in figures):
            free.append(max(0, int(figures[0]) - int(figures[1])))
    return min(free, default=None)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []


def _words(file: Path) -> list[str]:
    return " ".join(_lines(file)).split()


def _mb(size: int) -> str:
    return f"{size / 1_048_576:,.0f} MB"
