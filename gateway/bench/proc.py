"""What /proc knows about other processes: CPU time and memory, told apart by who spends it. Linux only."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Cpu(msgspec.Struct, frozen=True):
    """CPU seconds. `loop_s` is a process's main thread, `threads_s` its others, `workers_s` its descendants, those that
    ended included; `machine_s` is everything on the machine."""

    loop_s: float
    threads_s: float
    workers_s: float
    machine_s: float

    def __sub__(self, earlier: Cpu) -> Cpu:
        return Cpu(
            *(getattr(self, name) - getattr(earlier, name) for name in self.__struct_fields__)
        )


class Memory(msgspec.Struct, frozen=True):
    """Resident bytes; in `pss`, a page shared by n processes counts for a n-th."""

    pss: int
    rss: int


def cpu_of(pid: int) -> Cpu:
    """CPU time since the process began. Raises OSError when it is gone."""
    by_thread = {
        int(thread.name): int((thread / "schedstat").read_text().split()[0]) / 1e9
        for thread in Path(f"/proc/{pid}/task").iterdir()
    }
    return Cpu(
        loop_s=by_thread[pid],
        threads_s=sum(by_thread.values()) - by_thread[pid],
        workers_s=sum(family_s(child) for child in children(pid)),
        machine_s=all_s(),
    )


def memory_of(pid: int) -> Memory:
    """Memory of one process. Raises OSError when it is gone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)}
    return Memory(pss=kilobytes["Pss"] * 1_024, rss=kilobytes["Rss"] * 1_024)


def children(pid: int) -> list[int]:
    """The processes whose parent is this one; none when it is gone."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def nurseries_of(pid: int) -> float:
    """CPU seconds of a process's children by themselves: those that fork the workers, without these."""
    return sum(sum(times[:2]) for child in children(pid) if (times := _times_s(child)))


def family_s(pid: int) -> float:
    """CPU seconds of a process, of its children that ended, and of those that live; 0 when it is gone."""
    return sum(_times_s(pid)) + sum(family_s(child) for child in children(pid))


def _times_s(pid: int) -> list[float]:
    """CPU seconds in user and in system mode, then those of children that ended; none when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    # utime, stime, cutime, cstime: fields 14 to 17 of proc(5), whose third is the first after the name.
    return [int(field) / TICKS_PER_S for field in fields[11:15]]


def all_s() -> float:
    """CPU seconds that everything on the machine took since it began."""
    user, nice, system, _idle, _iowait, irq, softirq = map(
        int, Path("/proc/stat").read_text().split(maxsplit=8)[1:8]
    )
    return (user + nice + system + irq + softirq) / TICKS_PER_S
