"""Loudness against signals whose loudness is known (EBU Tech 3341), and gain to the sample."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from gateway.audio.loudness import PEAK_DBFS_MAX, Gain, LoudnessMeter

RATE = 44_100
Feed = Callable[[bytes], object]


def sine(dbfs: float, seconds: float, hz: float = 1_000) -> bytes:
    times = np.arange(round(RATE * seconds)) / RATE
    wave = 10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * times) * 32_767
    return bytes(wave.astype("<i2").tobytes())


def fed(feed: Feed, pcm: bytes, samples: int = 30_001) -> list[object]:
    return [feed(pcm[at : at + 2 * samples]) for at in range(0, len(pcm), 2 * samples)]


def measured(pcm: bytes) -> LoudnessMeter:
    meter = LoudnessMeter(RATE)
    fed(meter.feed, pcm)
    meter.finish()
    return meter


@pytest.mark.parametrize("dbfs", [-6.0, -20.0, -40.0])
def test_a_sine_is_as_loud_as_the_standard_says(dbfs: float) -> None:
    """One channel of 1 kHz at 0 dB below full scale is at -3.01 LUFS."""
    meter = measured(sine(dbfs, 5))
    assert meter.lufs == pytest.approx(dbfs - 3.01, abs=0.1)
    assert meter.peak_dbfs == pytest.approx(dbfs, abs=0.1)


def test_silence_between_does_not_count() -> None:
    """The gates of BS.1770: pauses make no speech quieter."""
    assert measured(sine(-20, 5) + bytes(10 * RATE)).lufs == pytest.approx(-23.0, abs=0.3)


@pytest.mark.parametrize("pcm", [b"", bytes(2 * RATE), sine(-20, 0.1), sine(-90, 2)])
def test_what_has_no_loudness_stays_as_it_is(pcm: bytes) -> None:
    meter = measured(pcm)
    assert meter.lufs == -math.inf
    assert meter.gain_db(-23.0) == 0.0


def test_no_sample_is_made_louder_than_it_may_be() -> None:
    pcm = sine(-40, 3)[:-2] + np.array([16_384], "<i2").tobytes()
    gain_db = measured(pcm).gain_db(-5.0)
    assert gain_db == pytest.approx(6.02 + PEAK_DBFS_MAX, abs=0.1)


@pytest.mark.parametrize("lufs", [-30.0, -23.0, -10.0])
def test_what_was_measured_is_made_so_loud_to_the_sample(lufs: float) -> None:
    pcm = sine(-20, 5)
    gain_db = measured(pcm).gain_db(lufs)
    gain = Gain(RATE, gain_db)
    made = b"".join(map(bytes, fed(gain.feed, pcm))) + gain.finish()  # type: ignore[arg-type]
    before, after = np.frombuffer(pcm, "<i2"), np.frombuffer(made, "<i2")
    assert np.abs(before * 10 ** (gain_db / 20) - after).max() < 1
    assert measured(made).lufs == pytest.approx(lufs, abs=0.1)
