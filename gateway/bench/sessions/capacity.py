"""The highest rate of sessions that keeps the objectives, and what happens beyond it and after."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from gateway.bench.sessions.access import Access
from gateway.bench.sessions.figures import ttfa_share
from gateway.bench.sessions.heard import Heard
from gateway.bench.sessions.plan import Load, Search
from gateway.bench.sessions.profile import Profiler
from gateway.bench.sessions.results import Figures, Function, Overload, Step
from gateway.bench.sessions.run import OnProgress, Run
from gateway.bench.workload.schedule import Phase

BUSY = 0.85
"""A core that is so busy has nothing left for a burst."""
PAUSE_S = 1.0
"""Between two steps, for the server to be done with those who hung up."""
RATE_MIN = 0.05
RECOVERED_S = 5
"""So many seconds together tell whether it has recovered."""


class Capacity:
    """The search under way. `steps` and `overload` may be looked at at any time."""

    def __init__(self, load: Load, search: Search, access: Access, *, is_profiled: bool) -> None:
        self.steps: list[Step] = []
        self.overload: Overload | None = None
        self.profile: list[Function] = []
        self._load = msgspec.structs.replace(load, drain_s=search.drain_s)
        self._search = search
        self._access = access
        self._is_profiled = is_profiled
        self._cores = _cores_of(access.target.pid)

    @property
    def kept(self) -> float | None:
        """The highest rate that kept the objectives, below the lowest that did not."""
        failing = self.failing
        kept = [step.sessions_per_s for step in self.steps if not step.failed]
        return max((rate for rate in kept if failing is None or rate < failing), default=None)

    @property
    def failing(self) -> float | None:
        """The lowest rate that did not keep them."""
        return min((step.sessions_per_s for step in self.steps if step.failed), default=None)

    @property
    def bottleneck(self) -> str:
        """What was busiest at the lowest rate that failed, or the highest one tried."""
        failing = self.failing
        steps = [step for step in self.steps if failing is None or step.sessions_per_s == failing]
        if not steps:
            return "nothing was measured"
        return bottleneck(steps[-1].figures, self._cores)

    async def run(self, on_progress: OnProgress) -> None:
        """Search, overload, recover. Raises TargetFailed when the target is gone."""
        give_up = time.monotonic() + self._search.search_s_max
        rate: float | None = self._load.sessions_per_s
        while (
            rate is not None
            and len(self.steps) < self._search.steps_max
            and time.monotonic() < give_up
        ):
            await self._step(rate, on_progress)
            rate = next_rate(self.kept, self.failing, self._search.precision)
        if self.kept is not None:
            await self._overload(self.kept, on_progress)

    async def _step(self, rate: float, on_progress: OnProgress) -> None:
        search = self._search
        load = msgspec.structs.replace(self._load, sessions_per_s=rate)
        end_s = search.settle_s + search.window_s
        run = Run(load, (Phase(rate, end_s),), self._access)
        await run.run(lambda line: on_progress(f"{rate:.3g} sessions/s: {line}"))
        found = run.figures(search.settle_s, end_s)
        self.steps.append(Step(rate, failed(found, search), found))
        await asyncio.sleep(PAUSE_S)

    async def _overload(self, kept: float, on_progress: OnProgress) -> None:
        search = self._search
        over, rest = search.overload_factor * kept, search.rest_share * kept
        phases = (
            Phase(kept, search.settle_s),
            Phase(over, search.overload_s),
            Phase(rest, search.rest_s),
        )
        run = Run(self._load, phases, self._access)
        begin_s = search.settle_s
        drop_s = begin_s + search.overload_s

        def show(line: str) -> None:
            on_progress(f"overload: {line}")

        pid = self._access.target.pid
        if self._is_profiled and pid is not None:
            async with Profiler(pid, drop_s) as profiler:
                await run.run(show)
            self.profile = profiler.functions
        else:
            await run.run(show)
        seconds = in_time_by_second(run.heard, drop_s, run.seconds, self._load)
        self.overload = Overload(
            sessions_per_s=over,
            seconds=search.overload_s,
            during=run.figures(begin_s, drop_s),
            rest_sessions_per_s=rest,
            rest_s=search.rest_s,
            after=run.figures(drop_s, run.seconds),
            recovery_s=recovery_s(seconds, search.ttfa_share_min),
            in_time_by_second=seconds,
        )


def next_rate(kept: float | None, failing: float | None, precision: float) -> float | None:
    """The rate to try next: twice, half, or between; None when the two are close enough, or nothing is left below."""
    if failing is None:
        assert kept is not None
        return 2 * kept
    if kept is None:
        return failing / 2 if failing / 2 >= RATE_MIN else None
    return math.sqrt(kept * failing) if failing > precision * kept else None


def failed(found: Figures, search: Search) -> str:
    """Which objectives these figures do not keep; empty = they keep all."""
    wrong = []
    if found.ttfa_share is None or found.ttfa_share < search.ttfa_share_min:
        share = 0.0 if found.ttfa_share is None else found.ttfa_share
        wrong.append(f"{share:.1%} of turns had sound in time")
    if found.continuous_share is not None and found.continuous_share < search.continuous_share_min:
        wrong.append(f"{found.continuous_share:.2%} were continuous")
    if found.error_share > search.error_share_max:
        wrong.append(f"{found.error_share:.1%} failed")
    return ", ".join(wrong)


def in_time_by_second(
    heard: Sequence[Heard], begin_s: float, end_s: float, load: Load
) -> list[tuple[float, int, float]]:
    """For each second after `begin_s` in which turns were due: when, how many, and the share with sound in time."""
    due: dict[int, list[Heard]] = defaultdict(list)
    for turn in heard:
        if turn.is_good is not None and begin_s <= turn.place.due_s < end_s:
            due[int(turn.place.due_s - begin_s)].append(turn)
    return [
        (float(second), len(turns), ttfa_share(turns, load.objectives.ttfa_s_max) or 0.0)
        for second, turns in sorted(due.items())
    ]


def recovery_s(seconds: Sequence[tuple[float, int, float]], share_min: float) -> float | None:
    """From when on no `RECOVERED_S` seconds in a row were too slow together; None when the last ones still are.

    `seconds`: when, how many turns, and the share in time. One second alone has so few turns that one late one would count.
    """
    spans = [
        [(turns, share) for at, turns, share in seconds if start <= at < start + RECOVERED_S]
        for start, *_ in seconds
        if start + RECOVERED_S <= seconds[-1][0] + 1
    ]
    slow = [
        start
        for (start, *_), span in zip(seconds, spans, strict=False)
        if sum(turns * share for turns, share in span) < share_min * sum(turns for turns, _ in span)
    ]
    if not slow:
        return 0.0
    return None if slow[-1] == seconds[len(spans) - 1][0] else slow[-1] + 1


def _cores_of(pid: int | None) -> int | None:
    """How many cores this process may run on; None where that cannot be seen."""
    if pid is None:
        return None
    try:
        return len(os.sched_getaffinity(pid))
    except OSError:
        return None


def bottleneck(found: Figures, cores: int | None) -> str:
    """What is busiest, in words. `cores` are those that the server may run on; None = not known."""
    if found.harness.cores >= BUSY:
        return f"the harness ({found.harness.cores:.2f} cores): the server may take more"
    cpu = found.cpu
    if cpu is None or cores is None:
        return "not known: the server's processes cannot be looked at"
    parts = {
        "event loop": cpu.loop,
        "encode threads": cpu.encoders,
        "workers": cpu.workers,
        "nurseries": cpu.nurseries,
    }
    told = ", ".join(
        f"{name} {value:.2f}"
        for name, value in sorted(parts.items(), key=lambda part: part[1], reverse=True)
    )
    if cpu.server >= BUSY * cores:
        return f"the CPU of the server's {cores} core{'s' * (cores > 1)}: {told}"
    if cpu.loop >= BUSY:
        return f"the event loop: {told}"
    return f"no CPU ({cpu.server:.2f} of {cores} cores busy): {told}"
