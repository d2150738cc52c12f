"""Which combinations of codec, sample rate, bitrate and container exist, and which of them a request gets.

PCM, WAV, G.711 and FLAC take any rate and have no bitrate. MP3 has nine rates in three generations, each with its own
bitrates; Opus has five rates; AAC has the rates of MP3. A codec that is asked for more quietly gives less, so everything
else is refused here, before there is a codec.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gateway.core.errors import InvalidValue, Unsupported
from gateway.core.params import Format
from gateway.core.vocabulary import Codec, Container

_KBIT_MPEG_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBIT_MPEG_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_KBIT_MPEG_2_5 = (8, 16, 24, 32, 40, 48, 56, 64)

MP3_BITRATES: Mapping[int, Sequence[int]] = {
    rate: tuple(1_000 * kbit for kbit in kbits)
    for rates, kbits in (
        ((8_000, 11_025, 12_000), _KBIT_MPEG_2_5),
        ((16_000, 22_050, 24_000), _KBIT_MPEG_2),
        ((32_000, 44_100, 48_000), _KBIT_MPEG_1),
    )
    for rate in rates
}
"""The constant bitrates in bit/s that MP3 has at each of its sample rates in Hz."""

OPUS_BITRATES: Mapping[int, Sequence[int]] = {
    rate: range(8_000, 256_001) for rate in (8_000, 12_000, 16_000, 24_000, 48_000)
}
"""Any in this range, at the five rates that Opus takes (RFC 6716 §2). FFmpeg gives one channel no more."""

AAC_BITRATES: Mapping[int, Sequence[int]] = {
    rate: range(24_000 if rate < 16_000 else 16_000, 4 * rate + 1) for rate in MP3_BITRATES
}
"""Any in these ranges. Beyond them the encoder does something else: it spends no more than 6 bits on a sample, hardly 5 on
speech, and below it takes up to twice of what it may."""

_OPUS_BITRATE = 32_000


class Shapes(msgspec.Struct, frozen=True):
    """What one codec can be. `bitrates` by sample rate; without any, every rate will do and there is no bitrate.

    `sample_rate` in Hz is the default where that is not the engine's own. The first of `containers` is the default.
    """

    bitrates: Mapping[int, Sequence[int]] = {}
    containers: tuple[Container, ...] = ()
    sample_rate: int | None = None


SHAPES: Mapping[Codec, Shapes] = {
    Codec.PCM_S16LE: Shapes(),
    Codec.WAV: Shapes(containers=(Container.PER_CONTEXT, Container.PER_FLUSH)),
    Codec.MULAW: Shapes(sample_rate=8_000),
    Codec.ALAW: Shapes(sample_rate=8_000),
    Codec.MP3: Shapes(MP3_BITRATES),
    Codec.OPUS: Shapes(OPUS_BITRATES, (Container.PER_FLUSH, Container.PER_CONTEXT)),
    Codec.AAC: Shapes(AAC_BITRATES),
    # FLAC has no way to end a block early and go on.
    Codec.FLAC: Shapes(containers=(Container.PER_FLUSH,)),
}


def judge_format(
    codec: Codec,
    sample_rate: int | None,
    bitrate: int | None,
    container: Container | None,
    *,
    engine_rate: int,
    sample_rates: Sequence[int],
) -> Format:
    """Give the complete format for a request; None = choose.

    `sample_rates` are those that the model offers. The chosen rate is the codec's usual one or the engine's own, because
    resampling costs and adds nothing, or else the next higher one. Raises InvalidValue for a bitrate that exists nowhere
    and Unsupported for what exists elsewhere, both saying what is allowed here.
    """
    shapes = SHAPES[codec]
    rates = rates_of(codec, sample_rates)
    if not rates:
        raise Unsupported(
            f"this model has no sample rate that {codec} can carry", field="format.codec"
        )
    if sample_rate is None:
        wanted = engine_rate if shapes.sample_rate is None else shapes.sample_rate
        sample_rate = next((rate for rate in rates if rate >= wanted), rates[-1])
    elif sample_rate not in rates:
        raise Unsupported(
            f"{codec} at {sample_rate} Hz is not available on this model",
            field="format.sample_rate",
            allowed=_listed(rates),
        )
    return Format(
        codec,
        sample_rate,
        _bitrate(codec, sample_rate, bitrate, rates),
        _container(codec, container),
    )


def rates_of(codec: Codec, sample_rates: Sequence[int]) -> list[int]:
    """Those of a model's rates in Hz that a codec can carry, in order."""
    bitrates = SHAPES[codec].bitrates
    return sorted(rate for rate in sample_rates if not bitrates or rate in bitrates)


def default_bitrate(codec: Codec, sample_rate: int) -> int:
    """The bitrate in bit/s for speech at this rate; 0 where the codec has none.

    MP3 and AAC take about 3 bits per sample, 64 kbit/s at 22,050 Hz; Opus sounds as good at half of that.
    """
    if not SHAPES[codec].bitrates:
        return 0
    if codec is Codec.OPUS:
        return _OPUS_BITRATE
    if sample_rate < 16_000:
        return 32_000
    return 64_000 if sample_rate < 32_000 else 128_000


def _bitrate(codec: Codec, sample_rate: int, bitrate: int | None, rates: Sequence[int]) -> int:
    bitrates = SHAPES[codec].bitrates
    if bitrate is None:
        return default_bitrate(codec, sample_rate)
    if not bitrates:
        raise Unsupported(
            f"{codec} has no bitrate",
            field="format.bitrate",
            allowed=_or_other("nothing", (each for each in SHAPES if SHAPES[each].bitrates)),
        )
    here = bitrates[sample_rate]
    if bitrate in here:
        return bitrate
    if not any(bitrate in there for there in bitrates.values()):
        raise InvalidValue(
            f"{codec} has no bitrate of {bitrate} bit/s",
            field="format.bitrate",
            allowed=f"at {sample_rate} Hz: {_listed(here)}",
        )
    able = [rate for rate in rates if bitrate in bitrates[rate]]
    elsewhere = f"; {bitrate} with sample_rate {_listed(able)}" if able else ""
    raise Unsupported(
        f"{codec} at {sample_rate} Hz has no bitrate of {bitrate} bit/s",
        field="format.bitrate",
        allowed=f"at {sample_rate} Hz: {_listed(here)}{elsewhere}",
    )


def _container(codec: Codec, container: Container | None) -> Container | None:
    able = SHAPES[codec].containers
    if container is None:
        return able[0] if able else None
    if container in able:
        return container
    raise Unsupported(
        f"{codec} has no container {container}" if able else f"{codec} has no container",
        field="format.container",
        allowed=_or_other(
            ", ".join(able) or "nothing",
            (each for each in SHAPES if container in SHAPES[each].containers),
        ),
    )


def _or_other(here: str, codecs: Iterable[Codec]) -> str:
    return f"{here}, or codec {', '.join(codecs)}"


def _listed(numbers: Sequence[int]) -> str:
    if isinstance(numbers, range):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(str(number) for number in numbers)
