"""Which formats exist, and what the refusals say."""

from __future__ import annotations

import pytest

from gateway.core.errors import GatewayError, InvalidValue, Unsupported
from gateway.core.formats import (
    AAC_BITRATES,
    MP3_BITRATES,
    OPUS_BITRATES,
    SHAPES,
    default_bitrate,
    judge_format,
)
from gateway.core.params import Format
from gateway.core.vocabulary import Codec, Container

RATES = tuple(MP3_BITRATES)


def judge(
    codec: Codec,
    sample_rate: int | None = None,
    bitrate: int | None = None,
    container: Container | None = None,
    *,
    engine_rate: int = 22_050,
    sample_rates: tuple[int, ...] = RATES,
) -> Format:
    return judge_format(
        codec, sample_rate, bitrate, container, engine_rate=engine_rate, sample_rates=sample_rates
    )


@pytest.mark.parametrize(
    "expected",
    [
        Format(Codec.PCM_S16LE, 22_050),
        Format(Codec.WAV, 22_050, 0, Container.PER_CONTEXT),
        Format(Codec.MULAW, 8_000),
        Format(Codec.ALAW, 8_000),
        Format(Codec.MP3, 22_050, 64_000),
        Format(Codec.OPUS, 24_000, 32_000, Container.PER_FLUSH),
        Format(Codec.AAC, 22_050, 64_000),
        Format(Codec.FLAC, 22_050, 0, Container.PER_FLUSH),
    ],
    ids=str,
)
def test_what_is_left_out_follows_the_engine_and_the_codec(expected: Format) -> None:
    assert judge(expected.codec) == expected


@pytest.mark.parametrize(
    ("engine_rate", "sample_rates", "expected"),
    [
        (20_000, RATES, 22_050),
        (22_050, (8_000, 24_000, 16_000), 24_000),
        (48_000, (8_000, 16_000), 16_000),
        (10_000, (10_000, 16_000), 16_000),
    ],
)
def test_a_rate_that_mp3_or_the_model_has_not_becomes_the_next_one(
    engine_rate: int, sample_rates: tuple[int, ...], expected: int
) -> None:
    format = judge(Codec.MP3, engine_rate=engine_rate, sample_rates=sample_rates)
    assert format.sample_rate == expected


def test_a_telephone_on_a_model_without_its_rate_gets_the_next_one() -> None:
    assert judge(Codec.MULAW, sample_rates=(24_000, 16_000)).sample_rate == 16_000


def test_pcm_takes_any_rate_of_the_model() -> None:
    assert judge(Codec.PCM_S16LE, 10_000, sample_rates=(10_000,)).sample_rate == 10_000


@pytest.mark.parametrize("rate", RATES)
def test_every_bitrate_of_the_table_is_accepted_and_its_neighbours_are_not(rate: int) -> None:
    for bitrate in MP3_BITRATES[rate]:
        assert judge(Codec.MP3, rate, bitrate) == Format(Codec.MP3, rate, bitrate)
        for near in (bitrate - 1, bitrate + 1):
            with pytest.raises(InvalidValue) as caught:
                judge(Codec.MP3, rate, near)
            assert caught.value.problem.field == "format.bitrate"
            assert str(bitrate) in (caught.value.problem.allowed or "")


@pytest.mark.parametrize("codec", [codec for codec in Codec if SHAPES[codec].bitrates])
def test_every_default_bitrate_exists(codec: Codec) -> None:
    for rate, bitrates in SHAPES[codec].bitrates.items():
        assert default_bitrate(codec, rate) in bitrates


@pytest.mark.parametrize(
    ("codec", "rate", "low", "high"),
    [(Codec.OPUS, rate, 8_000, 256_000) for rate in OPUS_BITRATES]
    + [(Codec.AAC, rate, 24_000 if rate < 16_000 else 16_000, 4 * rate) for rate in AAC_BITRATES],
)
def test_ranges_of_bitrates_have_their_ends(codec: Codec, rate: int, low: int, high: int) -> None:
    for bitrate in (low, low + 1, high - 1, high):
        assert judge(codec, rate, bitrate).bitrate == bitrate
    for bitrate in (low - 1, high + 1):
        with pytest.raises((InvalidValue, Unsupported)) as caught:
            judge(codec, rate, bitrate)
        assert caught.value.problem.field == "format.bitrate"
        assert f"at {rate} Hz: {low} to {high}" in (caught.value.problem.allowed or "")


@pytest.mark.parametrize("container", Container)
@pytest.mark.parametrize("codec", Codec)
def test_a_container_is_one_that_the_codec_has(codec: Codec, container: Container) -> None:
    able = {
        Codec.WAV: [*Container],
        Codec.OPUS: [*Container],
        Codec.FLAC: [Container.PER_FLUSH],
    }.get(codec, [])
    if container in able:
        assert judge(codec, container=container).container is container
        return
    with pytest.raises(Unsupported) as caught:
        judge(codec, container=container)
    assert caught.value.problem.field == "format.container"
    assert caught.value.problem.allowed == (
        "per_flush, or codec wav, opus"
        if able
        else f"nothing, or codec wav, opus{', flac' if container is Container.PER_FLUSH else ''}"
    )


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("codec", Codec)
def test_neighbours_of_a_rate_are_refused(codec: Codec, rate: int) -> None:
    for near in (rate - 1, rate + 1):
        with pytest.raises(Unsupported) as caught:
            judge(codec, near)
        assert caught.value.problem.field == "format.sample_rate"
        able = rate in (SHAPES[codec].bitrates or RATES)
        assert (str(rate) in (caught.value.problem.allowed or "").split(", ")) == able


@pytest.mark.parametrize(
    ("arguments", "field", "allowed"),
    [
        (
            {"codec": Codec.OPUS, "sample_rate": 22_050},
            "format.sample_rate",
            "8000, 12000, 16000, 24000, 48000",
        ),
        (
            {"codec": Codec.AAC, "bitrate": 128_000},
            "format.bitrate",
            "at 22050 Hz: 16000 to 88200; 128000 with sample_rate 32000, 44100, 48000",
        ),
        ({"codec": Codec.OPUS, "sample_rates": (22_050,)}, "format.codec", None),
        (
            {"codec": Codec.MP3, "sample_rate": 22_050, "bitrate": 192_000},
            "format.bitrate",
            (
                "at 22050 Hz: 8000, 16000, 24000, 32000, 40000, 48000, 56000, 64000, 80000, 96000,"
                " 112000, 128000, 144000, 160000; 192000 with sample_rate 32000, 44100, 48000"
            ),
        ),
        (
            {"codec": Codec.MP3, "bitrate": 80_000, "sample_rates": (8_000,)},
            "format.bitrate",
            "at 8000 Hz: 8000, 16000, 24000, 32000, 40000, 48000, 56000, 64000",
        ),
        (
            {"codec": Codec.WAV, "bitrate": 64_000},
            "format.bitrate",
            "nothing, or codec mp3, opus, aac",
        ),
        (
            {"codec": Codec.MP3, "sample_rate": 44_100, "sample_rates": (10_000, 16_000)},
            "format.sample_rate",
            "16000",
        ),
        ({"codec": Codec.MP3, "sample_rates": (10_000,)}, "format.codec", None),
    ],
)
def test_refusals_say_what_would_do(
    arguments: dict[str, object], field: str, allowed: str | None
) -> None:
    with pytest.raises(GatewayError) as caught:
        judge(**arguments)  # type: ignore[arg-type]  # The table mixes types on purpose.
    assert type(caught.value) is Unsupported
    assert (caught.value.problem.field, caught.value.problem.allowed) == (field, allowed)
