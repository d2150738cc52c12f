"""The real server on a real socket of 127.0.0.1, inside the test's own loop, and a WebSocket client that keeps score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from starlette.routing import BaseRoute
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol as Offer

from gateway.app import Gateway
from gateway.config import Config, ServerConfig
from gateway.core.limits import Limits
from gateway.dialects.native import AUDIO_HEADER, DEFAULT_CONTEXT, Subprotocol
from gateway.runtime.house import House
from gateway.server import build_server, listen
from tests.support import canaries

Message = dict[str, object]


def tone_config(**limit_changes: int) -> Config:
    """Only the tone engine, which needs no process. `limit_changes` are keys of `[limits]`.

    Broken connections are not waited for, unless a `resume_window_ms` is named, and a busy machine is no reason to refuse
    anybody, unless a `load_percent_max` is."""
    return _config("tone", limit_changes)


def espeak_config(**limit_changes: int) -> Config:
    """Only espeak-ng, in its worker processes. `limit_changes` are keys of `[limits]`."""
    return _config("espeak", limit_changes)


def _config(model: str, limit_changes: dict[str, int]) -> Config:
    every = Config()
    return msgspec.structs.replace(
        every,
        server=ServerConfig(port=0),
        limits=msgspec.structs.replace(
            Limits(resume_window_ms=0, load_percent_max=100), **limit_changes
        ),
        models={model: every.models[model]},
        default_model=model,
    )


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Where a server listens, and what its connections share."""

    port: int
    house: House
    routes: Sequence[BaseRoute]
    connections: Collection[Any] = ()
    """uvicorn's protocols of the sockets that are open."""

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/speech"


@asynccontextmanager
async def running_server(config: Config | None = None) -> AsyncIterator[RunningServer]:
    """Serve until the end of the block, as `gateway serve` does; by default with the tone engine.

    uvicorn's `serve` is taken in its three parts: that needs no task of ours, no signal handlers, and no waiting for
    `started`. Its main loop is left out; it only watches for signals and keeps the Date header fresh.
    """
    config = config or tone_config()
    config = msgspec.structs.replace(
        config, server=msgspec.structs.replace(config.server, host="127.0.0.1", port=0)
    )
    listener = listen(config)
    server = build_server(config)
    application = server.config.app
    assert isinstance(application, Gateway)
    server.config.app = canaries.watched(application)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    port = listener.getsockname()[1]
    try:
        await server.startup([listener])
        await server.on_tick(0)
        assert application.house is not None
        connections = server.server_state.connections
        yield RunningServer(port, application.house, application.routes, connections)
        canaries.look("a metric", application.house.metrics.exposition())
    finally:
        server.should_exit = True
        await server.shutdown([listener])


class AudioFrame(msgspec.Struct, frozen=True, array_like=True):
    """A binary frame of the native protocol, its header taken apart."""

    version: int
    flags: int
    number: int
    sequence: int
    sample_start: int
    sample_count: int
    data: bytes


def audio_frame(message: bytes) -> AudioFrame:
    """The frame in a binary message."""
    return msgspec.convert(
        (*AUDIO_HEADER.unpack_from(message), message[AUDIO_HEADER.size :]), AudioFrame
    )


class Connection(Protocol):
    """What carries the messages: websockets' connection, or memory."""

    async def send(self, message: str | bytes, /) -> None: ...

    async def recv(self) -> str | bytes: ...


class SpeechSocket:
    """A client of the native protocol that remembers everything it received, in order, in `received`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.received: list[Message | AudioFrame] = []
        self._names: dict[int, str] = {}
        self._audio: dict[str, bytearray] = defaultdict(bytearray)

    async def send(self, *messages: Message | str | bytes) -> None:
        """Send messages: a dict as JSON, text and bytes as they are."""
        for message in messages:
            frame = msgspec.json.encode(message).decode() if isinstance(message, dict) else message
            await self.connection.send(frame)

    async def receive(self) -> Message | AudioFrame:
        """The next message. Raises websockets' ConnectionClosed when there is none."""
        raw = await self.connection.recv()
        message: Message | AudioFrame
        if isinstance(raw, bytes):
            message = audio_frame(raw)
            self._audio[self._names.get(message.number, DEFAULT_CONTEXT)] += message.data
        else:
            message = msgspec.json.decode(raw, type=Message)
            if message["type"] == "started":
                number, name = message["number"], message["context"]
                assert isinstance(number, int)
                assert isinstance(name, str)
                self._names[number] = name
        self.received.append(message)
        return message

    async def receive_until(self, type: str, **fields: object) -> Message:
        """Receive up to the first JSON message of this type that has these fields, and give that one."""
        while True:
            message = await self.receive()
            if isinstance(message, dict) and message.items() >= {"type": type, **fields}.items():
                return message

    def audio(self, context: str = DEFAULT_CONTEXT) -> bytes:
        """All audio that came for a context of this name in binary frames."""
        return bytes(self._audio[context])

    def messages(self, type: str) -> list[Message]:
        """The JSON messages of a type that have been received."""
        return [m for m in self.received if isinstance(m, dict) and m["type"] == type]


@asynccontextmanager
async def speech_socket(
    server: RunningServer, query: str = "", *, subprotocols: Sequence[str] = (Subprotocol.JSON,)
) -> AsyncIterator[SpeechSocket]:
    """Connect, and close at the end of the block. `ready` is the first message to receive."""
    offered = [Offer(name) for name in subprotocols]
    async with connect(
        server.ws_url + query, subprotocols=offered or None, proxy=None
    ) as connection:
        yield SpeechSocket(connection)
