"""AsyncAPI 3.0 of what is said over a WebSocket: every message of both sides, with an example."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import msgspec

from gateway import __version__
from gateway.core.events import Timings, Word
from gateway.core.limits import Limits
from gateway.core.params import WEBSOCKET_DEFAULTS, Catalog, Parameters
from gateway.core.resolve import resolve
from gateway.dialects.base import ResumedContext
from gateway.dialects.native import (
    AUDIO_HEADER,
    MESSAGES,
    AudioForm,
    AudioMessage,
    ClearedMessage,
    DrainingMessage,
    Ended,
    ErrorMessage,
    FlushedMessage,
    Pong,
    Ready,
    ResumedMessage,
    SegmentEnd,
    SegmentMessage,
    Started,
    Subprotocol,
    Tagged,
    WarningMessage,
    WordsMessage,
)
from gateway.fronts.described.schemas import Json, ref, schemas

SAID: tuple[Json, ...] = (
    {"type": "configure", "context": "a", "id": "c1", "voice": "en-us", "timestamps": True},
    {"type": "text", "context": "a", "text": "Words as they come, "},
    {"type": "flush", "context": "a", "id": "f1"},
    {"type": "clear", "context": "a", "id": "c2", "played_ms": 1250.5},
    {"type": "end", "context": "a", "id": "e1"},
    {"type": "ping", "id": "p1"},
    {
        "type": "resume",
        "token": "nJ0bZx7k",
        "contexts": [{"context": "a", "samples": 30_870, "messages": 6}],
        "id": "r1",
    },
)
"""An example of each client message."""

AUDIO_FRAME = "audio_frame"
"""What audio in a binary frame is called here; it has no `type`."""


def heard(catalog: Catalog, limits: Limits) -> tuple[Tagged, ...]:
    """An example of each server message."""
    settings = resolve(Parameters(), catalog, WEBSOCKET_DEFAULTS)
    timings = Timings(0.41, 6.2, 1400.0, 0, 0.0, 0.0, 4.87, 25.8)
    return (
        Ready("req_1f2e3d4c5b6a798887766554", Subprotocol.JSON, settings, limits, 4_000),
        Started("a", 0, settings, "c1"),
        SegmentMessage("a", 0, 0, 19, "clause", "clause", 0),
        WordsMessage("a", 0, (Word(0, 0, 5), Word(7_012, 6, 8))),
        AudioMessage("a", 0, 0, 2, b"\x00\x00\x01\x00"),
        SegmentEnd("a", 0, 30_870, "finished"),
        FlushedMessage("a", 30_870, "f1"),
        ClearedMessage("a", 30_870, 0, 8, 20, "Words as", " they come, ", False, "c2"),
        Ended("a", "finished", 30_870, 20, "e1", timings, 0.02),
        WarningMessage("field_ignored", "text has no field 'txt'", "a", "txt"),
        ErrorMessage("context_unknown", "there is no context 'b'", False, "b"),
        Pong("p1"),
        ResumedMessage(
            "req_1f2e3d4c5b6a798887766554",
            "Zx7knJ0b",
            (ResumedContext("a", 30_870, 6, 3, 20),),
            "r1",
        ),
        DrainingMessage(10_000),
    )


def asyncapi(catalog: Catalog, limits: Limits) -> Json:
    """The document."""
    told: dict[str, type[Tagged]] = {
        str(type_.__struct_config__.tag): type_ for type_ in Tagged.__subclasses__()
    }
    messages = {
        **{kind: _said(kind, type_) for kind, type_ in MESSAGES.items()},
        **{kind: _heard(kind, type_, heard(catalog, limits)) for kind, type_ in told.items()},
        AUDIO_FRAME: _audio_frame(),
    }
    where: dict[str, Json] = {name: {"$ref": f"#/components/messages/{name}"} for name in messages}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Speech Gateway",
            "version": __version__,
            "description": "Text to speech over WebSocket. /openapi.json describes HTTP.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {"speech": _channel(where)},
        "operations": {
            "hear": _operation("receive", "What a client says.", MESSAGES),
            "tell": _operation("send", "What the server says.", {**told, AUDIO_FRAME: Tagged}),
        },
        "components": {
            "messages": messages,
            "schemas": schemas({*MESSAGES.values(), *told.values()}, limits, catalog),
        },
    }


def _channel(messages: Mapping[str, Json]) -> Json:
    forms: Json = {
        "type": "object",
        "properties": {"audio": {"type": "string", "enum": list(AudioForm), "default": "binary"}},
    }
    return {
        "address": "/v1/speech",
        "description": f"The subprotocol {Subprotocol.JSON} has JSON in text frames, {Subprotocol.MSGPACK} the same "
        "messages in MessagePack in binary frames, with audio among them.",
        "messages": messages,
        "bindings": {"ws": {"method": "GET", "query": forms, "bindingVersion": "0.1.0"}},
    }


def _operation(action: str, summary: str, names: Mapping[str, object]) -> Json:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/speech"},
        "messages": [{"$ref": f"#/channels/speech/messages/{name}"} for name in names],
    }


def _said(kind: str, type_: type[msgspec.Struct]) -> Json:
    its_type: Json = {
        "type": "object",
        "properties": {"type": {"const": kind}},
        "required": ["type"],
    }
    return {
        "name": kind,
        "summary": inspect.getdoc(type_),
        "payload": {"allOf": [ref(type_), its_type]},
        "examples": [{"payload": example} for example in SAID if example["type"] == kind],
    }


def _heard(kind: str, type_: type[Tagged], examples: tuple[Tagged, ...]) -> Json:
    return {
        "name": kind,
        "summary": inspect.getdoc(type_),
        "payload": ref(type_),
        "examples": [
            {"payload": msgspec.to_builtins(example)}
            for example in examples
            if type(example) is type_
        ],
    }


def _audio_frame() -> Json:
    return {
        "name": AUDIO_FRAME,
        "summary": "Audio in a binary frame.",
        "description": f"A header of {AUDIO_HEADER.size} bytes, big-endian (version, flags, context number, sequence, "
        "sample_start, sample_count: 1, 1, 2, 4, 8 and 4 bytes), then the bytes of the codec.",
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary"},
    }
