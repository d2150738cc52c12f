"""G.711 as the recommendation has it: the values of its tables, and the nearest one for each sample."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.audio.registry import new_encoder
from gateway.core.params import Format
from gateway.core.vocabulary import Codec
from tests.audio.listening import Samples, decode

EVERY_SAMPLE = np.arange(-32_768, 32_768).astype("<i2")
CODES = np.arange(256)


def mulaw_values() -> Samples:
    """Table 2 of G.711, by its formula, in 16 bits: 8 segments of 16 steps, each twice as wide as the one before."""
    inverted = ~CODES & 0xFF
    segment, step = inverted >> 4 & 7, inverted & 15
    values = (((step << 3) + 0x84) << segment) - 0x84
    return np.where(inverted & 0x80, -values, values).astype("<i2")


def alaw_values() -> Samples:
    """Table 1 of G.711, likewise; every other bit is inverted on the line, and the first two segments are alike."""
    inverted = CODES ^ 0x55
    segment, step = inverted >> 4 & 7, inverted & 15
    values = np.where(segment > 0, (step * 16 + 264) << np.maximum(segment - 1, 0), step * 16 + 8)
    return np.where(inverted & 0x80, values, -values).astype("<i2")


LAWS = [(Codec.MULAW, mulaw_values(), 4), (Codec.ALAW, alaw_values(), 8)]
laws = pytest.mark.parametrize(("codec", "values", "step"), LAWS, ids=lambda value: str(value)[:5])


def encode(codec: Codec, samples: Samples) -> bytes:
    encoder = new_encoder(Format(codec, 8_000))
    return encoder.encode(samples.tobytes()) + encoder.finish()


@laws
def test_a_decoder_has_the_same_table(codec: Codec, values: Samples, step: int) -> None:
    heard = decode(Format(codec, 8_000), bytes(range(256)))
    assert np.array_equal(heard, values)


@laws
def test_each_value_of_the_table_is_its_own_code(codec: Codec, values: Samples, step: int) -> None:
    said = np.frombuffer(encode(codec, values), np.uint8)
    assert np.array_equal(values[said], values)
    # Mu-law has two zeros.
    assert np.count_nonzero(said != CODES) <= (1 if codec is Codec.MULAW else 0)


@laws
def test_the_nearest_value_is_taken(codec: Codec, values: Samples, step: int) -> None:
    """G.711 knows 14 bits for mu-law and 13 for A-law; what lies between may go either way."""
    said = np.frombuffer(encode(codec, EVERY_SAMPLE), np.uint8)
    wrong = np.abs(values[said].astype(int) - EVERY_SAMPLE)
    sorted_values = np.unique(values.astype(int))
    above = np.clip(np.searchsorted(sorted_values, EVERY_SAMPLE), 1, len(sorted_values) - 1)
    least = np.minimum(
        np.abs(sorted_values[above] - EVERY_SAMPLE), np.abs(sorted_values[above - 1] - EVERY_SAMPLE)
    )
    known = EVERY_SAMPLE % step == 0
    assert np.array_equal(wrong[known], least[known])
    assert (wrong - least).max() < 2 * step


@laws
def test_the_bits_are_those_of_the_line(codec: Codec, values: Samples, step: int) -> None:
    silence, loudest = (0xFF, 0x80) if codec is Codec.MULAW else (0xD5, 0xAA)
    assert encode(codec, np.array([0, 32_767], "<i2")) == bytes([silence, loudest])
