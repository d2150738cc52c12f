"""What the vendors' dialects offer: models with their capabilities and prices, and names of voices, as data.

Each dialect has a TOML file here, and the configuration may name another in its place. A vendor's voice is a name in many
languages, and an engine has voices that each speak one; so a name is a gender and a variant, and each language names the
engine's voice that the variant modifies.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.config import RATES, ConfigError, ControlsConfig, controls_of
from gateway.core.limits import Chars
from gateway.core.params import Catalog, Model, Spoken, Voice
from gateway.core.vocabulary import Delivery, Route
from gateway.engines.base import EngineInfo


class NameConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A voice as the vendor names it. It speaks all the `languages` of the catalog unless it names some; `language` is what it
    speaks when it is not told. `variant` modifies the engine's voice; empty = it is as it is."""

    gender: Literal["male", "female"]
    language: str
    variant: str = ""
    languages: tuple[str, ...] = ()


class VendorModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model as the vendor names it. `model` is the one of the gateway's own that speaks for it; empty = its default one.
    Without `voices` it has all of the catalog. `http_file` is what it can do when the whole file is waited for; without it that
    is what `http` says. `text_chars_max` bounds one request or message of a route, beside the limits of the gateway."""

    default_voice: str
    model: str = ""
    description: str = ""
    voices: tuple[str, ...] = ()
    sample_rates: tuple[Annotated[int, Meta(ge=8_000, le=48_000)], ...] = RATES
    millicredits_per_char: Annotated[int, Meta(ge=0, le=1_000_000)] = 1
    price_step_chars: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    delivery: Delivery = Delivery.NATIVE
    text_chars_max: dict[Route, Chars] = {}
    http: ControlsConfig = ControlsConfig()
    http_file: ControlsConfig | None = None
    websocket: ControlsConfig = ControlsConfig()


class VendorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A catalog as its file has it. `languages` leads from the codes that callers say to the engine's voices."""

    default_model: str
    languages: dict[str, str]
    voices: dict[str, NameConfig]
    models: dict[str, VendorModelConfig]


def read_vendor(dialect: str, file: str = "") -> VendorConfig:
    """The catalog of a dialect: its own, or the one in this file. Raises ConfigError."""
    source = Path(file) if file else files(__name__) / f"{dialect}.toml"
    try:
        return msgspec.convert(tomllib.loads(source.read_text("utf-8")), VendorConfig)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{source}: {error}") from None


def build_vendor(config: VendorConfig, own: Catalog, engines: Mapping[str, EngineInfo]) -> Catalog:
    """What can be asked for, spoken by the gateway's `own` models with the voices that started engines have. Raises ConfigError
    for what these have not."""
    models = {}
    # Several models have the same voices.
    heard: dict[str, dict[str, Voice]] = {}
    for id, model in config.models.items():
        speaker = own.models.get(model.model or own.default_model)
        if speaker is None:
            raise ConfigError(f"models.{id}.model: the gateway has no model {model.model!r}")
        info = engines[speaker.engine]
        names = model.voices or tuple(config.voices)
        known = heard.setdefault(speaker.engine, {})
        for name in names:
            if name not in known:
                known[name] = _voice(name, config, info)
        voices = {name.lower(): known[name] for name in names}
        if model.default_voice.lower() not in voices:
            raise ConfigError(f"models.{id}: it has no voice {model.default_voice!r}")
        models[id] = Model(
            id=id,
            engine=speaker.engine,
            description=model.description,
            engine_rate=info.sample_rate,
            sample_rates=model.sample_rates,
            voices=voices,
            default_voice=model.default_voice.lower(),
            controls={
                Route.HTTP: controls_of(model.http),
                Route.HTTP_FILE: controls_of(model.http_file or model.http),
                Route.WEBSOCKET: controls_of(model.websocket),
            },
            delivery=model.delivery,
            text_chars_max=model.text_chars_max,
            phonemes=info.phonemes,
        )
    if config.default_model not in models:
        raise ConfigError(f"default_model: there is no model {config.default_model!r}")
    return Catalog(models, config.default_model)


def _voice(name: str, config: VendorConfig, info: EngineInfo) -> Voice:
    if name not in config.voices:
        raise ConfigError(f"voices: there is no voice {name!r}")
    is_ = config.voices[name]
    codes = is_.languages or tuple(config.languages)
    if is_.language not in codes:
        raise ConfigError(f"voices.{name}.language: it speaks no {is_.language!r}")
    if is_.variant and info.variants and is_.variant not in info.variants:
        raise ConfigError(f"voices.{name}.variant: the engine has no {is_.variant!r}")
    engines = {voice.id: voice for voice in info.voices}
    return Voice(
        id=name,
        name=name,
        language=is_.language,
        languages=codes,
        gender=is_.gender,
        spoken={code.lower(): _spoken(code, is_, config, info, engines) for code in codes},
    )


def _spoken(
    code: str,
    name: NameConfig,
    config: VendorConfig,
    info: EngineInfo,
    known: Mapping[str, Voice],
) -> Spoken:
    """The engine's voice for a language. The language stays what the caller calls it, as long as the engine means the same by
    it: "od-IN" is nobody else's code for Odia, so that one is "or"."""
    if code not in config.languages:
        raise ConfigError(f"languages: there is no {code!r}")
    # An engine without variants has one voice for whatever it is asked.
    id = config.languages[code] if info.variants else info.default_voice
    if id not in known:
        raise ConfigError(f"languages.{code}: the engine has no voice {id!r}")
    speaks = {known[id].language, *known[id].languages}
    same = not info.variants or code.lower().partition("-")[0] in {
        language.lower().partition("-")[0] for language in speaks
    }
    variant = f"+{name.variant}" if name.variant and info.variants else ""
    return Spoken(f"{id}{variant}", code.lower() if same else known[id].language)
