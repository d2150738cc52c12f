"""Clients that vanish or stop reading, in each state, by hundreds: they cost nothing afterwards, and others nothing at
any time. On both event loops, because transports differ in how they end."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

import msgspec
import pytest
import uvloop

from gateway.config import Config
from gateway.engines.chaos import ChaosEngine, Delay, Hang
from gateway.engines.tone import ToneEngine
from tests.fronts.peers import frame, http_client, raw_peer, use_engine
from tests.fronts.states import LONG, STATES, UNPACED, WAYS
from tests.support.leaks import at_rest, held, settled, until
from tests.support.server import (
    RunningServer,
    espeak_config,
    running_server,
    speech_socket,
    tone_config,
)

pytestmark = pytest.mark.socket

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


async def is_served(server: RunningServer) -> None:
    """A new request over each protocol is answered completely."""
    async with http_client(server) as client:
        assert (await client.post("/v1/speech", json={"text": "I."})).status_code == 200
    async with speech_socket(server) as socket:
        await socket.send({"type": "text", "text": "I."}, {"type": "end"})
        ended = await socket.receive_until("ended")
        assert ended["samples"] == len(socket.audio()) // 2 > 0


async def come_and_go(server: RunningServer, rounds: int) -> None:
    """So many connections in every state, ended in every way."""
    for state in STATES:
        for way in WAYS:
            for _ in range(rounds):
                async with raw_peer(server) as peer:
                    await state(peer)
                    getattr(peer, way)()


@pytest.mark.parametrize("loop", LOOPS)
def test_whoever_vanishes_leaves_nothing_behind(loop: str) -> None:
    """Several hundred connections, and a listener beside them who misses no sample."""

    async def run() -> None:
        async with running_server(tone_config(body_read_ms=500)) as server:
            await is_served(server)
            before = await at_rest(server.house)
            async with asyncio.TaskGroup() as tasks:
                well = tasks.create_task(listened(server))
                await come_and_go(server, rounds=5)
            assert well.result()
            await is_served(server)
            await settled(server.house, before)

    async def listened(server: RunningServer) -> bool:
        async with speech_socket(server) as socket:
            await socket.send(
                {"type": "configure", "lead_ms": 300, "voice": "sine-440"},
                {"type": "text", "text": "One two three four five. " * 2},
                {"type": "end"},
            )
            ended = await socket.receive_until("ended")
            return ended["samples"] == len(socket.audio()) // 2

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(run())


@pytest.mark.slow
async def test_nor_does_espeak() -> None:
    """Worker processes too are as many as before."""
    async with running_server(espeak_config(body_read_ms=500)) as server:
        await is_served(server)
        before = await at_rest(server.house)
        await come_and_go(server, rounds=1)
        await is_served(server)
        await settled(server.house, before)


class TestWhoDoesNotRead:
    """A small send buffer, and little patience: what takes 30 s and megabytes by default shows at once."""

    CONFIG: Config = tone_config(send_stall_ms=200, send_buffer_bytes=8_192, replies_pending_max=16)

    @pytest.mark.parametrize("loop", LOOPS)
    @pytest.mark.parametrize("protocol", ["http", "websocket"])
    def test_is_cut_off(self, loop: str, protocol: str) -> None:
        async def run() -> None:
            async with running_server(self.CONFIG) as server:
                await is_served(server)
                before = await at_rest(server.house)
                async with raw_peer(server) as peer:
                    if protocol == "http":
                        # At 48 kHz: what was sent and may still be playing counts as patience.
                        asked = {"text": LONG, "format": {"codec": "wav", "sample_rate": 48_000}}
                        await peer.post(msgspec.json.encode(asked))
                        await peer.reader.readuntil(b"RIFF")
                    else:
                        await peer.upgrade()
                        form = {"codec": "pcm_s16le", "sample_rate": 48_000}
                        await peer.say(
                            {**UNPACED, "format": form}, {"type": "text", "text": LONG * 4}
                        )
                        await peer.reader.readuntil(b'"segment"')
                    peer.stop_reading()
                    assert server.house.admission.connections == 1
                    await until(lambda: server.house.admission.connections == 0)
                    # Not only its place is free: its socket is closed, although it holds on to its own end.
                    await until(lambda: held(server.house).files == before.files + 1)
                await is_served(server)
                await settled(server.house, before)

        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(run())

    async def test_answers_are_not_heaped_up_for_it(self) -> None:
        async with running_server(self.CONFIG) as server:
            before = held(server.house)
            async with raw_peer(server) as peer:
                await peer.upgrade()
                peer.stop_reading()
                with suppress(ConnectionResetError):  # It is hung up on with bytes on their way.
                    while server.house.admission.connections:
                        await peer.send(frame(0x1, b'{"type":"?"}') * 100)
            await is_served(server)
            await settled(server.house, before)

    async def test_costs_others_nothing(self) -> None:
        """A listener beside ten who do not read gets everything, from the one worker that there is."""
        async with running_server(self.CONFIG) as server, AsyncExitStack() as stack:
            use_engine(server, ToneEngine(workers=1))
            for _ in range(10):
                peer = await stack.enter_async_context(raw_peer(server))
                await peer.upgrade()
                await peer.say(UNPACED, {"type": "text", "text": LONG})
                peer.stop_reading()
            await is_served(server)

    async def test_is_obeyed_all_the_same(self) -> None:
        """The reader reads while the writer is stuck: a clear frees the engine."""
        async with running_server(tone_config(send_buffer_bytes=8_192)) as server:
            engine = ToneEngine(workers=1)
            use_engine(server, ChaosEngine(engine, {"never": [Hang()]}))
            async with raw_peer(server) as peer:
                await peer.upgrade()
                await peer.say(UNPACED, {"type": "text", "text": LONG * 3})
                await peer.reader.readuntil(b'"segment"')
                peer.stop_reading()
                await peer.say({"type": "text", "text": "This one never ends."}, {"type": "flush"})
                await peer.say({"type": "clear"})
                await is_served(server)


async def test_a_client_that_leaves_while_it_waits_frees_the_worker_for_the_next() -> None:
    async with running_server() as server:
        use_engine(server, ChaosEngine(ToneEngine(workers=1), {"slow": [Delay(delay_ms=60_000)]}))
        async with raw_peer(server) as peer:
            await peer.upgrade()
            await peer.say({"type": "text", "text": "This is slow."}, {"type": "end"})
            await peer.reader.readuntil(b'"started"')
            peer.reset()
        await is_served(server)
