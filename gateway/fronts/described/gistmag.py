"""What a description says of GistMag's routes, and what the small ones answer."""

from __future__ import annotations

from typing import Literal, cast

import msgspec
from msgspec import UNSET, UnsetType

from gateway.core import errors as e
from gateway.core.limits import Limits
from gateway.core.params import Catalog
from gateway.dialects.gistmag.errors import GistMagErrorBody, GistMagWords
from gateway.dialects.gistmag.keys import GistMagKeyBody
from gateway.dialects.gistmag.speech import (
    BATCH_CHARS_MAX,
    TTS_CHARS_MAX,
    GistMagBatchBody,
    GistMagSpeechBody,
    GistMagStreamBody,
)
from gateway.dialects.gistmag.voices import FAMILIES, GistMagVoice
from gateway.fronts.described.operation import JSON, SPEECH, Dialect, Operation
from gateway.fronts.described.schemas import Json

NAME = "gistmag"
ENDPOINTS = ("/tts", "/tts/stream", "/tts/batch")
CLONES = ("/tts/voice-clone", "/tts/stream/voice-clone", "/tts/batch/voice-clone")
"""Of a voice from a recording, which no engine here can take."""


class GistMagVoices(msgspec.Struct, frozen=True):
    """The answer of `GET /tts/voices`."""

    voices: tuple[GistMagVoice, ...]


class GistMagUsage(msgspec.Struct, frozen=True):
    """The answer of `/usage`: what a key had spoken by these routes, and what its account has left. Months are those of UTC."""

    total_requests: int
    total_credits_used: int
    requests_this_month: int
    credits_used_this_month: int
    subscription_tier: Literal["pro"]
    credits_remaining: int
    usage_by_endpoint: dict[str, int]


class GistMagKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer of `POST /verify-key`: whose a good key is, or what is wrong with it."""

    valid: bool
    subscription_tier: Literal["pro"] | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


_SPEECH = tuple(error for error in SPEECH if error is not e.UnknownModel)
_KEY = (
    *(e.InvalidMessage, e.InvalidValue, e.MessageTooLarge, e.RateLimited, e.AccountsUnavailable),
)
_USAGE = (e.Unauthorized, e.Forbidden, e.RateLimited, e.AccountsUnavailable, e.NotFound)
_QUERY: dict[tuple[str, str], Json] = {
    ("query", "api_key"): {"description": "A key.", "schema": {"type": "string"}}
}
_EXAMPLE_KEY: Json = {"api_key": "sk_1f2e3d4c5b6a.secret"}
_CLONE_NAMES = ("gistmag_clone", "gistmag_clone_stream", "gistmag_clone_batch")

_NUMBER: Json = {"type": "integer", "minimum": 0}
HEADERS: dict[str, Json] = {
    "X-Chunk-Size": {"description": "Characters of a piece, at most.", "schema": _NUMBER},
    "X-Chunk-Size-Max": {"description": "The largest `chunk_size`.", "schema": _NUMBER},
    "X-RateLimit-Limit": {"description": "Requests a minute, where limited.", "schema": _NUMBER},
    "X-RateLimit-Remaining": {"description": "That are left.", "schema": _NUMBER},
    "X-RateLimit-Reset": {
        "description": "When all of them are there again, in seconds since 1970.",
        "schema": _NUMBER,
    },
}
_TOLD = (
    *("X-Ignored-Parameters", "X-Adjusted-Parameters", "X-Speech-Warnings"),
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
)

OPERATIONS = (
    Operation(
        *("post", "/tts", "gistmag_tts", "Speak a text into a WAV file."),
        gives={"audio/wav": None},
        refuses=_SPEECH,
        takes=GistMagSpeechBody,
        headers=_TOLD,
        examples=(
            {"text": "Hello there."},
            {"text": "Hello there.", "voice_name": "en-US-Wavenet-D", "speed": 1.2, "pitch": -2},
        ),
    ),
    Operation(
        *("post", "/tts/stream", "gistmag_stream", "Speak a text, and send it while it is made."),
        gives={"audio/mpeg": None},
        refuses=_SPEECH,
        takes=GistMagStreamBody,
        headers=("X-Chunk-Size", "X-Chunk-Size-Max", *_TOLD),
        examples=({"text": "Hello there. How are you?", "language": "en", "chunk_size": 200},),
    ),
    Operation(
        *("post", "/tts/batch", "gistmag_batch", "Speak a long text into one MP3 file."),
        gives={"audio/mpeg": None},
        refuses=_SPEECH,
        takes=GistMagBatchBody,
        headers=_TOLD,
        examples=({"text": "Hello there. How are you?", "pause_duration": 800},),
    ),
    Operation(
        *("get", "/tts/voices", "gistmag_voices", "List the voices of /tts."),
        gives={JSON: GistMagVoices},
        asks=_QUERY,
    ),
    Operation(
        *("get", "/usage", "gistmag_usage", "Say what a key had spoken, and what is left."),
        gives={JSON: GistMagUsage},
        refuses=_USAGE,
        asks=_QUERY,
    ),
    Operation(
        *("post", "/usage", "gistmag_usage_by_post", "The same, with the key in the body."),
        gives={JSON: GistMagUsage},
        refuses=(*_USAGE, *_KEY),
        takes=GistMagKeyBody,
        examples=(_EXAMPLE_KEY,),
    ),
    Operation(
        *("post", "/verify-key", "gistmag_verify_key", "Say whose a key is, if it is good."),
        gives={JSON: GistMagKey},
        refuses=_KEY,
        takes=GistMagKeyBody,
        examples=(_EXAMPLE_KEY,),
    ),
    *(
        Operation("post", path, name, "Not offered.", gives={}, refuses=(e.NotOffered,))
        for path, name in zip(CLONES, _CLONE_NAMES, strict=True)
    ),
)


def described(catalog: Catalog, limits: Limits) -> Dialect:
    """Of a gateway with this catalog and these limits."""
    bases = ("", f"/{NAME}")
    return Dialect(
        *(NAME, OPERATIONS, GistMagErrorBody, GistMagWords()),
        bases=bases,
        headers=HEADERS,
        refine=lambda schemas: _refine(schemas, catalog, limits),
    )


def _refine(schemas: Json, catalog: Catalog, limits: Limits) -> None:
    voices = catalog.models[catalog.default_model].voices.values()
    languages = sorted({code for voice in voices for code in voice.languages})
    regions = "|".join(code for code in languages if "-" in code)
    for body, chars_max in (
        (GistMagSpeechBody, TTS_CHARS_MAX),
        (GistMagStreamBody, limits.text_chars_max),
        (GistMagBatchBody, BATCH_CHARS_MAX),
    ):
        fields = cast(dict[str, Json], cast(Json, schemas[body.__name__])["properties"])
        fields["text"].update(minLength=1, maxLength=min(chars_max, limits.text_chars_max))
        fields["language"]["enum"] = languages
        if "voice_name" in fields:
            fields["voice_name"]["pattern"] = f"^({regions})-({'|'.join(FAMILIES)})-[A-J]$"
