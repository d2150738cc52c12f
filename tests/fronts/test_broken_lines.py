"""Connections that are cut at any byte, on real sockets, with espeak-ng: joined, what came is what would have come uncut.

A `Link` resets both sides or ends one direction after a random number of bytes of either direction, in the handshake, in
the middle of a frame, in what was missed and is told again.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol as Offer

from gateway.bench.link import Conditions, Link
from gateway.dialects.native import Subprotocol
from tests.equivalence.speaking import UNTIMED
from tests.fronts.peers import http_client
from tests.support.leaks import until
from tests.support.listener import Listener, lost_in, told
from tests.support.server import (
    Message,
    RunningServer,
    SpeechSocket,
    espeak_config,
    running_server,
    speech_socket,
)

pytestmark = [pytest.mark.socket, pytest.mark.asyncio(loop_scope="module")]

TEXT = (
    "The flight leaves at nine, so there is time for dinner. Shall I book a table for two? "
    "It wasn't cheap, Dr. Smith said; it cost $3.50 at 9 a.m. in St. Louis! "
)
PIECES = [TEXT[start : start + 40] for start in range(0, len(TEXT), 40)] * 3
CONFIGURE: Message = {
    "type": "configure",
    "lead_ms": None,
    "timestamps": True,
    # Where it is cut shall not depend on when its pieces come.
    "buffering": {"auto_flush": False, **UNTIMED},
}
FLUSHED: list[tuple[Message, Message]] = [
    ({"type": "text", "text": piece}, {"type": "flush", "id": str(number)})
    for number, piece in enumerate(PIECES)
]
SAID: tuple[Message, ...] = (
    CONFIGURE,
    *chain.from_iterable(FLUSHED),
    {"type": "text", "text": "And another thing."},
    {"type": "end", "id": "e1"},
)
ASKED: Message = {"text": "".join(PIECES), "format": {"codec": "pcm_s16le"}}
BROKEN = (OSError, EOFError, WebSocketException)
"""What a client sees of a cut."""
CUTS_MAX = 200
UP_BYTES_MAX = 700
"""A request or a handshake is no longer than about that."""


@asynccontextmanager
async def serving(**limits: int) -> AsyncIterator[RunningServer]:
    # What is not paced is far ahead of its client on a line that holds much.
    limits = {"replays_max": CUTS_MAX, "resume_ring_bytes": 4_194_304, **limits}
    async with running_server(espeak_config(**limits)) as running:
        yield running
        # Whoever came to the end and was cut off before saying goodbye is waited for no longer.
        running.house.admission.drain.begin(0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[RunningServer]:
    async with serving(resume_window_ms=30_000) as running:
        yield running


@dataclass
class Line:
    """A line that breaks, and how often it has."""

    link: Link
    chance: random.Random
    cuts: int = 0

    def spoil(self, bytes_max: int) -> None:
        """The next connection breaks somewhere within its first bytes: both sides see a reset, or the client an end."""
        self.cuts += 1
        assert self.cuts < CUTS_MAX, "no progress is made"
        after = self.chance.randint(1, self.chance.choice([4_000, bytes_max, bytes_max]))
        self.link.up = self.link.down = Conditions()
        match self.chance.choice(["reset down", "reset up", "end down"]):
            case "reset down":
                self.link.down = Conditions(reset_after_bytes=after)
            case "reset up":
                self.link.up = Conditions(reset_after_bytes=self.chance.randint(1, UP_BYTES_MAX))
            case _:
                self.link.down = Conditions(half_close_after_bytes=after)


async def speak(port: int, listener: Listener) -> None:
    """Connect, say what the server has not heard, and listen until the end or the cut."""
    offered = [Offer(Subprotocol.JSON)]
    with suppress(*BROKEN):
        async with connect(
            f"ws://127.0.0.1:{port}/v1/speech", subprotocols=offered, proxy=None, close_timeout=0.1
        ) as connection:
            socket = SpeechSocket(connection)
            await listener.greet(socket)
            await listener.listen(socket)


class TestWebSocket:
    @pytest.mark.parametrize("seed", range(8))
    async def test_what_came_is_what_would_have_come(
        self, server: RunningServer, seed: int
    ) -> None:
        whole = Listener(SAID)
        await speak(server.port, whole)
        assert whole.is_done
        listener = Listener(SAID)
        async with Link("127.0.0.1", server.port, seed=seed) as link:
            line = Line(link, random.Random(seed))
            while not listener.is_done:
                line.spoil(len(whole.audio) // 8)
                await speak(link.port, listener)
        assert listener.audio == whole.audio
        assert told(listener.messages) == told(whole.messages)
        assert line.cuts > 1
        await until(lambda: server.house.admission.contexts == 0)

    async def test_what_a_ping_was_answered_behind_is_not_kept(self) -> None:
        async with (
            serving(resume_window_ms=1_000, ping_interval_ms=50) as server,
            speech_socket(server) as socket,
        ):
            rings = server.house.lobby.rings
            await socket.send({"type": "text", "text": "One."}, {"type": "flush"})
            await socket.receive_until("flushed")
            assert rings.bytes > 1_000
            await until(lambda: rings.bytes == 0)
            await socket.send({"type": "text", "text": "Two."}, {"type": "end"})
            await socket.receive_until("ended")
            assert rings.bytes > 1_000


class TestTooLate:
    async def test_what_was_not_spoken_is_named_to_the_word(self) -> None:
        chance = random.Random(0)
        async with serving(resume_window_ms=100) as server:
            whole = Listener(SAID)
            await speak(server.port, whole)
            for _ in range(6):
                listener = Listener(SAID)
                async with Link("127.0.0.1", server.port) as link:
                    after = chance.randint(20_000, len(whole.audio))
                    link.down = Conditions(reset_after_bytes=after)
                    await speak(link.port, listener)
                assert listener.samples
                await until(lambda: server.house.admission.connections == 0)
                for samples in (listener.samples, chance.randint(0, listener.samples)):
                    async with speech_socket(server) as socket:
                        await socket.receive_until("ready")
                        await socket.send(listener.resume(samples=samples))
                        error = await socket.receive_until("error")
                    assert error["code"] == "resume_expired"
                    (lost,) = lost_in(error)
                    said = "".join(str(message.get("text", "")) for message in SAID)
                    assert lost["text_start"] == 0
                    assert said.startswith(lost["spoken"] + lost["unspoken"])
                    assert len(lost["spoken"]) == heard_to(whole.messages, samples)


def heard_to(messages: list[Message], samples: int) -> int:
    """The text that who got so many samples has heard: all words of segments that ended by then, and of the next one
    those behind which another has begun."""
    told: Any = messages
    ends = {m["segment"]: m["sample_end"] for m in told if m["type"] == "segment_end"}
    heard = 0
    for segment in (m for m in told if m["type"] == "segment"):
        if samples < ends[segment["segment"]]:
            words = [
                word
                for m in told
                if m["type"] == "words" and m["segment"] == segment["segment"]
                for word in m["words"]
                if word["sample"] <= samples
            ]
            ended = [a for a, b in pairwise(words) if a["sample"] < b["sample"]]
            return int(ended[-1]["text_end"]) if ended else heard
        heard = segment["text_end"]
    return heard


class TestHttp:
    @pytest.mark.parametrize("seed", range(3))
    async def test_what_came_is_what_would_have_come(
        self, server: RunningServer, seed: int
    ) -> None:
        async with http_client(server) as client:
            whole = (await client.post("/v1/speech", json=ASKED)).content
        got = bytearray()
        async with Link("127.0.0.1", server.port, seed=seed) as link:
            line = Line(link, random.Random(seed))
            line.spoil(len(whole) // 4)
            while not await ask_for_the_rest(link.port, f"seed-{seed}", got):
                line.spoil(len(whole) // 4)
        assert got == whole
        assert line.cuts > 1
        await until(lambda: server.house.admission.contexts == 0)


async def ask_for_the_rest(port: int, key: str, got: bytearray) -> bool:
    """Ask for what is missing, and add what comes of it. True when that is all."""
    del got[len(got) // 2 * 2 :]  # Half a sample is none.
    asked = {**ASKED, "sample_start": len(got) // 2}
    address = f"http://127.0.0.1:{port}"
    try:
        async with (
            httpx.AsyncClient(base_url=address, trust_env=False, verify=False) as client,
            client.stream(
                "POST", "/v1/speech", json=asked, headers={"idempotency-key": key}
            ) as answer,
        ):
            assert answer.status_code == 200, await answer.aread()
            async for part in answer.aiter_raw():
                got += part
            return True
    except httpx.TransportError:
        return False
