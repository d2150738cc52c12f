"""espeak-ng, the engine that is always there: every language and voice of the wheel `espeakng-loader`.

The library runs in worker processes (espeak_worker.py), each forked for one segment from a process that has never spoken:
the only way found in which the same text always sounds the same, and what a text does to its process ends there. This
module translates: orders into the library's units, its reports into marks, its losses into failures.
"""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import espeakng_loader

import gateway
from gateway.core.errors import EngineFailed, GatewayError, UnknownVoice
from gateway.core.params import Voice
from gateway.core.synthesis import (
    Begun,
    Failed,
    Finished,
    Marked,
    Produced,
    Report,
    Synthesize,
    VoiceSettings,
)
from gateway.engines.base import EngineInfo
from gateway.engines.espeak_wire import PIECE, SETTINGS, WORD
from gateway.engines.marks import WordMarks
from gateway.engines.plain_text import neutralise, split_calls
from gateway.engines.pool import STALL_MS_MAX, Pool
from gateway.engines.worker import Batch

SAMPLE_RATE = 22_050
SAMPLE_BYTES = 2
TEXT_CHARS_MAX = 500
PHONEMES = "x-espeak-ng"
"""The alphabet in which the library takes phonemes."""
AUDIO_MS_MAX = 300_000
"""Of one segment; 500 ideographs or digits at half speed fit, 500 emoji, whose names are read out, do not."""
DEFAULT_VOICE, DEFAULT_FILE = "en-us", "gmw/en-US"

RATE_NATURAL, RATE_MIN, RATE_MAX = 175, 80, 900
"""Words per minute. The library takes lower rates for the minimum; above 450 it squeezes finished audio."""
PITCH_NATURAL, PITCH_MIN, PITCH_MAX = 50, 0, 99
"""The height of the voice's lowest tone on the library's exponential scale, and how far it rises from there."""
PITCH_PER_SEMITONE = 5.3
"""Measured, with the rise scaled alike: the mean tone follows within half a semitone from -9 to 9."""

_MUTE = frozenset({"fo", "kaa", "xex"})
"""Voices that the library lists although their dictionaries are not in the wheel: they say nothing."""

_GENDERS = {1: "male", 2: "female"}


class EspeakEngine:
    """Speaks in at most `workers` processes at once. A worker that says nothing for `stall_ms_max` is killed.

    Speed is honoured from 0.46 to 5.1, pitch from -9 to 9 semitones; what lies beyond is taken for the limit.
    """

    def __init__(self, *, workers: int, stall_ms_max: int = STALL_MS_MAX) -> None:
        package_root = Path(gateway.__file__).parents[1]
        self._workers = workers
        self._pool = Pool(
            [
                sys.executable,
                "-S",  # Nothing of site-packages is needed, and what is not loaded need not be forked.
                "-m",
                "gateway.engines.espeak_worker",
                espeakng_loader.get_library_path(),
                str(Path(espeakng_loader.get_data_path()).parent),
                DEFAULT_FILE,
            ],
            {"PYTHONPATH": str(package_root)},
            workers=workers,
            stall_ms_max=stall_ms_max,
        )
        self._info: EngineInfo | None = None
        self._files: dict[str, str] = {}
        """What callers say, and what the library calls it: voices by id, variants by `+id`."""

    @property
    def info(self) -> EngineInfo:
        assert self._info is not None
        return self._info

    @property
    def worker_restarts(self) -> int:
        return self._pool.restarts

    async def start(self) -> None:
        await self._pool.start()
        listing = bytearray()
        async for batch in self._pool.make(SETTINGS.pack(False, 0, 0, 0, 0, 0), pcm_bytes_max=0):
            listing += batch.notes
        voices: list[Voice] = []
        variants: set[str] = set()
        for line in listing.decode().splitlines():
            kind, file, *details = line.split("\t")
            if kind == "variant":
                variant = re.sub(r"\s", "-", file.lower())
                variants.add(variant)
                self._files[f"+{variant}"] = f"+{file}"
            elif file.rpartition("/")[2] not in _MUTE:
                name, gender, *languages = details
                id = file.rpartition("/")[2].lower()
                self._files[id] = file
                voices.append(
                    Voice(
                        id=id,
                        name=name.strip(),
                        language=languages[0],
                        languages=tuple(languages),
                        gender=_GENDERS.get(int(gender)),
                    )
                )
        self._info = EngineInfo(
            name="espeak",
            sample_rate=SAMPLE_RATE,
            voices=tuple(sorted(voices, key=lambda voice: voice.id)),
            default_voice=DEFAULT_VOICE,
            text_chars_max=TEXT_CHARS_MAX,
            variants=frozenset(variants),
            workers=self._workers,
            phonemes=PHONEMES,
            yields=True,
        )

    async def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        assert len(order.text) <= TEXT_CHARS_MAX
        text = neutralise(order.text, order.phonemes)
        words = WordMarks(text)
        try:
            request = self._settings(order.voice, can_wait=order.can_wait) + b"".join(
                PIECE.pack(pause, bool(order.phonemes), len(piece)) + piece
                for piece, pause in (
                    (piece.encode(), pause) for piece, pause in split_calls(text, order.pause_after)
                )
            )
            pcm_bytes_max = SAMPLE_BYTES * SAMPLE_RATE * AUDIO_MS_MAX // 1_000
            async with aclosing(
                self._pool.make(request, pcm_bytes_max=pcm_bytes_max, can_wait=order.can_wait)
            ) as batches:
                await anext(batches)
                yield Begun(order.segment)
                async for batch in batches:
                    _check(batch)
                    if marks := words.feed(list(WORD.iter_unpack(batch.notes))):
                        yield Marked(order.segment, tuple(marks))
                    if batch.pcm:
                        yield Produced(order.segment, batch.pcm)
        except GatewayError as error:
            yield Failed(order.segment, error.problem)
            return
        if marks := words.finish():
            yield Marked(order.segment, tuple(marks))
        yield Finished(order.segment)

    async def aclose(self) -> None:
        await self._pool.aclose()

    def _settings(self, voice: VoiceSettings, *, can_wait: bool) -> bytes:
        """The head of an order. Raises UnknownVoice: only what the library has listed may reach it."""
        id, plus, variant = voice.voice.partition("+")
        file, suffix = (
            self._files.get(id),
            self._files.get(plus + variant, "" if not plus else None),
        )
        if file is None or suffix is None:
            raise UnknownVoice(f"espeak has no voice {voice.voice!r}", field="voice")
        name = (file + suffix).encode()
        rate = min(max(round(RATE_NATURAL * voice.speed), RATE_MIN), RATE_MAX)
        steps = PITCH_PER_SEMITONE * voice.pitch
        return (
            SETTINGS.pack(
                can_wait,
                rate,
                _on_pitch_scale(PITCH_NATURAL + steps),
                _on_pitch_scale(PITCH_NATURAL * 2 ** (steps / PITCH_NATURAL)),
                round(100 * voice.volume),
                len(name),
            )
            + name
        )


def _check(batch: Batch) -> None:
    """Raises EngineFailed for what cannot be words and samples: the worker is out of its mind."""
    if len(batch.notes) % WORD.size or len(batch.pcm) % SAMPLE_BYTES:
        raise EngineFailed("the engine says what is no speech")


def _on_pitch_scale(value: float) -> int:
    return min(max(round(value), PITCH_MIN), PITCH_MAX)
