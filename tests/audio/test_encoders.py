"""The contract that every encoder keeps, held against a decoder that we did not write."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gateway.audio.registry import media_type, new_encoder
from gateway.core.params import Format
from gateway.core.vocabulary import Codec, Container
from tests.audio.listening import (
    LOSSLESS,
    Samples,
    decode,
    delay_of,
    format_of,
    signal_to_noise_db,
    tone,
)

FORMATS = [
    Format(Codec.PCM_S16LE, 22_050),
    format_of(Codec.WAV, 48_000),
    format_of(Codec.WAV, 8_000, Container.PER_FLUSH),
    Format(Codec.MULAW, 8_000),
    Format(Codec.ALAW, 16_000),
    Format(Codec.MP3, 8_000, 32_000),
    Format(Codec.MP3, 22_050, 64_000),
    Format(Codec.MP3, 44_100, 128_000),
    format_of(Codec.OPUS, 24_000),
    format_of(Codec.OPUS, 8_000, Container.PER_CONTEXT),
    format_of(Codec.OPUS, 48_000, Container.PER_CONTEXT),
    format_of(Codec.AAC, 8_000),
    format_of(Codec.AAC, 22_050),
    format_of(Codec.FLAC, 22_050),
]
FILES = [(format_of(Codec.WAV, 48_000), True), (format_of(Codec.FLAC, 22_050), True)]
STREAMS = [(format, False) for format in FORMATS]

streams = pytest.mark.parametrize(("format", "whole_file"), STREAMS, ids=str)
streams_and_files = pytest.mark.parametrize(("format", "whole_file"), STREAMS + FILES, ids=str)

FRAME_MAX = 1_152
"""Samples in an MPEG-1 frame; the last frame of an MP3 is padded to it. Those of AAC are shorter."""


def padding_max(format: Format, *, endings: int, drains: int = 0) -> int:
    """Samples that a decoder may hear beyond those encoded, when the codec stream ended so often."""
    if delay_of(format.codec):
        return (endings + drains) * (delay_of(format.codec) + 2 * FRAME_MAX)
    if format.codec is Codec.OPUS and format.container is Container.PER_CONTEXT:
        return drains * (format.sample_rate * 93 // 2_000 + 1)
    return 0


def assert_like(heard: Samples, said: Samples, format: Format) -> None:
    """What was heard is what was said, as far as the codec can."""
    if format.codec in LOSSLESS:
        assert np.array_equal(heard, said)
    else:
        assert signal_to_noise_db(heard, said) > 15


@streams_and_files
@given(cuts=st.lists(st.integers(0, 9_000), max_size=6), drains=st.sets(st.integers(0, 5)))
def test_bytes_do_not_depend_on_how_the_samples_were_handed_over(
    format: Format, whole_file: bool, cuts: list[int], drains: set[int]
) -> None:
    pcm = tone(9_000, format.sample_rate).tobytes()
    cuts = sorted(cuts)
    drained_at = [cut for number, cut in enumerate(cuts) if number in drains]
    if whole_file:
        drained_at, drains = [], set()

    by_cuts = new_encoder(format, whole_file=whole_file)
    out = b""
    for number, (start, end) in enumerate(pairwise([0, *cuts])):
        out += by_cuts.encode(pcm[2 * start : 2 * end])
        if number in drains:
            out += by_cuts.drain()
    out += by_cuts.encode(pcm[2 * (cuts[-1] if cuts else 0) :]) + by_cuts.finish()

    by_drains = new_encoder(format, whole_file=whole_file)
    expected = b""
    for start, end in pairwise([0, *drained_at]):
        expected += by_drains.encode(pcm[2 * start : 2 * end]) + by_drains.drain()
    expected += by_drains.encode(pcm[2 * (drained_at[-1] if drained_at else 0) :])
    expected += by_drains.finish()

    assert out == expected


@streams_and_files
@given(samples=st.integers(1, 20_000), piece=st.integers(1, 9_000))
def test_every_sample_is_heard_and_the_last_ones_are_right(
    format: Format, whole_file: bool, samples: int, piece: int
) -> None:
    said = tone(samples, format.sample_rate)
    encoder = new_encoder(format, whole_file=whole_file)
    data = b"".join(
        encoder.encode(said[start : start + piece].tobytes()) for start in range(0, samples, piece)
    )
    heard = decode(format, data + encoder.finish())

    delay = delay_of(format.codec)
    assert encoder.delay_samples == delay
    assert samples + delay <= len(heard) <= samples + padding_max(format, endings=1)
    if format.codec in LOSSLESS:
        assert np.array_equal(heard, said)
    elif samples > FRAME_MAX:
        tail = slice(samples - FRAME_MAX // 2, samples)
        assert_like(heard[delay:][tail], said[tail], format)


@streams
@given(samples=st.integers(1_200, 20_000), more=st.integers(1, 4_000))
def test_nothing_is_held_back_after_a_drain(
    format: Format, whole_file: bool, samples: int, more: int
) -> None:
    said = tone(samples, format.sample_rate)
    encoder = new_encoder(format, whole_file=whole_file)
    first = encoder.encode(said.tobytes()) + encoder.drain()
    assert encoder.drain() == b""

    heard = decode(format, first)
    delay = delay_of(format.codec)
    assert len(heard) >= delay + samples
    tail = slice(samples - FRAME_MAX // 2, samples)
    assert_like(heard[delay:][tail], said[tail], format)

    second = encoder.encode(tone(more, format.sample_rate).tobytes()) + encoder.finish()
    both = decode(format, first + second)
    assert delay + samples + more <= len(both)
    assert len(both) <= samples + more + padding_max(format, endings=1, drains=1)
    assert np.array_equal(both[: len(heard)], heard), "one continuous stream"


@streams_and_files
def test_a_stream_without_samples_is_valid_and_silent(format: Format, whole_file: bool) -> None:
    untouched = new_encoder(format, whole_file=whole_file)
    data = untouched.finish()
    heard = decode(format, data)
    # Where decoders refuse a stream of nothing, it is one sample.
    assert len(heard) <= max(1, padding_max(format, endings=1))
    assert not heard.any()

    encoder = new_encoder(format, whole_file=whole_file)
    assert encoder.drain() == b""
    by_nothing = encoder.encode(b"") + encoder.drain() + encoder.finish()
    assert by_nothing == data


@streams
def test_finish_after_drain_adds_nothing_to_hear(format: Format, whole_file: bool) -> None:
    encoder = new_encoder(format, whole_file=whole_file)
    data = encoder.encode(tone(5_000, format.sample_rate).tobytes()) + encoder.drain()
    more = encoder.finish()
    if format.codec is Codec.OPUS and format.container is Container.PER_CONTEXT:
        # The end of its one stream, with the page that stood behind the last sample.
        silence = decode(format, data + more)[len(decode(format, data)) :]
        assert len(silence) <= format.sample_rate * 53 // 2_000
        assert np.abs(silence.astype(int)).max() < 300
    else:
        assert more == b""


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_the_media_type_is_the_encoders(format: Format) -> None:
    assert media_type(format) == new_encoder(format).media_type
    assert new_encoder(format, whole_file=True).media_type == media_type(format)


def test_only_the_encoders_that_cost_next_to_nothing_are_cheap() -> None:
    cheap = {format.codec for format in FORMATS if new_encoder(format).is_cheap}
    assert cheap == {Codec.PCM_S16LE, Codec.WAV, Codec.MULAW, Codec.ALAW}
