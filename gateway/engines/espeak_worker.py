"""The process in which espeak-ng runs: a nursery whose workers each speak one segment.

Started by the pool as `python -m gateway.engines.espeak_worker LIBRARY FOLDER VOICE CONTROL_FD`. `VOICE` is loaded before
the first fork, so that the workers that speak with it need not load it.
"""

from __future__ import annotations

import os
import socket
import sys

from gateway.engines.espeak_ffi import Espeak, EspeakError, RawWord
from gateway.engines.espeak_wire import PIECE, SETTINGS, WORD
from gateway.engines.frames import AUDIO, NOTE, frame
from gateway.engines.nursery import Refused, Send, serve

BUFFER_MS = 200
"""Audio per callback of the library. Less makes the first audio hardly earlier and the rest dearer."""
SEND_BYTES = 44_100
"""The first audio leaves at once, later audio when there is so much of it: each frame wakes the server."""

NICENESS, DOWNLOAD_NICENESS = 10, 15
"""How much nicer (setpriority(2)) than the server a worker is that speaks for a listener, and one that does for a download: the
server answers everybody, and sends what was made before."""


def main() -> None:
    library_path, data_folder, voice, control_fd = sys.argv[1:]
    espeak = Espeak(library_path, data_folder, BUFFER_MS)
    espeak.select(voice, rate=175, pitch=50, pitch_range=50, volume=100)
    serve(socket.socket(fileno=int(control_fd)), lambda order, send: _work(espeak, order, send))


def _work(espeak: Espeak, order: bytes, send: Send) -> None:
    can_wait, rate, pitch, pitch_range, volume, voice_bytes = SETTINGS.unpack_from(order)
    os.nice(DOWNLOAD_NICENESS if can_wait else NICENESS)
    start = SETTINGS.size + voice_bytes
    voice = order[SETTINGS.size : start].decode()
    try:
        if voice:
            espeak.select(voice, rate, pitch, pitch_range, volume)
            _speak(espeak, order[start:], send)
        else:
            _list(espeak, send)
    except EspeakError as error:
        raise Refused(str(error)) from error


def _speak(espeak: Espeak, pieces: bytes, send: Send) -> None:
    outbox = _Outbox(send)
    chars = start = 0
    while start < len(pieces):
        end_pause, phonemes, length = PIECE.unpack_from(pieces, start)
        text = pieces[start + PIECE.size : start + PIECE.size + length]
        outbox.begin_call(chars)
        espeak.speak(text, end_pause, outbox.put, phonemes=phonemes)
        chars += len(text.decode())
        start += PIECE.size + length
    outbox.flush()


class _Outbox:
    """Gathers what the library gives into frames, and counts samples and characters over all calls of a segment."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._notes = bytearray()
        self._pcm = bytearray()
        self._samples = self._samples_before = self._chars_before = 0

    def begin_call(self, chars_before: int) -> None:
        self._samples_before, self._chars_before = self._samples, chars_before

    def put(self, pcm: bytes, words: list[RawWord]) -> None:
        for sample, char in words:
            self._notes += WORD.pack(self._samples_before + sample, self._chars_before + char)
        self._pcm += pcm
        is_first = self._samples == 0
        self._samples += len(pcm) // 2
        if is_first or len(self._pcm) >= SEND_BYTES:
            self.flush()

    def flush(self) -> None:
        """Words go before the audio in which they begin, so that nobody who has the audio lacks its words."""
        frames = [
            frame(kind, bytes(data))
            for kind, data in ((NOTE, self._notes), (AUDIO, self._pcm))
            if data
        ]
        if frames:
            self._send(b"".join(frames))
        self._notes.clear()
        self._pcm.clear()


def _list(espeak: Espeak, send: Send) -> None:
    for name in espeak.variants():
        send(frame(NOTE, f"variant\t{name}\n".encode()))
    for file, name, gender, languages in espeak.voices():
        row = ["voice", file, name, str(gender), *languages]
        send(frame(NOTE, ("\t".join(row) + "\n").encode()))


if __name__ == "__main__":
    main()
