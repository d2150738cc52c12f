"""Which combinations of codec, sample rate and bitrate exist, and which of them a request gets.

PCM and WAV take any rate and have no bitrate. MP3 has nine rates in three generations, each with its own bitrates; a
codec that is asked for more quietly gives less, so everything else is refused here, before there is a codec.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.core.errors import InvalidValue, Unsupported
from gateway.core.vocabulary import Codec

_KBIT_MPEG_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBIT_MPEG_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_KBIT_MPEG_2_5 = (8, 16, 24, 32, 40, 48, 56, 64)

MP3_BITRATES: Mapping[int, tuple[int, ...]] = {
    rate: tuple(1_000 * kbit for kbit in kbits)
    for rates, kbits in (
        ((8_000, 11_025, 12_000), _KBIT_MPEG_2_5),
        ((16_000, 22_050, 24_000), _KBIT_MPEG_2),
        ((32_000, 44_100, 48_000), _KBIT_MPEG_1),
    )
    for rate in rates
}
"""The constant bitrates in bit/s that MP3 has at each of its sample rates in Hz."""


def judge_format(
    codec: Codec,
    sample_rate: int | None,
    bitrate: int | None,
    *,
    engine_rate: int,
    sample_rates: Sequence[int],
) -> tuple[int, int]:
    """Give (sample rate in Hz, bitrate in bit/s or 0 where the codec has none) for a request; None = choose.

    `sample_rates` are those that the model offers. The chosen rate is the engine's own, because resampling costs and
    adds nothing, or else the next higher one. Raises InvalidValue for a bitrate that exists nowhere and Unsupported for
    one that exists elsewhere, both saying what is allowed here.
    """
    rates = sorted(rate for rate in sample_rates if codec is not Codec.MP3 or rate in MP3_BITRATES)
    if not rates:
        raise Unsupported(
            f"this model has no sample rate that {codec} can carry", field="format.codec"
        )
    if sample_rate is None:
        sample_rate = next((rate for rate in rates if rate >= engine_rate), rates[-1])
    elif sample_rate not in rates:
        raise Unsupported(
            f"{codec} at {sample_rate} Hz is not available on this model",
            field="format.sample_rate",
            allowed=_listed(rates),
        )
    if codec is Codec.MP3:
        return sample_rate, _mp3_bitrate(sample_rate, bitrate, rates)
    if bitrate is not None:
        raise Unsupported(
            f"{codec} has no bitrate", field="format.bitrate", allowed="nothing, or codec mp3"
        )
    return sample_rate, 0


def default_mp3_bitrate(sample_rate: int) -> int:
    """The bitrate in bit/s for speech at this rate: about 3 bits per sample, 64 kbit/s at 22,050 Hz."""
    if sample_rate < 16_000:
        return 32_000
    return 64_000 if sample_rate < 32_000 else 128_000


def _mp3_bitrate(sample_rate: int, bitrate: int | None, rates: Sequence[int]) -> int:
    here = MP3_BITRATES[sample_rate]
    if bitrate is None:
        return default_mp3_bitrate(sample_rate)
    if bitrate in here:
        return bitrate
    if not any(bitrate in bitrates for bitrates in MP3_BITRATES.values()):
        raise InvalidValue(
            f"mp3 has no bitrate of {bitrate} bit/s",
            field="format.bitrate",
            allowed=f"at {sample_rate} Hz: {_listed(here)}",
        )
    able = [rate for rate in rates if bitrate in MP3_BITRATES[rate]]
    elsewhere = f"; {bitrate} with sample_rate {_listed(able)}" if able else ""
    raise Unsupported(
        f"mp3 at {sample_rate} Hz has no bitrate of {bitrate} bit/s",
        field="format.bitrate",
        allowed=f"at {sample_rate} Hz: {_listed(here)}{elsewhere}",
    )


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)
