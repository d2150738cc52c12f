"""Who plays what it is sent, and takes more when it has room, is never cut off; who takes nothing is, in its time.

On real sockets with small buffers, in virtual time: 8 kHz of 16 bits are 16,000 bytes for each second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from tests.fronts.peers import Pongs, RawPeer, raw_peer
from tests.support.leaks import held, settled
from tests.support.server import RunningServer, running_server, tone_config

pytestmark = [pytest.mark.socket, pytest.mark.virtual_time]

BYTES_PER_S = 16_000
STALL_S = 0.2
"""Far less than the buffers hold, so that only what there is to play explains any patience."""
RECEIVE_BUFFER_BYTES = 131_072
"""Two of the loopback's segments. With less the kernel waits some real time before it says that there is room again, and
the virtual clock jumps over that."""
READ_AHEAD_BYTES = 8_192
TEXT = "One two three four five. " * 60
FORMAT = {"codec": "pcm_s16le", "sample_rate": 8_000}
WAYS = ["stream", "file", "websocket"]


@pytest.fixture(autouse=True)
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """The virtual clock does not wait for the threads that write them."""
    monkeypatch.setattr("gateway.runtime.spool.MEMORY_BYTES_MAX", 2**30)


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def listener(way: str) -> AsyncIterator[tuple[RunningServer, RawPeer]]:
    """A peer that has asked for some minutes of audio, as fast as it is made."""
    config = tone_config(send_stall_ms=int(STALL_S * 1_000), send_buffer_bytes=65_536)
    async with running_server(config) as server:
        before = held(server.house)
        async with raw_peer(
            server, receive_buffer_bytes=RECEIVE_BUFFER_BYTES, read_ahead_bytes=READ_AHEAD_BYTES
        ) as peer:
            asked = {"text": TEXT, "format": FORMAT, "lead_ms": None}
            if way == "websocket":
                await peer.upgrade()
                await peer.say({"type": "configure", "format": FORMAT, "lead_ms": None})
                await peer.say({"type": "text", "text": TEXT}, {"type": "end"})
            else:
                await peer.post(msgspec.json.encode({**asked, "stream": way == "stream"}))
            yield server, peer
        await settled(server.house, before)


def is_whole(heard: bytes, way: str) -> bool:
    if way == "websocket":
        return b'"ended"' in heard
    if way == "stream":
        return heard.endswith(b"0\r\n\r\n")
    head, _, body = heard.partition(b"\r\n\r\n")
    return b"content-length: %d\r\n" % len(body) in head + b"\r\n"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sip_s", [5.0, 1.0, 0.1])
async def test_a_player_gets_everything(way: str, sip_s: float) -> None:
    async with listener(way) as (_, peer):
        pongs = Pongs()
        heard = await peer.reader.read(1)
        begun = now()
        if way == "websocket":
            assert pongs.answers_to(heard) == b""
        while not is_whole(heard, way):
            # What it has taken it plays, and takes no more meanwhile.
            sip = await peer.reader.readexactly(1)
            while len(sip) < sip_s * BYTES_PER_S and not is_whole(heard + sip, way):
                sip += await peer.reader.read(int(sip_s * BYTES_PER_S) - len(sip))
            heard += sip
            if way == "websocket":
                await peer.send(pongs.answers_to(sip))
            await asyncio.sleep(len(sip) / BYTES_PER_S)
        assert now() - begun > 60


@pytest.mark.parametrize("way", WAYS)
async def test_who_takes_nothing_is_cut_off_when_it_has_nothing_left_to_play(way: str) -> None:
    """What is on its way to it then is what the buffers hold: some seconds, and not the minutes that were asked for."""
    async with listener(way) as (server, peer):
        await peer.reader.read(1)
        peer.stop_reading()
        begun = now()
        while server.house.admission.connections:  # nobody announces it
            await asyncio.sleep(0.1)
            assert now() - begun < 30 + STALL_S
        assert now() - begun > STALL_S


@pytest.mark.parametrize("way", ["stream", "file"])
async def test_ten_minutes_are_not_made_for_who_has_left(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A send to a peer that is gone returns at once: whoever went on sending would never let go of the loop."""
    in_vain = 0
    honest = RequestResponseCycle.send

    async def noting(cycle: RequestResponseCycle, message: ASGISendEvent) -> None:
        nonlocal in_vain
        in_vain += cycle.disconnected
        await honest(cycle, message)

    monkeypatch.setattr(RequestResponseCycle, "send", noting)
    async with running_server(tone_config(whole_chars_max=20_000)) as server:
        before = held(server.house)
        async with raw_peer(server) as peer:
            asked = {"text": TEXT * 8, "format": FORMAT, "stream": way == "stream"}
            await peer.post(msgspec.json.encode(asked))
            await peer.reader.readuntil(b"\r\n\r\n")
            peer.reset()
        await settled(server.house, before)
    # Of more than a thousand.
    assert in_vain <= 10
