"""A long answer that is all there already lets others have their turn between any two parts, whoever reads it, or nobody.

Where a send is taken at once, or the client has gone, sending never waits: whoever goes on without a turn of the loop in
between holds up everybody. Turns are counted, so that a slow machine changes nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.core.synthesis import Begun, Finished, Produced, Report, Synthesize
from gateway.engines.tone import ToneEngine
from tests.fronts.peers import RawPeer, http_client, raw_peer, use_engine
from tests.support.leaks import held, settled, until
from tests.support.server import RunningServer, running_server

pytestmark = pytest.mark.socket

LENGTH_S = 200
SENDS_MAX = 3
"""In one turn: a status and a body, or the frames that tell of one event."""
WAYS = ["stream", "file", "events", "websocket"]


class Canned(ToneEngine):
    """Has minutes of audio at once."""

    async def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        yield Begun(order.segment)
        yield Produced(order.segment, bytes(2 * LENGTH_S * self.info.sample_rate))
        yield Finished(order.segment)


@asynccontextmanager
async def sends(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Counter[int]]:
    """How many sends there were in each turn of the loop."""
    turn = 0
    found: Counter[int] = Counter()

    async def count() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    def noting(of: type[RequestResponseCycle | WebSocketsSansIOProtocol]) -> None:
        honest: Callable[..., object] = of.send

        async def send(self: object, message: ASGISendEvent) -> None:
            found[turn] += 1
            await honest(self, message)  # type: ignore[misc]  # either of the two

        monkeypatch.setattr(of, "send", send)

    noting(RequestResponseCycle)
    noting(WebSocketsSansIOProtocol)
    async with asyncio.TaskGroup() as tasks:
        counting = tasks.create_task(count())
        try:
            yield found
        finally:
            counting.cancel()


async def ask(peer: RawPeer, way: str) -> None:
    """For all of it, as fast as it comes."""
    format = {"codec": "pcm_s16le"}
    if way == "websocket":
        await peer.upgrade()
        await peer.say({"type": "configure", "lead_ms": None}, {"type": "text", "text": "I."})
        await peer.say({"type": "end"})
    else:
        body = msgspec.json.encode({"text": "I.", "format": format, "stream": way != "file"})
        await peer.post(body, accept="text/event-stream" if way == "events" else "*/*")


async def is_answered(server: RunningServer) -> None:
    async with http_client(server) as client:
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize("way", WAYS)
async def test_a_reader_of_all_of_it(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_server() as server:
        use_engine(server, Canned())
        before = held(server.house)
        async with sends(monkeypatch) as in_a_turn, raw_peer(server) as peer:
            await ask(peer, way)
            size = 0
            while size < 2 * LENGTH_S * 22_050:
                size += len(await peer.reader.read(1_000_000))
            await is_answered(server)
        await settled(server.house, before)
    assert sum(in_a_turn.values()) > 100
    assert max(in_a_turn.values()) <= SENDS_MAX


@pytest.mark.parametrize("way", WAYS)
async def test_one_who_has_gone(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_server() as server:
        use_engine(server, Canned())
        before = held(server.house)
        async with sends(monkeypatch) as in_a_turn:
            async with raw_peer(server) as peer:
                await ask(peer, way)
                await peer.reader.read(1)
                peer.reset()
            await until(lambda: server.house.admission.connections == 0)
            await is_answered(server)
        await settled(server.house, before)
    assert max(in_a_turn.values()) <= SENDS_MAX
    assert sum(in_a_turn.values()) < 2 * LENGTH_S
