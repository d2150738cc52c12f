"""An engine of a fixed speed at nine tenths of what it can do, with downloads that would take all of it.

In the order of deadlines nobody's playback stops. In the order of arrival, with all else equal, it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway.bench.instruments.playout import Arrival, play
from gateway.engines.tone import ToneEngine
from gateway.runtime.house import House
from gateway.runtime.turns import Turns
from tests.support.memory import memory_house, memory_socket
from tests.support.server import AudioFrame

pytestmark = pytest.mark.virtual_time

WORKERS, MADE_PER_PLAYED = 2, 0.15
LISTENERS = 8
"""Who take, with the downloads as far as these are played, 12 x 0.15 / 2 = 90 % of the workers while all speak."""
DOWNLOADS = 4
SHORT = {"buffering": {"max_chars": 90}}
"""A segment is not interrupted: while a long one is made, its place is nobody else's."""
SENTENCE = "This is one of many sentences, and each of them takes some seconds to say aloud. "


class FirstCome(Turns):
    """Places for whoever came first."""

    @asynccontextmanager
    async def turn(
        self, needed_by: float, owner: str = "", *, eager: bool = False
    ) -> AsyncIterator[bool]:
        async with super().turn(0.0) as waits:
            yield waits


async def listen(house: House, delay_s: float, owner: str = "") -> list[Arrival]:
    """A listener who comes later, and what reaches them when."""
    clock = asyncio.get_running_loop().time
    await asyncio.sleep(delay_s)
    arrivals: list[Arrival] = []
    async with memory_socket(house, owner=owner) as socket:
        await socket.send({"type": "configure", "lead_ms": 4_000, **SHORT})
        await socket.send({"type": "text", "text": 8 * SENTENCE}, {"type": "end"})
        while not socket.messages("ended"):
            message = await socket.receive()
            if isinstance(message, AudioFrame):
                arrivals.append(Arrival(clock(), message.sample_count / 24_000))
    return arrivals


async def download(house: House) -> None:
    """One who takes all that can be had, without end."""
    async with memory_socket(house) as socket:
        while True:
            await socket.send({"type": "configure", "lead_ms": None, **SHORT})
            await socket.send({"type": "text", "text": 20 * SENTENCE}, {"type": "end"})
            await socket.receive_until("ended")


async def stalls(turns: type[Turns]) -> tuple[int, int]:
    """How many listeners ran dry for more than a tenth of a second; how many there were."""
    engine = ToneEngine(workers=WORKERS, realtime_factor=MADE_PER_PLAYED, sample_rate=24_000)
    async with memory_house(engine, load_percent_max=100, wait_ms_max=60_000) as house:
        crowded = replace(house, turns={"tone": turns(WORKERS + 1)})
        async with asyncio.TaskGroup() as tasks:
            downloads = [tasks.create_task(download(crowded)) for _ in range(DOWNLOADS)]
            listeners = [tasks.create_task(listen(crowded, 1.3 * n)) for n in range(LISTENERS)]
            await asyncio.wait(listeners)
            for task in downloads:
                task.cancel()
    heard = [listener.result() for listener in listeners]
    continuous = sum(play(arrivals, arrivals[0].at).is_continuous for arrivals in heard)
    return len(heard) - continuous, len(heard)


@pytest.mark.slow
async def test_in_the_order_of_deadlines_nobody_runs_dry() -> None:
    assert await stalls(Turns) == (0, LISTENERS)


@pytest.mark.slow
async def test_in_the_order_of_arrival_they_do() -> None:
    dry, _ = await stalls(FirstCome)
    assert dry > LISTENERS / 2
