"""`POST /v1/tts/generate` and `POST /v1/tts/stream`: what is asked for, and what the answer says of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.core.errors import NotAcceptable, TextMissing, TextTooLong, UnknownVoice
from gateway.core.limits import Limits
from gateway.core.params import Catalog, Defaults, FormatRequest, Parameters, Voice
from gateway.core.resolve import resolve, without_unsupported
from gateway.core.vocabulary import Codec, Route
from gateway.dialects.accept import choose
from gateway.dialects.http import Agreed, Answering, Headers, HttpRequest
from gateway.dialects.wire import convert, decode_object, unknown_fields
from gateway.dialects.yourvoic.errors import YourVoicWords

TEXT_CHARS_MAX = 5_000
SAMPLE_RATE = 24_000
"""In Hz, where the caller says none."""
PITCH_STEPS = 20
SEMITONES_PER_STEP = 9 / PITCH_STEPS
"""The vendor has 20 steps up and down, the engine 9 semitones: so each step is heard, and none twice."""
CREDITS_UNLIMITED = 2**53 - 1
"""What is left where nothing is charged: programs read a number here. It is the largest that JavaScript counts with."""


class Format(StrEnum):
    """What audio comes in."""

    PCM = "pcm"
    WAV = "wav"
    MP3 = "mp3"
    OGG = "ogg"
    FLAC = "flac"


class FileFormat(StrEnum):
    """What a whole file may be."""

    WAV = "wav"
    MP3 = "mp3"
    OGG = "ogg"
    FLAC = "flac"


class _Kind(NamedTuple):
    codec: Codec
    media_type: str


KINDS: Mapping[Format, _Kind] = {
    Format.PCM: _Kind(Codec.PCM_S16LE, "audio/pcm"),
    Format.WAV: _Kind(Codec.WAV, "audio/wav"),
    Format.MP3: _Kind(Codec.MP3, "audio/mpeg"),
    Format.OGG: _Kind(Codec.OPUS, "audio/ogg"),
    Format.FLAC: _Kind(Codec.FLAC, "audio/flac"),
}
"""Ogg has Opus in it."""

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Speed = Annotated[float, Meta(ge=0.5, le=2.0)]
Pitch = Annotated[float, Meta(ge=-PITCH_STEPS, le=PITCH_STEPS)]


class _Common(msgspec.Struct, frozen=True):
    text: str
    voice: Name
    model: Name | UnsetType | None = UNSET
    language: Annotated[str, Meta(max_length=35)] | UnsetType | None = UNSET
    speed: Speed | UnsetType | None = UNSET
    pitch: Pitch | UnsetType | None = UNSET


class YourVoicGenerateBody(_Common, frozen=True):
    """The body of `POST /v1/tts/generate`."""

    format: FileFormat | UnsetType | None = UNSET


class YourVoicStreamBody(_Common, frozen=True):
    """The body of `POST /v1/tts/stream`. `sample_rate` is in Hz."""

    format: Format | UnsetType | None = UNSET
    sample_rate: Annotated[int, Meta(ge=8_000, le=48_000)] | UnsetType | None = UNSET


Body = YourVoicGenerateBody | YourVoicStreamBody


class YourVoicExchange(YourVoicWords, ABC):
    """What both routes have in common. With `refuses`, a control that a model has not on the route is an error; else it is left
    out and named."""

    methods: tuple[str, ...] = ("POST",)
    key_in_body = False
    name: str
    body: type[Body]
    whole: bool

    def __init__(self, *, refuses: bool) -> None:
        self._refuses = refuses

    def credentials(self, request: HttpRequest) -> None:
        """`X-API-Key`, as in the native protocol, or a bearer."""

    def understand(self, request: HttpRequest, catalog: Catalog, limits: Limits) -> Agreed:
        """The body, the page that asks and what it accepts, judged. Raises GatewayError."""
        value = decode_object(request.body)
        _judge_text(value, limits.whole_chars_max if self.whole else limits.text_chars_max)
        if not value.get("voice"):
            raise UnknownVoice(
                "voice is missing", field="voice", allowed="a name of the voices list"
            )
        asked = convert(value, self.body)
        format = _given(asked.format)
        kind = KINDS[self._choose(request) if format is None else Format(format)]
        defaults = Defaults(Route.HTTP_FILE if self.whole else Route.HTTP, kind.codec, lead_ms=None)
        wanted = _parameters(asked, catalog, kind.codec)
        ignored: tuple[str, ...] = ()
        if not self._refuses:
            wanted, ignored = without_unsupported(wanted, catalog, defaults)
        return Agreed(
            text=asked.text,
            settings=resolve(wanted, catalog, defaults),
            whole=self.whole,
            ignored=(*ignored, *unknown_fields(value, self.body)),
        )

    def describe(self, agreed: Agreed, answering: Answering) -> Headers:
        """What both routes say."""
        left = CREDITS_UNLIMITED if answering.credits_left is None else answering.credits_left
        said = [
            ("content-type", _media_type(agreed.settings.format.codec)),
            ("x-credits-used", number(answering.credits or 0)),
            ("x-credits-remaining", number(left)),
            ("vary", "Origin, Accept"),
        ]
        if agreed.ignored:
            said.append(("x-ignored-parameters", ", ".join(agreed.ignored)))
        if answering.replay_of is not None:
            said.append(("x-replay-of", answering.replay_of))
        return said

    def wrapping(self, agreed: Agreed, request_id: str, at_s: float) -> None:
        """Audio is sent as it is."""

    @abstractmethod
    def _choose(self, request: HttpRequest) -> Format:
        """What a request gets that names no format."""


class Generate(YourVoicExchange):
    """`POST /v1/tts/generate`: a whole file."""

    name = "yourvoic/v1/tts/generate"
    body: type[Body] = YourVoicGenerateBody
    whole = True

    def describe(self, agreed: Agreed, answering: Answering) -> Headers:
        """And what it is to be called, and how long it took."""
        ending = _format(agreed.settings.format.codec)
        name = f"tts_{int(answering.at_s * 1_000)}.{ending}"
        return [
            *super().describe(agreed, answering),
            ("content-disposition", f"attachment; filename={name}"),
            ("x-processing-time-ms", str(round(answering.processing_ms))),
        ]

    def _choose(self, request: HttpRequest) -> Format:
        return _accepted(request, Format.WAV, list(map(Format, FileFormat)))


class Stream(YourVoicExchange):
    """`POST /v1/tts/stream`: audio as it is made. Without a word about its form it is PCM, and MP3 for a page, which the vendor's
    sample decodes as that: a browser cannot decode what has no header."""

    name = "yourvoic/v1/tts/stream"
    body: type[Body] = YourVoicStreamBody
    whole = False

    def describe(self, agreed: Agreed, answering: Answering) -> Headers:
        """And how PCM is to be played."""
        format = agreed.settings.format
        said = [
            *super().describe(agreed, answering),
            ("x-sample-rate", str(format.sample_rate)),
            ("x-channels", "1"),
        ]
        if format.codec in LOSSLESS:
            said.append(("x-bits-per-sample", "16"))
        return said

    def _choose(self, request: HttpRequest) -> Format:
        usual = Format.MP3 if "origin" in request.headers else Format.PCM
        return _accepted(request, usual, list(Format))


LOSSLESS = frozenset({Codec.PCM_S16LE, Codec.WAV, Codec.FLAC})


def number(credits: float) -> str:
    """Credits as a plain number, to the thousandth."""
    return f"{credits:.3f}".rstrip("0").rstrip(".")


def _judge_text(value: dict[str, object], chars_max: int) -> None:
    """The one field that has errors of its own."""
    text = value.get("text")
    if text is None or text == "":
        raise TextMissing("text is missing", field="text", allowed="at least one character")
    most = min(TEXT_CHARS_MAX, chars_max)
    if isinstance(text, str) and len(text) > most:
        raise TextTooLong(
            f"text has {len(text)} characters",
            field="text",
            allowed=f"at most {most} characters",
            limit=most,
        )


def _parameters(asked: Body, catalog: Catalog, codec: Codec) -> Parameters:
    model = _given(asked.model)
    pitch = _given(asked.pitch)
    language = _given(asked.language)
    if known := catalog.models.get(model or catalog.default_model):
        language = _language(language, known.voices[known.default_voice])
    rate = _given(asked.sample_rate) if isinstance(asked, YourVoicStreamBody) else None
    return Parameters(
        model=model or UNSET,
        voice=asked.voice,
        language=language or UNSET,
        speed=UNSET if asked.speed is None else asked.speed,
        pitch=UNSET if pitch is None else pitch * SEMITONES_PER_STEP,
        format=FormatRequest(codec=codec, sample_rate=rate or SAMPLE_RATE),
    )


def _language(asked: str | None, voice: Voice) -> str:
    """The code that is meant. What another voice speaks by itself is another language; the vendor's default is one for all. A
    language without a region is the first one of it."""
    if not asked:
        return voice.language
    codes = (code for code in voice.languages if code.lower().startswith(f"{asked.lower()}-"))
    return next(codes, asked)


T = TypeVar("T")


def _given(value: T | UnsetType | None) -> T | None:
    return None if isinstance(value, UnsetType) else value


def _accepted(request: HttpRequest, usual: Format, formats: list[Format]) -> Format:
    """What `Accept` likes best. Who accepts nothing of it gets the usual form: many programs say that they accept JSON, of which
    the answer has none when all is well."""
    formats.sort(key=lambda format: format is not usual)
    types = {KINDS[format].media_type: format for format in formats}
    try:
        return types[choose(request.headers.get("accept", ""), list(types))]
    except NotAcceptable:
        return usual


def _format(codec: Codec) -> Format:
    return next(format for format, kind in KINDS.items() if kind.codec is codec)


def _media_type(codec: Codec) -> str:
    return KINDS[_format(codec)].media_type
