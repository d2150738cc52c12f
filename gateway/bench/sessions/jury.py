"""A process of its own that judges turns, behind the harness in priority: decoding delays nothing that is timed."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Self

from gateway.bench.instruments.objectives import Objectives
from gateway.bench.instruments.timeline import Timeline
from gateway.bench.instruments.utterance import Utterance
from gateway.bench.sessions.heard import Heard, Outcome, Place, judge

BEHIND_MAX = 500
"""Turns that may wait to be judged, with their audio; those beyond are counted and not judged."""
NICENESS = 10

OnHeard = Callable[[Heard], None]


class Jury:
    """`async with Jury(objectives, on_heard) as jury`: at the end of the block all that was taken has been told."""

    def __init__(self, objectives: Objectives, on_heard: OnHeard) -> None:
        self._objectives = objectives
        self._on_heard = on_heard
        self._waiting = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._process = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), initializer=_step_back
        )

    async def __aenter__(self) -> Self:
        # The first task starts the process, which takes as long as its imports do.
        await asyncio.get_running_loop().run_in_executor(self._process, os.getpid)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._idle.wait()
        finally:
            self._process.shutdown(wait=False, cancel_futures=True)

    def take(self, timeline: Timeline, utterance: Utterance, place: Place) -> None:
        """Judge a turn that is over, some time."""
        if self._waiting >= BEHIND_MAX:
            self._on_heard(Heard(place, Outcome.UNJUDGED))
            return
        self._waiting += 1
        self._idle.clear()
        loop = asyncio.get_running_loop()

        def judged(future: Future[Heard]) -> None:
            loop.call_soon_threadsafe(self._tell, future, place)

        self._process.submit(judge, timeline, utterance, place, self._objectives).add_done_callback(
            judged
        )

    def _tell(self, future: Future[Heard], place: Place) -> None:
        self._waiting -= 1
        if not self._waiting:
            self._idle.set()
        try:
            self._on_heard(future.result())
        except BrokenProcessPool:
            self._on_heard(Heard(place, Outcome.UNJUDGED))


def _step_back() -> None:
    """In the new process: Ctrl-C is for the harness, which ends this one; and the harness goes first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
