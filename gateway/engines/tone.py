"""A voice that is arithmetic: for tests, and to load the gateway with an engine that costs next to nothing.

The audio is a function of the order alone. A `sine-…` voice hums one continuous tone for as long as the text would
take; its segments are whole numbers of blocks and its frequencies multiples of 10 Hz, so each segment is a whole number
of periods and segments join without a click. The voice `words` plays one tone per written word, at a frequency that
belongs to the word, so that what was said can be read back from the audio.

Tones are slices of repeated tables: a second of audio takes microseconds.
"""

from __future__ import annotations

import asyncio
import math
import re
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import AsyncGenerator
from functools import lru_cache

from gateway.core.errors import EngineLost
from gateway.core.params import Voice
from gateway.core.synthesis import (
    Begun,
    Failed,
    Finished,
    Mark,
    Marked,
    Produced,
    Report,
    Synthesize,
    VoiceSettings,
)
from gateway.engines.base import EngineInfo

BLOCK_MS = 100
"""Every tone on the 10 Hz grid is a whole number of periods long after this time."""
CHAR_MS = 60
"""What one character takes at speed 1.0."""
GAP_MS = 20
"""Silence after each word of the voice `words`, at speed 1.0."""
PAUSE_MS = 200
"""What `pause_after` adds, at any speed: silence, or a longer hum."""
FREQUENCY_HZ_MIN, FREQUENCY_HZ_MAX = 50, 3_000
"""Bounds of what pitch can make of a tone; the highest is below half of every useful sample rate."""
LEVEL = 0.4
"""Share of full scale at volume 1.0, so that volume 2.0 does not clip."""

WORDS = "words"
SINES_HZ = {"sine-220": 220, "sine-440": 440, "sine-880": 880}
_WORD = re.compile(r"\S+")


def word_frequency_hz(word: str) -> int:
    """The frequency of a word in the voice `words` at natural pitch: one of 120, from 200 Hz up in steps of 10."""
    return 200 + 10 * (zlib.crc32(word.encode("utf-8", "surrogatepass")) % 120)


def render(order: Synthesize, sample_rate: int) -> tuple[bytes, tuple[Mark, ...]]:
    """The whole segment: mono s16le samples and the mark of each word."""
    if order.voice.voice == WORDS:
        return _render_words(order, sample_rate)
    return _render_hum(order, sample_rate)


def _render_words(order: Synthesize, sample_rate: int) -> tuple[bytes, tuple[Mark, ...]]:
    pieces: list[bytes] = []
    marks: list[Mark] = []
    sample = 0
    for word in _WORD.finditer(order.text):
        marks.append(Mark(sample, word.start(), word.end()))
        hz, table = _tone(sample_rate, word_frequency_hz(word[0]), order.voice)
        wanted = len(word[0]) * CHAR_MS / 1_000 / order.voice.speed
        count = round(max(1, round(wanted * hz)) / hz * sample_rate)
        gap = round(GAP_MS / 1_000 / order.voice.speed * sample_rate)
        pieces += [_repeat(table, count), bytes(2 * gap)]
        sample += count + gap
    if order.pause_after:
        pieces.append(bytes(2 * sample_rate * PAUSE_MS // 1_000))
    return b"".join(pieces), tuple(marks)


def _render_hum(order: Synthesize, sample_rate: int) -> tuple[bytes, tuple[Mark, ...]]:
    _, table = _tone(sample_rate, SINES_HZ[order.voice.voice], order.voice)
    char_ms = CHAR_MS / order.voice.speed
    blocks = max(1, round(len(order.text) * char_ms / BLOCK_MS))
    sample_end = blocks * len(table) // 2
    marks = tuple(
        Mark(
            min(round(word.start() * char_ms / 1_000 * sample_rate), sample_end),
            word.start(),
            word.end(),
        )
        for word in _WORD.finditer(order.text)
    )
    pause = PAUSE_MS // BLOCK_MS if order.pause_after else 0
    return table * (blocks + pause), marks


def _tone(sample_rate: int, natural_hz: int, voice: VoiceSettings) -> tuple[int, bytes]:
    """One block of the tone that pitch and volume make of `natural_hz`, and its frequency, which is on the grid."""
    shifted = natural_hz * 2 ** (voice.pitch / 12)
    hz = round(min(max(shifted, FREQUENCY_HZ_MIN), FREQUENCY_HZ_MAX) / 10) * 10
    return hz, _table(sample_rate, hz, min(1.0, LEVEL * voice.volume))


@lru_cache(maxsize=512)
def _table(sample_rate: int, hz: int, level: float) -> bytes:
    """One block of a tone: every n-th sample of n blocks of the slowest tone on the grid."""
    step = hz // 10
    samples = (_slowest(sample_rate, level) * step)[::step]
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


@lru_cache(maxsize=64)
def _slowest(sample_rate: int, level: float) -> array[int]:
    count = sample_rate * BLOCK_MS // 1_000
    step = 2 * math.pi / count
    return array("h", (round(32_767 * level * math.sin(step * n)) for n in range(count)))


def _repeat(table: bytes, samples: int) -> bytes:
    return (table * (2 * samples // len(table) + 1))[: 2 * samples]


class ToneEngine:
    """Engine for tests and load. Runs in the server's own process.

    `realtime_factor` is the time that a second of audio takes to make (0 = as fast as possible), `first_delay_ms` the
    time before the first audio, `chunk_ms` the audio per `Produced`, `workers` how many segments are made at once.
    All waiting is done on the loop's clock.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 22_050,
        realtime_factor: float = 0.0,
        first_delay_ms: int = 0,
        chunk_ms: int = 100,
        workers: int = 1_024,
    ) -> None:
        assert sample_rate * BLOCK_MS % 1_000 == 0
        assert chunk_ms > 0
        self._realtime_factor = realtime_factor
        self._first_delay_ms = first_delay_ms
        self._chunk_samples = sample_rate * chunk_ms // 1_000
        self._workers = asyncio.Semaphore(workers)
        self._closed = False
        names = {WORDS: "A tone for each word"} | {
            id: f"Steady {hz} Hz" for id, hz in SINES_HZ.items()
        }
        self._info = EngineInfo(
            name="tone",
            sample_rate=sample_rate,
            voices=tuple(Voice(id, name, "en", ("en",)) for id, name in names.items()),
            default_voice=WORDS,
            text_chars_max=500,
            workers=workers,
        )

    @property
    def info(self) -> EngineInfo:
        return self._info

    @property
    def worker_restarts(self) -> int:
        return 0

    async def start(self) -> None:
        """Nothing to do."""

    async def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        loop = asyncio.get_running_loop()
        rate = self._info.sample_rate
        async with self._workers:
            yield Begun(order.segment)
            began = loop.time() + self._first_delay_ms / 1_000
            pcm, marks = render(order, rate)
            for start in range(0, len(pcm) // 2, self._chunk_samples):
                # Also a sleep of zero lets the loop serve the others between two chunks.
                due = began + start / rate * self._realtime_factor
                await asyncio.sleep(max(0.0, due - loop.time()))
                if self._closed:
                    break
                end = start + self._chunk_samples
                begun = bisect_left(marks, end, key=lambda mark: mark.sample)
                if begun:
                    yield Marked(order.segment, marks[:begun])
                    marks = marks[begun:]
                yield Produced(order.segment, pcm[2 * start : 2 * end])
            if self._closed:
                yield Failed(order.segment, EngineLost("the tone engine is closed").problem)
                return
            if marks:
                yield Marked(order.segment, marks)
            yield Finished(order.segment)

    async def aclose(self) -> None:
        self._closed = True
