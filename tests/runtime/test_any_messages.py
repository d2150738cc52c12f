"""Whatever a client sends: the dialect understands it or says NotUnderstood, and the connection goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import msgspec
from hypothesis import given, settings as hypothesis_settings, strategies as st

from gateway.core.errors import GatewayError
from gateway.core.events import Warned
from gateway.core.limits import Limits
from gateway.dialects.base import NotUnderstood
from gateway.dialects.native import (
    NativeConversation,
    Subprotocol,
    decode_request,
    encode_http_error,
)
from gateway.dialects.sarvam_ws import SarvamConversation
from tests.support.memory import memory_house, memory_socket
from tests.support.sarvam import tone_catalog
from tests.support.server import AudioFrame, Message
from tests.support.virtual_time import VirtualTimeLoop

# Surrogates are left in: a JSON string may escape any of them.
ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=8)
FIELDS = st.sampled_from(
    [
        *("type", "context", "id", "text", "model", "voice", "language", "speed", "pitch"),
        *("volume", "format", "codec", "sample_rate", "bitrate", "buffering", "schedule"),
        *("preset", "max_chars", "timestamps", "lead_ms", "played_ms", "stream"),
    ]
)
TYPES = st.sampled_from(["configure", "text", "flush", "clear", "end", "ping"])
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**20), 10**20),
        st.floats(),
        ANY_TEXT,
        st.sampled_from(["tone", "words", "wav", "mp3", "latency", "en"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(FIELDS, ANY_TEXT), inner, max_size=4)
    ),
    max_leaves=8,
)
OBJECTS = st.builds(
    lambda fields, type_: {**fields, "type": type_},
    st.dictionaries(st.one_of(FIELDS, ANY_TEXT), VALUES, max_size=5),
    st.one_of(TYPES, ANY_TEXT),
)


SARVAM = tone_catalog()


def as_msgpack(value: object) -> bytes:
    """In MessagePack, where it can be: the rest stays bytes that are none."""
    try:
        return msgspec.msgpack.encode(value)
    except (UnicodeError, OverflowError):
        return as_json(value).encode()


def as_json(value: object) -> str:
    """As JavaScript would write it: surrogates escaped, and what is no JSON at all let through."""
    return json.dumps(value)  # noqa: TID251  # msgspec cannot write what we test


@given(st.one_of(OBJECTS.map(as_json), VALUES.map(as_json), ANY_TEXT, st.binary(max_size=40)))
@hypothesis_settings(max_examples=500)
def test_a_message_is_understood_or_said_not_to_be(message: str | bytes) -> None:
    conversation = NativeConversation()
    try:
        said = conversation.decode(message)
    except NotUnderstood as error:
        # And whatever is told about it can be written down.
        conversation.encode_error(error.problem, error.context, error.id)
    else:
        conversation.encode(said.context, Warned("code", "message"))
        for warning in said.warnings:
            conversation.encode(said.context, warning)


@given(st.one_of(OBJECTS.map(as_msgpack), VALUES.map(as_msgpack), ANY_TEXT, st.binary(max_size=40)))
@hypothesis_settings(max_examples=500)
def test_so_is_one_in_messagepack(message: str | bytes) -> None:
    conversation = NativeConversation(subprotocol=Subprotocol.MSGPACK)
    try:
        said = conversation.decode(message)
    except NotUnderstood as error:
        conversation.encode_error(error.problem, error.context, error.id)
    else:
        conversation.encode(said.context, Warned("code", "message"))


@given(st.one_of(OBJECTS.map(as_json).map(str.encode), st.binary(max_size=40)))
@hypothesis_settings(max_examples=300)
def test_a_body_is_understood_or_refused(body: bytes) -> None:
    try:
        decode_request(body)
    except GatewayError as error:
        encode_http_error(error.problem, "request")


CONTEXTS = st.sampled_from(["a", "b", "c"])
COMMANDS = st.one_of(
    st.builds(
        lambda context, text: {"type": "text", "context": context, "text": text},
        CONTEXTS,
        st.sampled_from(["Hello. ", "Well", " and so on, and so on. ", "...", "🙂", "1.5 "]),
    ),
    st.builds(lambda context, type_: {"type": type_, "context": context}, CONTEXTS, TYPES),
    st.builds(
        lambda context, ms: {"type": "clear", "context": context, "played_ms": ms},
        CONTEXTS,
        st.floats(0, 5_000),
    ),
    st.builds(
        lambda context, lead_ms, voice: {
            "type": "configure",
            "context": context,
            "lead_ms": lead_ms,
            "voice": voice,
        },
        CONTEXTS,
        st.sampled_from([None, 100, 1_000]),
        st.sampled_from(["words", "sine-440"]),
    ),
)
ANSWERS = {
    "configure": "started",
    "flush": "flushed",
    "clear": "cleared",
    "end": "ended",
    "ping": "pong",
    "text": None,
}


@given(st.lists(COMMANDS, max_size=25), st.sampled_from([0, 1, 100_000]))
@hypothesis_settings(max_examples=150)
def test_every_command_is_answered_once(commands: Sequence[Message], unread_max: int) -> None:
    """By its own answer or by an error; text only by an error; flushes in order; and the audio adds up. Contexts
    begin, are refused, end and begin again meanwhile."""

    async def run() -> None:
        async with (
            memory_house(contexts_max=2) as house,
            memory_socket(house, unread_max=unread_max) as socket,
        ):
            sent = [{**command, "id": str(number)} for number, command in enumerate(commands)]
            waited_for = {command["id"] for command in sent if command["type"] != "text"}
            await socket.send(*sent, {"type": "ping", "id": "last"})
            while not waited_for <= ids(socket.received) or "last" not in ids(socket.received):
                await socket.receive()
            for command in sent:
                answers = [
                    m["type"] for m in json_of(socket.received) if m.get("id") == command["id"]
                ]
                own = ANSWERS[str(command["type"])]
                assert answers in ([["error"], [own]] if own else [["error"], []])
            for context in ("a", "b", "c"):
                flushed = [m["id"] for m in socket.messages("flushed") if m["context"] == context]
                assert flushed == sorted(flushed, key=str_to_number)
                samples = sum(
                    number(ended["samples"])
                    for ended in socket.messages("ended")
                    if ended["context"] == context
                )
                assert 2 * samples <= len(socket.audio(context))
                if house.admission.contexts == 0:
                    assert 2 * samples == len(socket.audio(context))

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(run())


def json_of(received: Sequence[Message | AudioFrame]) -> list[Message]:
    return [message for message in received if isinstance(message, dict)]


def ids(received: Sequence[Message | AudioFrame]) -> set[object]:
    return {message.get("id") for message in json_of(received)}


def number(value: object) -> int:
    assert isinstance(value, int)
    return value


def str_to_number(id: object) -> int:
    return int(str(id))


SARVAM_FIELDS = st.sampled_from(
    [
        *("type", "data", "text", "target_language_code", "language_code", "speaker", "model"),
        *("pitch", "pace", "loudness", "speech_sample_rate", "output_audio_codec", "dict_id"),
        *("output_audio_bitrate", "min_buffer_size", "max_chunk_length", "enable_preprocessing"),
    ]
)
SARVAM_VALUES = st.one_of(
    VALUES, st.sampled_from(["en-IN", "bulbul:v3", "anushka", "mp3", "128k", "22050", 22050])
)
SARVAM_DATA = st.dictionaries(st.one_of(SARVAM_FIELDS, ANY_TEXT), SARVAM_VALUES, max_size=6)
SARVAM_OBJECTS = st.builds(
    lambda type, data: {"type": type, "data": data},
    st.one_of(st.sampled_from(["config", "text", "flush", "ping"]), ANY_TEXT),
    st.one_of(SARVAM_DATA, VALUES),
)


@given(messages=st.lists(SARVAM_OBJECTS, max_size=6))
def test_sarvams_messages_are_understood_or_not(messages: list[object]) -> None:
    conversation = SarvamConversation(SARVAM, Limits())
    for message in messages:
        try:
            said = conversation.decode(json.dumps(message))  # noqa: TID251
        except NotUnderstood as error:
            for frame in conversation.encode_error(error.problem, error.context, error.id):
                msgspec.json.decode(frame)
        else:
            assert said.context
