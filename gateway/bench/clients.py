"""The ways to ask for speech, as lean as a client in Python gets: what the harness spends is taken from the machine.

A client asks for one text after the other and counts what comes in a `Tally`, which several clients may share.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, cast

import httptools
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from gateway.bench.subjects import Gateway

UTTERANCE_S_MAX = 60.0
"""Nothing that is asked for here takes longer, unless something hangs."""
SUBPROTOCOL = "speech.v1.json"
AUDIO_HEADER_BYTES = 20


class Refused(Exception):
    """The gateway answered with an error, or broke off."""


@dataclass(slots=True)
class Tally:
    """What has come so far."""

    utterances: int = 0
    frames: int = 0
    """HTTP body chunks or WebSocket audio messages."""
    bytes: int = 0
    """Audio without headers."""
    first_ms: list[float] = field(default_factory=list)
    """Of each utterance, from asking (for cold ways: from connecting) to its first audio byte."""
    sounds: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the first audio of all."""

    def begin(self, asked: float) -> None:
        """The first audio of an utterance that was asked for at this time of the performance counter."""
        self.first_ms.append((time.perf_counter() - asked) * 1_000)
        self.sounds.set()


class Client(Protocol):
    """One client, which speaks on its own; not for concurrent calls."""

    way: ClassVar[str]

    async def open(self) -> None:
        """Connect, where connections are kept. Raises Refused."""
        ...

    async def speak(self, text: str) -> None:
        """Ask for a text and take all its audio. Raises Refused."""
        ...

    def vanish(self) -> None:
        """Be gone, in the middle of anything or not, without a word to the gateway."""
        ...


class _HttpConnection(asyncio.Protocol):
    """A connection that carries one request at a time."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._parser = httptools.HttpResponseParser(self)
        self._done: asyncio.Future[None] | None = None
        self._begun = 0.0
        self._silent = False

    async def ask(self, request: bytes, begun: float) -> None:
        self._begun = begun
        self._silent = True
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._done

    def close(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it.

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(Refused("the connection broke off"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        if self._parser.get_status_code() != 200:
            return
        if self._silent:
            self._silent = False
            self._tally.begin(self._begun)
        self._tally.bytes += len(body)

    def on_chunk_header(self) -> None:
        """Called by the parser."""
        self._tally.frames += 1

    def on_message_complete(self) -> None:
        """Called by the parser."""
        status = self._parser.get_status_code()
        assert self._done is not None
        if self._done.done():
            return
        if status == 200:
            self._tally.utterances += 1
            self._done.set_result(None)
        else:
            self._done.set_exception(Refused(f"HTTP status {status}"))


async def _http_connection(gateway: Gateway, tally: Tally) -> _HttpConnection:
    try:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: _HttpConnection(tally), gateway.host, gateway.port
        )
    except OSError as error:
        raise Refused(str(error)) from None
    return connection


def http_request(gateway: Gateway, model: str, codec: str, text: str) -> bytes:
    """One POST as bytes."""
    body = msgspec.json.encode({"text": text, "model": model, "format": {"codec": codec}})
    return (
        f"POST /v1/speech HTTP/1.1\r\nhost: {gateway.host}:{gateway.port}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


class HttpWarm:
    """One kept connection, one request after the other."""

    way: ClassVar[str] = "HTTP keep-alive"

    def __init__(self, gateway: Gateway, model: str, codec: str, tally: Tally) -> None:
        self._gateway = gateway
        self._model = model
        self._codec = codec
        self._tally = tally
        self._connection: _HttpConnection | None = None

    async def open(self) -> None:
        self._connection = await _http_connection(self._gateway, self._tally)

    async def speak(self, text: str) -> None:
        assert self._connection is not None
        request = http_request(self._gateway, self._model, self._codec, text)
        async with asyncio.timeout(UTTERANCE_S_MAX):
            await self._connection.ask(request, time.perf_counter())

    def vanish(self) -> None:
        if self._connection is not None:
            self._connection.close()


class HttpCold(HttpWarm):
    """A new connection for each request; its time counts."""

    way: ClassVar[str] = "HTTP cold"

    async def open(self) -> None:
        """Nothing is kept."""

    async def speak(self, text: str) -> None:
        request = http_request(self._gateway, self._model, self._codec, text)
        begun = time.perf_counter()
        async with asyncio.timeout(UTTERANCE_S_MAX):
            self._connection = await _http_connection(self._gateway, self._tally)
            await self._connection.ask(request, begun)
        self._connection.close()


class _Message(msgspec.Struct):
    """As much of a server message as matters here."""

    type: str
    message: str = ""


class WebSocketWarm:
    """One connection; each utterance is a context of its own, as each request is over HTTP.

    `lead_ms` is how far ahead of playback audio may be sent; None is as fast as it can be.
    """

    way: ClassVar[str] = "WebSocket warm"

    def __init__(
        self, gateway: Gateway, model: str, codec: str, tally: Tally, *, lead_ms: int | None = None
    ) -> None:
        self._gateway = gateway
        self._settings = {"model": model, "format": {"codec": codec}, "lead_ms": lead_ms}
        self._tally = tally
        self._socket: ClientConnection | None = None

    async def open(self) -> None:
        try:
            self._socket = await connect(
                f"ws://{self._gateway.host}:{self._gateway.port}/v1/speech",
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                compression=None,
                ping_interval=None,
                max_queue=None,
                proxy=None,
            )
            await self._until("ready")
        except (OSError, WebSocketException) as error:
            raise Refused(str(error)) from None

    async def speak(self, text: str) -> None:
        begun = time.perf_counter()
        async with asyncio.timeout(UTTERANCE_S_MAX):
            await self._send({"type": "configure", **self._settings})
            await self._send({"type": "text", "text": text})
            await self._send({"type": "end"})
            await self._until("ended", begun)
        self._tally.utterances += 1

    async def open_context(self, context: str) -> None:
        """Open a context that stays. Raises Refused."""
        await self._send({"type": "configure", "context": context, **self._settings})
        await self._until("started")

    async def say(self, text: str, context: str) -> None:
        """Speak in a context that stays. Raises Refused."""
        await self._send({"type": "text", "context": context, "text": text})
        await self._send({"type": "flush", "context": context})
        await self._until("flushed")

    def vanish(self) -> None:
        if self._socket is not None:
            self._socket.transport.abort()

    async def _send(self, message: dict[str, object]) -> None:
        assert self._socket is not None
        await self._socket.send(msgspec.json.encode(message), text=True)

    async def _until(self, type: str, begun: float | None = None) -> None:
        """Take messages up to one of this type."""
        assert self._socket is not None
        tally = self._tally
        try:
            while True:
                message = await self._socket.recv(decode=False)
                if message[:1] != b"{":
                    if begun is not None:
                        tally.begin(begun)
                        begun = None
                    tally.frames += 1
                    tally.bytes += len(message) - AUDIO_HEADER_BYTES
                    continue
                said = msgspec.json.decode(message, type=_Message)
                if said.type == type:
                    return
                if said.type == "error":
                    raise Refused(said.message)
        except WebSocketException as error:
            raise Refused(str(error)) from None
