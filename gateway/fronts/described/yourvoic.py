"""What YourVoic's routes take and give, for /openapi.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from gateway.core import errors as e
from gateway.core.limits import Limits
from gateway.core.params import Catalog
from gateway.dialects.yourvoic.errors import YourVoicErrorBody, YourVoicWords
from gateway.dialects.yourvoic.lists import (
    GENDERS,
    YourVoicCredits,
    YourVoicLanguages,
    YourVoicModels,
    YourVoicUsage,
    YourVoicVoices,
)
from gateway.dialects.yourvoic.speech import (
    KINDS,
    TEXT_CHARS_MAX,
    FileFormat,
    Format,
    YourVoicGenerateBody,
    YourVoicStreamBody,
)
from gateway.fronts.described.operation import (
    ACCOUNT,
    IDEMPOTENCY_KEY,
    JSON,
    SECURITY,
    Dialect,
    Operation,
    every_base,
)
from gateway.fronts.described.schemas import Json, property_of

NAME = "yourvoic"
WORDS = YourVoicWords()


class YourVoicHealth(msgspec.Struct, frozen=True):
    """The answer of `GET /health`."""

    status: Literal["ok"]


_SPEECH = (
    *(e.InvalidMessage, e.InvalidValue, e.TextMissing, e.TextTooLong, e.MessageTooLarge),
    *(e.UnknownVoice, e.UnknownModel, e.Unsupported, *ACCOUNT, e.CreditsExhausted),
    *(e.Overloaded, e.Draining, e.EngineLost, e.EngineTimeout, e.SegmentRejected, e.EngineFailed),
    *(e.IdempotencyKeyReused, e.IdempotencyKeyInUse, e.IdempotencyKeySpent),
)
_CREDITS = ("X-Credits-Used", "X-Credits-Remaining", "X-Ignored-Parameters", "X-Replay-Of", "Vary")
_SAMPLE: Json = {"text": "Hello! This is a streaming test.", "voice": "Peter", "language": "en-US"}


def _query(**described: str) -> dict[tuple[str, str], Json]:
    return {
        ("query", name): {"description": what, "schema": {"type": "string"}}
        for name, what in described.items()
    }


OPERATIONS = (
    Operation(
        *("post", "/v1/tts/generate", "yourvoic_generate", "Speak a text as a whole file."),
        gives=dict.fromkeys(KINDS[Format(format)].media_type for format in FileFormat),
        refuses=_SPEECH,
        takes=YourVoicGenerateBody,
        asks={("header", "Idempotency-Key"): IDEMPOTENCY_KEY},
        headers=("Content-Disposition", "X-Processing-Time-Ms", *_CREDITS),
        examples=({**_SAMPLE, "pitch": 4, "format": "wav"}, _SAMPLE),
    ),
    Operation(
        *("post", "/v1/tts/stream", "yourvoic_stream", "Speak a text as a stream."),
        gives=dict.fromkeys(kind.media_type for kind in KINDS.values()),
        refuses=_SPEECH,
        takes=YourVoicStreamBody,
        asks={("header", "Idempotency-Key"): IDEMPOTENCY_KEY},
        headers=("X-Sample-Rate", "X-Bits-Per-Sample", "X-Channels", *_CREDITS),
        examples=(_SAMPLE, {**_SAMPLE, "model": "rapid-flash", "speed": 1.5, "format": "mp3"}),
    ),
    Operation(
        *("get", "/v1/voices", "yourvoic_voices", "List the voices."),
        gives={JSON: YourVoicVoices},
        refuses=(*ACCOUNT, e.InvalidValue),
        asks=_query(
            language="A code, or only its language.",
            model="The id of a model.",
        )
        | {("query", "gender"): {"schema": {"type": "string", "enum": list(GENDERS)}}},
    ),
    Operation(
        *("get", "/v1/languages", "yourvoic_languages", "List the languages."),
        gives={JSON: YourVoicLanguages},
        refuses=ACCOUNT,
    ),
    Operation(
        *("get", "/v1/models", "yourvoic_models", "List the models, and what each can."),
        gives={JSON: YourVoicModels},
        refuses=ACCOUNT,
    ),
    Operation(
        *("get", "/v1/usage", "yourvoic_usage", "Say what the account had spoken."),
        gives={JSON: YourVoicUsage},
        refuses=ACCOUNT,
    ),
    Operation(
        *("get", "/v1/user/credits", "yourvoic_credits", "Say what the account has left."),
        gives={JSON: YourVoicCredits},
        refuses=ACCOUNT,
    ),
    Operation(
        *("get", "/health", "yourvoic_health", "Say that the process lives."),
        gives={JSON: YourVoicHealth},
    ),
)

_NUMBER: Json = {"type": "number", "minimum": 0}
HEADERS: Mapping[str, Json] = {
    "X-Bits-Per-Sample": {
        "description": "Where no sample is lost.",
        "schema": {"type": "integer", "const": 16},
    },
    "X-Processing-Time-Ms": {"schema": {"type": "integer", "minimum": 0}},
    "X-Credits-Used": {
        "description": "What a file cost, or what a stream costs when all of it is made.",
        "schema": _NUMBER,
    },
    "X-Credits-Remaining": {"description": "What the account has then.", "schema": _NUMBER},
    "Content-Disposition": {"schema": {"type": "string", "pattern": "^attachment; filename=tts_"}},
    "Vary": {"schema": {"type": "string"}},
}


def described(catalog: Catalog, limits: Limits) -> Dialect:
    """The dialect with these models."""
    return Dialect(
        *(NAME, OPERATIONS, YourVoicErrorBody, WORDS),
        bases=every_base(NAME, "", "/api"),
        security={"header": SECURITY["header"]},
        headers=HEADERS,
        refine=_refinement(catalog, limits),
    )


def _refinement(catalog: Catalog, limits: Limits) -> Callable[[Json], None]:
    """Writes down which names and numbers there are."""
    model = catalog.models[catalog.default_model]
    known: dict[str, list[object]] = {
        "voice": [voice.name for voice in model.voices.values()],
        "model": [*catalog.models, None],
        "language": [*model.voices[model.default_voice].languages, None],
        "sample_rate": [*model.sample_rates, None],
    }

    def refine(components: Json) -> None:
        for body, most in (
            (YourVoicGenerateBody, limits.whole_chars_max),
            (YourVoicStreamBody, limits.text_chars_max),
        ):
            text = property_of(components, body.__name__, "text")
            text.update(minLength=1, maxLength=min(TEXT_CHARS_MAX, most))
            for field in known.keys() & set(body.__struct_fields__):
                schema = property_of(components, body.__name__, field)
                schema.clear()
                schema["enum"] = known[field]

    return refine
