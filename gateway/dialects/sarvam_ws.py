"""Sarvam's conversations: `/text-to-speech/ws`. docs/dialects/sarvam.md says where they differ from the vendor's.

Client: `config` first, then `text`, `flush`, `ping`, and `config` again whenever it likes. Server: `audio` in base64, `event` with
`final` for each flush, `error`; all JSON. The vendor's own client refuses frames of any other kind, so what else there is to
say stands in further keys of `data`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from gateway.core.commands import Flush, PushText
from gateway.core.errors import (
    GatewayError,
    InvalidMessage,
    InvalidValue,
    Problem,
    TextMissing,
    TextTooLong,
)
from gateway.core.events import Audio, Closed, Event, Flushed, SegmentFailed, SessionStarted, Warned
from gateway.core.limits import Limits
from gateway.core.params import BufferingRequest, Catalog, Defaults
from gateway.core.resolve import resolve
from gateway.core.vocabulary import CloseReason, Codec, PushBoundary, Route
from gateway.dialects import sarvam_errors
from gateway.dialects.base import Frame, Hello, NotUnderstood, Ping, Renew, Said, Verdict
from gateway.dialects.handshake import Agreement
from gateway.dialects.http import HttpRequest
from gateway.dialects.sarvam import OPUS_USUAL_RATE, SpeechFields, Wanted, wanted
from gateway.dialects.sarvam_http import KEY_HEADER, shown_keys
from gateway.dialects.wire import convert, decode_object

DEFAULTS = Defaults(route=Route.WEBSOCKET, codec=Codec.MP3, lead_ms=None)
USUAL_CODEC = "mp3"
CONTEXT = "speech"
CONFIG = "config"
"""The id by which the answer to a `config` is known."""
SUBPROTOCOL = f"{KEY_HEADER}."
SCHEMA_ERROR = (422, sarvam_errors.SCHEMA)
"""What the vendor says of frames that are no messages."""
WAV_HEADER_BYTES = 44
NORMAL_CLOSURE, POLICY_VIOLATION, SERVICE_RESTART = 1000, 1008, 1012
"""Close codes of RFC 6455 §7.4.1 and, for 1012, of its registry."""

CONTENT_TYPES: Mapping[Codec, str] = {
    Codec.MP3: "audio/mpeg",
    Codec.WAV: "audio/wav",
    Codec.PCM_S16LE: "audio/pcm",
    Codec.MULAW: "audio/mulaw",
    Codec.ALAW: "audio/alaw",
    Codec.OPUS: "audio/opus",
    Codec.AAC: "audio/aac",
    Codec.FLAC: "audio/flac",
}
"""What the frames call their audio."""

# --- what clients say ------------------------------------------------------------------------------------------------


class ConfigData(SpeechFields, frozen=True, kw_only=True):
    """How to speak, and how to gather text: everything that is pending leaves once it has `min_buffer_size` characters, in
    pieces of at most `max_chunk_length`."""

    min_buffer_size: Annotated[int, Meta(ge=30, le=200)] | None = None
    max_chunk_length: Annotated[int, Meta(ge=50, le=500)] | None = None


CLIENTS_SPEAKER, CLIENTS_RATE = "anushka", "22050"
"""What the vendor's Python client says where its user says nothing."""
BUFFER_CHARS, CHUNK_CHARS = 50, 150
"""What these are if nobody says it."""


class Config(msgspec.Struct, frozen=True):
    """`config`."""

    data: ConfigData


class TextData(msgspec.Struct, frozen=True):
    """What is to be spoken."""

    text: str


class Text(msgspec.Struct, frozen=True):
    """`text`."""

    data: TextData


# --- what they are told ----------------------------------------------------------------------------------------------


