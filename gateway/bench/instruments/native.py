"""One WebSocket connection that speaks `speech.v1.json`: bytes to messages, and messages to whoever listens.

It drives the sans-I/O half of `websockets` itself, so that a time stamp is taken when bytes leave the socket and not
when a task gets round to them, and so that a slow reader really stops reading.
"""

from __future__ import annotations

import asyncio
import struct
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI, parse_uri

from gateway.bench.instruments.dialling import connect
from gateway.bench.instruments.hearing import Hearing, Valve
from gateway.bench.instruments.http import retry_after_s
from gateway.bench.instruments.timeline import Failure, Message, Payload, Trouble, clock

SUBPROTOCOL = Subprotocol("speech.v1.json")
AUDIO_HEADER = struct.Struct(">BBHIQI")
"""Version, flags, context number, sequence, sample_start, sample_count."""
AUDIO_VERSION = 1
MESSAGE_BYTES_MAX = 1_048_576

Fields = dict[str, object]


class _Context:
    """The context that is listened to, and what its next audio frame must say."""

    def __init__(self, name: str, hearing: Hearing) -> None:
        self.name = name
        self.hearing = hearing
        self.number: int | None = None
        self._sequence = 0
        self._sample = 0

    def take(self, at: float, sequence: int, sample_start: int, count: int, data: bytes) -> float:
        """An audio frame came. Gives the seconds to pause for."""
        if (sequence, sample_start) != (self._sequence, self._sample):
            got, expected = (sequence, sample_start), (self._sequence, self._sample)
            self.hearing.fail(
                Failure.PROTOCOL, f"audio (sequence, sample) is {got}, not {expected}"
            )
        self._sequence += 1
        self._sample += count
        return self.hearing.take(Payload(at, data, sample_start, count))


