"""Encoding off the event loop, in the order in which listeners need it.

A codec costs more than the speech engine does, so one long piece on the loop would make every connection wait. A few
threads take jobs from one heap: the one whose audio will be played first is next, whoever came earlier; downloads, whose
reader follows no clock, take what time is left. Codecs release the GIL, so threads are enough.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from gateway.core.errors import Overloaded

T = TypeVar("T")

JOBS_PENDING_MAX = 4_096
"""Jobs that may wait at once. Each context waits for one, and a server has fewer contexts at work than this."""


@dataclass(order=True, slots=True)
class _Job(Generic[T]):
    """Work and who waits for it; jobs compare by urgency, and no two have the same arrival."""

    deadline: float
    arrival: int
    work: Callable[[], T] = field(compare=False)
    result: asyncio.Future[T] = field(compare=False)

    def run(self) -> None:
        """Do the work in this thread and tell the loop."""
        tell = self.result.get_loop().call_soon_threadsafe
        try:
            value = self.work()
        except BaseException as error:  # noqa: BLE001 - the worker's edge: whatever it is, the caller gets it
            tell(self._fail, error)
        else:
            tell(self._succeed, value)

    def _succeed(self, value: T) -> None:
        if not self.result.done():
            self.result.set_result(value)

    def _fail(self, error: BaseException) -> None:
        if not self.result.done():
            self.result.set_exception(error)
        else:
            context = {"message": "An abandoned encode job failed", "exception": error}
            self.result.get_loop().call_exception_handler(context)


class EncodeFarm:
    """`threads` threads that run short blocking jobs by deadline. One per server; call it from its event loop only."""

    def __init__(self, threads: int, *, jobs_pending_max: int = JOBS_PENDING_MAX) -> None:
        assert threads >= 1
        self._threads_max = threads
        self._jobs_pending_max = jobs_pending_max
        self._arrivals = itertools.count()
        self._threads: list[tuple[threading.Thread, asyncio.Future[None]]] = []
        self._changed = threading.Condition()
        self._waiting: list[_Job[Any]] = []  # guarded by _changed, as is _closing
        self._closing = False

    @property
    def jobs_waiting(self) -> int:
        """Jobs that no thread has taken yet."""
        return len(self._waiting)

    def start(self) -> None:
        """Start the threads. Called once, in the loop."""
        loop = asyncio.get_running_loop()
        for number in range(self._threads_max):
            ended: asyncio.Future[None] = loop.create_future()
            # A daemon, so that a server that dies without closing the farm does die.
            thread = threading.Thread(
                target=self._work, args=(ended,), name=f"encode-{number}", daemon=True
            )
            self._threads.append((thread, ended))
            thread.start()

    async def run(self, deadline: float, work: Callable[[], T]) -> T:
        """Run `work` in a thread; return what it returns, raise what it raises.

        `deadline` says in seconds of the loop's clock when the result will be played, `math.inf` that it is a download.
        The earliest goes first, equal ones in the order of their calls. Cancelling takes a job back that has not begun;
        one that has begun goes on to its end, so what it works on must not be used again, and should it fail, the
        loop's exception handler hears of it. Raises Overloaded when too many jobs wait already, and CancelledError
        when the farm closes before the job has begun.
        """
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        job = _Job(deadline, next(self._arrivals), work, result)
        with self._changed:
            assert not self._closing, "the farm is closed"
            if len(self._waiting) >= self._jobs_pending_max:
                raise Overloaded("too much audio waits to be encoded", retry_after_ms=1_000)
            heapq.heappush(self._waiting, job)
            self._changed.notify()
        try:
            return await result
        except asyncio.CancelledError:
            self._take_back(job)
            raise

    async def aclose(self) -> None:
        """Cancel the jobs that wait, let those that run end, end the threads. Fine twice, and before `start`."""
        with self._changed:
            self._closing = True
            waiting, self._waiting = self._waiting, []
            self._changed.notify_all()
        for job in waiting:
            job.result.cancel()
        for thread, ended in self._threads:
            await asyncio.wait((ended,))
            thread.join()

    def _take_back(self, job: _Job[Any]) -> None:
        with self._changed:
            if job in self._waiting:
                self._waiting.remove(job)
                heapq.heapify(self._waiting)

    def _work(self, ended: asyncio.Future[None]) -> None:
        while self._run_next():
            pass
        ended.get_loop().call_soon_threadsafe(ended.set_result, None)

    def _run_next(self) -> bool:
        """Wait for the most urgent job and run it; false when the farm closes."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if self._closing:
                return False
            job = heapq.heappop(self._waiting)
        job.run()
        return True
