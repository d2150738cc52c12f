"""GistMag's voices, which are named as Google names its own: a language, a family, a voice of it."""

from __future__ import annotations

import re
from typing import Literal

import msgspec
from msgspec import UnsetType

from gateway.core.errors import UnknownVoice
from gateway.core.params import Catalog, Model, Voice

FAMILIES = ("Standard", "Wavenet", "Neural2")
"""Of Google's voices; all sound alike here."""
_GOOGLE = re.compile(
    r"(?P<language>[a-z]{2,3}-[a-z]{2})-(?:[a-z0-9]+-)+(?P<voice>[a-z]+)", re.IGNORECASE
)
_LETTER = re.compile(r"[A-Z]")


class GistMagVoice(msgspec.Struct, frozen=True):
    """A voice by Google's kind of name."""

    name: str
    language: str
    gender: Literal["male", "female"]


def list_voices(catalog: Catalog) -> list[GistMagVoice]:
    """The voices of `POST /tts` by their full names. More names are understood than are listed."""
    voices = catalog.models[catalog.default_model].voices
    letters = [voice for voice in voices.values() if _LETTER.fullmatch(voice.id)]
    languages = sorted({code for voice in letters for code in voice.languages if "-" in code})
    return [
        GistMagVoice(f"{language}-{family}-{letter.id}", language, _gender(spoken))
        for language in languages
        for family in FAMILIES
        for letter in letters
        for spoken in [voices.get(f"{language}-{letter.id}".lower(), letter)]
    ]


def _gender(voice: Voice) -> Literal["male", "female"]:
    return "female" if voice.gender == "female" else "male"


def voice_of(
    name: str | UnsetType, asked: str | UnsetType, model: Model
) -> tuple[str | UnsetType, str | UnsetType, bool]:
    """The voice and its language, as the catalog has them, for the name and the language that were asked for. A language in the
    name decides; the third value says whether the other one is another. Raises UnknownVoice."""
    if isinstance(name, UnsetType) or name.lower() in model.voices:
        return name, asked, False
    parts = _GOOGLE.fullmatch(name)
    if parts is None:
        raise UnknownVoice(
            f"there is no voice {name!r}",
            field="voice_name",
            allowed="a name like en-US-Wavenet-D; GET /tts/voices has them",
        )
    language, voice = parts["language"], parts["voice"]
    clashes = not isinstance(asked, UnsetType) and _base(asked) != _base(language)
    for known in (f"{language}-{voice}", voice):
        if known.lower() in model.voices:
            return known, language, clashes
    raise UnknownVoice(
        f"there is no voice {name!r}",
        field="voice_name",
        allowed="at its end one of "
        + ", ".join(each.id for each in model.voices.values() if "-" not in each.id),
    )


def _base(language: str) -> str:
    return language.lower().partition("-")[0]
