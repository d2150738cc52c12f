"""What all of Sarvam's routes share: the fields that say how to speak, and what becomes of them.

Input is taken leniently, because the vendor's clients of different age send different things: the language by either of its
names or not at all, numbers that a model has not, rates as text. What a request asks for and will not get is named in the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.core.errors import InvalidValue, UnknownModel, UnknownVoice, Unsupported
from gateway.core.formats import SHAPES
from gateway.core.params import Catalog, FormatRequest, Model, Parameters, Range
from gateway.core.vocabulary import Cleanup, Codec, Route

Name = Annotated[str, Meta(max_length=64)]

CODECS: Mapping[str, Codec] = {
    "mp3": Codec.MP3,
    "wav": Codec.WAV,
    "linear16": Codec.PCM_S16LE,
    "mulaw": Codec.MULAW,
    "alaw": Codec.ALAW,
    "opus": Codec.OPUS,
    "aac": Codec.AAC,
    "flac": Codec.FLAC,
}
BITRATES: Mapping[str, int] = {f"{kbit}k": 1_000 * kbit for kbit in (32, 64, 96, 128, 192)}
"""What may be asked for, in bit/s."""
USUAL_BITRATE = "128k"
USUAL_RATE = 22_050
OPUS_USUAL_RATE = 24_000
"""Of Opus, which has no 22,050 Hz."""
STREAMED_RATES = (8_000, 16_000, 22_050, 24_000)
"""Sample rates in Hz that streams have; whole files have all that the model has."""
FILE_RATES = (*STREAMED_RATES, 32_000, 44_100, 48_000)
OPUS_RATES = tuple(SHAPES[Codec.OPUS].bitrates)
PACE_MIN = 0.3
"""The slowest pace that the vendor takes, on a model that has it; slower than its catalog says is spoken as slow as that."""
PACE_MIN_MODELS = frozenset({"bulbul:v2"})
PITCH_MAX = 1.0
LOUDNESS_MIN, LOUDNESS_MAX = 0.1, 3.0
"""What the vendor's schema takes; beyond what the model can do, the nearest is spoken."""
TEMPERATURE_MIN, TEMPERATURE_MAX = 0.01, 2.0
"""Nothing here depends on it; the upper end is that of older documentation."""
SEMITONES_PER_PITCH = 12.0
NO_DICTIONARY_MODELS = frozenset({"bulbul:v2"})


class SpeechFields(msgspec.Struct, frozen=True, kw_only=True):
    """How to speak, in the body of a request or the `data` of a `config`. null is as good as nothing."""

    language_code: Name | None = None
    target_language_code: Name | None = None
    speaker: Name | None = None
    model: Name | None = None
    pitch: float | None = None
    pace: float | None = None
    loudness: float | None = None
    temperature: float | None = None
    speech_sample_rate: int | Name | None = None
    enable_preprocessing: bool | None = None
    enable_cached_responses: bool | None = None
    output_audio_codec: Name | None = None
    output_audio_bitrate: Name | None = None
    dict_id: Name | None = None


class Wanted(msgspec.Struct, frozen=True):
    """The same as the core knows it. `ignored` are fields without effect here, `adjusted` those with another one, as
    `name=value`; `dictionary` is the id of one."""

    parameters: Parameters
    ignored: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()
    dictionary: str | None = None


def wanted(
    fields: SpeechFields,
    catalog: Catalog,
    route: Route,
    *,
    usual_codec: str,
    refuse_unsupported: bool = False,
) -> Wanted:
    """What these fields ask for on a route; codec and rate are always settled.

    Raises UnknownModel, UnknownVoice, InvalidValue for numbers out of range, and Unsupported for everything else that the
    model or the codec has not; with `refuse_unsupported` also for controls that are otherwise ignored.
    """
    return _Translation(fields, _model(fields.model, catalog), route, refuse_unsupported).result(
        usual_codec
    )


