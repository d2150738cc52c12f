"""The runtime without a socket: a house with any engines, and a connection that is two streams in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio
import msgspec

from gateway.accounts.caller import LOCAL, Caller
from gateway.app import build_catalog
from gateway.audio.farm import EncodeFarm
from gateway.config import Config, ModelConfig
from gateway.core.limits import Limits
from gateway.dialects.base import Frame, Verdict
from gateway.dialects.native import AudioForm, NativeConversation
from gateway.engines.base import Engine
from gateway.engines.tone import ToneEngine
from gateway.runtime.admission import Admission
from gateway.runtime.forecast import Forecast
from gateway.runtime.house import House
from gateway.runtime.mux import Mux
from gateway.runtime.turns import new_turns
from gateway.runtime.turnstile import Turnstile
from gateway.runtime.wire import Wire
from tests.support.server import SpeechSocket

FRAMES_MAX = 100_000
"""Messages on their way in either direction, where a test does not say otherwise."""


@asynccontextmanager
async def memory_house(
    engines: Mapping[str, Engine] | Engine | None = None, **limit_changes: int
) -> AsyncIterator[House]:
    """A house with an engine (tones, unless it is given) behind the model `tone`, or with several behind models of
    their names. `limit_changes` are keys of `[limits]`."""
    if not isinstance(engines, Mapping):
        engines = {"tone": engines or ToneEngine()}
    config = msgspec.structs.replace(
        Config(),
        limits=msgspec.structs.replace(Limits(resume_window_ms=0), **limit_changes),
        models={name: ModelConfig(engine="tone") for name in engines},
        default_model=next(iter(engines)),
    )
    catalog = build_catalog(config, {"tone": next(iter(engines.values()))})
    models = {
        name: msgspec.structs.replace(model, engine=name) for name, model in catalog.models.items()
    }
    farm = EncodeFarm(threads=1)
    farm.start()
    turns = new_turns(engines)
    forecast = Forecast(config.limits, turns, farm, asyncio.get_running_loop().time)
    try:
        yield House(
            catalog=msgspec.structs.replace(catalog, models=models),
            engines=engines,
            farm=farm,
            limits=config.limits,
            admission=Admission(config.limits, forecast),
            turns=turns,
            turnstile=Turnstile(),
        )
    finally:
        for engine in engines.values():
            await engine.aclose()
        await farm.aclose()


class MemoryConnection:
    """Both ends of a connection. The server's `give` waits while the client has left `unread_max` messages unread."""

    def __init__(self, unread_max: int) -> None:
        self.is_broken = False
        self._given = 0
        self._to_server, self._at_server = anyio.create_memory_object_stream[Frame](FRAMES_MAX)
        self._to_client, self._at_client = anyio.create_memory_object_stream[Frame](unread_max)

    async def send(self, message: str | bytes, /) -> None:
        """The client says something."""
        await self._to_server.send(message)

    async def recv(self) -> str | bytes:
        """The client hears something. Raises anyio.EndOfStream when the server is gone."""
        return await self._at_client.receive()

    @property
    def all_heard(self) -> bool:
        """Whether the server has taken everything that the client said."""
        return not self._to_server.statistics().current_buffer_used

    def break_off(self) -> None:
        """The client is gone without a word, and what it has not read is lost."""
        self.is_broken = True
        self.leave()

    def leave(self) -> None:
        """The client is gone: the server's `take` gives None, and `give` raises, as sockets do. Fine twice."""
        self._to_server.close()
        self._at_client.close()

    async def take(self) -> Frame | None:
        """The server hears something."""
        try:
            return await self._at_server.receive()
        except anyio.EndOfStream:
            return None

    async def give(self, frame: Frame) -> None:
        """The server says something."""
        self._given += 1
        try:
            await self._to_client.send(frame)
        except anyio.BrokenResourceError:
            raise ConnectionResetError from None

    def _unread(self) -> int:
        return self._to_client.statistics().current_buffer_used

    async def pinged(self, wire: Wire) -> None:
        """The server asks whether the client is there, which answers when it has read all that was sent before."""
        wire.pinged()
        before = self._given
        while self._unread() > self._given - before:  # noqa: ASYNC110  # a stream tells nobody that it was read
            await asyncio.sleep(0.01)
        if not self.is_broken:
            wire.answered()

    def close(self) -> None:
        """The server is gone."""
        self._at_server.close()
        self._to_client.close()


class MemorySocket(SpeechSocket):
    """A client, and what serves it: the `verdict` is there once the mux has come to its end."""

    def __init__(
        self, connection: MemoryConnection, wire: Wire, verdict: asyncio.Future[Verdict]
    ) -> None:
        super().__init__(connection)
        self._memory = connection
        self.leave = connection.leave
        self.break_off = connection.break_off
        self._wire = wire
        self.verdict = verdict

    @property
    def all_heard(self) -> bool:
        """Whether the server has taken everything that was sent."""
        return self._memory.all_heard

    async def pinged(self) -> None:
        """The server has asked whether the client is there, and knows that it is."""
        await self._memory.pinged(self._wire)


@asynccontextmanager
async def memory_socket(
    house: House,
    *,
    form: AudioForm = AudioForm.BINARY,
    unread_max: int = FRAMES_MAX,
    owner: str = "",
    caller: Caller = LOCAL,
    ends_at: float | None = None,
) -> AsyncIterator[MemorySocket]:
    """Connect to a mux, and leave at the end of the block. `ready` is the first message to receive."""
    connection = MemoryConnection(unread_max)
    wire = Wire(
        *(connection.take, connection.give, lambda: not connection.is_broken), ends_at=ends_at
    )

    async def serve() -> Verdict:
        try:
            mux = Mux(house, NativeConversation(form), "memory", owner=owner, caller=caller)
            return await mux.run(wire)
        finally:
            connection.close()

    try:
        async with asyncio.TaskGroup() as tasks:
            yield MemorySocket(connection, wire, tasks.create_task(serve()))
            connection.leave()
    finally:
        connection.leave()
        connection.close()
