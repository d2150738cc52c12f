"""Which formats exist, and what the refusals say."""

from __future__ import annotations

import pytest

from gateway.core.errors import GatewayError, InvalidValue, Unsupported
from gateway.core.formats import MP3_BITRATES, default_mp3_bitrate, judge_format
from gateway.core.vocabulary import Codec

RATES = tuple(MP3_BITRATES)


def judge(
    codec: Codec,
    sample_rate: int | None = None,
    bitrate: int | None = None,
    *,
    engine_rate: int = 22_050,
    sample_rates: tuple[int, ...] = RATES,
) -> tuple[int, int]:
    return judge_format(
        codec, sample_rate, bitrate, engine_rate=engine_rate, sample_rates=sample_rates
    )


@pytest.mark.parametrize(
    ("codec", "expected"),
    [
        (Codec.PCM_S16LE, (22_050, 0)),
        (Codec.WAV, (22_050, 0)),
        (Codec.MP3, (22_050, 64_000)),
    ],
)
def test_what_is_left_out_follows_the_engine(codec: Codec, expected: tuple[int, int]) -> None:
    assert judge(codec) == expected


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
    rate, _ = judge(Codec.MP3, engine_rate=engine_rate, sample_rates=sample_rates)
    assert rate == expected


def test_pcm_takes_any_rate_of_the_model() -> None:
    assert judge(Codec.PCM_S16LE, 10_000, sample_rates=(10_000,)) == (10_000, 0)


@pytest.mark.parametrize("rate", RATES)
def test_every_bitrate_of_the_table_is_accepted_and_its_neighbours_are_not(rate: int) -> None:
    assert default_mp3_bitrate(rate) in MP3_BITRATES[rate]
    for bitrate in MP3_BITRATES[rate]:
        assert judge(Codec.MP3, rate, bitrate) == (rate, bitrate)
        for near in (bitrate - 1, bitrate + 1):
            with pytest.raises(InvalidValue) as caught:
                judge(Codec.MP3, rate, near)
            assert caught.value.problem.field == "format.bitrate"
            assert str(bitrate) in (caught.value.problem.allowed or "")


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("codec", Codec)
def test_neighbours_of_a_rate_are_refused(codec: Codec, rate: int) -> None:
    for near in (rate - 1, rate + 1):
        with pytest.raises(Unsupported) as caught:
            judge(codec, near)
        assert caught.value.problem.field == "format.sample_rate"
        assert str(rate) in (caught.value.problem.allowed or "")


@pytest.mark.parametrize(
    ("arguments", "field", "allowed"),
    [
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
            "nothing, or codec mp3",
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
