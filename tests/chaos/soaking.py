"""Thousands of sessions of every kind and every ending, and what the server holds in between."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol as Offer

from gateway.bench.proc import memory_of
from gateway.dialects.native import Subprotocol
from tests.chaos.serving import Vitals, at_rest, nurseries
from tests.chaos.slopes import Slope, slope
from tests.chaos.talking import PCM, answers, ask, conversation, download
from tests.fronts.peers import raw_peer
from tests.fronts.states import STATES, WAYS
from tests.support.process import GatewayProcess
from tests.support.server import AudioFrame, Message, SpeechSocket

AT_ONCE = 12
SESSION_S_MAX = 60.0
TEXT = "Here is one sentence, and there is another. "
CODECS = ("pcm_s16le", "wav", "mulaw", "mp3", "opus", "aac", "flac")
NOBODY_REFUSED = {
    "LIMITS__LOAD_PERCENT_MAX": "100",
    "LIMITS__WAIT_MS_MAX": "60000",
}
"""So that every session comes to its own end, on a slow machine too."""
SETTINGS = {
    "LIMITS__RESUME_WINDOW_MS": "500",
    "LIMITS__LOST_TEXT_MS": "500",
    "LIMITS__RECEIPTS_MAX": "1000",
    "LIMITS__IDEMPOTENCY_KEYS_MAX": "1000",
    **NOBODY_REFUSED,
}
"""What waits for a client that is gone does so shortly: a measurement is taken when nothing waits any more. What is kept for an
hour is full soon: else it would grow as long as a soak takes, with nothing leaking."""

Session = Callable[[GatewayProcess, random.Random], Awaitable[None]]


class Look(msgspec.Struct, frozen=True):
    """What the server holds after so many sessions; memory in kilobytes, that of the nurseries too."""

    sessions: int
    vitals: Vitals
    rss_kb: float
    nurseries_rss_kb: float


class Soaked(msgspec.Struct, frozen=True):
    """What so many sessions left behind."""

    sessions: int
    kinds: dict[str, int]
    looks: list[Look]

    def slopes(self) -> dict[str, Slope]:
        """By what could grow."""
        at = [look.sessions for look in self.looks]
        held = {
            name: [float(getattr(look.vitals, name)) for look in self.looks]
            for name in Vitals.__struct_fields__
        }
        held["rss_kb"] = [look.rss_kb for look in self.looks]
        held["nurseries_rss_kb"] = [look.nurseries_rss_kb for look in self.looks]
        return {name: slope(at, values) for name, values in held.items()}


async def soak(
    gateway: GatewayProcess, count: int, every: int, seed: int, tell: Callable[[Look], None]
) -> Soaked:
    """So many sessions, with a look at the server every so many of them. Fails when a session that should be whole is
    not."""
    chance = random.Random(seed)
    kinds: Counter[str] = Counter()
    looks: list[Look] = []
    for done in range(0, count, every):
        await crowd(gateway, min(every, count - done), chance, kinds)
        looks.append(await look(gateway, done + every))
        tell(looks[-1])
    return Soaked(count, dict(kinds), looks)


async def crowd(
    gateway: GatewayProcess, count: int, chance: random.Random, kinds: Counter[str]
) -> None:
    """So many sessions, some of them at a time."""
    left = count

    async def come() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            kind = chance.choice(SESSIONS)
            kinds[getattr(kind, "__name__", "?")] += 1
            async with asyncio.timeout(SESSION_S_MAX):
                await kind(gateway, chance)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(come())


async def look(gateway: GatewayProcess, sessions: int) -> Look:
    """What it holds when everybody has gone."""
    vitals = await at_rest(gateway)
    rss = memory_of(gateway.process.pid).rss / 1_024
    theirs = sum(memory_of(pid).rss for pid in nurseries(gateway)) / 1_024
    return Look(sessions, vitals, rss, theirs)


async def leaves_in_some_state(gateway: GatewayProcess, chance: random.Random) -> None:
    state, way = chance.choice(STATES), chance.choice(WAYS)
    async with raw_peer(gateway.port) as peer:
        await state(peer)
        getattr(peer, way)()


async def downloads(gateway: GatewayProcess, chance: random.Random) -> None:
    body: Message = {
        "text": TEXT * chance.randint(1, 6),
        "format": {"codec": chance.choice(CODECS)},
        "stream": chance.random() < 0.7,
    }
    answer = await download(gateway.base_url, body)
    assert answer.is_whole, answer.codes
    assert answer.audio


async def is_refused(gateway: GatewayProcess, chance: random.Random) -> None:
    answer = await download(gateway.base_url, {"text": TEXT, "voice": "nobody"})
    assert answer.codes == ["unknown_voice"]


async def converses(gateway: GatewayProcess, chance: random.Random) -> None:
    """Two contexts, of which one has other settings."""
    async with conversation(gateway.ws_url) as socket:
        await ask(socket, "one", TEXT, TEXT)
        await ask(socket, "two", TEXT, voice="de", speed=chance.choice((0.9, 2.0)), timestamps=True)
        for answer in (await answers(socket, "one", "two")).values():
            assert answer.is_whole
            assert answer.samples == len(answer.audio) // 2


async def interrupts(gateway: GatewayProcess, chance: random.Random) -> None:
    """Barge-ins, and then an end or none."""
    async with conversation(gateway.ws_url) as socket:
        await socket.send({"type": "configure", "lead_ms": chance.choice((100, 4_000))})
        for _ in range(chance.randint(1, 4)):
            await socket.send({"type": "text", "text": TEXT * 8}, {"type": "flush"})
            while not isinstance(await socket.receive(), AudioFrame):
                pass
            await socket.send({"type": "clear", "played_ms": 50})
            await socket.receive_until("cleared")
        if chance.random() < 0.5:
            await socket.send({"type": "end"})
            await socket.receive_until("ended")


async def comes_back(gateway: GatewayProcess, chance: random.Random) -> None:
    """Vanishes while it listens; resumes soon, late, or never."""
    async with connect(
        gateway.ws_url, subprotocols=[Offer(Subprotocol.JSON)], proxy=None
    ) as connection:
        socket = SpeechSocket(connection)
        ready = await socket.receive_until("ready")
        await socket.send(
            {"type": "configure", "lead_ms": 200, "format": PCM},
            {"type": "text", "text": TEXT * 3},
            {"type": "end"},
        )
        while not isinstance(await socket.receive(), AudioFrame):
            pass
        connection.transport.abort()
    if chance.random() < 0.3:
        return
    async with conversation(gateway.ws_url) as socket:
        await socket.send(
            {"type": "resume", "token": ready["resume_token"]},
        )
        while True:
            message = await socket.receive()
            if isinstance(message, dict) and message["type"] in {"resumed", "error"}:
                break
        if message["type"] == "resumed" and chance.random() < 0.5:
            await socket.send({"type": "clear"})
            await socket.receive_until("ended")


async def is_no_client(gateway: GatewayProcess, chance: random.Random) -> None:
    """A handshake that must fail, or bytes that are nothing."""
    if chance.random() < 0.5:
        with pytest.raises(InvalidStatus, match="HTTP 4"):
            await connect(gateway.ws_url, subprotocols=[Offer("nobody.v9")], proxy=None)
        return
    async with raw_peer(gateway.port) as peer:
        await peer.send(chance.randbytes(200) + b"\r\n\r\n")
        await peer.read_to_end()


SESSIONS: list[Session] = [
    *[leaves_in_some_state] * 5,
    *[downloads] * 2,
    *[converses] * 2,
    *[interrupts] * 2,
    *[comes_back] * 2,
    is_refused,
    is_no_client,
]
"""As often as they stand here."""


def save(soaked: Soaked, file: Path) -> None:
    """Keep every look."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(soaked)))