class Notes(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What the vendor has no place for: fields of the last `config` without effect, those with another one (`name=value`), and
    codes of warnings. In the first frame after there was something to say."""

    ignored: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


N = TypeVar("N", bound=Notes)


class AudioData(Notes, frozen=True, kw_only=True):
    """A part of the audio."""

    request_id: str
    content_type: str
    audio: bytes


_FINAL: Literal["final"] = "final"


class EventData(Notes, frozen=True, kw_only=True):
    """All audio of a flush has been sent."""

    event_type: Literal["final"] = msgspec.field(default_factory=lambda: _FINAL)


class ErrorData(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong. `code` is a status of HTTP."""

    message: str
    code: int
    details: dict[str, str | int | bool]
    request_id: str


class Answer(msgspec.Struct, frozen=True):
    """One frame."""

    type: str
    data: AudioData | EventData | ErrorData


# --- the conversation ------------------------------------------------------------------------------------------------


class SarvamConversation:
    """One connection. `model` is the one that its address names; without `tells_completion` there is no `final`; with
    `refuse_unsupported` a control that the model has not is an error."""

    defaults = DEFAULTS
    resuming = None
    in_order = True

    def __init__(
        self,
        catalog: Catalog,
        limits: Limits,
        *,
        model: str | None = None,
        tells_completion: bool = True,
        refuse_unsupported: bool = False,
    ) -> None:
        self.idle_ms: int | None = limits.sarvam_idle_ms
        self.is_over = False
        self._catalog = catalog
        self._limits = limits
        self._model = model
        self._tells_completion = tells_completion
        self._refuse_unsupported = refuse_unsupported
        self._request_id = ""
        self._chars_max: int | None = None
        """Characters in one message; None = there was no `config` yet."""
        self._wanted: deque[Wanted] = deque()
        """What each `config` came to whose context has not begun to be told."""
        self._notes = _NO_NOTES
        self._codec = Codec.MP3
        self._header_is_due = False

    def open(self, hello: Hello) -> list[Frame]:
        """Nothing: the client begins."""
        self._request_id = hello.session
        return []

    def decode(self, message: Frame) -> Said:
        """One client message. Raises NotUnderstood; after a `config` that is none the conversation is over."""
        id = None
        try:
            value = _read(message)
            kind = value.get("type")
            if kind == "config":
                id = CONFIG
                return self._config(value)
            if kind == "ping":
                return Said(CONTEXT, Ping())
            if kind not in {"text", "flush"}:
                raise InvalidMessage(
                    "the message has no known type",
                    field="type",
                    allowed="config, text, flush, ping",
                )
            if self._chars_max is None:
                raise InvalidMessage(
                    "the first message must be a config", field="type", allowed="config"
                )
            if kind == "flush":
                return Said(CONTEXT, Flush())
            return Said(CONTEXT, PushText(_text(value, self._chars_max)))
        except GatewayError as error:
            raise NotUnderstood(error, CONTEXT, id) from None

    def encode(self, context: str, event: Event) -> list[Frame]:
        """Audio, completion and errors; the rest has no place here."""
        match event:
            case SessionStarted():
                self._begin(event)
            case Audio():
                return list(self._audio(event.data))
            case Flushed() if self._tells_completion:
                return [_write("event", self._noted(EventData()))]
            case SegmentFailed():
                return [self._error(event.problem)]
            case Warned():
                notes = self._notes
                warnings = tuple(dict.fromkeys((*notes.warnings, event.code)))
                self._notes = msgspec.structs.replace(notes, warnings=warnings)
            case Closed(reason=CloseReason.IDLE):
                self._chars_max = None
            case _:
                pass
        return []

    def encode_pong(self, ping: Ping) -> list[Frame]:
        """Nothing, as a frame of another kind would be refused."""
        return []

    def encode_draining(self, deadline_ms: int) -> list[Frame]:
        """Nothing, likewise; the close code tells it."""
        return []

    def encode_error(self, problem: Problem, context: str | None, id: str | None) -> list[Frame]:
        """`error`. As with the vendor, what is no message and a `config` that fails end the connection: text after it would be
        spoken in a way that nobody asked for."""
        if id == CONFIG or problem.code in {InvalidMessage.code, InvalidValue.code}:
            self.is_over = True
        return [self._error(problem)]

    def close_code(self, verdict: Verdict) -> int:
        """Clients take NORMAL_CLOSURE for an end as agreed, and everything else for a failure."""
        match verdict:
            case Verdict.IDLE | Verdict.FIRST_MESSAGE_LATE | Verdict.REFUSED:
                return NORMAL_CLOSURE
            case Verdict.DRAINING:
                return SERVICE_RESTART
            case _:
                return POLICY_VIOLATION

    def _config(self, value: dict[str, object]) -> Said:
        """A `config`, judged to the last, so that only a lack of places can still stop it."""
        data = convert(value, Config).data
        if data.model is None:
            data = msgspec.structs.replace(data, model=self._model)
        data, adjusted = _without_habits(data, self._catalog)
        want = wanted(
            data,
            self._catalog,
            DEFAULTS.route,
            usual_codec=USUAL_CODEC,
            refuse_unsupported=self._refuse_unsupported,
        )
        parameters = msgspec.structs.replace(
            want.parameters, buffering=_buffering(data), lexicon=want.dictionary
        )
        settings = resolve(parameters, self._catalog, DEFAULTS)
        own = self._limits.text_chars_max
        of_model = self._catalog.models[settings.model].text_chars_max
        self._chars_max = min(own, of_model.get(DEFAULTS.route, own))
        self._wanted.append(msgspec.structs.replace(want, adjusted=(*adjusted, *want.adjusted)))
        return Said(CONTEXT, Renew(parameters), CONFIG)

    def _begin(self, event: SessionStarted) -> None:
        want = self._wanted.popleft()
        self._notes = Notes(ignored=want.ignored, adjusted=want.adjusted)
        self._codec = event.settings.format.codec
        self._header_is_due = self._codec is Codec.WAV

    def _audio(self, data: bytes) -> Iterator[Frame]:
        if self._header_is_due:
            # The vendor's first frame is the header alone, and there are players that leave it out.
            self._header_is_due = False
            yield self._audio_frame(data[:WAV_HEADER_BYTES])
            data = data[WAV_HEADER_BYTES:]
        if data:
            yield self._audio_frame(data)

    def _audio_frame(self, data: bytes) -> Frame:
        content_type = CONTENT_TYPES[self._codec]
        audio = AudioData(request_id=self._request_id, content_type=content_type, audio=data)
        return _write("audio", self._noted(audio))

    def _noted(self, data: N) -> N:
        """The same with what there is to say beside it."""
        notes, self._notes = self._notes, _NO_NOTES
        if notes == _NO_NOTES:
            return data
        said = {name: getattr(notes, name) for name in Notes.__struct_fields__}
        return msgspec.structs.replace(data, **said)

    def _error(self, problem: Problem) -> Frame:
        status, code = (
            SCHEMA_ERROR if problem.code == InvalidMessage.code else sarvam_errors.said_of(problem)
        )
        details: dict[str, str | int | bool] = {"code": code, "retryable": problem.retryable}
        for name in ("field", "allowed", "retry_after_ms"):
            if (given := getattr(problem, name)) is not None:
                details[name] = given
        message = sarvam_errors.message_of(problem)
        return _write("error", ErrorData(message, status, details, self._request_id))


def _read(message: Frame) -> dict[str, object]:
    if isinstance(message, bytes):
        raise InvalidMessage("binary messages mean nothing here", allowed="JSON in text messages")
    return decode_object(message)


def _text(value: dict[str, object], chars_max: int) -> str:
    text = convert(value, Text).data.text
    if not text:
        raise TextMissing("text is empty", field="data.text", allowed="at least one character")
    if len(text) > chars_max:
        raise TextTooLong(
            f"text has {len(text)} characters",
            field="data.text",
            allowed=f"at most {chars_max} in one message",
        )
    return text


def _buffering(data: ConfigData) -> BufferingRequest:
    """No timer ever speaks for the client. Text that could not be held in one piece leaves when it fills one."""
    buffer = BUFFER_CHARS if data.min_buffer_size is None else data.min_buffer_size
    chunk = CHUNK_CHARS if data.max_chunk_length is None else data.max_chunk_length
    return BufferingRequest(
        release_chars=min(buffer, chunk),
        max_chars=chunk,
        max_delay_ms=0,
        idle_ms=0,
        push_boundary=PushBoundary.AFTER_TERMINATOR,
    )


def _without_habits(data: ConfigData, catalog: Catalog) -> tuple[ConfigData, tuple[str, ...]]:
    """The same without what nobody asked for: the vendor's Python client gives every field a value of its own, whatever the model
    or the codec. And what was changed in it."""
    model = catalog.models.get(catalog.default_model if data.model is None else data.model)
    adjusted = []
    if data.pitch == 0:
        data = msgspec.structs.replace(data, pitch=None)
    if data.loudness == 1:
        data = msgspec.structs.replace(data, loudness=None)
    if model is not None and data.speaker == CLIENTS_SPEAKER not in model.voices:
        data = msgspec.structs.replace(data, speaker=None)
        adjusted.append(f"speaker={model.default_voice}")
    rate = data.speech_sample_rate
    if data.output_audio_codec == "opus" and str(rate) == CLIENTS_RATE:
        data = msgspec.structs.replace(data, speech_sample_rate=OPUS_USUAL_RATE)
        adjusted.append(f"speech_sample_rate={OPUS_USUAL_RATE}")
    return data, tuple(adjusted)


_NO_NOTES = Notes()
_JSON = msgspec.json.Encoder()


def _write(type: str, data: AudioData | EventData | ErrorData) -> Frame:
    return _JSON.encode(Answer(type, data)).decode()


# --- how it begins ---------------------------------------------------------------------------------------------------


class SarvamHandshake(sarvam_errors.SarvamWords):
    """Keys in the vendor's header, as a bearer or, from browsers, in a subprotocol; `model` and `send_completion_event` in the
    query. With `refuse_unsupported` a control that the model has not is an error."""

    name = "sarvam/websocket"

    def __init__(self, *, refuse_unsupported: bool = False) -> None:
        self._refuse_unsupported = refuse_unsupported

    def credentials(self, request: HttpRequest, offered: Sequence[str]) -> Iterable[str]:
        """Every key that is shown. Raises Unauthorized while they are looked at."""
        yield from shown_keys(request)
        yield from (
            name.removeprefix(SUBPROTOCOL) for name in offered if name.startswith(SUBPROTOCOL)
        )

    def agree(
        self, request: HttpRequest, offered: Sequence[str], catalog: Catalog, limits: Limits
    ) -> Agreement:
        """Raises UnknownModel. The subprotocol with the key is echoed to the letter: browsers and Node insist on one."""
        model = request.query.get("model")
        wanted(SpeechFields(model=model), catalog, DEFAULTS.route, usual_codec=USUAL_CODEC)
        conversation = SarvamConversation(
            catalog,
            limits,
            model=model,
            tells_completion=request.query.get("send_completion_event", "").lower() != "false",
            refuse_unsupported=self._refuse_unsupported,
        )
        echoed = next((name for name in offered if name.startswith(SUBPROTOCOL)), None)
        return Agreement(conversation, echoed)
