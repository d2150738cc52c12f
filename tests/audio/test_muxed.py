"""What FFmpeg's encoders really give at every rate and bitrate, and that their state is gone when it should be."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from gateway.audio.muxed import FLAC, MuxedEncoder, OpusStreamEncoder
from gateway.audio.registry import new_encoder
from gateway.core.formats import AAC_BITRATES, OPUS_BITRATES
from gateway.core.params import Format
from gateway.core.vocabulary import Codec, Container
from tests.audio.listening import Samples, decode, format_of, ogg_pages, tone


def speech_like(rate: int) -> Samples:
    """A second that needs bits: a buzz of 120 Hz that moves through vowels, with noise between; always the same."""
    dice = np.random.default_rng(1)
    at = np.arange(rate) / rate
    buzz = sum(
        np.sin(2 * np.pi * 120 * n * at) * (1 + np.cos(at * 9 + n)) / n
        for n in range(1, 28)
        if 120 * n < rate / 2
    )
    noise = dice.normal(size=rate) * (np.sin(2 * np.pi * 3 * at) > 0.7)
    return np.clip((np.asarray(buzz) + noise) * 4_000, -32_767, 32_767).astype("<i2")


def encode(format: Format) -> bytes:
    encoder = new_encoder(format)
    return encoder.encode(speech_like(format.sample_rate).tobytes()) + encoder.finish()


@pytest.mark.parametrize(
    ("codec", "rate", "share"),
    [
        (codec, rate, share)
        for codec, rates in ((Codec.OPUS, OPUS_BITRATES), (Codec.AAC, AAC_BITRATES))
        for rate in rates
        for share in (0, 0.25, 0.5, 1)
    ],
)
def test_all_bitrates_are_taken_and_about_kept(codec: Codec, rate: int, share: float) -> None:
    able = (OPUS_BITRATES if codec is Codec.OPUS else AAC_BITRATES)[rate]
    bitrate = able[round(share * (len(able) - 1))]
    format = Format(codec, rate, bitrate, format_of(codec, rate).container)
    data = encode(format)
    heard = decode(format, data)
    assert len(heard) >= rate
    if codec is Codec.OPUS:
        payload = sum(len(page.body) for page in list(ogg_pages(data))[2:])
        # No sound of 4 kHz needs as much as may be asked for.
        assert payload * 8 <= bitrate * 1.15
        assert payload * 8 >= min(bitrate, 100_000) * 0.75
    else:
        spent = (len(data) - 7 * len(heard) // 1_024) * 8
        assert 0.5 * bitrate <= spent <= 2 * bitrate


@pytest.mark.parametrize("codec", [Codec.OPUS, Codec.AAC, Codec.FLAC])
@pytest.mark.parametrize(
    "samples", [1, 2, 575, 576, 577, 959, 960, 961, 1_023, 1_024, 1_025, 2_048]
)
def test_the_shortest_sounds_are_whole(codec: Codec, samples: int) -> None:
    format = format_of(codec, 48_000)
    encoder = new_encoder(format)
    heard = decode(format, encoder.encode(tone(samples, 48_000).tobytes()) + encoder.drain())
    if codec is Codec.AAC:
        assert samples + 1_024 <= len(heard) < samples + 2 * 1_024 + 1
    else:
        assert len(heard) == samples


def test_the_bitrate_of_aac_is_in_its_frames() -> None:
    data = encode(format_of(Codec.AAC, 24_000))
    assert data[0] == 0xFF
    assert data[1] & 0xF6 == 0xF0, "ADTS without an ID3 tag before it"


def test_the_header_of_a_streamed_flac_has_no_padding() -> None:
    encoder = MuxedEncoder(FLAC, 22_050, frame_samples=576)
    assert encoder.encode(bytes(2 * 575)) == b""
    first = encoder.encode(b"\0\0\0\0")
    assert first.startswith(b"fLaC")
    assert len(first) < 200


@pytest.mark.parametrize(
    ("format", "within_ms"),
    [
        (format_of(Codec.OPUS, 24_000), 60),
        (format_of(Codec.OPUS, 24_000, Container.PER_CONTEXT), 60),
        (format_of(Codec.AAC, 22_050), 100),
        (format_of(Codec.FLAC, 22_050), 30),
    ],
    ids=str,
)
def test_the_first_audio_leaves_early(format: Format, within_ms: int) -> None:
    """So much audio is enough for something to be heard, where each 10 ms is given alone."""
    encoder = new_encoder(format)
    pcm = tone(format.sample_rate, format.sample_rate).tobytes()
    step = format.sample_rate // 100 * 2
    data = b""
    for number in range(within_ms // 10):
        data += encoder.encode(pcm[step * number : step * (number + 1)])
    assert len(decode(format, data)) >= format.sample_rate // 100


def holds_state(encoder: MuxedEncoder) -> bool:
    return encoder._container is not None or encoder._stream is not None


@pytest.mark.parametrize("codec", [Codec.OPUS, Codec.AAC, Codec.FLAC])
@pytest.mark.parametrize("way", ["drained", "dropped"])
def test_state_is_gone_at_once(codec: Codec, way: str) -> None:
    """Not when the garbage collector comes by: it is up to 8 MB for each."""
    encoder = new_encoder(format_of(codec, 24_000))
    assert isinstance(encoder, MuxedEncoder)
    assert not holds_state(encoder)
    encoder.encode(bytes(4_800))
    assert holds_state(encoder)
    gc.disable()
    try:
        sink = weakref.ref(encoder._sink)
        if way == "drained":
            encoder.drain()
            assert not holds_state(encoder)
        else:
            del encoder
        assert sink() is None
    finally:
        gc.enable()


def test_an_opus_stream_stays_one_stream() -> None:
    encoder = OpusStreamEncoder(24_000, 32_000)
    data = b""
    for _ in range(5):
        data += encoder.encode(tone(3_000, 24_000).tobytes()) + encoder.drain()
    data += encoder.finish()
    pages = list(ogg_pages(data))
    assert [page.begins for page in pages].count(True) == 1
    assert [page.ends for page in pages].count(True) == 1
    assert {page.serial for page in pages} == {0}


def test_a_chain_decodes_wholly_in_one_go() -> None:
    format = format_of(Codec.OPUS, 24_000, Container.PER_FLUSH)
    encoder = new_encoder(format)
    sizes = [1, 479, 480, 481, 5_000, 12_345, 2]
    data, said = b"", []
    for size in sizes:
        said.append(tone(size, 24_000))
        data += encoder.encode(said[-1].tobytes()) + encoder.drain()
    assert len(decode(format, data)) == sum(sizes)
    assert [page.begins for page in ogg_pages(data)].count(True) == len(sizes)
