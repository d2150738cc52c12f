"""The gateway's own protocol, `speech.v1.json`: every command and every event has a form. docs/protocol.md specifies it.
`speech.v1.msgpack` has the same messages in MessagePack.

Client: `configure text flush clear end ping resume`, each with an optional `context` and `id`. Server: `ready started segment
words segment_end flushed cleared ended warning error pong resumed draining`, and audio as binary frames with a 20-byte header or,
when the handshake asks for it, as base64 in JSON. In MessagePack it is a message like any other, with the bytes as they
are.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, assert_never

import msgspec
from msgspec import Meta

from gateway.core.commands import Clear, EndInput, Flush, PushText
from gateway.core.errors import (
    GatewayError,
    InvalidMessage,
    Problem,
    TextMissing,
    Unsupported,
)
from gateway.core.events import (
    Audio,
    Cleared,
    Closed,
    Event,
    Flushed,
    SegmentCancelled,
    SegmentFailed,
    SegmentFinished,
    SegmentStarted,
    SessionStarted,
    Timings,
    Warned,
    Word,
    Words,
)
from gateway.core.limits import Limits
from gateway.core.params import WEBSOCKET_DEFAULTS, Defaults, Parameters, Settings
from gateway.dialects.base import (
    Adjust,
    Frame,
    Hello,
    Intent,
    LostContext,
    NotUnderstood,
    Ping,
    Position,
    Resume,
    ResumedContext,
    Resuming,
    Said,
    SpeechRequest,
    Verdict,
)
from gateway.dialects.wire import convert, decode_map, decode_object, unknown_fields

DEFAULT_CONTEXT = "default"
AUDIO_HEADER = struct.Struct(">BBHIQI")
"""Version, flags (0), context number, sequence, sample_start, sample_count: big-endian, 20 bytes."""
AUDIO_VERSION = 1
SAMPLE_BYTES = 2
POLICY_VIOLATION = 1008
SERVICE_RESTART = 1012
"""Close codes of RFC 6455 §7.4.1 and, for 1012, of its registry."""

Name = Annotated[str, Meta(min_length=1, max_length=64)]


class Subprotocol(StrEnum):
    """How messages are written."""

    JSON = "speech.v1.json"
    MSGPACK = "speech.v1.msgpack"


class AudioForm(StrEnum):
    """How audio crosses the WebSocket."""

    BINARY = "binary"
    BASE64 = "base64"


# --- client messages -------------------------------------------------------------------------------------------------


class Addressed(msgspec.Struct, frozen=True):
    """What every client message may carry."""

    type: str
    context: Name = DEFAULT_CONTEXT
    id: Name | None = None


class ConfigureMessage(Parameters, frozen=True):
    """`configure`: any of the speech parameters."""

    type: str = "configure"
    context: Name = DEFAULT_CONTEXT
    id: Name | None = None


class TextMessage(Addressed, frozen=True, kw_only=True):
    """`text`: more text."""

    text: str


class ClearMessage(Addressed, frozen=True, kw_only=True):
    """`clear`: with the playhead, if the client knows it."""

    played_ms: Annotated[float, Meta(ge=0)] | None = None


class PositionMessage(msgspec.Struct, frozen=True):
    """How far the client has come in a context."""

    context: Name = DEFAULT_CONTEXT
    samples: Annotated[int, Meta(ge=0)] = 0
    messages: Annotated[int, Meta(ge=0)] | None = None
    frames: Annotated[int, Meta(ge=0)] | None = None


class ResumeMessage(msgspec.Struct, frozen=True, kw_only=True):
    """`resume`: the first message of a connection that goes on where another broke off."""

    type: str
    token: Annotated[str, Meta(min_length=1, max_length=128)]
    contexts: Annotated[tuple[PositionMessage, ...], Meta(max_length=1_000)] = ()
    id: Name | None = None


MESSAGES: dict[str, type[msgspec.Struct]] = {
    "configure": ConfigureMessage,
    "text": TextMessage,
    "flush": Addressed,
    "clear": ClearMessage,
    "end": Addressed,
    "ping": Addressed,
    "resume": ResumeMessage,
}


class SpeechBody(Parameters, frozen=True, kw_only=True):
    """The body of `POST /v1/speech`."""

    text: str
    stream: bool = True
    sample_start: Annotated[int, Meta(ge=0)] | None = None


# --- server messages -------------------------------------------------------------------------------------------------


class Tagged(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type"):
    """Base of the server's JSON messages; fields that are None are left out."""


class Ready(Tagged, frozen=True, tag="ready"):
    """First message of a connection: its id, what is in force without a `configure`, the limits, and about how many more
    contexts could be served well."""

    session: str
    protocol: str
    settings: Settings
    limits: Limits
    contexts_free: int
    resume_token: str | None = None


