"""Resampling by the sample: how many there are, and that each is where and what it should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gateway.audio.pcm import HELD_SAMPLES_MAX, Resampler
from gateway.core.timeline import samples_out
from tests.audio.listening import Samples, tone

RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
PAIRS = [(a, b) for a in RATES for b in RATES if a != b]
EDGE_MS = 5
"""At both ends of a sound the filter has to guess."""

all_pairs = pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)


def resample(said: Samples, rate_in: int, rate_out: int) -> Samples:
    resampler = Resampler(rate_in, rate_out)
    return np.frombuffer(resampler.convert(said.tobytes()) + resampler.drain(), "<i2")


def inner(samples: Samples, rate: int) -> Samples:
    edge = rate * EDGE_MS // 1_000
    return samples[edge:-edge]


@all_pairs
def test_a_tone_stays_the_same_tone_at_the_same_time_and_level(rate_in: int, rate_out: int) -> None:
    heard = resample(tone(rate_in // 5, rate_in, 1_000.0), rate_in, rate_out)
    expected = tone(len(heard), rate_out, 1_000.0)
    off = np.abs(inner(heard, rate_out).astype(int) - inner(expected, rate_out))
    # An error of 0.1 % in pitch would have grown to the whole amplitude by the end.
    assert off.max() <= 16


@all_pairs
def test_full_scale_is_not_folded_over(rate_in: int, rate_out: int) -> None:
    loud = np.where(tone(rate_in // 5, rate_in, 100.0) >= 0, 32_767, -32_768).astype("<i2")
    heard = inner(resample(loud, rate_in, rate_out), rate_out)
    phase = np.abs(np.sin(2 * np.pi * 100.0 * (np.arange(len(heard)) / rate_out + EDGE_MS / 1_000)))
    plateau = np.abs(heard.astype(int))[phase > 0.9]
    assert plateau.min() > 30_000


@given(
    pair=st.sampled_from(PAIRS),
    pieces=st.lists(st.tuples(st.integers(1, 2_500), st.booleans()), min_size=1, max_size=12),
)
def test_totals_are_exact_and_drains_leave_no_trace(
    pair: tuple[int, int], pieces: list[tuple[int, bool]]
) -> None:
    rate_in, rate_out = pair
    held_max = HELD_SAMPLES_MAX * rate_out / min(pair)
    said = tone(sum(count for count, _ in pieces), rate_in)
    one_shot = resample(said, rate_in, rate_out)
    resampler = Resampler(rate_in, rate_out)

    taken, heard, guessed = 0, b"", np.zeros(len(one_shot), bool)
    past_known = samples_out(rate_in * EDGE_MS // 1_000, rate_in, rate_out)
    for count, drained in [*pieces, (0, True)]:
        heard += resampler.convert(said[taken : taken + count].tobytes())
        taken += count
        whole = samples_out(taken, rate_in, rate_out)
        given_out = len(heard) // 2
        assert whole - held_max <= given_out <= whole
        if drained:
            heard += resampler.drain()
            assert len(heard) == 2 * whole
            assert resampler.drain() == b""
            guessed[given_out:whole] = True

    off = np.abs(np.frombuffer(heard, "<i2").astype(int) - one_shot)
    assert not off[~guessed].any(), "what was not drained is as if nobody had drained"
    # A drain guesses what comes within the filter's reach: less off than if it were half a sample early or late.
    assert off[past_known:].max(initial=0) <= tone(2, min(pair))[1] / 2


@given(pieces=st.lists(st.integers(0, 600), max_size=20), pair=st.sampled_from(PAIRS))
def test_the_seams_of_calls_do_not_show(pieces: list[int], pair: tuple[int, int]) -> None:
    said = tone(sum(pieces), pair[0])
    resampler = Resampler(*pair)
    heard, taken = b"", 0
    for count in pieces:
        heard += resampler.convert(said[taken : taken + count].tobytes())
        taken += count
    heard += resampler.drain()
    assert heard == resample(said, *pair).tobytes()


@pytest.mark.parametrize("rate", RATES)
def test_equal_rates_are_the_identity(rate: int) -> None:
    resampler = Resampler(rate, rate)
    pcm = tone(1_000, rate).tobytes()
    assert resampler.convert(pcm) is pcm
    assert resampler.drain() == b""


@all_pairs
def test_silence_stays_silence_and_a_level_stays_a_level(rate_in: int, rate_out: int) -> None:
    assert not resample(np.zeros(700, "<i2"), rate_in, rate_out).any()
    level = resample(np.full(700, 10_000, "<i2"), rate_in, rate_out)
    assert np.abs(level.astype(int) - 10_000).max() <= 2


def test_one_sample_and_none() -> None:
    resampler = Resampler(48_000, 8_000)
    assert resampler.drain() == resampler.convert(b"") == b""
    assert len(resampler.convert(b"\1\0") + resampler.drain()) == 2


@given(st.integers(0, 10**12), st.sampled_from(RATES), st.sampled_from(RATES))
def test_samples_out_covers_the_duration_and_no_more(
    samples: int, rate_in: int, rate_out: int
) -> None:
    out = samples_out(samples, rate_in, rate_out)
    assert (out - 1) * rate_in < samples * rate_out <= out * rate_in
