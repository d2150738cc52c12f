"""OpenAPI 3.1 of everything that is asked over HTTP. `OPERATIONS` is the native protocol's table, and vendors' dialects bring
their own; the rest writes them down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

from gateway import __version__
from gateway.audio.registry import MEDIA_TYPES
from gateway.core import errors as e
from gateway.core.limits import Limits
from gateway.core.params import Catalog
from gateway.dialects.lines import LineForm
from gateway.dialects.native import (
    AudioMessage,
    Ended,
    ErrorBody,
    ErrorMessage,
    SegmentEnd,
    SegmentMessage,
    SpeechBody,
    Started,
    Tagged,
    WarningMessage,
    WordsMessage,
)
from gateway.dialects.native_http import NativeExchange
from gateway.dialects.pls import MEDIA_TYPE as PLS
from gateway.fronts.described.operation import (
    ACCOUNT,
    IDEMPOTENCY_KEY,
    JSON,
    SPEECH,
    TEXT,
    Dialect,
    Operation,
)
from gateway.fronts.described.schemas import Json, ref, schemas
from gateway.fronts.lexicons import LexiconBody, LexiconInfo, LexiconList, LexiconRemoved
from gateway.fronts.segments import Segments
from gateway.fronts.system import Alive, Models, Readiness, Voices
from gateway.fronts.tokens import TokenInfo
from gateway.fronts.usage import UsageInfo
from gateway.runtime.receipts import RequestReceipt
from gateway.telemetry.metrics import MEDIA_TYPE as METRICS

TOLD: tuple[type[Tagged], ...] = (
    *(Started, SegmentMessage, WordsMessage, AudioMessage),
    *(SegmentEnd, WarningMessage, ErrorMessage, Ended),
)
"""What an answer of events may hold."""


_BEFORE_ROUTES = (e.OriginForbidden, e.RequestTimeout, e.UrlTooLong, e.HeadersTooLarge)
"""What is refused before it is known which dialect was meant, and so in words of the native one."""
_ANY_REQUEST = (e.MethodNotAllowed, e.RequestTimeout, e.Internal)
_LINES: Json = {
    "type": "string",
    "description": "Whole lines, each with a message of #/components/schemas/Told. Only an answer whose last message is "
    "`ended` is whole.",
}

REQUEST_ID: Json = {
    "description": "The X-Request-Id of an answer, or the `session` of a WebSocket.",
    "schema": {"type": "string", "pattern": "^req_[0-9a-f]{24}$"},
    "example": "req_1f2e3d4c5b6a798887766554",
}

LEXICON_ID: Json = {
    "description": "As the list of lexicons has it.",
    "schema": {"type": "string", "pattern": "^lx_[0-9a-f]{16}$"},
    "example": "lx_1f2e3d4c5b6a7988",
}
_LEXICON = (*(e.InvalidMessage, e.InvalidValue, e.MessageTooLarge, e.Unsupported), *ACCOUNT)

EXAMPLES: tuple[Json, ...] = (
    {"text": "Hello there. This starts at once."},
    {"text": "Hello there. This starts at once.", "sample_start": 22_050},
    {
        "text": "One file.",
        "stream": False,
        "language": "en-gb",
        "speed": 1.2,
        "format": {"codec": "wav", "sample_rate": 24_000},
        "buffering": {"preset": "quality"},
    },
)
"""Bodies of what takes a text."""
LEXICON: Json = {
    "name": "brands",
    "rules": [
        {"language": "en", "word": "SQL", "alias": "sequel"},
        {"language": "hi", "word": "JSON", "alias": "जेसन"},
    ],
}
_BY_PLS: Mapping[str, Json] = {
    PLS: {
        "type": "string",
        "description": "W3C PLS 1.0, with aliases; its name is the `name` of the query.",
    }
}

OPERATIONS = (
    Operation(
        *("post", "/v1/speech", "speak", "Speak a text."),
        gives={**dict.fromkeys(MEDIA_TYPES.values()), **dict.fromkeys(map(str, LineForm), _LINES)},
        refuses=(*SPEECH, e.NotAcceptable),
        takes=SpeechBody,
        examples=EXAMPLES,
        headers=(
            *("X-Sample-Rate", "X-Channels", "X-Speech-Model", "X-Speech-Voice"),
            *("X-Ignored-Fields", "X-Speech-Warnings", "X-Replay-Of"),
        ),
        asks={("header", "Idempotency-Key"): IDEMPOTENCY_KEY},
    ),
    Operation(
        *("post", "/v1/speech/segments", "segments", "Say how a text would be cut."),
        gives={JSON: Segments},
        refuses=(*TEXT, *ACCOUNT),
        takes=SpeechBody,
        examples=EXAMPLES,
        headers=("X-Ignored-Fields",),
    ),
    Operation(
        *("get", "/v1/speech/requests/{id}", "request", "Say what a request or a session did."),
        gives={JSON: RequestReceipt},
        refuses=(*ACCOUNT, e.NotFound),
        asks={("path", "id"): REQUEST_ID},
    ),
    Operation(
        *("get", "/v1/speech/lexicons", "lexicons", "List the lexicons of the account."),
        gives={JSON: LexiconList},
        refuses=ACCOUNT,
    ),
    Operation(
        *("post", "/v1/speech/lexicons", "add_lexicon", "Make a lexicon."),
        gives={JSON: LexiconInfo},
        refuses=(*_LEXICON, e.TooManyLexicons),
        takes=LexiconBody,
        examples=(LEXICON,),
        also_takes=_BY_PLS,
    ),
    Operation(
        *("get", "/v1/speech/lexicons/{id}", "lexicon", "Show a lexicon."),
        gives={JSON: LexiconInfo},
        refuses=(*ACCOUNT, e.UnknownLexicon),
        asks={("path", "id"): LEXICON_ID},
    ),
    Operation(
        *("put", "/v1/speech/lexicons/{id}", "change_lexicon", "Give a lexicon other rules."),
        gives={JSON: LexiconInfo},
        refuses=(*_LEXICON, e.UnknownLexicon),
        takes=LexiconBody,
        examples=(LEXICON,),
        also_takes=_BY_PLS,
        asks={("path", "id"): LEXICON_ID},
    ),
    Operation(
        *("delete", "/v1/speech/lexicons/{id}", "remove_lexicon", "Forget a lexicon."),
        gives={JSON: LexiconRemoved},
        refuses=(*ACCOUNT, e.UnknownLexicon),
        asks={("path", "id"): LEXICON_ID},
    ),
    Operation(
        *("post", "/v1/speech/tokens", "tokens", "Mint a single-use token for a browser."),
        gives={JSON: TokenInfo},
        refuses=ACCOUNT,
    ),
    Operation(
        *("get", "/v1/speech/usage", "usage", "Say what a key had spoken, and what is left."),
        gives={JSON: UsageInfo},
        refuses=(*ACCOUNT, e.NotFound),
    ),
    Operation(
        *("get", "/v1/speech/voices", "voices", "List the voices of all models."),
        gives={JSON: Voices},
        refuses=ACCOUNT,
    ),
    Operation(
        "get",
        "/v1/speech/models",
        "models",
        "List the models, and what each can.",
        gives={JSON: Models},
        refuses=ACCOUNT,
    ),
    Operation("get", "/healthz", "alive", "Say that the process lives.", gives={JSON: Alive}),
    Operation(
        *("get", "/readyz", "ready", "Say whether the server can speak."),
        gives={JSON: Readiness},
        refuses=(e.Overloaded, e.Draining),
    ),
    Operation(
        *("get", "/metrics", "metrics", "Figures for Prometheus; not for everybody."),
        gives={METRICS.partition(";")[0]: {"type": "string"}},
        refuses=(e.MetricsForbidden, e.NotFound),
    ),
    Operation(
        "get", "/openapi.json", "openapi", "This document.", gives={JSON: {"type": "object"}}
    ),
    Operation(
        *("get", "/asyncapi.json", "asyncapi", "What is said over WebSocket, as AsyncAPI."),
        gives={JSON: {"type": "object"}},
    ),
)

_TEXT_HEADER: Json = {"type": "string"}
HEADERS: Mapping[str, Json] = {
    "X-Request-Id": {
        "description": "Names the request in the server's log.",
        "required": True,
        "schema": {"type": "string", "pattern": "^req_[0-9a-f]{24}$"},
    },
    "Cache-Control": {
        "description": "Nothing may be stored or changed.",
        "required": True,
        "schema": _TEXT_HEADER,
    },
    "X-Content-Type-Options": {"required": True, "schema": {"const": "nosniff"}},
    "X-Accel-Buffering": {"required": True, "schema": {"const": "no"}},
    "X-Sample-Rate": {"description": "In Hz.", "schema": {"type": "integer", "minimum": 8_000}},
    "X-Channels": {"schema": {"type": "integer", "const": 1}},
    "X-Speech-Model": {"schema": _TEXT_HEADER},
    "X-Speech-Voice": {"schema": _TEXT_HEADER},
    "X-Ignored-Fields": {
        "description": "Paths of fields that nobody knows.",
        "schema": _TEXT_HEADER,
    },
    "X-Ignored-Parameters": {
        "description": "Fields that did nothing.",
        "schema": _TEXT_HEADER,
    },
    "X-Adjusted-Parameters": {
        "description": "What was taken instead of what was asked for, as `name=value`.",
        "schema": _TEXT_HEADER,
    },
    "X-Speech-Warnings": {
        "description": "Codes of what was known before the first audio.",
        "schema": _TEXT_HEADER,
    },
    "X-Replay-Of": {
        "description": "The request that was answered first by this Idempotency-Key, if it was another one.",
        "schema": {"type": "string", "pattern": "^req_[0-9a-f]{24}$"},
    },
    "Retry-After": {
        "description": "In seconds, where waiting helps.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {"description": "`Bearer`, with a 401.", "schema": _TEXT_HEADER},
    "Allow": {"description": "The methods that the path has, with a 405.", "schema": _TEXT_HEADER},
}
ON_EVERY_ANSWER = tuple(name for name, header in HEADERS.items() if header.get("required"))

NATIVE = Dialect("native", OPERATIONS, ErrorBody, NativeExchange(MEDIA_TYPES))


def openapi(
    catalog: Catalog, limits: Limits, *, is_open: bool, dialects: Sequence[Dialect] = ()
) -> Json:
    """The document, of a gateway that asks for keys unless it `is_open`, and that speaks these dialects beside its own."""
    every = (NATIVE, *dialects)
    components = schemas([*_structs(every), *TOLD], limits, catalog)
    components["Told"] = {
        "description": "A message of an answer of events.",
        "oneOf": [ref(message) for message in TOLD],
    }
    paths: dict[str, Json] = {}
    security: dict[str, Json] = {}
    headers = dict(HEADERS)
    for dialect in every:
        dialect.refine(components)
        headers |= dialect.headers
        security |= dialect.security
        for operation in dialect.operations:
            described = _operation(operation, dialect)
            if not is_open and e.Unauthorized in operation.refuses:
                described["security"] = [{name: []} for name in dialect.security]
            path = paths.setdefault(operation.path, {})
            path[operation.method] = described
            if dialect.bases != ("",):
                path["servers"] = [{"url": base or "/"} for base in dialect.bases]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Speech Gateway",
            "version": __version__,
            "description": "Text to speech over HTTP. /asyncapi.json describes the WebSocket.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "security": [{}, *({name: []} for name in security)] if is_open else [],
        "components": {
            "securitySchemes": security,
            "schemas": components,
            "headers": headers,
        },
    }


def _structs(dialects: Sequence[Dialect]) -> Iterator[type[msgspec.Struct]]:
    for dialect in dialects:
        yield dialect.error
        for operation in dialect.operations:
            for type_ in (operation.takes, *operation.gives.values()):
                if isinstance(type_, type):
                    yield type_


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*ON_EVERY_ANSWER, *names)}


def _operation(operation: Operation, dialect: Dialect) -> Json:
    done: Json = {
        "description": operation.summary,
        "headers": _headers(*operation.headers),
        "content": {type_: _content(what) for type_, what in operation.gives.items()},
    }
    described: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": {
            **({"200": done} if operation.gives else {}),
            **_refusals((*_ANY_REQUEST, *operation.refuses), dialect),
        },
    }
    if operation.asks:
        described["parameters"] = [
            {"name": name, "in": place, "required": place == "path", **what}
            for (place, name), what in operation.asks.items()
        ]
    if operation.takes is not None or operation.also_takes:
        content: Json = {
            type_: {"schema": schema} for type_, schema in operation.also_takes.items()
        }
        if operation.takes is not None:
            examples = {
                f"example_{number}": {"value": value}
                for number, value in enumerate(operation.examples)
            }
            content = {JSON: {"schema": ref(operation.takes), "examples": examples}, **content}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _content(what: type[msgspec.Struct] | Json | None) -> Json:
    if what is None:
        return {}
    return {"schema": ref(what) if isinstance(what, type) else what}


class _No(NamedTuple):
    """An error as somebody words it."""

    status: int
    error: type[e.GatewayError]
    body: type[msgspec.Struct]
    example: object


def _refusals(errors: tuple[type[e.GatewayError], ...], dialect: Dialect) -> Json:
    """The answers to what goes wrong, by status, with an example for each code."""

    def status(no: _No) -> int:
        return no.status

    noes = [_no(error, NATIVE) for error in _BEFORE_ROUTES]
    noes += [_no(error, dialect) for error in errors]
    return {
        str(number): _refusal(list(alike))
        for number, alike in groupby(sorted(noes, key=status), status)
    }


def _no(error: type[e.GatewayError], dialect: Dialect) -> _No:
    problem = error((error.__doc__ or error.code).strip().splitlines()[0]).problem
    refusal = dialect.words.refuse(problem, "req_1f2e3d4c5b6a798887766554", 1_700_000_000.123)
    return _No(refusal.status, error, dialect.error, msgspec.json.decode(refusal.body))


def _refusal(noes: list[_No]) -> Json:
    errors = [no.error for no in noes]
    more = ["Retry-After"] if any(error.retryable for error in errors) else []
    if e.Unauthorized in errors:
        more.append("WWW-Authenticate")
    if e.MethodNotAllowed in errors:
        more.append("Allow")
    bodies = [ref(body) for body in dict.fromkeys(no.body for no in noes)]
    return {
        "description": ", ".join(f"`{code}`" for code in dict.fromkeys(e.code for e in errors)),
        "headers": _headers(*more),
        "content": {
            JSON: {
                "schema": bodies[0] if len(bodies) == 1 else {"anyOf": bodies},
                "examples": {no.error.code: {"value": no.example} for no in noes},
            }
        },
    }
