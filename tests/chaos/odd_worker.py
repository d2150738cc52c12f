"""The real espeak-ng worker, which misbehaves when its text says so; a text without such a word is spoken as ever.

Run in place of `gateway.engines.espeak_worker`, by `odd_gateway`.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

from gateway.engines.espeak_ffi import Espeak
from gateway.engines.espeak_wire import WORD
from gateway.engines.espeak_worker import BUFFER_MS, _work
from gateway.engines.frames import AUDIO, NOTE, frame
from gateway.engines.nursery import Send, serve

DRIP_S = 0.01


def work(espeak: Espeak, order: bytes, send: Send) -> None:
    def drip(data: bytes) -> None:
        for byte in data:
            send(bytes([byte]))
            time.sleep(DRIP_S)

    def begin(data: bytes) -> None:
        send(data)
        signal.pause()

    if b"hangs" in order:
        signal.pause()
    elif b"stops" in order:
        _work(espeak, order, begin)
    elif b"drips" in order:
        _work(espeak, order, drip)
    elif b"raves" in order:
        send(b"\xff" + os.urandom(10_000))
    elif b"stutters" in order:
        send(frame(NOTE, bytes(WORD.size + 3)) + frame(AUDIO, bytes(100)))
    elif b"halves" in order:
        send(frame(AUDIO, bytes(1_001)))
    else:
        if b"lies" in order:
            wild = ((0, 0), (2**32 - 1, 1), (5, -(2**31)), (7, 2**31 - 1), (0, 3))
            send(b"".join(frame(NOTE, WORD.pack(*word)) for word in wild))
        _work(espeak, order, send)


def main() -> None:
    library_path, data_folder, voice, control_fd = sys.argv[1:]
    espeak = Espeak(library_path, data_folder, BUFFER_MS)
    espeak.select(voice, rate=175, pitch=50, pitch_range=50, volume=100)
    serve(socket.socket(fileno=int(control_fd)), lambda order, send: work(espeak, order, send))


if __name__ == "__main__":
    main()
