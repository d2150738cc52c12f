"""What YourVoic's clients ask beside speech: voices, languages, models, credits and usage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from gateway.core.errors import InvalidValue
from gateway.core.params import Catalog, Controls, Model, Range, Voice
from gateway.core.vocabulary import Delivery, Route
from gateway.dialects.yourvoic.speech import PITCH_STEPS, SEMITONES_PER_STEP, FileFormat, Format

GENDERS = ("male", "female")


class YourVoicVoice(msgspec.Struct, frozen=True):
    """A voice. `language` is the one that its name is of; it may speak others, too."""

    name: str
    gender: str | None
    language: str
    models: tuple[str, ...]


class YourVoicVoices(msgspec.Struct, frozen=True):
    """The answer of `GET /v1/voices`."""

    voices: tuple[YourVoicVoice, ...]


class YourVoicLanguage(msgspec.Struct, frozen=True):
    """A language by its BCP 47 code and its English name."""

    code: str
    name: str


class YourVoicLanguages(msgspec.Struct, frozen=True):
    """The answer of `GET /v1/languages`."""

    languages: tuple[YourVoicLanguage, ...]


Bounds = tuple[float, float]


class YourVoicControls(msgspec.Struct, frozen=True):
    """What a route can do to a voice, as [lowest, highest]; null = it cannot. The pitch is in steps."""

    speed: Bounds | None
    pitch: Bounds | None


class YourVoicModel(msgspec.Struct, frozen=True):
    """A model. `streaming` is native when audio is sent as it is made, and progressive when a piece is sent once it is finished."""

    id: str
    description: str
    is_default: bool
    credits_per_1000_characters: float
    streaming: Delivery
    stream: YourVoicControls
    generate: YourVoicControls
    stream_formats: tuple[Format, ...] = tuple(Format)
    generate_formats: tuple[FileFormat, ...] = tuple(FileFormat)


class YourVoicModels(msgspec.Struct, frozen=True):
    """The answer of `GET /v1/models`."""

    models: tuple[YourVoicModel, ...]


class YourVoicCredits(msgspec.Struct, frozen=True):
    """The answer of `GET /v1/user/credits`. Nothing is renewed here."""

    credits: float
    used_this_month: float
    plan: Literal["self-hosted"] = "self-hosted"
    renewal_date: None = None


class YourVoicSpoken(msgspec.Struct, frozen=True):
    """What was spoken in some time, or by some route and model."""

    requests: int
    characters: int
    credits: float


class YourVoicUsed(YourVoicSpoken, frozen=True):
    """What was spoken by a route with a model this month."""

    endpoint: str
    model: str


class YourVoicUsage(msgspec.Struct, frozen=True):
    """The answer of `GET /v1/usage`: what the account had spoken. Days and months are those of UTC."""

    today: YourVoicSpoken
    this_month: YourVoicSpoken
    total: YourVoicSpoken
    by_endpoint: tuple[YourVoicUsed, ...] = ()


def voices(catalog: Catalog, query: Mapping[str, str]) -> YourVoicVoices:
    """Those that are asked for by `language`, `gender` and `model`; what nobody has gives an empty list. Raises InvalidValue for a
    gender that there is not."""
    gender = query.get("gender", "")
    if gender and gender not in GENDERS:
        raise InvalidValue(
            f"there is no gender {gender!r}", field="gender", allowed=", ".join(GENDERS)
        )
    language, model = query.get("language", "").lower(), query.get("model", "")
    return YourVoicVoices(
        tuple(
            found
            for found in _voices(catalog)
            if gender in {"", found.gender}
            and (not model or model in found.models)
            and (not language or _speaks(found, language))
        )
    )


def _speaks(voice: YourVoicVoice, language: str) -> bool:
    """Whether the voice is one of this language, which may be a whole family as `en` is."""
    code = voice.language.lower()
    return language in {code, code.partition("-")[0]}


def _voices(catalog: Catalog) -> Sequence[YourVoicVoice]:
    found: dict[str, Voice] = {}
    models: dict[str, list[str]] = {}
    for model in catalog.models.values():
        for voice in model.voices.values():
            found.setdefault(voice.name, voice)
            models.setdefault(voice.name, []).append(model.id)
    return [
        YourVoicVoice(name, voice.gender, voice.language, tuple(models[name]))
        for name, voice in found.items()
    ]


def languages(catalog: Catalog, names: Mapping[str, str]) -> YourVoicLanguages:
    """All that any voice speaks, in their order in the catalog; `names` are their English names by code."""
    speakers = (voice for model in catalog.models.values() for voice in model.voices.values())
    codes = dict.fromkeys(code for voice in speakers for code in voice.languages)
    return YourVoicLanguages(tuple(YourVoicLanguage(code, names.get(code, code)) for code in codes))


def models(catalog: Catalog, millicredits: Mapping[str, int]) -> YourVoicModels:
    """All of them; `millicredits` is what 1,000 characters cost, by model."""
    return YourVoicModels(
        tuple(
            YourVoicModel(
                id=model.id,
                description=model.description,
                is_default=model.id == catalog.default_model,
                credits_per_1000_characters=millicredits[model.id] / 1_000,
                streaming=model.delivery,
                stream=_controls(model, Route.HTTP),
                generate=_controls(model, Route.HTTP_FILE),
            )
            for model in catalog.models.values()
        )
    )


def _controls(model: Model, route: Route) -> YourVoicControls:
    controls = model.controls.get(route, Controls())
    return YourVoicControls(_bounds(controls.speed), _in_steps(controls.pitch))


def _bounds(range_: Range | None) -> Bounds | None:
    return None if range_ is None else (range_.minimum, range_.maximum)


def _in_steps(range_: Range | None) -> Bounds | None:
    if range_ is None:
        return None
    lowest = round(range_.minimum / SEMITONES_PER_STEP, 3)
    highest = round(range_.maximum / SEMITONES_PER_STEP, 3)
    return max(lowest, -PITCH_STEPS), min(highest, PITCH_STEPS)
