"""A connection that is over is freed at once: nothing of it is left to the garbage collector, however it came to its end."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import msgspec
import pytest

from tests.fronts.peers import CLOSE, RawPeer, frame, raw_peer
from tests.support.leaks import until
from tests.support.server import RunningServer, running_server, tone_config

TEXT = {"text": "Some words that take a few seconds to say. " * 4}
FORMAT = {"format": {"codec": "pcm_s16le"}, "lead_ms": None}
TIMES = 3

Visit = Callable[[RawPeer], Awaitable[None]]


async def ask(peer: RawPeer) -> None:
    await peer.post(msgspec.json.encode({**TEXT, **FORMAT}))


async def one_shot(peer: RawPeer) -> None:
    await ask(peer)
    await peer.reader.readuntil(b"\r\n0\r\n\r\n")


async def twice(peer: RawPeer) -> None:
    await one_shot(peer)
    await one_shot(peer)


async def gone_before_the_end(peer: RawPeer) -> None:
    await ask(peer)
    await peer.reader.readuntil(b"\r\n\r\n")
    peer.reset()


async def refused(peer: RawPeer) -> None:
    await peer.post(b'{"text": 1}')
    assert (await peer.answer())[0] == 422


async def no_http(peer: RawPeer) -> None:
    await peer.send(b"good morning\r\n\r\n")
    assert b" 400 " in await peer.read_to_end()


async def talk(peer: RawPeer) -> None:
    await peer.upgrade()
    await peer.say({"type": "configure", **FORMAT}, {"type": "text", **TEXT}, {"type": "end"})
    await peer.reader.readuntil(b'"type":"ended"')


async def spoken_with(peer: RawPeer) -> None:
    await talk(peer)
    await peer.send(frame(CLOSE, b"\x03\xe8"))
    await peer.read_to_end()


async def vanished(peer: RawPeer) -> None:
    await peer.upgrade()
    await peer.say({"type": "configure", **FORMAT}, {"type": "text", **TEXT})
    await peer.reader.readuntil(b'"type":"started"')
    peer.reset()


async def broken_frame(peer: RawPeer) -> None:
    await peer.upgrade()
    await peer.send(b"\xff\xff")
    await peer.read_to_end()


async def not_upgraded(peer: RawPeer) -> None:
    await peer.send(
        b"GET /nowhere HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert b" 40" in await peer.read_to_end()


VISITS = (
    *(one_shot, twice, gone_before_the_end, refused, no_http),
    *(spoken_with, vanished, broken_frame, not_upgraded),
)


@contextmanager
def garbage() -> Iterator[Counter[str]]:
    """What of the server's the block leaves to the collector, by type."""
    found: Counter[str] = Counter()
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        names = (f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.garbage)
        found.update(name for name in names if name.startswith(("gateway.", "uvicorn.")))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@asynccontextmanager
async def quiet_server() -> AsyncIterator[RunningServer]:
    """One that keeps no session whose client has vanished for long."""
    async with running_server(tone_config(resume_window_ms=1)) as server:
        yield server


@pytest.mark.parametrize("visit", VISITS)
async def test_nothing_is_left_to_the_collector(visit: Visit) -> None:
    async with quiet_server() as server:

        async def come() -> None:
            async with raw_peer(server) as peer:
                await visit(peer)
            await until(lambda: not server.house.admission.connections)
            await until(lambda: not server.house.admission.contexts)
            await until(lambda: not server.house.lobby.parked)

        await come()  # What is made once is no garbage.
        with garbage() as left:
            for _ in range(TIMES):
                await come()
    assert not left