class Started(Tagged, frozen=True, tag="started"):
    """A context exists or has new settings. `number` names it in binary audio frames."""

    context: str
    number: int
    settings: Settings
    id: str | None = None


class SegmentMessage(Tagged, frozen=True, tag="segment"):
    """A segment begins to be heard."""

    context: str
    segment: int
    text_start: int
    text_end: int
    reason: str
    kind: str
    sample_start: int
    applied: int = 0


class AudioMessage(Tagged, frozen=True, tag="audio"):
    """Audio in a message: msgspec writes bytes as base64 into JSON."""

    context: str
    sequence: int
    sample_start: int
    sample_count: int
    data: bytes


class WordsMessage(Tagged, frozen=True, tag="words"):
    """Words that begin in the audio that follows."""

    context: str
    segment: int
    words: tuple[Word, ...]


class SegmentEnd(Tagged, frozen=True, tag="segment_end"):
    """A segment's audio is over; `status` is finished, cancelled or failed."""

    context: str
    segment: int
    sample_end: int
    status: str


class FlushedMessage(Tagged, frozen=True, tag="flushed"):
    """Answer to `flush`."""

    context: str
    sample_end: int
    id: str | None = None
    cleared: bool = False


class ClearedMessage(Tagged, frozen=True, tag="cleared"):
    """Answer to `clear`."""

    context: str
    sample_end: int
    heard_from: int
    heard_to: int
    text_end: int
    spoken: str
    unspoken: str
    estimated: bool
    id: str | None = None


class Ended(Tagged, frozen=True, tag="ended"):
    """A context is over."""

    context: str
    reason: str
    samples: int
    chars: int
    id: str | None = None
    timings: Timings | None = None
    credits: float | None = None
    applied: int | None = None


class WarningMessage(Tagged, frozen=True, tag="warning"):
    """Something to know."""

    code: str
    message: str
    context: str | None = None
    field: str | None = None


class ErrorMessage(Tagged, frozen=True, tag="error"):
    """A message was refused, or a segment failed (then `segment` and its text range are given)."""

    code: str
    message: str
    retryable: bool
    context: str | None = None
    id: str | None = None
    field: str | None = None
    allowed: str | None = None
    retry_after_ms: int | None = None
    segment: int | None = None
    text_start: int | None = None
    text_end: int | None = None
    lost: tuple[LostContext, ...] | None = None


class Pong(Tagged, frozen=True, tag="pong"):
    """Answer to `ping`."""

    id: str | None = None


class ResumedMessage(Tagged, frozen=True, tag="resumed"):
    """Answer to `resume`: what follows was missed, or is new."""

    session: str
    resume_token: str
    contexts: tuple[ResumedContext, ...]
    id: str | None = None


class DrainingMessage(Tagged, frozen=True, tag="draining"):
    """The server is going away."""

    deadline_ms: int


_JSON = msgspec.json.Encoder()
_MSGPACK = msgspec.msgpack.Encoder()


