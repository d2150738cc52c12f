"""The server's end of a worker process: one order out, one answer in.

The answer is read in callbacks of the event loop as fast as it comes, whether or not anyone pulls it, so that a slow
listener never holds a process. It is bounded by the order's `pcm_bytes_max`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from gateway.core.errors import EngineFailed
from gateway.engines.frames import (
    AUDIO,
    FINISHED,
    NOTE,
    ORDER,
    REFUSED,
    BrokenFrame,
    frame,
    take_frames,
)

RECEIVE_BYTES = 1 << 18
PCM_BYTES_PER_S_MIN = 16_000
"""A worker whose audio falls behind this pace (telephone quality as it is played) by the stall time counts as stalled:
one that says a byte at a time would else hold its place for days."""


class Batch(NamedTuple):
    """A part of an answer: what came since the last part. One of the two may be empty."""

    notes: bytes
    pcm: bytes


class WorkerLost(Exception):
    """The process died before it finished, or said what no sane process says."""


class WorkerStalled(Exception):
    """The process made no progress for too long, or next to none, and was killed."""


class Worker:
    """A process that waits for its one order. After `begin`, iterate over it for the answer.

    Iteration hands out all that came, then raises WorkerLost, WorkerStalled or EngineFailed unless the answer is complete.
    """

    def __init__(self, connection: socket.socket, pidfd: int) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._pidfd = pidfd
        self._received = bytearray()
        self._batches: deque[Batch] = deque()
        self._outcome: Exception | None = None
        self._wake = asyncio.Event()
        self._halted_at: float | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether the process is still there. Only before `begin`."""
        try:
            return bool(self._connection.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def begin(
        self, order: bytes, *, pcm_bytes_max: int, stall_ms_max: int, on_free: Callable[[], None]
    ) -> None:
        """Send the order. `on_free` is called once, when the process is done or dead."""
        self._pcm_bytes_left = pcm_bytes_max
        self._stall_s_max = stall_ms_max / 1_000
        self._on_free = on_free
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._connection, self._read)
        self._progress_at = self._paced_at = self._loop.time()
        self._watchdog = self._loop.call_later(self._stall_s_max, self._check_progress)
        with contextlib.suppress(OSError):  # Reading will find out what is wrong.
            self._connection.send(frame(ORDER, order))

    def __aiter__(self) -> Worker:
        return self

    async def __anext__(self) -> Batch:
        while not self._batches:
            if self._outcome is not None:
                raise self._outcome
            self._wake.clear()
            await self._wake.wait()
        return self._batches.popleft()

    def end(self, outcome: Exception) -> None:
        """Make iteration end with `outcome` and kill the process. Does nothing once the outcome is known."""
        if self._outcome is None:
            self._loop.remove_reader(self._connection)
            self._watchdog.cancel()
            self._outcome = outcome
            self._wake.set()
            self.discard()
            self._on_free()

    def halt(self) -> None:
        """Make a process at work stand still until `go_on`, which is not held against it. By then it may be killed."""
        self._halted_at = self._loop.time()
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let the halted process go on."""
        assert self._halted_at is not None
        stood_s = self._loop.time() - self._halted_at
        self._halted_at = None
        self._progress_at += stood_s
        self._paced_at += stood_s
        self._signal(signal.SIGCONT)

    def discard(self) -> None:
        """Kill a process that has no order, or whose order has ended. Once only."""
        self._signal(signal.SIGKILL)
        self._connection.close()
        os.close(self._pidfd)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def _check_progress(self) -> None:
        latest = min(self._progress_at, self._paced_at)
        now = self._loop.time() if self._halted_at is None else self._halted_at
        wait_s = latest + self._stall_s_max - now
        if wait_s > 0:
            self._watchdog = self._loop.call_later(wait_s, self._check_progress)
        else:
            self.end(WorkerStalled("engine worker stalled"))

    def _read(self) -> None:
        try:
            received = self._connection.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self.end(WorkerLost("engine worker lost"))
            return
        self._progress_at = self._loop.time()
        self._received += received
        try:
            self._accept(take_frames(self._received))
        except BrokenFrame:
            self.end(WorkerLost("engine worker out of its mind"))

    def _accept(self, frames: Iterable[tuple[int, bytes]]) -> None:
        notes, pcm = bytearray(), bytearray()
        outcome: Exception | None = None
        for kind, payload in frames:
            if kind == AUDIO:
                pcm += payload
            elif kind == NOTE:
                notes += payload
            elif kind == FINISHED:
                outcome = StopAsyncIteration()
            elif kind == REFUSED:
                outcome = EngineFailed(payload.decode("utf-8", "replace"))
        self._pcm_bytes_left -= len(pcm)
        self._paced_at += len(pcm) / PCM_BYTES_PER_S_MIN
        if self._pcm_bytes_left < 0:
            outcome, pcm = EngineFailed("more audio than one segment may have"), bytearray()
        if notes or pcm:
            self._batches.append(Batch(bytes(notes), bytes(pcm)))
            self._wake.set()
        if outcome is not None:
            self.end(outcome)
