"""What vendors' catalogs become: names of voices that speak each language with another voice of the engine."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.catalogs import NameConfig, VendorConfig, VendorModelConfig, build_vendor, read_vendor
from gateway.config import ConfigError, ControlsConfig, DialectsConfig
from gateway.core.errors import UnknownVoice, Unsupported
from gateway.core.params import HTTP_DEFAULTS, Catalog, Model, Parameters, Voice
from gateway.core.resolve import resolve, without_unsupported
from gateway.core.vocabulary import Delivery, Route
from gateway.engines.base import EngineInfo

INFO = EngineInfo(
    name="espeak",
    sample_rate=22_050,
    voices=(
        Voice("en-us", "English", "en-us", ("en-us", "en")),
        Voice("hi", "Hindi", "hi", ("hi",)),
        Voice("or", "Oriya", "or", ("or",)),
    ),
    default_voice="en-us",
    text_chars_max=300,
    variants=frozenset({"f2", "m3"}),
)
OWN = Catalog(
    {
        "own": Model(
            id="own",
            engine="espeak",
            description="",
            engine_rate=22_050,
            sample_rates=(22_050,),
            voices={voice.id: voice for voice in INFO.voices},
            default_voice="en-us",
            controls={},
        )
    },
    "own",
)
VENDOR = VendorConfig(
    default_model="prime",
    languages={"en-US": "en-us", "hi-IN": "hi", "od-IN": "or"},
    voices={
        "Peter": NameConfig("male", "en-US", "m3"),
        "Deepika": NameConfig("female", "hi-IN", "f2", ("hi-IN", "en-US")),
    },
    models={
        "prime": VendorModelConfig(
            "Peter",
            http=ControlsConfig(speed=(0.5, 2.0)),
            http_file=ControlsConfig(speed=(0.5, 2.0), pitch=(-9.0, 9.0)),
        ),
        "flash": VendorModelConfig(
            "Peter", voices=("Peter",), delivery=Delivery.PROGRESSIVE, http=ControlsConfig()
        ),
    },
)


def built(vendor: VendorConfig = VENDOR) -> Catalog:
    return build_vendor(vendor, OWN, {"espeak": INFO})


@pytest.mark.parametrize(
    ("asked", "voice", "language"),
    [
        (Parameters(), "en-us+m3", "en-us"),
        (Parameters(voice="Peter"), "en-us+m3", "en-us"),
        (Parameters(voice="PETER", language="hi-IN"), "hi+m3", "hi-in"),
        (Parameters(voice="deepika"), "hi+f2", "hi-in"),
        (Parameters(language="hi-IN"), "hi+m3", "hi-in"),
        # Nobody else calls Odia od, so the engine's code decides how it is cut.
        (Parameters(language="od-in"), "or+m3", "or"),
    ],
)
def test_a_name_speaks_each_language_with_another_voice(
    asked: Parameters, voice: str, language: str
) -> None:
    settings = resolve(asked, built(), HTTP_DEFAULTS)
    assert (settings.voice, settings.language) == (voice, language)


def test_a_name_that_does_not_speak_a_language_says_which_it_does() -> None:
    with pytest.raises(Unsupported) as refused:
        resolve(Parameters(voice="Deepika", language="od-IN"), built(), HTTP_DEFAULTS)
    assert refused.value.problem.field == "language"
    assert "hi-IN" in (refused.value.problem.allowed or "")


def test_an_unknown_name_brings_near_ones() -> None:
    with pytest.raises(UnknownVoice) as refused:
        resolve(Parameters(voice="Petre"), built(), HTTP_DEFAULTS)
    assert "Peter" in (refused.value.problem.allowed or "")
    assert refused.value.problem.suggestions[0] == "Peter"


@pytest.mark.parametrize(
    ("route", "model", "ignored"),
    [
        (Route.HTTP, "prime", ("pitch", "volume")),
        (Route.HTTP_FILE, "prime", ("volume",)),
        (Route.HTTP, "flash", ("speed", "pitch", "volume")),
        (Route.HTTP, "nobody's", ()),
    ],
)
def test_controls_are_taken_away_by_model_and_route(
    route: Route, model: str, ignored: tuple[str, ...]
) -> None:
    asked = Parameters(model=model, speed=1.5, pitch=99.0, volume=1.0)
    defaults = msgspec.structs.replace(HTTP_DEFAULTS, route=route)
    left, names = without_unsupported(asked, built(), defaults)
    assert names == ignored
    for name in ("speed", "pitch", "volume"):
        assert (getattr(left, name) is msgspec.UNSET) == (name in ignored)


def test_a_model_says_how_its_speech_comes() -> None:
    assert resolve(Parameters(model="flash"), built(), HTTP_DEFAULTS).delivery is (
        Delivery.PROGRESSIVE
    )


def test_an_engine_with_one_voice_speaks_for_all() -> None:
    info = EngineInfo("tone", 22_050, (Voice("tone", "Tone", "en"),), "tone", 300)
    catalog = build_vendor(VENDOR, OWN, {"espeak": info})
    settings = resolve(Parameters(voice="Deepika"), catalog, HTTP_DEFAULTS)
    assert settings.voice == "tone"


@pytest.mark.parametrize("dialect", DialectsConfig.__struct_fields__)
def test_the_gateways_own_catalogs_can_be_read(dialect: str) -> None:
    vendor = read_vendor(dialect)
    assert vendor.default_model in vendor.models


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"default_model": "nobody"}, "default_model"),
        ({"models": {"prime": VendorModelConfig("Paul")}}, "Paul"),
        ({"models": {"prime": VendorModelConfig("Peter", model="x")}}, "models.prime.model"),
        ({"models": {"prime": VendorModelConfig("Peter", voices=("Paul",))}}, "Paul"),
        ({"languages": {"en-US": "en-us", "hi-IN": "hi", "od-IN": "xx"}}, "languages.od-IN"),
        ({"voices": VENDOR.voices | {"Peter": NameConfig("male", "xx-XX")}}, "voices.Peter"),
        ({"voices": VENDOR.voices | {"Peter": NameConfig("male", "en-US", "m9")}}, "variant"),
    ],
)
def test_a_catalog_that_cannot_be_is_refused(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        built(msgspec.structs.replace(VENDOR, **change))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.toml"):
        read_vendor("sarvam", str(tmp_path / "nothing.toml"))
    file = tmp_path / "wrong.toml"
    file.write_text("default_model = 3")
    with pytest.raises(ConfigError, match=r"wrong\.toml"):
        read_vendor("sarvam", str(file))
