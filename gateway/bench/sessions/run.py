"""One open loop of sessions, under way: who comes, what became of each turn, and when to give up."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from gateway.bench.compare.target import TargetFailed
from gateway.bench.instruments.hearing import sleep_until
from gateway.bench.instruments.timeline import clock
from gateway.bench.sessions.access import Access
from gateway.bench.sessions.caller import Caller
from gateway.bench.sessions.figures import figures
from gateway.bench.sessions.heard import Heard, Outcome, Place
from gateway.bench.sessions.jury import Jury
from gateway.bench.sessions.plan import Load
from gateway.bench.sessions.results import Figures
from gateway.bench.sessions.watch import Watch
from gateway.bench.workload.corpus import load as load_corpus
from gateway.bench.workload.drive import open_loop
from gateway.bench.workload.schedule import Phase, Session, phased

LEAD_IN_S = 0.1
UNREACHABLE_IN_A_ROW = 30
"""So many turns without any connection, and the target is gone."""
PROGRESS_S = 1.0
RECENT = 200

OnProgress = Callable[[str], None]


class Run:
    """One load, in phases. `heard` and `figures` may be asked for at any time, of what there is by then."""

    def __init__(self, load: Load, phases: Sequence[Phase], access: Access) -> None:
        self.load = load
        self.seconds = sum(phase.seconds for phase in phases)
        self.heard: list[Heard] = []
        self.sessions: tuple[Session, ...] = phased(
            load.mix, load_corpus(load.languages), phases, seed=load.seed
        )
        self.begin = clock()
        self._access = access
        self._in_flight = 0
        self._in_a_row = 0
        self._recent_s: deque[float] = deque(maxlen=RECENT)
        self._is_lost = asyncio.Event()
        self.watch = Watch(access.target.pid, lambda: self._in_flight)

    @property
    def elapsed_s(self) -> float:
        """How much of the schedule has come due."""
        return min(max(clock() - self.begin, 0.0), self.seconds)

    async def run(self, on_progress: OnProgress) -> None:
        """Let the sessions come. Raises TargetFailed when the target is gone; what was heard by then stays."""
        async with self.watch.watching(), Jury(self.load.objectives, self._note) as jury:
            self.begin = clock() + LEAD_IN_S
            async with self._telling(on_progress), asyncio.TaskGroup() as tasks:
                loop = tasks.create_task(self._sessions(jury))
                lost = tasks.create_task(self._is_lost.wait())
                await asyncio.wait((loop, lost), return_when=asyncio.FIRST_COMPLETED)
                loop.cancel()
                lost.cancel()
        if self._is_lost.is_set():
            raise TargetFailed(f"{self._access.target.origin} is gone: {self.heard[-1].detail}")

    def figures(self, begin_s: float = 0.0, end_s: float | None = None) -> Figures:
        """Of the turns that were due in this stretch of the schedule; without an end, of all that followed."""
        is_open = end_s is None
        end_s = self.elapsed_s if end_s is None else end_s
        begin, end = self.begin + begin_s, self.begin + end_s
        # What sessions go on to say after the last arrival belongs to the last stretch.
        last_s = math.inf if is_open else end_s
        return figures(
            [turn for turn in self.heard if begin_s <= turn.place.due_s < last_s],
            self.load,
            sessions={s.number for s in self.sessions if begin_s <= s.at_s < end_s},
            stretch=(begin_s, end_s),
            in_flight=self.watch.in_flight(begin, end),
            harness=self.watch.harness(begin, end),
            cpu=self.watch.cpu(begin, end),
        )

    async def _sessions(self, jury: Jury) -> None:
        async def run(session: Session, intended: float) -> None:
            self._in_flight += 1
            try:
                await Caller(self._access, session, self.begin, jury.take).call(intended)
            finally:
                self._in_flight -= 1

        await open_loop(
            self.sessions,
            run,
            in_flight_max=self.load.in_flight_max,
            on_lost=self._cap,
            begin=self.begin,
            until_s=self.seconds + self.load.drain_s,
        )

    def _cap(self, session: Session) -> None:
        place = Place(session.number, 0, session.wire, session.at_s, session.at_s)
        self._note(Heard(place, Outcome.CAPPED, is_good=False))

    def _note(self, turn: Heard) -> None:
        self.heard.append(turn)
        if turn.ttfa_s is not None:
            self._recent_s.append(turn.ttfa_s)
        self._in_a_row = self._in_a_row + 1 if turn.outcome is Outcome.UNREACHABLE else 0
        if self._in_a_row >= UNREACHABLE_IN_A_ROW:
            self._is_lost.set()

    @asynccontextmanager
    async def _telling(self, on_progress: OnProgress) -> AsyncIterator[None]:
        async def tell() -> None:
            due = self.begin
            while True:
                due += PROGRESS_S
                await sleep_until(due)
                on_progress(self._progress())

        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(tell())
            try:
                yield
            finally:
                telling.cancel()

    def _progress(self) -> str:
        """How it goes, in one line."""
        errors = sum(turn.outcome is not Outcome.GOOD for turn in self.heard)
        recent = sorted(self._recent_s)
        ttfa = "".join(
            f" p{percent} {1e3 * recent[int(len(recent) * percent / 100)]:.0f}"
            for percent in (50, 95)
            if recent
        )
        return (
            f"{self.elapsed_s:.0f}/{self.seconds:.0f} s, {self._in_flight} sessions going on, "
            f"{len(self.heard)} turns, {errors} errors, TTFA of the last {len(recent)}:{ttfa} ms"
        )
