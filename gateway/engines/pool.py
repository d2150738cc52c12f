"""Worker processes for engines that may crash, hang or remember: one forked worker per order.

A nursery (see nursery.py) is a process that forks workers. Two of them run, so that one can be lost without a pause; each
keeps workers waiting, forked ahead of their orders, and is asked for another when one is taken. At most `workers` orders
are in the making, further ones wait in line (see places.py).

An answer is two streams of bytes, audio and notes, that depend on the order alone. So a lost worker is replaced by another
one whose first bytes, those already handed out, are skipped: the listener hears nothing of it. When an order has lost
`ATTEMPTS_MAX` workers, the order is to blame and fails.

Everything here happens in callbacks of the event loop; there are no tasks and no threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence

from gateway.core.errors import (
    EngineFailed,
    EngineLost,
    EngineTimeout,
    GatewayError,
    SegmentRejected,
)
from gateway.engines.nursery import FORK
from gateway.engines.places import Places
from gateway.engines.worker import Batch, Worker, WorkerLost, WorkerStalled

NURSERIES = 2
ATTEMPTS_MAX = 2
STALL_MS_MAX = 5_000
"""A worker that sends nothing for so long, or is so far behind its listener, is killed, and so is a nursery that owes a
worker for so long."""
START_MS_MAX = 10_000
"""The first worker must be there by then."""
WORKER_WAIT_MS_MAX = 10_000
"""How long an order that is next in line waits for a worker: long enough to kill and replace hung nurseries."""
RESTART_MS_MIN, RESTART_MS_MAX = 5, 5_000
"""Pause before a lost nursery is replaced: the minimum, doubled for each one in a row that never forked a worker."""
END_MS_MAX = 1_000
"""How long `aclose` lets processes end by themselves."""

log = logging.getLogger(__name__)


class _Nursery:
    """The server's end of a nursery process, with the workers that wait for orders."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setblocking(False)
        with theirs:
            # Its own process group: an interrupt from the terminal is for the server, which drains first, and one signal
            # ends the nursery with all its workers. Not its own session: that would be scheduled as one with the server,
            # however nice its processes are (sched(7), autogroups).
            self.process = subprocess.Popen(  # noqa: S603 - the command is ours
                [*command, str(theirs.fileno())],
                env=env,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                process_group=0,
            )
        self.waiting: deque[Worker] = deque()
        self.owed = 0
        """Workers asked for that have not announced themselves."""
        self.owed_since = 0.0
        """When the oldest of them could first be expected, on the loop's clock."""
        self.has_forked = False

    def ask(self, workers: int) -> None:
        """Ask for more workers. What a lost nursery cannot answer its successor will."""
        if self.owed == 0:
            self.owed_since = asyncio.get_running_loop().time()
        self.owed += workers
        with contextlib.suppress(OSError):
            for _ in range(workers):
                self.control.send(FORK)

    def receive(self) -> bool:
        """Take in the workers that have announced themselves. False: the nursery is gone."""
        while True:
            try:
                message, fds, _, _ = socket.recv_fds(self.control, 1, 2, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not message or len(fds) < 2:  # The server may have no file descriptor left.
                for fd in fds:
                    os.close(fd)
                return False
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=fds[0])
            self.waiting.append(Worker(connection, fds[1]))
            self.owed -= 1
            self.owed_since = asyncio.get_running_loop().time()
            self.has_forked = True

    def close(self) -> None:
        """Let the process end: it does when its workers have, the waiting ones being killed here. Once only."""
        self.control.close()
        self.discard_waiting()

    def discard_waiting(self) -> None:
        while self.waiting:
            self.waiting.pop().discard()

    def kill(self) -> None:
        """End the process and all its workers, also those of a process that was killed by others."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


class Pool:
    """Makes answers in worker processes. `command` starts a nursery when the number of its control socket is appended.

    `workers` is how many orders are in the making at once.
    """

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        *,
        workers: int,
        stall_ms_max: int = STALL_MS_MAX,
    ) -> None:
        self._command = command
        self._env = env
        self._stall_ms_max = stall_ms_max
        self._places = Places(workers)
        self._spares = math.ceil((workers + 1) / NURSERIES)
        self._nurseries: set[_Nursery] = set()
        self._ending: set[_Nursery] = set()
        self._at_work: set[Worker] = set()
        self._failures = 0
        self.restarts = 0
        """Workers that were lost over an order, and nurseries that were lost; others have taken their places."""
        self._changed = asyncio.Event()
        self._closed = False
        self._watchdog: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Returns when the first worker waits. Raises EngineFailed when none can be had. Called once."""
        for _ in range(NURSERIES):
            self._add_nursery()
        self._watch()
        try:
            async with asyncio.timeout(START_MS_MAX / 1_000):
                while not any(nursery.waiting for nursery in self._nurseries):
                    if self._failures:
                        raise EngineFailed("the engine's worker processes do not start")
                    await self._change()
        except TimeoutError:
            raise EngineFailed("the engine's worker processes are not ready in time") from None

    async def make(
        self, order: bytes, *, pcm_bytes_max: int, can_wait: bool = False
    ) -> AsyncGenerator[Batch, None]:
        """Give an empty part when a worker begins, then the answer in parts, as they come. Closing the generator kills
        the worker. While orders that cannot wait need its place, the worker of one that `can_wait` stands still.

        Raises SegmentRejected or EngineTimeout when the order has lost two workers, EngineFailed when a worker refuses it
        or makes more audio than `pcm_bytes_max`, EngineLost when there is no worker.
        """
        notes_done = pcm_done = losses = 0
        lost_at = math.nan
        clock = asyncio.get_running_loop().time
        while True:
            worker = await self._begin(order, pcm_bytes_max, can_wait=can_wait)
            if losses:
                log.info("engine worker is back", extra={"ms": round((clock() - lost_at) * 1e3, 1)})
            notes_known, pcm_known = notes_done, pcm_done
            try:
                if not losses:
                    yield Batch(b"", b"")
                async for batch in worker:
                    new = Batch(batch.notes[notes_known:], batch.pcm[pcm_known:])
                    notes_known -= min(notes_known, len(batch.notes))
                    pcm_known -= min(pcm_known, len(batch.pcm))
                    notes_done += len(new.notes)
                    pcm_done += len(new.pcm)
                    if new.notes or new.pcm:
                        yield new
            except (WorkerLost, WorkerStalled) as loss:
                losses += 1
                lost_at = clock()
                self.restarts += 1
                log.warning("%s", loss, extra={"losses_of_order": losses})
                if losses == ATTEMPTS_MAX:
                    raise _blame(loss) from loss
                self._renew()
            else:
                return
            finally:
                worker.end(EngineLost("the answer is no longer wanted"))

    async def aclose(self) -> None:
        """Kill every process and see it gone. What is in the making fails with EngineLost. May be called twice."""
        self._closed = True
        self._changed.set()
        if self._watchdog is not None:
            self._watchdog.cancel()
        while self._at_work:
            next(iter(self._at_work)).end(EngineLost("the engine is closing"))
        while self._nurseries:
            self._retire(next(iter(self._nurseries)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_MS_MAX / 1_000):
                while self._ending:
                    await asyncio.sleep(0.002)
                    self._forget_ended()
        for nursery in self._ending:
            nursery.kill()
            nursery.process.wait()
        self._ending.clear()

    async def _begin(self, order: bytes, pcm_bytes_max: int, *, can_wait: bool) -> Worker:
        """Wait in line for a place and give the order to a worker."""
        place = await self._places.take(can_wait=can_wait)
        worker = None
        try:
            worker = await self._next_waiting()
        finally:
            if worker is None:
                self._places.leave(place)

        def free() -> None:
            self._at_work.discard(worker)
            self._places.leave(place)

        self._at_work.add(worker)
        worker.begin(
            order, pcm_bytes_max=pcm_bytes_max, stall_ms_max=self._stall_ms_max, on_free=free
        )
        self._places.begin(place, worker)
        return worker

    async def _next_waiting(self) -> Worker:
        try:
            async with asyncio.timeout(WORKER_WAIT_MS_MAX / 1_000):
                while not self._closed:
                    if worker := self._take_waiting():
                        return worker
                    await self._change()
        except TimeoutError:
            raise EngineLost("no engine worker could be started") from None
        raise EngineLost("the engine is closed")

    def _take_waiting(self) -> Worker | None:
        for nursery in sorted(self._nurseries, key=lambda nursery: -len(nursery.waiting)):
            while nursery.waiting:
                worker = nursery.waiting.popleft()
                nursery.ask(1)
                if worker.is_waiting:
                    return worker
                worker.discard()
        return None

    def _renew(self) -> None:
        """Have new workers forked in place of those that wait. What has killed one worker from outside may have met them
        too, and the order is not to be blamed for that."""
        for nursery in self._nurseries:
            nursery.ask(len(nursery.waiting))
            nursery.discard_waiting()

    async def _change(self) -> None:
        """Wait until a worker arrives or a nursery is lost."""
        self._changed.clear()
        await self._changed.wait()

    def _add_nursery(self) -> None:
        if self._closed:
            return
        try:
            nursery = _Nursery(self._command, self._env)
        except OSError as error:  # No file descriptor or no memory for another process.
            self._failures += 1
            self._add_nursery_later(str(error))
            return
        self._nurseries.add(nursery)
        asyncio.get_running_loop().add_reader(nursery.control, self._receive, nursery)
        nursery.ask(self._spares)

    def _watch(self) -> None:
        """Replace nurseries that hang. Comes back by itself until the pool is closed."""
        now = asyncio.get_running_loop().time()
        for nursery in list(self._nurseries):
            if nursery.owed and now - nursery.owed_since >= self._stall_ms_max / 1_000:
                self._lose(nursery)
        self._watchdog = asyncio.get_running_loop().call_later(
            self._stall_ms_max / 2_000, self._watch
        )

    def _receive(self, nursery: _Nursery) -> None:
        if nursery.receive():
            self._failures = 0
            self._changed.set()
        else:
            self._lose(nursery)

    def _lose(self, nursery: _Nursery) -> None:
        """Put another one in the place of a nursery that is dead or hangs."""
        self._failures = 0 if nursery.has_forked else self._failures + 1
        self.restarts += 1
        self._retire(nursery)
        nursery.kill()
        self._add_nursery_later("lost")

    def _add_nursery_later(self, why: str) -> None:
        pause_ms = min(RESTART_MS_MIN * 2 ** min(self._failures, 20), RESTART_MS_MAX)
        log.warning("engine nursery restarts", extra={"why": why, "pause_ms": pause_ms})
        asyncio.get_running_loop().call_later(pause_ms / 1_000, self._add_nursery)
        self._changed.set()

    def _retire(self, nursery: _Nursery) -> None:
        asyncio.get_running_loop().remove_reader(nursery.control)
        self._nurseries.discard(nursery)
        nursery.close()
        self._ending.add(nursery)
        self._forget_ended()

    def _forget_ended(self) -> None:
        self._ending = {nursery for nursery in self._ending if nursery.process.poll() is None}


def _blame(loss: WorkerLost | WorkerStalled) -> GatewayError:
    if isinstance(loss, WorkerStalled):
        return EngineTimeout("the engine makes no progress with this text")
    return SegmentRejected("the engine dies of this text")
