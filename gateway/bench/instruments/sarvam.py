"""Listeners on Sarvam's wire: a file in base64 inside JSON, a stream of bytes, and a WebSocket with JSON frames.

They know of the vendor's documentation and of nothing else, so they speak to whatever speaks that protocol. Parameters of
an utterance are the vendor's own fields. Only raw samples are asked for, so that what is compared is the wire.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Mapping, Sequence

import msgspec
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from gateway.bench.instruments.dialling import connect
from gateway.bench.instruments.hearing import Hearing, sleep_until
from gateway.bench.instruments.http import HttpClient
from gateway.bench.instruments.native import Connection, Fields, NotTheProtocol, text_of
from gateway.bench.instruments.timeline import (
    Codec,
    Failure,
    Payload,
    Sent,
    Timeline,
    Trouble,
    Wire,
    clock,
)
from gateway.bench.instruments.utterance import PATIENCE_S, Utterance

FILE = "/text-to-speech"
STREAM = "/text-to-speech/stream"
SOCKET = "/text-to-speech/ws"
KEY = "api-subscription-key"


def form_of(utterance: Utterance) -> Fields:
    """How to speak: the utterance's parameters, and raw samples."""
    assert utterance.form.codec is Codec.PCM_S16LE
    return {
        **utterance.parameters,
        "output_audio_codec": "linear16",
        "speech_sample_rate": utterance.form.sample_rate,
    }


def body_of(utterance: Utterance) -> bytes:
    """The JSON body of both HTTP routes."""
    return msgspec.json.encode({**form_of(utterance), "text": utterance.text})


class _FileAnswer(msgspec.Struct, frozen=True):
    audios: tuple[str, ...]


class SarvamFileClient(HttpClient):
    """A `Client` that asks for whole files. Nothing of one can be played before its JSON is whole, so all of it counts as there
    when its last byte is."""

    def __init__(self, origin: str, headers: Mapping[str, str], patience_s: float = PATIENCE_S):
        super().__init__(origin + FILE, headers=headers, make_body=body_of, patience_s=patience_s)

    async def speak(self, utterance: Utterance, intended: float, *, cold: bool = False) -> Timeline:
        """See `Client`."""
        timeline = await super().speak(utterance, intended, cold=cold)
        if timeline.trouble is not None or timeline.finished is None:
            return timeline
        body = b"".join(payload.data for payload in timeline.payloads)
        at = timeline.payloads[-1].at
        try:
            (audio,) = msgspec.json.decode(body, type=_FileAnswer).audios
            timeline.heard = [Payload(at, b64decode(audio, validate=True))]
        except (ValueError, BadBase64) as error:
            timeline.trouble = Trouble(Failure.PROTOCOL, str(error))
        return timeline


class SarvamStreamClient(HttpClient):
    """A `Client` that asks for streams."""

    def __init__(self, origin: str, headers: Mapping[str, str], patience_s: float = PATIENCE_S):
        super().__init__(origin + STREAM, headers=headers, make_body=body_of, patience_s=patience_s)


class _SarvamConnection(Connection):
    """The vendor's messages instead of ours. What is heard goes to one hearing at a time, up to its `final`."""

    subprotocols: Sequence[Subprotocol] = ()

    def say(self, type: str, fields: Fields | None = None) -> None:
        """Send a message; nothing where the connection has ended, which `hearing` knows."""
        if self._context is None or not self.is_open:
            return
        message: Fields = {"type": type} if fields is None else {"type": type, "data": fields}
        self._protocol.send_text(msgspec.json.encode(message))
        self._flush()
        self._context.hearing.touch(clock())

    def _welcome(self) -> None:
        super()._welcome()
        if self.is_open and not self.ready.done():
            self.ready.set_result(None)

    def _binary(self, message: bytes) -> None:
        raise NotTheProtocol("a binary message")

    def _understand(self, fields: Fields) -> None:
        data = fields.get("data")
        if not isinstance(data, dict):
            raise NotTheProtocol("a message without data")
        if (context := self._context) is None:
            self.strays += 1
            return
        match text_of(fields, "type"):
            case "audio":
                text_of(data, "content_type")
                audio = b64decode(text_of(data, "audio"), validate=True)
                self._hold(context.hearing.take(Payload(self._at, audio)))
            case "event" if data.get("event_type") == "final":
                self._context = None
                context.hearing.finish(self._at)
            case "error":
                context.hearing.fail(Failure.REFUSED, f"{data.get('code')}: {data.get('message')}")
            case type:
                raise NotTheProtocol(f"a message of type {type!r}")


class SarvamSocketClient:
    """A `Client` over WebSocket: a `config` when how to speak changes, text as it is there, and a `flush` at its end."""

    wire = Wire.VENDOR_WEBSOCKET

    def __init__(self, origin: str, headers: Mapping[str, str], patience_s: float = PATIENCE_S):
        self._url = "ws" + origin.removeprefix("http") + SOCKET + "?send_completion_event=true"
        self._headers = dict(headers)
        self._patience_s = patience_s
        self._connection: _SarvamConnection | None = None
        self._configured: Fields = {}
        self._names = 0
        self.timeline: Timeline | None = None

    async def speak(self, utterance: Utterance, intended: float, *, cold: bool = False) -> Timeline:
        """See `Client`. Each piece of the text leaves when it is there."""
        timeline = self.timeline = Timeline(self.wire, utterance.form, intended)
        hearing = Hearing(utterance, timeline)
        if cold:
            self.close()
        try:
            await hearing.until_over(self._say, self._leave, self._leave, self._patience_s)
        finally:
            if timeline.finished is None:
                self.close()
        return timeline

    async def open(self) -> Trouble | None:
        """See `Client`."""
        if self._connection is not None and self._connection.is_open:
            return None
        self.close()
        uri = parse_uri(self._url)
        try:
            self._connection = await connect(
                lambda: _SarvamConnection(uri, self._headers), uri.host, uri.port, tls=uri.secure
            )
        except OSError as error:
            return Trouble(Failure.UNREACHABLE, str(error))
        return await self._connection.ready

    def close(self) -> None:
        """See `Client`."""
        self._configured = {}
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    async def _say(self, hearing: Hearing) -> None:
        timeline, utterance = hearing.timeline, hearing.utterance
        await sleep_until(timeline.intended)
        timeline.begun = clock()
        hearing.touch(timeline.begun)
        if self._connection is None or not self._connection.is_open:
            timeline.dialled = clock()
            if (trouble := await self.open()) is not None:
                hearing.fail(trouble.failure, trouble.detail, trouble.status, trouble.retry_after_s)
                return
            timeline.connected = clock()
        connection = self._connection
        assert connection is not None
        self._names += 1
        connection.listen(f"utterance-{self._names}", hearing)
        if (form := form_of(utterance)) != self._configured:
            connection.say("config", form)
            self._configured = form
        for piece in utterance.pieces:
            await sleep_until(timeline.intended + piece.at_s)
            if not connection.is_open:
                return
            if piece.text:
                timeline.sent.append(Sent(clock(), piece.text))
                connection.say("text", {"text": piece.text})
        timeline.text_ended = clock()
        connection.say("flush")

    def _leave(self, hearing: Hearing) -> None:
        """There is no word for an interruption: who has heard enough hangs up."""
        hearing.timeline.interrupted = clock()
        self.close()
        hearing.stop()
