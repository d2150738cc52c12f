"""Sarvam's conversations in memory: what the dialect offers, and a client that gathers what it hears."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from gateway.app import build_catalog, build_engines
from gateway.catalogs import build_vendor, read_vendor
from gateway.core.params import Catalog
from gateway.dialects.base import Verdict
from gateway.dialects.http import HttpRequest
from gateway.dialects.sarvam_ws import SarvamHandshake
from gateway.runtime.house import House
from gateway.runtime.mux import Mux
from gateway.runtime.wire import Wire
from tests.support.memory import FRAMES_MAX, MemoryConnection
from tests.support.server import Connection, Message, tone_config


def sarvam_catalog(house: House) -> Catalog:
    """The dialect's models, spoken by the default one of this house."""
    infos = {name: engine.info for name, engine in house.engines.items()}
    return build_vendor(read_vendor("sarvam"), house.catalog, infos)


def tone_catalog() -> Catalog:
    """The same where there is no house."""
    config = tone_config()
    engines = build_engines(config)
    infos = {name: engine.info for name, engine in engines.items()}
    return build_vendor(read_vendor("sarvam"), build_catalog(config, engines), infos)


class SarvamClient:
    """Says messages, and hears frames."""

    def __init__(self, connection: Connection, verdict: asyncio.Future[Verdict]) -> None:
        self.connection = connection
        self.verdict = verdict
        """How the mux came to its end."""

    async def say(self, type: str, **data: object) -> None:
        """One message; without data it has none."""
        message: Message = {"type": type, **({"data": data} if data else {})}
        await self.connection.send(msgspec.json.encode(message).decode())

    async def hear(self) -> tuple[str, Message]:
        """The type and the data of the next frame."""
        frame = msgspec.json.decode(await self.connection.recv(), type=Message)
        data = frame["data"]
        assert isinstance(data, dict)
        kind = frame["type"]
        assert isinstance(kind, str)
        return kind, data

    async def cycle(self, *texts: str) -> bytes:
        """Say some texts and a flush: the audio of its answer."""
        for text in texts:
            await self.say("text", text=text)
        await self.say("flush")
        return await self.until_final()

    async def until_final(self) -> bytes:
        """The audio up to the next completion."""
        came = b""
        while True:
            kind, data = await self.hear()
            if kind != "audio":
                assert (kind, data["event_type"]) == ("event", "final")
                return came
            audio = data["audio"]
            assert isinstance(audio, str)
            came += b64decode(audio)


@asynccontextmanager
async def sarvam_in_memory(house: House, **query: str) -> AsyncIterator[SarvamClient]:
    """Connect to a mux, and leave at the end of the block."""
    connection = MemoryConnection(FRAMES_MAX)
    catalog = sarvam_catalog(house)
    request = HttpRequest("GET", "/text-to-speech/ws", query, {})
    agreed = SarvamHandshake().agree(request, (), catalog, house.limits)

    async def serve() -> Verdict:
        try:
            mux = Mux(house, agreed.conversation, "memory", catalog=catalog)
            return await mux.run(Wire(connection.take, connection.give))
        finally:
            connection.close()

    try:
        async with asyncio.TaskGroup() as tasks:
            yield SarvamClient(connection, tasks.create_task(serve()))
            connection.leave()
    finally:
        connection.leave()
        connection.close()
