"""What the tests of engines share: to make a segment and look at it."""

from __future__ import annotations

import os
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

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
from gateway.engines.base import Engine
from gateway.engines.espeak import EspeakEngine
from gateway.engines.worker import Worker


class Made(NamedTuple):
    """A segment as the listener has it."""

    pcm: bytes
    marks: tuple[Mark, ...]
    end: Finished | Failed

    @property
    def samples(self) -> npt.NDArray[np.float64]:
        return np.frombuffer(self.pcm, "<i2").astype(np.float64)

    @property
    def rms(self) -> float:
        return float(np.sqrt(np.mean(self.samples**2)))

    @property
    def code(self) -> str | None:
        return self.end.problem.code if isinstance(self.end, Failed) else None

    def words(self, text: str) -> list[str]:
        return [text[mark.start : mark.end] for mark in self.marks]


def order(
    text: str,
    voice: str,
    *,
    speed: float = 1.0,
    pitch: float = 0.0,
    volume: float = 1.0,
    pause_after: bool = False,
) -> Synthesize:
    settings = VoiceSettings(voice, "", speed=speed, pitch=pitch, volume=volume)
    return Synthesize(7, text, settings, pause_after)


async def make(engine: Engine, wanted: Synthesize) -> Made:
    async with aclosing(engine.synthesize(wanted)) as reports:
        return gather([report async for report in reports])


def gather(reports: list[Report]) -> Made:
    """What the reports amount to. Fails when they break the grammar that all engines keep."""
    *body, end = reports
    assert isinstance(end, Finished | Failed)
    if body:
        assert isinstance(body[0], Begun)
    pcm, samples_at_last_marked = b"", 0
    marks: list[Mark] = []
    for report in body[1:]:
        if isinstance(report, Produced):
            assert report.pcm
            assert len(report.pcm) % 2 == 0
            pcm += report.pcm
        else:
            assert isinstance(report, Marked)
            assert report.marks
            assert all(mark.sample >= samples_at_last_marked for mark in report.marks)
            samples_at_last_marked = len(pcm) // 2
            marks += report.marks
    assert all(report.segment == 7 for report in reports)
    return Made(pcm, tuple(marks), end)


def check_marks(text: str, made: Made) -> None:
    """The rules of marks: ranges are words and increase without overlap, samples lie in the audio and never decrease."""
    sample = end = 0
    for mark in made.marks:
        assert end <= mark.start < mark.end <= len(text)
        assert sample <= mark.sample <= len(made.pcm) // 2
        word = text[mark.start : mark.end]
        assert word == word.strip()
        sample, end = mark.sample, mark.end


def fundamental_hz(made: Made, rate: int) -> float:
    """The median pitch of the voiced parts, by autocorrelation, between 50 and 400 Hz."""
    window, found = rate * 2 // 25, []
    lags = np.arange(rate // 400, rate // 50)
    for start in range(0, len(made.samples) - window, window // 2):
        part = made.samples[start : start + window]
        part = part - part.mean()
        likeness = np.correlate(part, part, "full")[window - 1 :]
        peaks = lags[
            (likeness[lags] >= likeness[lags - 1])
            & (likeness[lags] >= likeness[lags + 1])
            & (likeness[lags] > 0.6 * likeness[0])
        ]
        if likeness[0] > 1e5 * window and len(peaks):
            # Multiples of a period look alike; the shortest of the likely ones is the period.
            likely = peaks[likeness[peaks] > 0.85 * likeness[peaks].max()]
            found.append(rate / likely[0])
    return float(np.median(found))


def nursery_pids(engine: EspeakEngine) -> list[int]:
    return [nursery.process.pid for nursery in engine._pool._nurseries]


def workers_at_work(engine: EspeakEngine) -> list[Worker]:
    return list(engine._pool._at_work)


def workers_waiting(engine: EspeakEngine) -> list[Worker]:
    return [worker for nursery in engine._pool._nurseries for worker in nursery.waiting]


def pid_of(worker: Worker) -> int:
    fields = Path(f"/proc/self/fdinfo/{worker._pidfd}").read_text().split()
    return int(fields[fields.index("Pid:") + 1])


def pids_of_groups(groups: list[int]) -> list[int]:
    """Processes of these process groups; those that are only waiting to be reaped do not count."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            stat = Path(f"/proc/{entry}/stat").read_text() if entry.isdecimal() else ""
        except (FileNotFoundError, ProcessLookupError):
            continue
        if stat:
            state, _, group, *_ = stat.rpartition(")")[2].split()
            if int(group) in groups and state not in "ZX":
                found.append(int(entry))
    return found
