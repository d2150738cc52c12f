"""From what a caller asks for to what will happen: `resolve` is the only road from `Parameters` to `Settings`.

It fills in defaults, judges every control against the model's capabilities on the caller's route, and when it has to
say no it names near matches and the models that could.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TypedDict, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from gateway.core.errors import InvalidValue, UnknownModel, UnknownVoice, Unsupported
from gateway.core.formats import judge_format
from gateway.core.lexicon import Lexicon, LexiconInUse, rules_for
from gateway.core.params import (
    PRESETS,
    BufferingRequest,
    Catalog,
    Controls,
    Defaults,
    FormatRequest,
    Model,
    Parameters,
    Segmentation,
    Settings,
    Voice,
)
from gateway.core.vocabulary import Cleanup, Preset

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)
NEAR_MATCHES_MAX = 3
NEUTRAL = {"speed": 1.0, "pitch": 0.0, "volume": 1.0}


def merge(older: S, newer: S) -> S:
    """`older` with every field that `newer` sets; nested requests are merged field by field."""
    changes: dict[str, object] = {}
    for name in newer.__struct_fields__:
        new, old = getattr(newer, name), getattr(older, name)
        if new is UNSET:
            continue
        both = isinstance(new, msgspec.Struct) and isinstance(old, msgspec.Struct)
        changes[name] = merge(old, new) if both else new
    return msgspec.structs.replace(older, **changes)


def resolve(asked: Parameters, catalog: Catalog, defaults: Defaults) -> Settings:
    """The effective settings for a request on this route, but for its lexicon: see `spoken_by`.

    Raises UnknownModel, UnknownVoice, Unsupported or InvalidValue, each naming the field at fault.
    """
    model = _model(asked, catalog)
    voice, language = _voice_and_language(asked, model)
    wanted = _given(asked.format, FormatRequest())
    codec = _given(wanted.codec, defaults.codec)
    format = judge_format(
        codec,
        _given(wanted.sample_rate, None),
        _given(wanted.bitrate, None),
        _given(wanted.container, None),
        engine_rate=model.engine_rate,
        sample_rates=model.sample_rates,
    )
    return Settings(
        model=model.id,
        engine=model.engine,
        engine_rate=model.engine_rate,
        phonemes=model.phonemes,
        voice=voice,
        language=language,
        speed=_control("speed", asked, model, catalog, defaults),
        pitch=_control("pitch", asked, model, catalog, defaults),
        volume=_control("volume", asked, model, catalog, defaults),
        format=format,
        segmentation=segmentation(_given(asked.buffering, BufferingRequest())),
        cleanup=_given(asked.cleanup, Cleanup.OFF),
        code_notice=_given(asked.code_notice, False),
        timestamps=_given(asked.timestamps, defaults.timestamps),
        delivery=_given(asked.delivery, model.delivery),
        lead_ms=_given(asked.lead_ms, defaults.lead_ms),
    )


def without_unsupported(
    asked: Parameters, catalog: Catalog, defaults: Defaults
) -> tuple[Parameters, tuple[str, ...]]:
    """What is left of a request when the controls are taken away that its model has not on this route, and their names: for
    dialects whose vendors ignore these. An unknown model has lost none."""
    name = _given(asked.model, catalog.default_model)
    model = catalog.models.get(name)
    if model is None:
        return asked, ()
    controls = model.controls.get(defaults.route, Controls())
    ignored = tuple(
        control
        for control in NEUTRAL
        if getattr(asked, control) is not UNSET and getattr(controls, control) is None
    )
    return msgspec.structs.replace(asked, **dict.fromkeys(ignored, UNSET)), ignored


def spoken_by(lexicon: Lexicon | None, settings: Settings) -> Settings:
    """The same, by this lexicon, which is what the request's parameter named when it was read. Raises Unsupported for one
    that has phonemes alone where the engine takes none."""
    if lexicon is not None and settings.phonemes is None:
        for rule in rules_for(lexicon, settings.language):
            if rule.alias is None:
                raise Unsupported(
                    f"the lexicon has phonemes alone for {rule.word!r}; model {settings.model!r} takes none",
                    field="lexicon",
                    allowed="a lexicon with an alias for each word, or another model",
                )
    in_use = None if lexicon is None else LexiconInUse(lexicon.id, lexicon.version)
    return msgspec.structs.replace(settings, lexicon=in_use)


def segmentation(asked: BufferingRequest) -> Segmentation:
    """The preset's thresholds with what the caller changed. Raises InvalidValue where they contradict each other."""
    preset = PRESETS[_given(asked.preset, Preset.BALANCED)]
    given = {
        name: value
        for name in asked.__struct_fields__
        if (value := getattr(asked, name)) is not UNSET
    }
    chosen = msgspec.structs.replace(preset, **given)
    for low, high in (
        ("first_chars_max", "max_chars"),
        ("first_chars_min", "first_chars_max"),
        ("min_chars", "max_chars"),
        ("release_chars", "max_chars"),
    ):
        if getattr(chosen, low) <= getattr(chosen, high):
            continue
        if low not in given:
            # The caller moved only the upper threshold: the preset's lower one follows.
            chosen = msgspec.structs.replace(chosen, **{low: getattr(chosen, high)})
            continue
        raise InvalidValue(
            f"{low} is larger than {high}",
            field=f"buffering.{low}",
            allowed=f"at most {getattr(chosen, high)}",
        )
    return chosen


