"""The worker side of the pool: a process that makes ready once, never works itself, and forks a worker for each order.

Every worker is a copy of the same untouched state. So equal orders give equal answers whatever was made before, and what
an order does to its process ends with that process. A worker is forked ahead of its order. The nursery announces it by handing
the server one end of a socket and a handle (pidfd) to end it by, both over the control socket; so the server also hears of
a worker that is killed before it has done anything, and does not wait for it.

The nursery serves until the control socket closes. None of the processes outlives the server, not even a stopped one.
Linux only. Needs nothing but the standard library, and little of that: each import makes each fork dearer, and a lost
nursery is missed until its successor has done with them.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
import resource
import signal
import socket
import struct
from collections.abc import Callable
from types import FrameType

from gateway.engines.frames import FINISHED, HEADER, ORDER, REFUSED, frame

ADDRESS_SPACE_BYTES_MAX = 1 << 30
CPU_SECONDS_MAX = 20
"""Of one worker, for one order. A minute of speech takes less than a tenth of a second."""
FORK = b"\0"
"""The control message that asks for one more worker."""

_PR_SET_PDEATHSIG = 1

Send = Callable[[bytes], None]
Work = Callable[[bytes, Send], None]


class Refused(Exception):
    """What `work` raises when the order cannot be carried out; the message goes to the server."""


def serve(control: socket.socket, work: Work) -> None:
    """Fork a worker for each `FORK` until the control socket closes.

    A worker calls `work(order, send)` once, with the order's payload and a function that sends whole frames, then says
    FINISHED (or REFUSED) and exits. Returns when the last worker has gone. Call this when the process is as ready as it
    can be: workers inherit everything.
    """
    die_with_parent = functools.partial(ctypes.CDLL(None).prctl, _PR_SET_PDEATHSIG, signal.SIGKILL)
    die_with_parent()
    _confine()
    nursery = os.getpid()
    gc.collect()
    gc.freeze()
    gc.disable()
    while control.recv(1):
        mine, theirs = socket.socketpair()
        # A worker that dies at once must not be seen off before there is a handle of it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        worker = os.fork()
        if worker == 0:
            die_with_parent()
            theirs.close()
            control.close()
            if os.getppid() == nursery:
                _be_a_worker(mine, work)
            os._exit(0)
        mine.close()
        _announce(control, theirs, worker)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _confine() -> None:
    """No core files, no files at all, little memory, first to go when memory is short; ended workers are seen off.

    What the C library has to say about its own death is not for the server's log either.
    """
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES_MAX, ADDRESS_SPACE_BYTES_MAX))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")
    signal.signal(signal.SIGCHLD, _see_off)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def _see_off(signum: int, interrupted: FrameType | None) -> None:
    """Wait for the workers that have ended: only of those does the system count the CPU time as the nursery's."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _announce(control: socket.socket, theirs: socket.socket, worker: int) -> None:
    """Hand the server its end of the worker's socket and a handle of the process, and keep neither."""
    pidfd = os.pidfd_open(worker)
    handles = struct.pack("2i", theirs.fileno(), pidfd)
    with contextlib.suppress(
        OSError
    ):  # Nobody is there any more: the worker sees it by its socket.
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handles)]
        control.sendmsg([FORK], ancillary, socket.MSG_NOSIGNAL)
    theirs.close()
    os.close(pidfd)


def _be_a_worker(mine: socket.socket, work: Work) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
    order = _receive_order(mine)
    if order is None:
        return
    try:
        work(order, mine.sendall)
        mine.sendall(frame(FINISHED))
    except Refused as refusal:
        mine.sendall(frame(REFUSED, str(refusal).encode()))


def _receive_order(connection: socket.socket) -> bytes | None:
    """The payload of the one ORDER; None when the server has no use for this worker any more."""
    received = b""
    wanted = HEADER.size
    while len(received) < wanted:
        more = connection.recv(1 << 16)
        if not more:
            return None
        received += more
        if wanted == HEADER.size <= len(received):
            kind, length = HEADER.unpack_from(received)
            assert kind == ORDER
            wanted += length
    return received[HEADER.size :]