class Connection(asyncio.Protocol):
    """Made by `create_connection`; `ready` then tells what became of the handshake.

    Only one context is listened to at a time; `strays` counts audio of any other.
    """

    transport: asyncio.Transport
    valve: Valve
    subprotocols: Sequence[Subprotocol] = (SUBPROTOCOL,)

    def __init__(self, uri: WebSocketURI, headers: Mapping[str, str]) -> None:
        self._protocol = ClientProtocol(
            uri, subprotocols=self.subprotocols or None, max_size=MESSAGE_BYTES_MAX
        )
        self._headers = headers
        self._context: _Context | None = None
        self._parts: list[bytes] = []
        self._is_text = False
        self._at = 0.0
        self.strays = 0
        self.is_open = False
        self.ready: asyncio.Future[Trouble | None] = asyncio.get_running_loop().create_future()

    def listen(self, name: str, hearing: Hearing) -> None:
        """From now on, `say` speaks in a context of this name and `hearing` is told what comes of it."""
        self._context = _Context(name, hearing)
        self.valve.open()

    def say(self, type: str, fields: Fields | None = None) -> None:
        """Send a message about the context; nothing where it or the connection has ended, which `hearing` knows."""
        if self._context is None or not self.is_open:
            return
        message = {"type": type, "context": self._context.name, **(fields or {})}
        self._protocol.send_text(msgspec.json.encode(message))
        self._flush()
        self._context.hearing.touch(clock())

    def abort(self) -> None:
        """Be gone. Calling twice is fine."""
        self.is_open = False
        self._context = None
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it.
        self.valve = Valve(self.transport)
        request = self._protocol.connect()
        for name, value in self._headers.items():
            request.headers[name] = value
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._at = clock()
        if self._context is not None:
            self._context.hearing.touch(self._at)
            self._context.hearing.timeline.bytes_read += len(data)
        self._protocol.receive_data(data)
        self._react()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.receive_eof()
        self._react()
        self.is_open = False
        self.valve.open()
        self._fail(Failure.TRUNCATED, str(exc or self._protocol.close_exc))

    def _react(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self._welcome()
            else:
                assert isinstance(event, Frame)
                self._frame(event)
        if self._protocol.handshake_exc is not None:
            self._rejected(self._protocol.handshake_exc)
        elif isinstance(self._protocol.parser_exc, EOFError):
            self._fail(Failure.TRUNCATED, "the connection broke off")
        elif self._protocol.parser_exc is not None:
            self._fail(Failure.PROTOCOL, str(self._protocol.parser_exc))
        self._flush()
        if self._protocol.close_expected() and not self.transport.is_closing():
            self.transport.close()

    def _welcome(self) -> None:
        if self._protocol.handshake_exc is None:
            self.is_open = True

    def _rejected(self, error: Exception) -> None:
        if self.ready.done():
            return
        if isinstance(error, InvalidStatus):
            response = error.response
            detail = (response.body or b"").decode("utf-8", "replace") or str(error)
            after = retry_after_s(response.headers.get("retry-after", ""))
            self.ready.set_result(Trouble(Failure.REFUSED, detail, response.status_code, after))
        elif isinstance(error, InvalidHandshake):
            self.ready.set_result(Trouble(Failure.PROTOCOL, str(error)))
        else:
            self.ready.set_result(Trouble(Failure.TRUNCATED, str(error)))

    def _frame(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return  # Pings have been answered.
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return
        message, self._parts = b"".join(self._parts), []
        try:
            if self._is_text:
                self._understand(msgspec.json.decode(message, type=Fields))
            else:
                self._binary(message)
        except (msgspec.MsgspecError, struct.error, BadBase64, NotTheProtocol) as error:
            self._fail(Failure.PROTOCOL, str(error))

    def _binary(self, message: bytes) -> None:
        version, _, number, sequence, sample_start, count = AUDIO_HEADER.unpack_from(message)
        if version != AUDIO_VERSION:
            raise NotTheProtocol(f"audio frame of version {version}")
        context = self._context
        if context is None or context.number != number:
            self.strays += 1
            return
        data = message[AUDIO_HEADER.size :]
        self._hold(context.take(self._at, sequence, sample_start, count, data))

    def _understand(self, fields: Fields) -> None:
        type, context = text_of(fields, "type"), self._context
        if type == "ready":
            if not self.ready.done():
                self.ready.set_result(None)
        elif context is None or fields.get("context", context.name) != context.name:
            self.strays += type == "audio"
        elif type == "audio":
            data = b64decode(text_of(fields, "data"), validate=True)
            sequence, start, count = (
                _count(fields, name) for name in ("sequence", "sample_start", "sample_count")
            )
            self._hold(context.take(self._at, sequence, start, count, data))
        else:
            context.hearing.note(Message(self._at, type, fields))
            self._event(context, type, fields)

    def _event(self, context: _Context, type: str, fields: Fields) -> None:
        hearing = context.hearing
        match type:
            case "started":
                context.number = _count(fields, "number")
            case "segment":
                _count(fields, "text_start")
                _count(fields, "text_end")
            case "cleared":
                _count(fields, "text_end")
                hearing.timeline.silenced = self._at
            case "error" if "segment" in fields:
                hearing.fail(Failure.TRUNCATED, f"{fields.get('code')}: {fields.get('message')}")
            case "error":
                detail = f"{fields.get('code')}: {fields.get('message')}"
                after_ms = fields.get("retry_after_ms")
                after_s = after_ms / 1_000 if isinstance(after_ms, int) else None
                hearing.fail(Failure.REFUSED, detail, retry_after_s=after_s)
            case "ended":
                hearing.timeline.announced = _count(fields, "samples")
                if (reason := text_of(fields, "reason")) == "finished":
                    hearing.finish(self._at)
                else:
                    hearing.fail(Failure.TRUNCATED, f"the context ended: {reason}")
                self._context = None
            case _:
                pass

    def _hold(self, pause_s: float) -> None:
        if pause_s:
            self.valve.hold(pause_s)

    def _fail(self, failure: Failure, detail: str) -> None:
        if not self.ready.done():
            self.ready.set_result(Trouble(failure, detail))
        if self._context is not None:
            self._context.hearing.fail(failure, detail)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self.transport.write(data)
            else:  # Both sides have said all. Half-closing would be an error where the other one has gone.
                self.transport.close()


async def dial(url: str, headers: Mapping[str, str]) -> Connection:
    """A new connection, whose `ready` tells what becomes of the handshake. Raises OSError where there is nobody."""
    uri = parse_uri(url)
    return await connect(lambda: Connection(uri, headers), uri.host, uri.port, tls=uri.secure)


class NotTheProtocol(Exception):
    """A message that the protocol does not have."""


def text_of(fields: Fields, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise NotTheProtocol(f"{name} is {value!r}, not text")
    return value


def _count(fields: Fields, name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or value < 0:
        raise NotTheProtocol(f"{name} is {value!r}, not a count")
    return value
