"""GistMag's one-shot requests: `POST /tts` for a WAV file, `/tts/stream` for MP3 while it is made, `/tts/batch` for an MP3 file
of even loudness with pauses between its pieces.

Fields and formats are those of the vendor's public documents; docs/dialects/gistmag.md names what these leave open and what
is done about it.
"""

from __future__ import annotations

import math
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.core.errors import TextMissing, TextTooLong, Unsupported
from gateway.core.limits import Limits
from gateway.core.params import (
    BufferingRequest,
    Catalog,
    Defaults,
    FormatRequest,
    Parameters,
    Range,
)
from gateway.core.resolve import resolve
from gateway.core.vocabulary import Codec, Route
from gateway.dialects.gistmag.errors import GistMagWords, rate_headers
from gateway.dialects.gistmag.keys import shown_keys
from gateway.dialects.gistmag.voices import voice_of
from gateway.dialects.http import Agreed, Answering, Headers, HttpRequest
from gateway.dialects.wire import INTEGER_MAX, convert, decode_object, unknown_fields

B = TypeVar("B", bound="_Body")

TTS_CHARS_MAX = 10_000
"""Characters in one request for a WAV file."""
BATCH_CHARS_MAX = 20_000
"""Characters in one batch."""
CHUNK_CHARS_MIN, CHUNK_CHARS_MAX = 20, 500
"""`chunk_size` is moved to the nearest of these."""
BATCH_PIECE_CHARS = 250
"""Characters of a batch that are made in one go."""
PAUSE_MS_MAX = 10_000
"""`pause_duration` is moved to this."""
BATCH_LUFS = -23.0
"""How loud a batch is: the programme loudness of EBU R 128."""
STREAM_BITRATE, BATCH_BITRATE, BATCH_RATE = 128_000, 192_000, 44_100
"""MP3 in bit/s, and the lowest rate in Hz with 192 kbit/s that the vendor's other files have, too."""
STREAM_RATE_MIN, STREAM_RATE = 16_000, 22_050
"""Below the first, in Hz, MP3 has no 128 kbit/s; an engine that speaks with less is resampled to the second."""
GAIN_DB_MIN, GAIN_DB_MAX = -96.0, 16.0


class _Body(msgspec.Struct, frozen=True):
    """What all have. The text is not bound here, because what is too long has an error of its own."""

    text: str
    language: Annotated[str, Meta(max_length=35)] | UnsetType = UNSET
    api_key: str | None = None


class GistMagSpeechBody(_Body, frozen=True):
    """The body of `POST /tts`. `pitch` in semitones, `volume_gain_db` in decibels."""

    voice_name: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    speed: Annotated[float, Meta(gt=0)] = 1.0
    pitch: float = 0.0
    volume_gain_db: Annotated[float, Meta(ge=GAIN_DB_MIN, le=GAIN_DB_MAX)] = 0.0


class GistMagStreamBody(_Body, frozen=True):
    """The body of `POST /tts/stream`. `chunk_size` in characters."""

    chunk_size: Annotated[int, Meta(ge=1, le=INTEGER_MAX)] = 200


class GistMagBatchBody(_Body, frozen=True):
    """The body of `POST /tts/batch`. `pause_duration` in ms."""

    pause_duration: Annotated[int, Meta(ge=0, le=INTEGER_MAX)] = 800


_EVERY_FIELD = frozenset(
    name
    for body in (GistMagSpeechBody, GistMagStreamBody, GistMagBatchBody)
    for name in body.__struct_fields__
)


class _Exchange(GistMagWords):
    """What the three routes have in common. `refuses`: a field that the route has not is an error, instead of being left
    out and named."""

    methods: tuple[str, ...] = ("POST",)
    key_in_body = True

    def __init__(self, *, refuses: bool = False) -> None:
        self._refuses = refuses

    def credentials(self, request: HttpRequest) -> list[str] | None:
        """What is called `api_key`, or else where they always are."""
        return shown_keys(request)

    def wrapping(self, agreed: Agreed, request_id: str, at_s: float) -> None:
        """Audio is sent as it is."""

    def _read(self, request: HttpRequest, body: type[B], chars_max: int) -> tuple[B, list[str]]:
        """The body, and which of its fields mean nothing here."""
        value = decode_object(request.body)
        ignored = list(unknown_fields(value, body))
        if self._refuses:
            for name in ignored:
                if name in _EVERY_FIELD:
                    raise Unsupported(
                        "this endpoint has it not", field=name, allowed="no such field"
                    )
        asked = convert(value, body)
        if not asked.text:
            raise TextMissing("text is empty", field="text", allowed="at least one character")
        if len(asked.text) > chars_max:
            raise TextTooLong(
                f"text has {len(asked.text)} characters",
                field="text",
                allowed=f"at most {chars_max} characters",
            )
        return asked, ignored


class WholeExchange(_Exchange):
    """`POST /tts`: a WAV file."""

    name = "gistmag/tts"

    def understand(self, request: HttpRequest, catalog: Catalog, limits: Limits) -> Agreed:
        """The body, judged. Raises GatewayError."""
        asked, ignored = self._read(
            request, GistMagSpeechBody, min(TTS_CHARS_MAX, limits.text_chars_max)
        )
        model = catalog.models[catalog.default_model]
        voice, language, clashes = voice_of(asked.voice_name, asked.language, model)
        if clashes:
            ignored.append("language")
        controls = model.controls[Route.HTTP_FILE]
        adjusted: list[str] = []
        settings = resolve(
            Parameters(
                model=model.id,
                voice=voice,
                language=_language(asked) if isinstance(voice, UnsetType) else language,
                speed=_within(controls.speed, "speed", asked.speed, adjusted),
                pitch=_within(controls.pitch, "pitch", asked.pitch, adjusted),
                volume=_gain(controls.volume, asked.volume_gain_db, adjusted),
            ),
            catalog,
            Defaults(route=Route.HTTP_FILE, codec=Codec.WAV, lead_ms=None),
        )
        return Agreed(
            asked.text, settings, whole=True, ignored=tuple(ignored), adjusted=tuple(adjusted)
        )

    def describe(self, agreed: Agreed, answering: Answering) -> Headers:
        """A file to keep."""
        return [
            ("content-type", "audio/wav"),
            ("content-disposition", "attachment; filename=output.wav"),
            *_reported(agreed, answering),
        ]


