"""The onset rule, on sounds whose beginning is known."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.bench.instruments.onset import Samples, audible_onset

RATE = 24_000
WINDOW = 240
HOP = 24


def silence_then_tone(silence: int, amplitude: float = 0.3, samples: int = 4_800) -> Samples:
    tone = amplitude * np.sin(2 * np.pi * 440 * np.arange(samples) / RATE)
    return np.concatenate([np.zeros(silence), tone]).astype(np.float32)


@pytest.mark.parametrize("silence", [0, 1, 239, 240, 5_000, 24_024, 100_003])
def test_the_onset_is_at_most_a_window_early_and_never_late(silence: int) -> None:
    onset = audible_onset(silence_then_tone(silence), RATE)
    assert onset is not None
    assert max(silence - WINDOW, 0) <= onset <= silence


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_the_rule_is_in_seconds(rate: int) -> None:
    wave = np.sin(2 * np.pi * 300 * np.arange(rate) / rate).astype(np.float32)
    onset = audible_onset(np.concatenate([np.zeros(rate, np.float32), wave]), rate)
    assert onset is not None
    assert 0.99 <= onset / rate <= 1.0


def test_the_threshold_is_a_hundredth_of_full_scale() -> None:
    rms = 1 / np.sqrt(2)
    assert audible_onset(silence_then_tone(480, 0.011 / rms), RATE) is not None
    assert audible_onset(silence_then_tone(480, 0.009 / rms), RATE) is None


def test_an_offset_is_no_sound() -> None:
    assert audible_onset(np.full(RATE, 0.5, np.float32), RATE) is None


def test_silence_and_nothing_have_no_onset() -> None:
    assert audible_onset(np.zeros(RATE, np.float32), RATE) is None
    assert audible_onset(np.zeros(0, np.float32), RATE) is None


def test_less_than_a_window_is_one_window() -> None:
    assert audible_onset(silence_then_tone(0, samples=WINDOW - 1), RATE) == 0
    assert audible_onset(np.zeros(WINDOW - 1, np.float32), RATE) is None


def test_the_last_window_is_looked_at() -> None:
    samples = np.zeros(2 * RATE, np.float32)
    samples[-WINDOW // 2 :] = silence_then_tone(0, samples=WINDOW // 2)
    onset = audible_onset(samples, RATE)
    assert onset is not None
    assert len(samples) - 2 * WINDOW < onset <= len(samples) - WINDOW


def test_windows_begin_every_millisecond_across_blocks() -> None:
    for silence in range(23_000, 25_000, 37):
        onset = audible_onset(silence_then_tone(silence), RATE)
        assert onset is not None
        assert onset % HOP == 0
        assert silence - WINDOW <= onset <= silence