def _model(asked: Parameters, catalog: Catalog) -> Model:
    if isinstance(asked.model, UnsetType):
        return catalog.models[catalog.default_model]
    model = catalog.models.get(asked.model)
    if model is None:
        raise UnknownModel(
            f"there is no model {asked.model!r}",
            field="model",
            **_near(asked.model, catalog.models),
        )
    return model


def _voice_and_language(asked: Parameters, model: Model) -> tuple[str, str]:
    """A voice that was asked for decides; otherwise the language picks one; otherwise the model's default."""
    language = None if isinstance(asked.language, UnsetType) else asked.language.lower()
    if not isinstance(asked.voice, UnsetType):
        base, plus, variant = asked.voice.lower().partition("+")
        voice = model.voices.get(base)
        if voice is None:
            raise UnknownVoice(
                f"model {model.id!r} has no voice {asked.voice!r}",
                field="voice",
                **_near(base, (voice.id for voice in model.voices.values())),
            )
        if plus and variant not in model.variants:
            raise UnknownVoice(
                f"model {model.id!r} has no voice variant {variant!r}",
                field="voice",
                **_near(variant, model.variants),
            )
        if voice.spoken:
            return _spoken(voice, language or voice.language.lower())
        return f"{base}{plus}{variant}", language or voice.language
    default = model.voices[model.default_voice]
    if language is None:
        return _spoken(default, default.language.lower())
    for spoken in (language, language.partition("-")[0]):
        for voice in _default_first(model):
            if spoken in voice.spoken:
                return _spoken(voice, spoken)
            if spoken == voice.language or spoken in voice.languages:
                return voice.id, language
    raise Unsupported(
        f"model {model.id!r} speaks no {language!r}",
        field="language",
        **_near(language, {voice.language for voice in model.voices.values()}),
    )


def _spoken(voice: Voice, language: str) -> tuple[str, str]:
    """The engine's voice that speaks this language under the name, and the language that it takes it for."""
    if not voice.spoken:
        return voice.id, language
    for code in (language, language.partition("-")[0]):
        if found := voice.spoken.get(code):
            return found.voice, found.language
    raise Unsupported(
        f"voice {voice.name!r} speaks no {language!r}",
        field="language",
        **_near(language, voice.languages),
    )


def _default_first(model: Model) -> list[Voice]:
    """The model's voices with its default one in front, so that "en" means the default English."""
    default = model.voices[model.default_voice]
    return [default, *(voice for voice in model.voices.values() if voice is not default)]


def _control(
    name: str, asked: Parameters, model: Model, catalog: Catalog, defaults: Defaults
) -> float:
    """A control's value, judged by what the model can do on this route."""
    value = getattr(asked, name)
    if isinstance(value, UnsetType):
        return NEUTRAL[name]
    range_ = getattr(model.controls.get(defaults.route, Controls()), name)
    if range_ is None:
        able = [
            other.id
            for other in catalog.models.values()
            if getattr(other.controls.get(defaults.route, Controls()), name) is not None
        ]
        raise Unsupported(
            f"model {model.id!r} has no {name} over {defaults.route}",
            field=name,
            allowed="models with it: " + ", ".join(able) if able else "no model has it",
        )
    if not range_.minimum <= value <= range_.maximum:
        raise InvalidValue(
            f"{name} is {value:g}",
            field=name,
            allowed=f"{range_.minimum:g} to {range_.maximum:g}",
        )
    return float(value)


def _given(value: T | UnsetType, otherwise: T) -> T:
    return otherwise if isinstance(value, UnsetType) else value


class _Near(TypedDict):
    allowed: str
    suggestions: tuple[str, ...]


def _near(name: str, known: Iterable[str]) -> _Near:
    """What the caller may have meant, in words and by name. Case makes no difference."""
    names = {each.lower(): each for each in known}
    if not names:
        return {"allowed": "nothing: this model has none", "suggestions": ()}
    near = difflib.get_close_matches(name.lower(), names, n=NEAR_MATCHES_MAX, cutoff=0.5)
    suggestions = tuple(names[each] for each in near)
    if suggestions:
        allowed = f"did you mean {', '.join(suggestions)}?"
    else:
        allowed = f"one of {len(names)} names; the voices and models lists have them"
    return {"allowed": allowed, "suggestions": suggestions}
