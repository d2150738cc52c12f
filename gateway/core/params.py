"""What a caller asks for (`Parameters`), what exists (`Catalog`), and what will really happen (`Settings`).

Three vocabularies of one subject; `gateway.core.resolve` leads from the first over the second to the third.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.core.lexicon import LexiconInUse
from gateway.core.vocabulary import Cleanup, Codec, Container, Delivery, Preset, PushBoundary, Route

# --- what a caller may say -------------------------------------------------------------------------------------------


class FormatRequest(msgspec.Struct, frozen=True):
    """The wanted form of the audio; what is left out is chosen."""

    codec: Codec | UnsetType = UNSET
    sample_rate: Annotated[int, Meta(ge=8_000, le=48_000)] | UnsetType = UNSET
    bitrate: Annotated[int, Meta(ge=8_000, le=320_000)] | UnsetType = UNSET
    container: Container | UnsetType = UNSET


class BufferingRequest(msgspec.Struct, frozen=True):
    """How text is gathered into segments; what is left out comes from the preset."""

    preset: Preset | UnsetType = UNSET
    first_chars_min: Annotated[int, Meta(ge=1, le=200)] | UnsetType = UNSET
    first_chars_max: Annotated[int, Meta(ge=10, le=300)] | UnsetType = UNSET
    min_chars: Annotated[int, Meta(ge=0, le=300)] | UnsetType = UNSET
    max_chars: Annotated[int, Meta(ge=20, le=500)] | UnsetType = UNSET
    schedule: (
        Annotated[tuple[Annotated[int, Meta(ge=1, le=300)], ...], Meta(max_length=16)] | UnsetType
    ) = UNSET
    release_chars: Annotated[int, Meta(ge=0, le=300)] | UnsetType = UNSET
    max_delay_ms: Annotated[int, Meta(ge=0, le=60_000)] | UnsetType = UNSET
    idle_ms: Annotated[int, Meta(ge=0, le=60_000)] | UnsetType = UNSET
    auto_flush: bool | UnsetType = UNSET
    push_boundary: PushBoundary | UnsetType = UNSET


Number = Annotated[float, Meta(ge=-1_000.0, le=1_000.0)]


class Parameters(msgspec.Struct, frozen=True):
    """The speech parameters of the native protocol, the same over HTTP and WebSocket. Everything is optional."""

    model: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    voice: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    language: Annotated[str, Meta(max_length=35)] | UnsetType = UNSET
    speed: Number | UnsetType = UNSET
    pitch: Number | UnsetType = UNSET
    volume: Number | UnsetType = UNSET
    format: FormatRequest | UnsetType = UNSET
    buffering: BufferingRequest | UnsetType = UNSET
    cleanup: Cleanup | UnsetType = UNSET
    code_notice: bool | UnsetType = UNSET
    lexicon: Annotated[str, Meta(min_length=1, max_length=64)] | UnsetType | None = UNSET
    timestamps: bool | UnsetType = UNSET
    delivery: Delivery | UnsetType = UNSET
    lead_ms: Annotated[int, Meta(ge=100, le=600_000)] | UnsetType | None = UNSET


# --- what exists -----------------------------------------------------------------------------------------------------


class Spoken(msgspec.Struct, frozen=True):
    """An engine's voice with a language that it speaks, which decides how text is cut and read."""

    voice: str
    language: str


class Voice(msgspec.Struct, frozen=True):
    """A voice that an engine offers. `id` is what callers say; languages are BCP 47 codes, lower case.

    `spoken` is for names that several voices share, one for each language, in lower case, as callers write it; without it the
    engine has a voice by this `id`.
    """

    id: str
    name: str
    language: str
    languages: tuple[str, ...] = ()
    gender: str | None = None
    spoken: Mapping[str, Spoken] = {}


class Range(msgspec.Struct, frozen=True):
    """A control that exists, with its inclusive limits."""

    minimum: float
    maximum: float


class Controls(msgspec.Struct, frozen=True):
    """Which controls a model has on one route; None = it has it not."""

    speed: Range | None = None
    pitch: Range | None = None
    volume: Range | None = None


