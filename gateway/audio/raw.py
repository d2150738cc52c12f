"""Samples as they are, with or without a WAV header. Nothing is held back, so draining is a no-op."""

from __future__ import annotations

import struct

_SAMPLE_BYTES = 2
_UNKNOWN = 0xFFFF_FFFF
"""What both WAV sizes say while nobody knows how long the speech will be; players then read to the end."""
_HEADER_BYTES = 44
_RIFF_BYTES_BEFORE = 8
"""The RIFF size does not count its own tag and itself."""


class PcmEncoder:
    """Headerless s16le: bytes in, the same bytes out."""

    delay_samples = 0
    is_cheap = True
    outlives_clear = True

    def __init__(self, sample_rate: int) -> None:
        self.media_type = f"audio/pcm;rate={sample_rate};channels=1"

    def encode(self, pcm: bytes) -> bytes:
        """Give `pcm` back."""
        return pcm

    def drain(self) -> bytes:
        """Nothing is ever held back."""
        return b""

    def finish(self) -> bytes:
        """Nothing closes the stream."""
        return b""


class WavEncoder:
    """WAV as a stream: a header of unknown length before the first samples, or at the end of an empty stream.

    It comes once, or again after each drain when there is one file `per_flush`.
    """

    media_type = "audio/wav"
    delay_samples = 0
    is_cheap = True
    outlives_clear = True

    def __init__(self, sample_rate: int, *, per_flush: bool = False) -> None:
        self._header = wav_header(sample_rate)
        self._per_flush = per_flush
        self._is_empty = True
        self._is_open = False

    def encode(self, pcm: bytes) -> bytes:
        """Give `pcm`, the first time behind the header."""
        return self._take_header() + pcm if pcm else b""

    def drain(self) -> bytes:
        """Nothing is ever held back."""
        self._is_open = self._is_open and not self._per_flush
        return b""

    def finish(self) -> bytes:
        """Give the header if there was no audio to give it with."""
        return self._take_header() if self._is_empty else b""

    def _take_header(self) -> bytes:
        header = b"" if self._is_open else self._header
        self._is_empty, self._is_open = False, True
        return header


class WavFileEncoder:
    """WAV as a whole file: everything leaves at `finish`, behind a header with exact sizes.

    Because the header comes first and must know the end, `drain` cannot give anything here. The caller bounds the
    length; a file holds less than 4 GiB.
    """

    media_type = "audio/wav"
    delay_samples = 0
    is_cheap = True
    outlives_clear = True

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._pcm = bytearray()

    def encode(self, pcm: bytes) -> bytes:
        """Keep `pcm` for `finish`."""
        self._pcm += pcm
        return b""

    def drain(self) -> bytes:
        """Give nothing: a file leaves whole."""
        return b""

    def finish(self) -> bytes:
        """Give the file."""
        return wav_header(self._sample_rate, len(self._pcm) // _SAMPLE_BYTES) + self._pcm


def wav_header(sample_rate: int, samples: int | None = None) -> bytes:
    """The 44 bytes before mono s16le samples; without `samples` both sizes are 0xFFFFFFFF, the mark of a stream."""
    data_bytes = _UNKNOWN if samples is None else samples * _SAMPLE_BYTES
    riff_bytes = _UNKNOWN if samples is None else data_bytes + _HEADER_BYTES - _RIFF_BYTES_BEFORE
    assert riff_bytes <= _UNKNOWN, "WAV sizes are 32 bits"
    return struct.pack(
        "<4sI4s 4sIHHIIHH 4sI",
        *(b"RIFF", riff_bytes, b"WAVE"),
        *(b"fmt ", 16, 1, 1, sample_rate, sample_rate * _SAMPLE_BYTES, _SAMPLE_BYTES, 16),
        *(b"data", data_bytes),
    )