def rates_of(codec: Codec, model: Model, route: Route) -> Sequence[int]:
    """The sample rates in Hz that a codec has on a route, in order."""
    if codec is Codec.OPUS:
        offered = OPUS_RATES
    else:
        offered = FILE_RATES if route is Route.HTTP_FILE else STREAMED_RATES
    return sorted(set(offered) & set(model.sample_rates))


class _Translation:
    """One set of fields on its way, with what is lost of it."""

    def __init__(
        self, fields: SpeechFields, model: Model, route: Route, refuse_unsupported: bool
    ) -> None:
        self._fields = fields
        self._model = model
        self._route = route
        self._controls = model.controls[route]
        self._refuse_unsupported = refuse_unsupported
        self._ignored: list[str] = []
        self._adjusted: list[str] = []

    def result(self, usual_codec: str) -> Wanted:
        fields = self._fields
        dictionary = fields.dict_id
        if dictionary is not None and self._model.id in NO_DICTIONARY_MODELS:
            self._ignored.append("dict_id")
            dictionary = None
        parameters = Parameters(
            model=self._model.id,
            voice=_speaker(fields.speaker, self._model),
            language=_language(fields, self._model),
            speed=self._pace(),
            pitch=self._pitch(),
            volume=self._loudness(),
            format=self._format(usual_codec),
            cleanup=Cleanup.SPEECH if fields.enable_preprocessing else UNSET,
        )
        _judge("temperature", fields.temperature, TEMPERATURE_MIN, TEMPERATURE_MAX)
        for name in ("temperature", "enable_cached_responses"):
            if getattr(fields, name) is not None:
                self._ignored.append(name)
        return Wanted(parameters, tuple(self._ignored), tuple(self._adjusted), dictionary)

    def _pace(self) -> float | UnsetType:
        range_ = self._of("pace", self._controls.speed)
        if self._fields.pace is None or range_ is None:
            return UNSET
        slowest = PACE_MIN if self._model.id in PACE_MIN_MODELS else range_.minimum
        _judge("pace", self._fields.pace, slowest, range_.maximum)
        return self._nearest("pace", self._fields.pace, range_, 1.0)

    def _pitch(self) -> float | UnsetType:
        range_ = self._of("pitch", self._controls.pitch)
        if self._fields.pitch is None or range_ is None:
            return UNSET
        _judge("pitch", self._fields.pitch, -PITCH_MAX, PITCH_MAX)
        semitones = SEMITONES_PER_PITCH * self._fields.pitch
        return self._nearest("pitch", semitones, range_, SEMITONES_PER_PITCH)

    def _loudness(self) -> float | UnsetType:
        loudness = self._fields.loudness
        range_ = self._of("loudness", self._controls.volume)
        if loudness is None or range_ is None:
            return UNSET
        _judge("loudness", loudness, LOUDNESS_MIN, LOUDNESS_MAX)
        # Their 3 is our 2, which is as loud as engines become; 1 is 1, and below it nothing differs.
        volume = loudness if loudness <= 1 else 1 + (loudness - 1) / (LOUDNESS_MAX - 1)
        return self._nearest("loudness", volume, range_, 1.0)

    def _of(self, name: str, range_: Range | None) -> Range | None:
        """The range of a control, if the model has it; else it is ignored."""
        if range_ is None and getattr(self._fields, name) is not None:
            if self._refuse_unsupported:
                raise Unsupported(f"{self._model.id} has no {name}", field=name)
            self._ignored.append(name)
        return range_

    def _nearest(self, name: str, value: float, range_: Range, unit: float) -> float:
        """The nearest value that the model can do. `unit` is one of the vendor's in ours."""
        able = min(max(value, range_.minimum), range_.maximum)
        if able != value:
            self._adjusted.append(f"{name}={able / unit:g}")
        return able

    def _format(self, usual_codec: str) -> FormatRequest:
        fields = self._fields
        codec = _codec(
            usual_codec if fields.output_audio_codec is None else fields.output_audio_codec
        )
        rates = rates_of(codec, self._model, self._route)
        rate = _rate(fields.speech_sample_rate, codec, rates)
        bitrate = _bitrate(fields.output_audio_bitrate)
        able = SHAPES[codec].bitrates
        if not able:
            if fields.output_audio_bitrate is not None:
                self._ignored.append("output_audio_bitrate")
            return FormatRequest(codec=codec, sample_rate=rate)
        if fields.speech_sample_rate is None and fields.output_audio_bitrate is not None:
            # Nobody asked for this rate, so a higher one that has the bitrate does what was asked for.
            better = [other for other in rates if other >= rate and bitrate in able[other]]
            if better and better[0] != rate:
                rate = better[0]
                self._adjusted.append(f"speech_sample_rate={rate}")
        nearest = _nearest_bitrate(bitrate, able[rate])
        if nearest != bitrate and fields.output_audio_bitrate is not None:
            self._adjusted.append(f"output_audio_bitrate={nearest / 1_000:g}k")
        return FormatRequest(codec=codec, sample_rate=rate, bitrate=nearest)


