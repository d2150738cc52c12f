"""From what a caller asks for to what will happen, or to a refusal that says what would do."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from gateway.core.errors import GatewayError, InvalidValue, UnknownModel, UnknownVoice, Unsupported
from gateway.core.params import (
    HTTP_DEFAULTS,
    PRESETS,
    WEBSOCKET_DEFAULTS,
    BufferingRequest,
    Catalog,
    Controls,
    Defaults,
    Format,
    FormatRequest,
    Model,
    Parameters,
    Range,
    Settings,
    Voice,
)
from gateway.core.resolve import merge, resolve, segmentation
from gateway.core.vocabulary import Codec, Container, Delivery, Preset, PushBoundary, Route

ALL = Controls(Range(0.5, 2.0), Range(-6.0, 6.0), Range(0.0, 1.0))
VOICES = (
    Voice("anna", "Anna", "de", ("de",)),
    Voice("emma", "Emma", "en-gb", ("en-gb", "en")),
    Voice("ella", "Ella", "en-us", ("en-us", "en")),
    Voice("jean", "Jean", "fr-fr", ("fr-fr", "fr")),
)


def model(id: str, websocket: Controls = ALL, **changes: object) -> Model:
    plain = Model(
        id=id,
        engine="any",
        description="",
        engine_rate=22_050,
        sample_rates=(8_000, 22_050, 24_000, 48_000),
        voices={voice.id: voice for voice in VOICES},
        default_voice="ella",
        controls={Route.HTTP: ALL, Route.WEBSOCKET: websocket},
        variants=frozenset({"whisper", "croak"}),
    )
    return msgspec.structs.replace(plain, **changes)


MODELS = (
    model("grand"),
    model("small", websocket=Controls(speed=Range(0.5, 1.5))),
    model("mute", websocket=Controls(pitch=Range(-1.0, 1.0)), variants=frozenset()),
    model("rough", engine_rate=16_000, sample_rates=(11_000, 15_000)),
)
CATALOG = Catalog({each.id: each for each in MODELS}, default_model="grand")


def resolved(asked: Parameters, defaults: Defaults = WEBSOCKET_DEFAULTS) -> Settings:
    return resolve(asked, CATALOG, defaults)


def test_nothing_need_be_asked() -> None:
    settings = resolved(Parameters())
    assert (settings.model, settings.voice, settings.language) == ("grand", "ella", "en-us")
    assert (settings.speed, settings.pitch, settings.volume) == (1.0, 0.0, 1.0)
    assert settings.format == Format(Codec.PCM_S16LE, 22_050)
    assert settings.segmentation == PRESETS[Preset.BALANCED]
    assert (settings.timestamps, settings.lead_ms) == (False, 4_000)


def test_the_routes_differ_in_codec_and_pacing_alone() -> None:
    http = resolved(Parameters(), HTTP_DEFAULTS)
    websocket = resolved(Parameters())
    assert http.format == Format(Codec.MP3, 22_050, 64_000)
    assert http.lead_ms is None
    same = msgspec.structs.replace(http, format=websocket.format, lead_ms=websocket.lead_ms)
    assert same == websocket


def test_delivery_is_native_unless_asked_for() -> None:
    for defaults in (HTTP_DEFAULTS, WEBSOCKET_DEFAULTS):
        assert resolved(Parameters(), defaults).delivery is Delivery.NATIVE
        asked = Parameters(delivery=Delivery.PROGRESSIVE)
        assert resolved(asked, defaults).delivery is Delivery.PROGRESSIVE


def test_no_pacing_can_be_asked_for() -> None:
    assert resolved(Parameters(lead_ms=None)).lead_ms is None
    assert resolved(Parameters(lead_ms=250), HTTP_DEFAULTS).lead_ms == 250


@pytest.mark.parametrize(
    ("asked", "voice", "language"),
    [
        (Parameters(voice="anna"), "anna", "de"),
        (Parameters(voice="ANNA"), "anna", "de"),
        (Parameters(voice="anna", language="en"), "anna", "en"),
        (Parameters(voice="Anna+Whisper"), "anna+whisper", "de"),
        (Parameters(language="de"), "anna", "de"),
        (Parameters(language="DE"), "anna", "de"),
        (Parameters(language="fr-CA"), "jean", "fr-ca"),
        (Parameters(language="en"), "ella", "en"),
        (Parameters(language="en-gb"), "emma", "en-gb"),
        (Parameters(language="en-au"), "ella", "en-au"),
    ],
)
def test_voice_and_language(asked: Parameters, voice: str, language: str) -> None:
    settings = resolved(asked)
    assert (settings.voice, settings.language) == (voice, language)


@pytest.mark.parametrize(
    ("asked", "error", "field", "allowed"),
    [
        (Parameters(model="gran"), UnknownModel, "model", "did you mean grand?"),
        (Parameters(model="xyz"), UnknownModel, "model", "one of 4 names"),
        (Parameters(model=""), UnknownModel, "model", "one of 4 names"),
        (Parameters(voice="ema"), UnknownVoice, "voice", "did you mean emma"),
        (Parameters(voice="Zzz"), UnknownVoice, "voice", "one of 4 names"),
        (Parameters(voice="anna+wisper"), UnknownVoice, "voice", "did you mean whisper?"),
        (Parameters(voice="anna+"), UnknownVoice, "voice", "one of 2 names"),
        (Parameters(model="mute", voice="anna+whisper"), UnknownVoice, "voice", "has none"),
        (Parameters(language="fi"), Unsupported, "language", "names"),
        (Parameters(language="e"), Unsupported, "language", "did you mean de?"),
        (Parameters(model="small", pitch=1.0), Unsupported, "pitch", "with it: grand, mute"),
        (Parameters(model="small", volume=1.0), Unsupported, "volume", "with it: grand"),
        (Parameters(model="mute", speed=1.0), Unsupported, "speed", "with it: grand, small"),
        (Parameters(model="small", speed=1.6), InvalidValue, "speed", "0.5 to 1.5"),
        (Parameters(speed=0.49), InvalidValue, "speed", "0.5 to 2"),
        (Parameters(speed=float("nan")), InvalidValue, "speed", "0.5 to 2"),
        (Parameters(pitch=-6.5), InvalidValue, "pitch", "-6 to 6"),
        (
            Parameters(model="rough", format=FormatRequest(codec=Codec.MP3)),
            *(Unsupported, "format.codec", None),
        ),
        (
            Parameters(format=FormatRequest(sample_rate=16_000)),
            *(Unsupported, "format.sample_rate", "8000, 22050, 24000, 48000"),
        ),
        (
            Parameters(format=FormatRequest(bitrate=64_000)),
            *(Unsupported, "format.bitrate", "codec mp3"),
        ),
        (
            Parameters(format=FormatRequest(codec=Codec.MP3, bitrate=65_000)),
            *(InvalidValue, "format.bitrate", "at 22050 Hz: 8000"),
        ),
        (
            Parameters(format=FormatRequest(codec=Codec.MP3, bitrate=320_000)),
            *(Unsupported, "format.bitrate", "320000 with sample_rate 48000"),
        ),
    ],
)
def test_a_refusal_says_what_would_do(
    asked: Parameters, error: type[GatewayError], field: str, allowed: str | None
) -> None:
    with pytest.raises(error) as refused:
        resolved(asked)
    assert refused.value.problem.field == field
    assert (allowed or "") in (refused.value.problem.allowed or "")


def test_a_control_is_judged_by_the_route() -> None:
    assert resolved(Parameters(model="small", pitch=1.0), HTTP_DEFAULTS).pitch == 1.0
    with pytest.raises(Unsupported, match="no pitch over websocket"):
        resolved(Parameters(model="small", pitch=1.0))


def test_a_control_that_no_model_has() -> None:
    alone = Catalog({"mute": MODELS[2]}, default_model="mute")
    with pytest.raises(Unsupported) as refused:
        resolve(Parameters(volume=1.0), alone, WEBSOCKET_DEFAULTS)
    assert refused.value.problem.allowed == "no model has it"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (FormatRequest(), Format(Codec.PCM_S16LE, 22_050)),
        (FormatRequest(sample_rate=24_000), Format(Codec.PCM_S16LE, 24_000)),
        (FormatRequest(codec=Codec.FLAC), Format(Codec.FLAC, 22_050, 0, Container.PER_FLUSH)),
        (
            FormatRequest(container=Container.PER_CONTEXT, codec=Codec.OPUS),
            Format(Codec.OPUS, 24_000, 32_000, Container.PER_CONTEXT),
        ),
        (FormatRequest(codec=Codec.MP3, sample_rate=8_000), Format(Codec.MP3, 8_000, 32_000)),
        (FormatRequest(codec=Codec.MP3, sample_rate=48_000), Format(Codec.MP3, 48_000, 128_000)),
        (FormatRequest(codec=Codec.MP3, bitrate=160_000), Format(Codec.MP3, 22_050, 160_000)),
    ],
)
def test_format(asked: FormatRequest, expected: Format) -> None:
    assert resolved(Parameters(format=asked)).format == expected


def test_the_next_higher_rate_stands_in_for_the_engine_s() -> None:
    between = model("between", engine_rate=16_000)
    catalog = Catalog({"between": between}, default_model="between")
    assert resolve(Parameters(), catalog, WEBSOCKET_DEFAULTS).format.sample_rate == 22_050
    beyond = Catalog({"b": model("b", engine_rate=96_000)}, default_model="b")
    assert resolve(Parameters(), beyond, WEBSOCKET_DEFAULTS).format.sample_rate == 48_000


@pytest.mark.parametrize("preset", Preset)
def test_a_preset_is_a_row(preset: Preset) -> None:
    assert segmentation(BufferingRequest(preset=preset)) == PRESETS[preset]


def test_what_is_named_goes_before_the_preset() -> None:
    asked = BufferingRequest(
        preset=Preset.QUALITY,
        schedule=(50, 120),
        auto_flush=False,
        push_boundary=PushBoundary.RELEASE,
    )
    assert segmentation(asked) == msgspec.structs.replace(
        PRESETS[Preset.QUALITY],
        schedule=(50, 120),
        auto_flush=False,
        push_boundary=PushBoundary.RELEASE,
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (BufferingRequest(first_chars_max=10), {"first_chars_min": 10, "first_chars_max": 10}),
        (BufferingRequest(max_chars=50), {"first_chars_max": 50, "max_chars": 50}),
        (
            BufferingRequest(max_chars=20, first_chars_max=20),
            {"first_chars_min": 20, "first_chars_max": 20, "max_chars": 20},
        ),
        (BufferingRequest(max_chars=20), {"first_chars_max": 20, "max_chars": 20}),
    ],
)
def test_a_threshold_that_was_not_named_follows(
    asked: BufferingRequest, expected: dict[str, int]
) -> None:
    assert segmentation(asked) == msgspec.structs.replace(PRESETS[Preset.BALANCED], **expected)


@pytest.mark.parametrize(
    ("asked", "field", "allowed"),
    [
        (BufferingRequest(first_chars_min=80), "first_chars_min", "at most 60"),
        (BufferingRequest(first_chars_max=300), "first_chars_max", "at most 250"),
        (BufferingRequest(min_chars=300), "min_chars", "at most 250"),
        (BufferingRequest(release_chars=200, max_chars=100), "release_chars", "at most 100"),
        (BufferingRequest(preset=Preset.LATENCY, min_chars=200), "min_chars", "at most 150"),
    ],
)
def test_a_contradiction_is_refused(asked: BufferingRequest, field: str, allowed: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        segmentation(asked)
    assert refused.value.problem.field == f"buffering.{field}"
    assert refused.value.problem.allowed == allowed


@pytest.mark.parametrize("preset", Preset)
@pytest.mark.parametrize("max_chars", [UNSET, 20, 50, 149, 500])
@pytest.mark.parametrize("first_chars_max", [UNSET, 10, 60, 300])
def test_thresholds_that_are_taken_do_not_contradict_each_other(
    preset: Preset, max_chars: int | UnsetType, first_chars_max: int | UnsetType
) -> None:
    asked = BufferingRequest(preset=preset, max_chars=max_chars, first_chars_max=first_chars_max)
    longest = PRESETS[preset].max_chars if isinstance(max_chars, UnsetType) else max_chars
    if not isinstance(first_chars_max, UnsetType) and first_chars_max > longest:
        with pytest.raises(InvalidValue, match="first_chars_max is larger than max_chars"):
            segmentation(asked)
        return
    taken = segmentation(asked)
    assert taken.first_chars_min <= taken.first_chars_max <= taken.max_chars
    assert max(taken.min_chars, taken.release_chars) <= taken.max_chars


def test_newer_parameters_go_before_older_ones_field_by_field() -> None:
    older = Parameters(
        voice="anna",
        speed=1.5,
        lead_ms=500,
        format=FormatRequest(codec=Codec.MP3, sample_rate=24_000),
    )
    newer = Parameters(
        speed=0.5,
        lead_ms=None,
        format=FormatRequest(sample_rate=8_000),
        buffering=BufferingRequest(min_chars=5),
    )
    assert merge(older, newer) == Parameters(
        voice="anna",
        speed=0.5,
        lead_ms=None,
        format=FormatRequest(codec=Codec.MP3, sample_rate=8_000),
        buffering=BufferingRequest(min_chars=5),
    )
    assert merge(older, Parameters()) == older
    assert merge(Parameters(), newer) == newer
    assert older.buffering is UNSET
