"""What the fields that say how to speak become, and which of them are refused, ignored or adjusted."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.core.errors import GatewayError, InvalidValue, UnknownModel, UnknownVoice, Unsupported
from gateway.core.params import Defaults, FormatRequest, Settings
from gateway.core.resolve import resolve
from gateway.core.vocabulary import Cleanup, Codec, Route
from gateway.dialects.sarvam import BITRATES, CODECS, SpeechFields, Wanted, rates_of, wanted
from tests.dialects.sarvam.catalog import CATALOG

LANGUAGES = "bn-IN en-IN gu-IN hi-IN kn-IN ml-IN mr-IN od-IN pa-IN ta-IN te-IN".split()
V2, V3, V4 = "bulbul:v2", "bulbul:v3", "bulbul:v4-flash"
USUAL = {Route.HTTP_FILE: "wav", Route.HTTP: "mp3", Route.WEBSOCKET: "mp3"}


def asked(route: Route = Route.HTTP, /, **fields: Any) -> Wanted:
    return wanted(msgspec.convert(fields, SpeechFields), CATALOG, route, usual_codec=USUAL[route])


def settled(route: Route = Route.HTTP, /, **fields: Any) -> Settings:
    want = asked(route, **fields)
    return resolve(want.parameters, CATALOG, Defaults(route, Codec.MP3, lead_ms=None))


def format_of(route: Route = Route.HTTP, /, **fields: Any) -> FormatRequest:
    format = asked(route, **fields).parameters.format
    assert isinstance(format, FormatRequest)
    return format


def test_nothing_but_text_is_enough() -> None:
    settings = settled()
    assert settings.model == V3
    assert (settings.format.codec, settings.format.sample_rate) == (Codec.MP3, 22_050)
    assert settings.format.bitrate == 128_000
    assert settings.lead_ms is None
    assert asked().ignored == asked().adjusted == ()


@pytest.mark.parametrize("field", ["language_code", "target_language_code"])
@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_is_taken_by_either_name(field: str, code: str) -> None:
    assert asked(**{field: code}).parameters.language == code


def test_the_newer_name_of_the_language_counts() -> None:
    both = asked(language_code="ta-IN", target_language_code="hi-IN")
    assert both.parameters.language == "ta-IN"


@pytest.mark.parametrize("field", ["language_code", "target_language_code"])
def test_other_languages_are_refused_by_the_name_that_was_used(field: str) -> None:
    with pytest.raises(Unsupported) as refused:
        asked(**{field: "fr-FR"})
    assert refused.value.problem.field == field
    assert "od-IN" in (refused.value.problem.allowed or "")


def test_null_is_as_good_as_nothing() -> None:
    assert asked(**dict.fromkeys(SpeechFields.__struct_fields__)) == asked()


@pytest.mark.parametrize(("model", "speakers"), [(V2, 7), (V3, 37), ("bulbul:v3-beta", 37)])
def test_each_model_has_its_speakers(model: str, speakers: int) -> None:
    voices = CATALOG.models[model].voices
    assert len(voices) == speakers
    for name in voices:
        assert settled(model=model, speaker=name, language_code="hi-IN").model == model


@pytest.mark.parametrize(
    ("model", "speaker"), [(V2, "anushka"), (V3, "shubh"), (V4, "shubh_enhi_ads")]
)
def test_each_model_has_the_documented_usual_speaker(model: str, speaker: str) -> None:
    assert CATALOG.models[model].default_voice == speaker


def test_personas_are_speakers() -> None:
    assert len(CATALOG.models[V4].voices) > 200
    assert settled(model=V4, speaker="simran_en_customer").model == V4


@pytest.mark.parametrize(("model", "speaker"), [(V3, "anushka"), (V2, "shubh"), (V4, "shubh")])
def test_the_wrong_speaker_is_told_who_there_is(model: str, speaker: str) -> None:
    with pytest.raises(UnknownVoice) as refused:
        asked(model=model, speaker=speaker)
    problem = refused.value.problem
    assert speaker in problem.message
    assert model in problem.message
    assert problem.field == "speaker"
    assert problem.message.partition("are: ")[2].split(", ") == list(CATALOG.models[model].voices)


def test_an_unknown_model_is_told_which_there_are() -> None:
    with pytest.raises(UnknownModel) as refused:
        asked(model="bulbul:v1")
    assert V4 in (refused.value.problem.allowed or "")


# --- controls --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", [Route.HTTP, Route.HTTP_FILE, Route.WEBSOCKET])
@pytest.mark.parametrize("model", [V3, V4, "bulbul:v3-beta"])
def test_pitch_and_loudness_are_ignored_and_named_where_the_model_has_none(
    route: Route, model: str
) -> None:
    for value in (0.0, 0.5, 99.0):
        want = asked(route, model=model, pitch=value, loudness=value)
        assert want.ignored == ("pitch", "loudness")
        assert settled(route, model=model, pitch=value).pitch == 0.0


def test_or_refused_where_the_operator_wants_it() -> None:
    with pytest.raises(Unsupported) as refused:
        wanted(
            SpeechFields(loudness=2.0),
            CATALOG,
            Route.HTTP,
            usual_codec="mp3",
            refuse_unsupported=True,
        )
    assert refused.value.problem.field == "loudness"


@pytest.mark.parametrize(
    ("field", "value", "control", "ours", "adjusted"),
    [
        ("pitch", 0.5, "pitch", 6.0, ()),
        ("pitch", -0.75, "pitch", -9.0, ()),
        ("pitch", 1.0, "pitch", 9.0, ("pitch=0.75",)),
        ("loudness", 1.0, "volume", 1.0, ()),
        ("loudness", 0.3, "volume", 0.3, ()),
        ("loudness", 0.1, "volume", 0.3, ("loudness=0.3",)),
        ("loudness", 3.0, "volume", 2.0, ()),
        ("pace", 3.0, "speed", 3.0, ()),
        ("pace", 0.3, "speed", 0.5, ("pace=0.5",)),
    ],
)
def test_v2_has_all_controls(
    field: str, value: float, control: str, ours: float, adjusted: tuple[str, ...]
) -> None:
    assert getattr(settled(model=V2, **{field: value}), control) == pytest.approx(ours)
    assert asked(model=V2, **{field: value}).adjusted == adjusted


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        *((V2, "pace", value) for value in (0.29, 3.01)),
        *((V3, "pace", value) for value in (0.49, 2.01)),
        *((V2, "pitch", value) for value in (-1.01, 1.01)),
        *((V2, "loudness", value) for value in (0.09, 3.01)),
        *((V3, "temperature", value) for value in (0.0, 2.01)),
    ],
)
def test_numbers_out_of_range_are_refused(model: str, field: str, value: float) -> None:
    with pytest.raises(InvalidValue) as refused:
        asked(model=model, **{field: value})
    assert refused.value.problem.field == field


@pytest.mark.parametrize("temperature", [0.01, 0.6, 1.0, 2.0])
def test_temperatures_are_taken_and_do_nothing(temperature: float) -> None:
    assert asked(temperature=temperature).ignored == ("temperature",)


def test_preprocessing_writes_numbers_out() -> None:
    assert settled(enable_preprocessing=True).cleanup is Cleanup.SPEECH
    assert settled(enable_preprocessing=False).cleanup is Cleanup.OFF
    assert asked(enable_preprocessing=True).ignored == ()


def test_cached_responses_do_nothing() -> None:
    assert asked(enable_cached_responses=True).ignored == ("enable_cached_responses",)


def test_the_oldest_model_has_no_dictionaries() -> None:
    assert asked(dict_id="p_5cb7faa6").dictionary == "p_5cb7faa6"
    want = asked(model=V2, dict_id="p_5cb7faa6")
    assert (want.dictionary, want.ignored) == (None, ("dict_id",))


# --- format ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("route", USUAL)
@pytest.mark.parametrize("model", [V2, V3, V4])
def test_every_codec_has_a_usual_rate_and_every_rate_and_bitrate_it_may_have(
    codec: str, route: Route, model: str
) -> None:
    settings = settled(route, model=model, output_audio_codec=codec)
    assert settings.format.codec is CODECS[codec]
    assert settings.format.sample_rate == (24_000 if codec == "opus" else 22_050)
    for rate in rates_of(CODECS[codec], CATALOG.models[model], route):
        for bitrate in BITRATES:
            settings = settled(
                route,
                model=model,
                output_audio_codec=codec,
                speech_sample_rate=rate,
                output_audio_bitrate=bitrate,
            )
            assert settings.format.sample_rate == rate


@pytest.mark.parametrize("rate", [24_000, "24000"], ids=["number", "text"])
def test_rates_are_numbers_or_text(rate: object) -> None:
    assert format_of(speech_sample_rate=rate).sample_rate == 24_000


@pytest.mark.parametrize("rate", [0, -1, 11_025, 12_000, "", "24k", "24000.0", "٢٤٠٠٠"])
def test_other_rates_are_refused(rate: object) -> None:
    with pytest.raises(Unsupported) as refused:
        asked(speech_sample_rate=rate)
    assert refused.value.problem.field == "speech_sample_rate"
    assert refused.value.problem.allowed == "8000, 16000, 22050, 24000"


@pytest.mark.parametrize("rate", [32_000, 44_100, 48_000])
def test_high_rates_are_for_files_of_newer_models(rate: int) -> None:
    for model in (V3, V4):
        assert format_of(Route.HTTP_FILE, model=model, speech_sample_rate=rate).sample_rate == rate
    for route, model in ((Route.HTTP_FILE, V2), (Route.HTTP, V3), (Route.WEBSOCKET, V3)):
        with pytest.raises(Unsupported):
            asked(route, model=model, speech_sample_rate=rate)


def test_opus_has_its_own_rates() -> None:
    for rate in (8_000, 12_000, 16_000, 24_000, 48_000):
        assert format_of(output_audio_codec="opus", speech_sample_rate=rate).sample_rate == rate
    with pytest.raises(Unsupported) as refused:
        asked(output_audio_codec="opus", speech_sample_rate=22_050)
    assert refused.value.problem.allowed == "8000, 12000, 16000, 24000, 48000"


@pytest.mark.parametrize(
    ("route", "fields", "rate", "bitrate", "adjusted"),
    [
        (Route.HTTP, {}, 22_050, 128_000, ()),
        (Route.HTTP, {"output_audio_bitrate": "32k"}, 22_050, 32_000, ()),
        # Nothing up to 24 kHz has 192 kbit/s in MP3, and nobody may stream more.
        (
            *(Route.HTTP, {"output_audio_bitrate": "192k"}),
            *(22_050, 160_000, ("output_audio_bitrate=160k",)),
        ),
        (
            *(Route.HTTP_FILE, {"output_audio_codec": "mp3", "output_audio_bitrate": "192k"}),
            *(32_000, 192_000, ("speech_sample_rate=32000",)),
        ),
        (
            *(Route.HTTP, {"output_audio_bitrate": "96k", "speech_sample_rate": 8_000}),
            *(8_000, 64_000, ("output_audio_bitrate=64k",)),
        ),
        # Nobody asked for a bitrate.
        (Route.HTTP, {"speech_sample_rate": 8_000}, 8_000, 64_000, ()),
        (
            *(Route.HTTP, {"output_audio_codec": "aac", "output_audio_bitrate": "96k"}),
            *(24_000, 96_000, ("speech_sample_rate=24000",)),
        ),
        (
            *(
                Route.HTTP,
                {
                    "output_audio_codec": "aac",
                    "output_audio_bitrate": "96k",
                    "speech_sample_rate": 22_050,
                },
            ),
            *(22_050, 88_200, ("output_audio_bitrate=88.2k",)),
        ),
        (
            *(Route.HTTP, {"output_audio_codec": "opus", "output_audio_bitrate": "192k"}),
            *(24_000, 192_000, ()),
        ),
    ],
)
def test_a_bitrate_that_the_rate_has_not(
    route: Route, fields: dict[str, object], rate: int, bitrate: int, adjusted: tuple[str, ...]
) -> None:
    format = format_of(route, **fields)
    assert (format.sample_rate, format.bitrate) == (rate, bitrate)
    assert asked(route, **fields).adjusted == adjusted


@pytest.mark.parametrize("codec", ["wav", "linear16", "mulaw", "alaw", "flac"])
def test_a_codec_without_bitrates_ignores_them(codec: str) -> None:
    want = asked(output_audio_codec=codec, output_audio_bitrate="64k")
    assert want.ignored == ("output_audio_bitrate",)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("output_audio_codec", "ogg"),
        ("output_audio_codec", "MP3"),
        ("output_audio_codec", ""),
        ("output_audio_bitrate", "48k"),
        ("output_audio_bitrate", "128000"),
    ],
)
def test_other_codecs_and_bitrates_are_refused(field: str, value: str) -> None:
    with pytest.raises(GatewayError) as refused:
        asked(**{field: value})
    assert refused.value.problem.field == field
    assert refused.value.problem.status == 422
    assert isinstance(refused.value, Unsupported)