def _model(name: str | None, catalog: Catalog) -> Model:
    model = catalog.models.get(catalog.default_model if name is None else name)
    if model is None:
        raise UnknownModel(
            f"there is no model {name!r}", field="model", allowed=", ".join(catalog.models)
        )
    return model


def _speaker(name: str | None, model: Model) -> str | UnsetType:
    if name is None:
        return UNSET
    if name.lower() not in model.voices:
        raise UnknownVoice(
            f"Speaker {name!r} is not compatible with model {model.id}. Available speakers are:"
            f" {', '.join(model.voices)}",
            field="speaker",
        )
    return name


def _language(fields: SpeechFields, model: Model) -> str | UnsetType:
    """The newer name counts. All speakers of a model speak the same languages."""
    newer = fields.language_code is not None
    code = fields.language_code if newer else fields.target_language_code
    if code is None:
        return UNSET
    known = model.voices[model.default_voice].languages
    if code.lower() not in {each.lower() for each in known}:
        raise Unsupported(
            f"{model.id} speaks no {code!r}",
            field="language_code" if newer else "target_language_code",
            allowed=", ".join(known),
        )
    return code


def _judge(name: str, value: float | None, lowest: float, highest: float) -> None:
    if value is not None and not lowest <= value <= highest:
        raise InvalidValue(f"{name} is {value:g}", field=name, allowed=f"{lowest:g} to {highest:g}")


def _codec(name: str) -> Codec:
    if name not in CODECS:
        raise Unsupported(
            f"there is no codec {name!r}", field="output_audio_codec", allowed=", ".join(CODECS)
        )
    return CODECS[name]


def _rate(asked: int | str | None, codec: Codec, rates: Sequence[int]) -> int:
    if asked is None:
        return OPUS_USUAL_RATE if codec is Codec.OPUS else USUAL_RATE
    # Older schemas have the rates as text.
    for rate in rates:
        if str(asked) == str(rate):
            return rate
    raise Unsupported(
        f"{asked!r} is no sample rate of {codec} here",
        field="speech_sample_rate",
        allowed=", ".join(map(str, rates)),
    )


def _bitrate(asked: str | None) -> int:
    name = USUAL_BITRATE if asked is None else asked
    if name not in BITRATES:
        raise Unsupported(
            f"there is no bitrate {name!r}",
            field="output_audio_bitrate",
            allowed=", ".join(BITRATES),
        )
    return BITRATES[name]


def _nearest_bitrate(bitrate: int, able: Sequence[int]) -> int:
    """The highest that there is up to this one, or else the lowest."""
    if isinstance(able, range):
        return min(max(bitrate, able[0]), able[-1])
    return max((each for each in able if each <= bitrate), default=able[0])
