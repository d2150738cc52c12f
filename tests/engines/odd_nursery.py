"""A nursery whose workers do what the order says, for the tests of the pool. Run with the number of the control socket."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import sys
import time
from collections.abc import Callable

from gateway.engines.frames import AUDIO, FRAME_BYTES_MAX, HEADER, NOTE, frame
from gateway.engines.nursery import Refused, Send, serve


def work(order: bytes, send: Send) -> None:
    match order:
        case b"two notes":
            for number in range(2):
                send(frame(NOTE, bytes([number])) + frame(AUDIO, bytes([number]) * 10))
        case b"die":
            os.kill(os.getpid(), signal.SIGKILL)
        case b"speak and die":
            send(frame(NOTE, b"n") + frame(AUDIO, bytes(20)))
            os.kill(os.getpid(), signal.SIGKILL)
        case b"a byte at a time":
            for byte in frame(AUDIO, bytes(9_999)):
                send(bytes([byte]))
                time.sleep(0.01)
        case b"a sample at a time":
            for _ in itertools.count():
                send(frame(AUDIO, bytes(2)))
                time.sleep(0.01)
        case b"slowly":
            for _ in range(12):
                send(frame(AUDIO, bytes(1_600)))
                time.sleep(0.05)
        case b"hang":
            signal.pause()
        case b"refuse":
            raise Refused("not that")
        case b"raise":
            raise ZeroDivisionError
        case b"no end":
            for _ in itertools.count():
                send(frame(AUDIO, bytes(1_000)))
        case b"unknown kind":
            send(HEADER.pack(99, 0))
        case b"endless frame":
            send(HEADER.pack(AUDIO, FRAME_BYTES_MAX + 1))
        case b"half a frame":
            send(frame(AUDIO, bytes(100))[:50])
            os.kill(os.getpid(), signal.SIGKILL)
        case b"four megabytes":
            for _ in range(40):
                send(frame(AUDIO, bytes(100_000)))
        case _:
            send(frame(AUDIO, order))


DOOMED = 2


def fork_the_doomed(fork: Callable[[], int] = os.fork) -> None:
    """Let the first workers die before they do anything at all."""
    numbers = itertools.count()

    def doomed() -> int:
        number = next(numbers)
        worker = fork()
        if worker == 0 and number < DOOMED:
            os._exit(1)
        return worker

    os.fork = doomed


if __name__ == "__main__":
    if sys.argv[1] == "doomed":
        fork_the_doomed()
        del sys.argv[1]
    serve(socket.socket(fileno=int(sys.argv[1])), work)
