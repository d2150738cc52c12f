"""Encoding off the event loop, in the order in which listeners need it.

A codec costs more than the speech engine does, so one long piece on the loop would make every connection wait. A few
threads take jobs from one line, in the order that `core.fairness` has. Codecs release the GIL, so threads are enough.

While anybody listens, one thread is kept from what can wait. That is not for the listener's job, which would be next in a
millisecond: threads at work for downloads would take the cores from the engine that makes what he hears next.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gateway.core.errors import Overloaded
from gateway.core.fairness import FairLine, Ticket

T = TypeVar("T")

NICENESS = 5
"""How much nicer (setpriority(2)) the threads are than the event loop, which serves everybody; speech that is being made is
nicer still (`engines/espeak_worker.py`), as it is needed later."""
LISTENED_SHARE = 0.02
"""So much of all threads' time listeners had lately where anybody listens."""
JOBS_PENDING_MAX = 4_096
"""Jobs that may wait at once. Each context waits for one, and a server has fewer contexts at work than this."""


@dataclass(eq=False, slots=True)
class _Job(Generic[T]):
    """Work and who waits for it."""

    work: Callable[[], T]
    result: asyncio.Future[T]

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

    def __init__(
        self, threads: int, *, jobs_pending_max: int = JOBS_PENDING_MAX, by_arrival: bool = False
    ) -> None:
        assert threads >= 1
        self._threads_max = threads
        self._jobs_pending_max = jobs_pending_max
        self._threads: list[tuple[threading.Thread, asyncio.Future[None]]] = []
        self._waiting: dict[object, Ticket[_Job[Any]]] = {}
        """By what wrote them, or by themselves. Of the loop alone."""
        self._changed = threading.Condition()
        self._line: FairLine[_Job[Any]] = FairLine(
            threads, by_arrival=by_arrival
        )  # guarded by _changed, as are _downloading and _closing
        self._downloading = 0
        """Threads at work on what can wait."""
        self._closing = False

    @property
    def jobs_waiting(self) -> int:
        """Jobs that no thread has taken yet."""
        return len(self._line)

    def load(self) -> float:
        """The share of the threads that listeners had lately."""
        with self._changed:
            return self._line.load(time.monotonic())

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

    async def run(
        self,
        deadline: float,
        work: Callable[[], T],
        owner: str = "",
        *,
        eager: bool = False,
        writer: object = None,
    ) -> T:
        """Run `work` in a thread; return what it returns, raise what it raises.

        `deadline` says in seconds of the loop's clock when the result will be played, `math.inf` that it is a file;
        it, `eager` and `owner` decide who is next, as `core.fairness` has it. A `writer` has one job here at a time, and can be
        hurried. Cancelling takes a job back that has not begun;
        one that has begun goes on to its end, so what it works on must not be used again, and should it fail, the
        loop's exception handler hears of it. Raises Overloaded when too many jobs wait already, and CancelledError
        when the farm closes before the job has begun.
        """
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._changed:
            assert not self._closing, "the farm is closed"
            now = time.monotonic()
            if len(self._line) >= self._jobs_pending_max:
                raise Overloaded("too much audio waits to be encoded", retry_after_ms=1_000)
            job = _Job(work, result)
            writer = job if writer is None else writer
            self._waiting[writer] = self._line.push(job, deadline, owner, now, eager=eager)
            self._changed.notify()
        try:
            return await result
        except asyncio.CancelledError:
            with self._changed:
                self._line.withdraw(self._waiting[writer])
            raise
        finally:
            del self._waiting[writer]

    def hurry(self, writer: object) -> None:
        """Run its job next, if it has one that has not begun: its listener waits for the answer behind it."""
        if (ticket := self._waiting.get(writer)) is not None:
            with self._changed:
                self._waiting[writer] = self._line.hasten(ticket, time.monotonic())
                self._changed.notify()  # It may be one that threads were kept from.

    async def aclose(self) -> None:
        """Cancel the jobs that wait, let those that run end, end the threads. Fine twice, and before `start`."""
        with self._changed:
            self._closing = True
            waiting = list(iter(lambda: self._line.pop(time.monotonic()), None))
            self._changed.notify_all()
        for ticket in waiting:
            ticket.item.result.cancel()
        for thread, ended in self._threads:
            await asyncio.wait((ended,))
            thread.join()

    def _work(self, ended: asyncio.Future[None]) -> None:
        os.nice(NICENESS)  # Of this thread alone, as Linux has it.
        while self._run_next():
            pass
        ended.get_loop().call_soon_threadsafe(ended.set_result, None)

    def _run_next(self) -> bool:
        """Wait for the most urgent job and run it; false when the farm closes."""
        with self._changed:
            while (ticket := self._next()) is None:
                if self._closing:
                    return False
                self._changed.wait()
            now = time.monotonic()
            can_wait = ticket.can_wait(now)
            self._downloading += can_wait
            self._line.taken(ticket.owner, now, can_wait=can_wait)
        ticket.item.run()
        with self._changed:
            ended = time.monotonic()
            self._line.left(ticket.owner, ended, ended - now, can_wait=can_wait)
            if can_wait:
                self._downloading -= 1
                self._changed.notify()  # Another may have been kept from it.
        return True

    def _next(self) -> Ticket[_Job[Any]] | None:
        """The most urgent job for one more thread; None = none, or none now."""
        if self._closing:
            return None
        now = time.monotonic()
        kept = 1 if self._threads_max > 1 and self._line.load(now) > LISTENED_SHARE else 0
        return self._line.pop(now, downloads=self._downloading < self._threads_max - kept)