class StreamExchange(_Exchange):
    """`POST /tts/stream`: MP3 while it is made."""

    name = "gistmag/tts/stream"

    def understand(self, request: HttpRequest, catalog: Catalog, limits: Limits) -> Agreed:
        """The body, judged. Raises GatewayError."""
        asked, ignored = self._read(request, GistMagStreamBody, limits.text_chars_max)
        adjusted: list[str] = []
        chunk_chars = min(max(asked.chunk_size, CHUNK_CHARS_MIN), CHUNK_CHARS_MAX)
        if chunk_chars != asked.chunk_size:
            adjusted.append(f"chunk_size={chunk_chars}")
        model = catalog.models[f"{catalog.default_model}-stream"]
        settings = resolve(
            Parameters(
                model=model.id,
                language=_language(asked),
                format=FormatRequest(
                    sample_rate=UNSET if model.engine_rate >= STREAM_RATE_MIN else STREAM_RATE,
                    bitrate=STREAM_BITRATE,
                ),
                buffering=BufferingRequest(auto_flush=False, max_chars=chunk_chars),
            ),
            catalog,
            Defaults(route=Route.HTTP, codec=Codec.MP3, lead_ms=None),
        )
        return Agreed(asked.text, settings, ignored=tuple(ignored), adjusted=tuple(adjusted))

    def describe(self, agreed: Agreed, answering: Answering) -> Headers:
        """Something to play at once."""
        return [
            ("content-type", "audio/mpeg"),
            ("content-disposition", "inline"),
            ("x-chunk-size", str(agreed.settings.segmentation.max_chars)),
            ("x-chunk-size-max", str(CHUNK_CHARS_MAX)),
            *_reported(agreed, answering),
        ]


class BatchExchange(_Exchange):
    """`POST /tts/batch`: an MP3 file of even loudness."""

    name = "gistmag/tts/batch"

    def understand(self, request: HttpRequest, catalog: Catalog, limits: Limits) -> Agreed:
        """The body, judged. Raises GatewayError."""
        asked, ignored = self._read(
            request, GistMagBatchBody, min(BATCH_CHARS_MAX, limits.text_chars_max)
        )
        pause_ms = min(asked.pause_duration, PAUSE_MS_MAX)
        settings = resolve(
            Parameters(
                model=f"{catalog.default_model}-batch",
                language=_language(asked),
                format=FormatRequest(sample_rate=BATCH_RATE, bitrate=BATCH_BITRATE),
                buffering=BufferingRequest(auto_flush=False, max_chars=BATCH_PIECE_CHARS),
            ),
            catalog,
            Defaults(route=Route.HTTP_FILE, codec=Codec.MP3, lead_ms=None),
        )
        return Agreed(
            asked.text,
            msgspec.structs.replace(settings, pause_ms=pause_ms),
            whole=True,
            loudness_lufs=BATCH_LUFS,
            ignored=tuple(ignored),
            adjusted=() if pause_ms == asked.pause_duration else (f"pause_duration={pause_ms}",),
        )

    def describe(self, agreed: Agreed, answering: Answering) -> Headers:
        """A file to keep."""
        return [
            ("content-type", "audio/mpeg"),
            ("content-disposition", "attachment; filename=output.mp3"),
            *_reported(agreed, answering),
        ]


def _language(asked: _Body) -> str:
    return "en" if isinstance(asked.language, UnsetType) else asked.language


def _within(
    range_: Range | None, name: str, value: float, adjusted: list[str]
) -> float | UnsetType:
    """The nearest value that there is."""
    if range_ is None:
        return UNSET
    nearest = min(max(value, range_.minimum), range_.maximum)
    if nearest != value:
        adjusted.append(f"{name}={nearest:g}")
    return nearest


def _gain(range_: Range | None, gain_db: float, adjusted: list[str]) -> float | UnsetType:
    """Decibels as the core's factor; 20 dB are ten times the amplitude."""
    if range_ is None:
        return UNSET
    factor = 10 ** (gain_db / 20)
    nearest = min(max(factor, range_.minimum), range_.maximum)
    if nearest != factor:
        adjusted.append(f"volume_gain_db={20 * math.log10(nearest):.1f}")
    return nearest


def _reported(agreed: Agreed, answering: Answering) -> Headers:
    """What it costs, what may still be asked for, and what of the request was not taken as it was."""
    said = rate_headers(answering.rate, answering.at_s)
    if answering.credits is not None and answering.credits_left is not None:
        said.append(("x-credits-used", f"{answering.credits:g}"))
        said.append(("x-credits-remaining", f"{answering.credits_left:g}"))
    if agreed.ignored:
        said.append(("x-ignored-parameters", ", ".join(agreed.ignored)))
    if agreed.adjusted:
        said.append(("x-adjusted-parameters", ", ".join(agreed.adjusted)))
    if answering.warnings:
        said.append(("x-speech-warnings", ", ".join(answering.warnings)))
    return said
