"""The process in which espeak-ng runs: a nursery whose workers each speak one segment.

Started by the pool as `python -m gateway.engines.espeak_worker LIBRARY FOLDER VOICE CONTROL_FD`. `VOICE` is loaded before
the first fork, so that the workers that speak with it need not load it.
"""

from __future__ import annotations

import socket
import sys

from gateway.engines.espeak_ffi import Espeak, EspeakError, RawWord
from gateway.engines.espeak_wire import PIECE, SETTINGS, WORD
from gateway.engines.frames import AUDIO, NOTE, frame
from gateway.engines.nursery import Refused, Send, serve

BUFFER_MS = 200
"""Audio per frame. Less makes the first audio hardly earlier and the rest dearer."""


def main() -> None:
    library_path, data_folder, voice, control_fd = sys.argv[1:]
    espeak = Espeak(library_path, data_folder, BUFFER_MS)
    espeak.select(voice, rate=175, pitch=50, volume=100)
    serve(socket.socket(fileno=int(control_fd)), lambda order, send: _work(espeak, order, send))


def _work(espeak: Espeak, order: bytes, send: Send) -> None:
    rate, pitch, volume, voice_bytes = SETTINGS.unpack_from(order)
    start = SETTINGS.size + voice_bytes
    voice = order[SETTINGS.size : start].decode()
    try:
        if voice:
            espeak.select(voice, rate, pitch, volume)
            _speak(espeak, order[start:], send)
        else:
            _list(espeak, send)
    except EspeakError as error:
        raise Refused(str(error)) from error


def _speak(espeak: Espeak, pieces: bytes, send: Send) -> None:
    samples_before = chars_before = samples = start = 0

    def on_audio(pcm: bytes, words: list[RawWord]) -> None:
        nonlocal samples
        notes = b"".join(
            WORD.pack(samples_before + sample, chars_before + char) for sample, char in words
        )
        samples += len(pcm) // 2
        send((frame(NOTE, notes) if notes else b"") + (frame(AUDIO, pcm) if pcm else b""))

    while start < len(pieces):
        end_pause, length = PIECE.unpack_from(pieces, start)
        start += PIECE.size
        text = pieces[start : start + length]
        espeak.speak(text, end_pause, on_audio)
        start += length
        samples_before, chars_before = samples, chars_before + len(text.decode())


def _list(espeak: Espeak, send: Send) -> None:
    for name in espeak.variants():
        send(frame(NOTE, f"variant\t{name}\n".encode()))
    for file, name, gender, languages in espeak.voices():
        row = ["voice", file, name, str(gender), *languages]
        send(frame(NOTE, ("\t".join(row) + "\n").encode()))


if __name__ == "__main__":
    main()