class Model(msgspec.Struct, frozen=True):
    """A name that callers use for an engine with its voices and capabilities.

    `engine_rate` is the engine's own sample rate in Hz, `sample_rates` those it may be resampled to; `variants` are
    voice modifiers that may follow any voice as `voice+variant`; `delivery` is how its speech comes unless the caller says it.
    `text_chars_max` are the characters that one request or message may have on a route, where the vendor has a bound of its own.
        `phonemes` is the alphabet in which the engine takes them, None = it takes none.
    """

    id: str
    engine: str
    description: str
    engine_rate: int
    sample_rates: tuple[int, ...]
    voices: Mapping[str, Voice]
    default_voice: str
    controls: Mapping[Route, Controls]
    variants: frozenset[str] = frozenset()
    phonemes: str | None = None
    delivery: Delivery = Delivery.NATIVE
    text_chars_max: Mapping[Route, int] = {}


class Catalog(msgspec.Struct, frozen=True):
    """Every model that this server offers; the first is the default."""

    models: Mapping[str, Model]
    default_model: str


# --- what will happen ------------------------------------------------------------------------------------------------


class Format(msgspec.Struct, frozen=True):
    """The form of the audio on the wire. `bitrate` in bit/s, 0 where the codec has none; `container` None likewise."""

    codec: Codec
    sample_rate: int
    bitrate: int = 0
    container: Container | None = None

    def __str__(self) -> str:
        bitrate = f", {self.bitrate} bit/s" if self.bitrate else ""
        container = f", {self.container}" if self.container else ""
        return f"{self.codec} at {self.sample_rate} Hz{bitrate}{container}"


class Segmentation(msgspec.Struct, frozen=True):
    """How text becomes segments; lengths in characters (code points), 0 = off.

    `first_chars_min`/`first_chars_max`: the first piece may leave at a clause from min on and at a phrase border by max.
    `min_chars`: later sentence ends are passed over below this length (0 = grows by itself with what was spoken).
    `max_chars`: no piece is longer, ever. `schedule`: explicit minima for piece 1, 2, … n, the last one repeating.
    `release_chars`: whatever is pending leaves when this many characters are. `max_delay_ms`: text waits no longer for
    its boundary. `idle_ms`: a finished sentence waits no longer for the next character. Without `auto_flush` nothing
    leaves before a flush or the cap, and then as many whole sentences as fit; a longer one is cut at a clause or a blank.
    """

    preset: Preset = Preset.BALANCED
    first_chars_min: int = 20
    first_chars_max: int = 60
    min_chars: int = 0
    max_chars: int = 250
    schedule: tuple[int, ...] = ()
    release_chars: int = 0
    max_delay_ms: int = 1_000
    idle_ms: int = 150
    auto_flush: bool = True
    push_boundary: PushBoundary = PushBoundary.NONE


PRESETS: Mapping[Preset, Segmentation] = {
    Preset.LATENCY: Segmentation(
        preset=Preset.LATENCY, first_chars_min=12, first_chars_max=40, max_chars=150
    ),
    Preset.BALANCED: Segmentation(),
    Preset.QUALITY: Segmentation(
        preset=Preset.QUALITY, first_chars_min=40, first_chars_max=120, max_chars=400
    ),
}
"""The three rows of the segmentation study."""


class TextSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a context's text becomes segments: what matters before any engine."""

    language: str
    segmentation: Segmentation = Segmentation()
    cleanup: Cleanup = Cleanup.OFF
    code_notice: bool = False
    lexicon: LexiconInUse | None = None


class Settings(TextSettings, frozen=True, kw_only=True):
    """The effective settings of a context: complete, judged, and announced to the caller as they are."""

    model: str
    engine: str
    engine_rate: int
    phonemes: str | None = None
    voice: str
    speed: float
    pitch: float
    volume: float
    format: Format
    timestamps: bool
    delivery: Delivery = Delivery.NATIVE
    lead_ms: int | None
    pause_ms: int = 0
    """Silence between any two segments that are spoken, in place of the pause that the engine would make there."""


class Defaults(msgspec.Struct, frozen=True):
    """What a route takes where the caller says nothing."""

    route: Route
    codec: Codec
    lead_ms: int | None
    timestamps: bool = False


HTTP_DEFAULTS = Defaults(route=Route.HTTP, codec=Codec.MP3, lead_ms=None)
WEBSOCKET_DEFAULTS = Defaults(route=Route.WEBSOCKET, codec=Codec.PCM_S16LE, lead_ms=4_000)