class Telling:
    """Events as messages. Remembers which number each context has."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._numbered = 0

    def number(self, context: str) -> int:
        """What names a context in binary frames, from its `started` to its `ended`."""
        return self._numbers[context]

    def messages(self, context: str, event: Event) -> list[Tagged]:
        """What a client is told of an event."""
        match event:
            case Audio():
                return [_audio(context, event)]
            case SessionStarted():
                if event.first:
                    self._numbers[context] = self._numbered
                    self._numbered = (self._numbered + 1) % 65_536
                return [Started(context, self._numbers[context], event.settings, event.id)]
            case SegmentStarted():
                return [
                    SegmentMessage(
                        context,
                        event.segment,
                        event.text_start,
                        event.text_end,
                        event.reason,
                        event.kind,
                        event.sample_start,
                        event.applied,
                    )
                ]
            case Words():
                return [WordsMessage(context, event.segment, event.words)]
            case SegmentFinished():
                return [SegmentEnd(context, event.segment, event.sample_end, "finished")]
            case SegmentCancelled():
                return [SegmentEnd(context, event.segment, event.sample_end, "cancelled")]
            case SegmentFailed():
                return _failure(context, event)
            case Flushed():
                return [FlushedMessage(context, event.sample_end, event.id, event.cleared)]
            case Cleared():
                return [_cleared(context, event)]
            case Warned():
                return [WarningMessage(event.code, event.message, context, event.field)]
            case Closed():
                self._numbers.pop(context, None)
                return [_ended(context, event)]
            case _:
                assert_never(event)


def _ended(context: str, event: Closed) -> Ended:
    spent = event.millicredits
    return Ended(
        context,
        event.reason,
        event.samples,
        event.chars,
        event.id,
        event.timings,
        None if spent is None else spent / 1_000,
        event.applied,
    )


def _audio(context: str, audio: Audio) -> AudioMessage:
    return AudioMessage(context, audio.sequence, audio.sample_start, audio.sample_count, audio.data)


def _failure(context: str, event: SegmentFailed) -> list[Tagged]:
    why = problem_message(
        event.problem,
        context,
        None,
        segment=event.segment,
        text_start=event.text_start,
        text_end=event.text_end,
    )
    return [SegmentEnd(context, event.segment, event.sample_end, "failed"), why]


def _cleared(context: str, event: Cleared) -> ClearedMessage:
    return ClearedMessage(
        context,
        event.sample_end,
        event.heard_from,
        event.heard_to,
        event.text_end,
        event.spoken,
        event.unspoken,
        event.estimated,
        event.id,
    )


def _as_json(message: Tagged) -> str:
    return _JSON.encode(message).decode()


def _from_json(message: Frame) -> dict[str, object]:
    if isinstance(message, bytes):
        raise InvalidMessage("binary messages mean nothing here", allowed="JSON in text messages")
    return decode_object(message)


def _from_msgpack(message: Frame) -> dict[str, object]:
    if isinstance(message, str):
        raise InvalidMessage(
            "text messages mean nothing here", allowed="MessagePack in binary messages"
        )
    return decode_map(message)


class NativeConversation:
    """One connection, with the subprotocol and the form of audio chosen at the handshake. Raises Unsupported for a form
    that the subprotocol has not."""

    defaults: Defaults = WEBSOCKET_DEFAULTS
    in_order = False
    idle_ms: int | None = None
    is_over = False

    def __init__(
        self, form: AudioForm = AudioForm.BINARY, subprotocol: Subprotocol = Subprotocol.JSON
    ) -> None:
        self._subprotocol = subprotocol
        self.kind = f"{subprotocol} with audio={form}"
        self._telling = Telling()
        self._write: Callable[[Tagged], Frame]
        match subprotocol:
            case Subprotocol.JSON:
                self._read, self._write = _from_json, _as_json
                self._frames_audio = form is AudioForm.BINARY
            case Subprotocol.MSGPACK if form is AudioForm.BINARY:
                self._read, self._write = _from_msgpack, _MSGPACK.encode
                self._frames_audio = False
            case Subprotocol.MSGPACK:
                raise Unsupported(
                    f"{subprotocol} has no audio in {form}",
                    field="audio",
                    allowed=AudioForm.BINARY,
                )
            case _:
                assert_never(subprotocol)

    @property
    def resuming(self) -> Resuming:
        """By `resume`."""
        return self

    def open(self, hello: Hello) -> list[Frame]:
        """`ready`."""
        ready = Ready(
            hello.session,
            self._subprotocol,
            hello.settings,
            hello.limits,
            hello.contexts_free,
            hello.resume_token,
        )
        return [self._write(ready)]

    def decode(self, message: Frame) -> Said:
        """One client message. Raises NotUnderstood with the context and id, where they could be read."""
        try:
            value = self._read(message)
        except GatewayError as error:
            raise NotUnderstood(error) from None
        context, id = _name(value, "context"), _name(value, "id")
        try:
            return _understand(value)
        except GatewayError as error:
            raise NotUnderstood(error, context, id) from None

    def encode(self, context: str, event: Event) -> list[Frame]:
        """The messages of an event; audio in the form that was chosen."""
        if self._frames_audio and isinstance(event, Audio):
            return [_audio_frame(self._telling.number(context), event)]
        return [self._write(message) for message in self._telling.messages(context, event)]

    def encode_pong(self, ping: Ping) -> list[Frame]:
        """`pong`."""
        return [self._write(Pong(ping.id))]

    def encode_resumed(
        self, session: str, token: str, contexts: list[ResumedContext], id: str | None
    ) -> list[Frame]:
        """`resumed`."""
        return [self._write(ResumedMessage(session, token, tuple(contexts), id))]

    def encode_lost(self, problem: Problem, lost: list[LostContext], id: str | None) -> list[Frame]:
        """`error` with what was lost."""
        message = problem_message(problem, None, id)
        return [self._write(msgspec.structs.replace(message, lost=tuple(lost)))]

    def from_sample(self, frame: Frame, sample: int) -> Frame:
        """The frame with the samples from `sample` on, which must be PCM."""
        if self._frames_audio:
            assert isinstance(frame, bytes)
            *head, start, count = AUDIO_HEADER.unpack_from(frame)
            gone = sample - start
            data = frame[AUDIO_HEADER.size + SAMPLE_BYTES * gone :]
            return AUDIO_HEADER.pack(*head, sample, count - gone) + data
        audio = (
            msgspec.msgpack.decode(frame, type=AudioMessage)
            if isinstance(frame, bytes)
            else msgspec.json.decode(frame, type=AudioMessage)
        )
        gone = sample - audio.sample_start
        rest = msgspec.structs.replace(
            audio,
            sample_start=sample,
            sample_count=audio.sample_count - gone,
            data=audio.data[SAMPLE_BYTES * gone :],
        )
        return self._write(rest)

    def encode_draining(self, deadline_ms: int) -> list[Frame]:
        """`draining`."""
        return [self._write(DrainingMessage(deadline_ms))]

    def encode_error(self, problem: Problem, context: str | None, id: str | None) -> list[Frame]:
        """`error`."""
        return [self._write(problem_message(problem, context, id))]

    def close_code(self, verdict: Verdict) -> int:
        """SERVICE_RESTART where another server will do, else POLICY_VIOLATION: the client has broken a bound."""
        return SERVICE_RESTART if verdict is Verdict.DRAINING else POLICY_VIOLATION


def _audio_frame(number: int, audio: Audio) -> bytes:
    header = AUDIO_HEADER.pack(
        AUDIO_VERSION, 0, number, audio.sequence, audio.sample_start, audio.sample_count
    )
    return header + audio.data


def _understand(value: dict[str, object]) -> Said:
    kind = value.get("type")
    type_ = MESSAGES.get(kind) if isinstance(kind, str) else None
    if type_ is None:
        raise InvalidMessage(
            "the message has no known type", field="type", allowed=", ".join(MESSAGES)
        )
    message = convert(value, type_)
    context = getattr(message, "context", DEFAULT_CONTEXT)
    id = getattr(message, "id", None)
    warnings = tuple(
        Warned("field_ignored", f"{kind} has no field {path!r}", path)
        for path in unknown_fields(value, type_)
    )
    intent: Intent
    match message:
        case ConfigureMessage():
            intent = Adjust(_parameters(message), id)
        case TextMessage():
            intent = PushText(message.text)
        case ClearMessage():
            intent = Clear(id, message.played_ms)
        case ResumeMessage():
            positions = {
                position.context: Position(position.samples, position.messages, position.frames)
                for position in message.contexts
            }
            intent = Resume(message.token, positions, id)
        case _ if kind == "flush":
            intent = Flush(id)
        case _ if kind == "end":
            intent = EndInput(id)
        case _:
            intent = Ping(id)
    return Said(context, intent, id, warnings)


def _parameters(message: Parameters) -> Parameters:
    """Only the speech parameters of a message that has them among other fields."""
    return Parameters(**{name: getattr(message, name) for name in Parameters.__struct_fields__})


def _name(value: dict[str, object], field: str) -> str | None:
    """A name that an error may echo: only if it is one."""
    name = value.get(field)
    return name if isinstance(name, str) and 0 < len(name) <= 64 else None


def problem_message(
    problem: Problem,
    context: str | None = None,
    id: str | None = None,
    *,
    segment: int | None = None,
    text_start: int | None = None,
    text_end: int | None = None,
) -> ErrorMessage:
    """What a client is told of a problem."""
    return ErrorMessage(
        code=problem.code,
        message=problem.message,
        retryable=problem.retryable,
        context=context,
        id=id,
        field=problem.field,
        allowed=problem.allowed,
        retry_after_ms=problem.retry_after_ms,
        segment=segment,
        text_start=text_start,
        text_end=text_end,
    )


# --- one-shot HTTP ---------------------------------------------------------------------------------------------------


class ErrorBody(msgspec.Struct, frozen=True):
    """The JSON body of every HTTP error."""

    error: ErrorMessage
    request_id: str


def decode_request(body: bytes) -> SpeechRequest:
    """The body of `POST /v1/speech`. Raises InvalidMessage, InvalidValue or TextMissing."""
    value = decode_object(body)
    asked = convert(value, SpeechBody)
    if not asked.text:
        raise TextMissing("text is empty", field="text", allowed="at least one character")
    return SpeechRequest(
        text=asked.text,
        parameters=_parameters(asked),
        whole=not asked.stream,
        sample_start=asked.sample_start,
        ignored=unknown_fields(value, SpeechBody),
    )


def encode_http_error(problem: Problem, request_id: str) -> bytes:
    """The body that goes with `problem.status`."""
    return _JSON.encode(ErrorBody(problem_message(problem), request_id))
