"""The onset is found while audio streams by, where the benchmark's own search in the whole of it finds it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gateway.bench.instruments.onset import audible_onset
from gateway.telemetry.onset import SEARCH_S, Onset

RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 48_000]


def heard(pcm: bytes, rate: int, *cuts: int) -> Onset:
    """The search, after the audio has come in parts that end before these samples."""
    onset = Onset(rate)
    ends = [2 * cut for cut in sorted(cuts)]
    for start, end in zip([0, *ends], [*ends, len(pcm)], strict=True):
        onset.hear(pcm[start:end])
    return onset


def sound(silence: int, rate: int, peak: float = 0.3, offset: int = 0) -> bytes:
    """Silence, then half a second of 440 Hz, all of it moved by an offset."""
    tone = 32_767 * peak * np.sin(2 * np.pi * 440 * np.arange(rate // 2) / rate)
    return (np.concatenate([np.zeros(silence), tone]) + offset).astype("<i2").tobytes()


@given(
    st.sampled_from(RATES),
    st.integers(0, 4_000),
    st.floats(0.001, 0.9),
    st.integers(-3_000, 3_000),
    st.lists(st.integers(0, 6_000), max_size=6),
)
def test_it_is_where_the_benchmark_finds_it(
    rate: int, silence: int, peak: float, offset: int, cuts: list[int]
) -> None:
    pcm = sound(silence, rate, peak, offset)
    cuts = [cut for cut in cuts if 2 * cut <= len(pcm)]
    whole = audible_onset(np.frombuffer(pcm, "<i2").astype(np.float32) / 32_768, rate)
    found = heard(pcm, rate, *cuts).at_s
    # Rounding decides near the threshold; elsewhere they are equal to the sample.
    if abs(peak / 2**0.5 - 0.01) > 0.000_1:
        assert found == (None if whole is None else pytest.approx(whole / rate))


@pytest.mark.parametrize("rate", RATES)
def test_it_is_at_most_a_window_early(rate: int) -> None:
    found = heard(sound(rate // 3, rate), rate).at_s
    assert found is not None
    assert 1 / 3 - 0.0105 < found <= 1 / 3


def test_a_search_in_silence_ends() -> None:
    one_second = bytes(2 * 8_000)
    over = []
    onset = Onset(8_000)
    for _ in range(int(SEARCH_S)):
        over.append(onset.is_over)
        onset.hear(one_second)
    over.append(onset.is_over)
    assert over == [False, False, True]
    onset.hear(sound(0, 8_000))
    assert onset.at_s is None


def test_nothing_is_looked_at_after_the_onset() -> None:
    onset = heard(sound(80, 8_000), 8_000)
    assert onset.is_over
    found = onset.at_s
    onset.hear(b"\0")  # not even a sample
    assert onset.at_s == found
