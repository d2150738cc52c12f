"""How loud speech is, and making it louder or quieter: EBU R 128 (ITU-R BS.1770), by FFmpeg's filters.

Both are streams of blocks of mono s16le, each block a job of some milliseconds for a thread.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import av
from av.filter import Graph

from gateway.audio.frames import SAMPLE_BYTES, pcm_frame

PEAK_DBFS_MAX = -1.0
"""No sample is made louder than this (EBU R 128 §2)."""
LUFS_SILENCE = -70.0
"""What is below this has no loudness: the absolute gate of BS.1770."""


class _Chain:
    """FFmpeg's filters, one behind the other, each by its name and options."""

    def __init__(self, sample_rate: int, *filters: tuple[str, str]) -> None:
        self._sample_rate = sample_rate
        self._graph = Graph()
        source = self._graph.add_abuffer(
            sample_rate=sample_rate, format="s16", layout="mono", time_base=Fraction(1, sample_rate)
        )
        last = source
        for name, options in (*filters, ("abuffersink", "")):
            following = self._graph.add(name, options or None)
            last.link_to(following)
            last = following
        self._graph.configure()
        self._given = 0

    def feed(self, pcm: bytes) -> Iterator[av.AudioFrame]:
        """Give whole samples, get what is ready."""
        frame = pcm_frame(pcm, self._sample_rate)
        frame.pts = self._given
        self._given += frame.samples
        self._graph.push(frame)
        return self._ready()

    def finish(self) -> Iterator[av.AudioFrame]:
        """Get the rest."""
        self._graph.push(None)
        return self._ready()

    def _ready(self) -> Iterator[av.AudioFrame]:
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            assert isinstance(frame, av.AudioFrame)
            yield frame


class LoudnessMeter:
    """Programme loudness of what it is fed."""

    def __init__(self, sample_rate: int) -> None:
        self._filter = _Chain(sample_rate, ("ebur128", "metadata=1:peak=sample:framelog=quiet"))
        self._last: dict[str, str] = {}

    def feed(self, pcm: bytes) -> None:
        """Take whole samples."""
        self._look(self._filter.feed(pcm))

    def finish(self) -> None:
        """There is no more."""
        self._look(self._filter.finish())

    @property
    def lufs(self) -> float:
        """Its loudness in LUFS; minus infinity where nothing is loud for long enough (0.4 s) to have one."""
        lufs = float(self._last.get("lavfi.r128.I", "-inf"))
        return lufs if lufs > LUFS_SILENCE else -math.inf

    @property
    def peak_dbfs(self) -> float:
        """Its highest sample in dB below full scale; minus infinity where there is none."""
        peak = float(self._last.get("lavfi.r128.sample_peak", "0"))
        return 20 * math.log10(peak) if peak > 0 else -math.inf

    def gain_db(self, lufs: float) -> float:
        """What makes it so loud, or as loud as its peaks let it be; what has no loudness stays as it is."""
        if math.isinf(self.lufs):
            return 0.0
        return min(lufs - self.lufs, PEAK_DBFS_MAX - self.peak_dbfs)

    def _look(self, frames: Iterator[av.AudioFrame]) -> None:
        for frame in frames:
            self._last = dict(frame.metadata) or self._last


class Gain:
    """Makes all it is fed louder by so many dB."""

    def __init__(self, sample_rate: int, gain_db: float) -> None:
        self._filter = _Chain(
            sample_rate,
            ("volume", f"volume={gain_db:.4f}dB:precision=float"),
            ("aformat", "sample_fmts=s16"),
        )

    def feed(self, pcm: bytes) -> bytes:
        """Take whole samples, give what is ready."""
        return b"".join(map(_samples, self._filter.feed(pcm)))

    def finish(self) -> bytes:
        """Give the rest."""
        return b"".join(map(_samples, self._filter.finish()))


def _samples(frame: av.AudioFrame) -> bytes:
    return bytes(memoryview(frame.planes[0])[: frame.samples * SAMPLE_BYTES])
