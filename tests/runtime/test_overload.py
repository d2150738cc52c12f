"""More listeners than an engine can serve, who wait for nobody, and streams without a pace beside them, which might be
downloads or players. Who is accepted hears no gap, who is not is told at once, and no such stream gets less than it takes to
play."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from gateway.bench.instruments.playout import Arrival, play
from gateway.core.errors import Overloaded
from gateway.core.fairness import DOWNLOAD_SHARE
from gateway.engines.tone import ToneEngine
from gateway.runtime.house import House
from gateway.runtime.turns import Turns
from tests.support.memory import memory_house, memory_socket
from tests.support.server import AudioFrame

pytestmark = [pytest.mark.virtual_time, pytest.mark.timeout(120)]

WORKERS, MADE_PER_PLAYED = 2, 0.15
SHORT = {"buffering": {"max_chars": 90}}
SENTENCE = "This is one of many sentences, and each of them takes some seconds to say aloud. "
SENTENCES, SPOKEN_S = 8, 39
FOR_S = 60.0
STREAMS = 4


@dataclass
class Evening:
    """What became of everybody."""

    continuous: list[bool] = field(default_factory=list)
    refused_after_s: list[float] = field(default_factory=list)
    streamed: list[list[Arrival]] = field(default_factory=list)

    async def listen(self, house: House) -> None:
        clock = asyncio.get_running_loop().time
        came = clock()
        arrivals: list[Arrival] = []
        try:
            with house.admission.connection():
                async with memory_socket(house) as socket:
                    await socket.send(
                        {"type": "configure", **SHORT},
                        {"type": "text", "text": SENTENCES * SENTENCE},
                        {"type": "end"},
                    )
                    while not socket.messages("ended"):
                        message = await socket.receive()
                        if isinstance(message, AudioFrame):
                            arrivals.append(Arrival(clock(), message.sample_count / 24_000))
                        elif message["type"] == "error":
                            assert message["code"] == "overloaded"
                            self.refused_after_s.append(clock() - came)
                            return
        except Overloaded:
            self.refused_after_s.append(clock() - came)
            return
        self.continuous.append(play(arrivals, arrivals[0].at).is_continuous)

    async def stream(self, house: House) -> None:
        """One who has come before the crowd and takes all that can be had."""
        clock = asyncio.get_running_loop().time
        arrivals: list[Arrival] = []
        self.streamed.append(arrivals)
        async with memory_socket(house) as socket:
            await socket.send(
                {"type": "configure", "lead_ms": None, **SHORT},
                {"type": "text", "text": 1_000 * SENTENCE},
            )
            while True:
                message = await socket.receive()
                if isinstance(message, AudioFrame):
                    arrivals.append(Arrival(clock(), message.sample_count / 24_000))


@pytest.mark.slow
@pytest.mark.parametrize(("overload", "continuous_min"), [(2.0, 1.0), (5.0, 0.9)])
async def test_who_is_accepted_hears_no_gap_and_who_is_not_is_told_at_once(
    overload: float, continuous_min: float
) -> None:
    chance = random.Random(1)
    evening = Evening()
    rate = overload * WORKERS / MADE_PER_PLAYED / SPOKEN_S
    clock = asyncio.get_running_loop().time
    engine = ToneEngine(workers=WORKERS, realtime_factor=MADE_PER_PLAYED, sample_rate=24_000)
    async with memory_house(engine) as house, asyncio.TaskGroup() as tasks:
        streams = [tasks.create_task(evening.stream(house)) for _ in range(STREAMS)]
        listeners = []
        while clock() < FOR_S:
            await asyncio.sleep(chance.expovariate(rate))
            listeners.append(tasks.create_task(evening.listen(house)))
        await asyncio.wait(listeners)
        assert house.turns["tone"].listeners == STREAMS
        for task in streams:
            task.cancel()
        await asyncio.wait(streams)
        assert house.turns["tone"].listeners == 0
    assert sum(evening.continuous) >= continuous_min * len(evening.continuous)
    assert len(evening.continuous) >= 10
    for arrivals in evening.streamed:
        assert play(arrivals, arrivals[0].at).is_continuous
        assert sum(arrival.duration for arrival in arrivals) > FOR_S
    assert len(evening.refused_after_s) >= 8
    assert max(evening.refused_after_s) == 0.0


@pytest.mark.parametrize("waiting", [1, 50])
async def test_downloads_get_their_share_and_no_more_when_listeners_take_all(waiting: int) -> None:
    """Newcomers without end at one place, a turn of 20 ms each."""
    turns = Turns(1)
    got = {"downloads": 0, "listeners": 0}
    clock = asyncio.get_running_loop().time

    async def come_again(kind: str, lead_s: float) -> None:
        while True:
            async with turns.turn(clock() + lead_s):
                got[kind] += 1
                await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as tasks:
        everybody = [tasks.create_task(come_again("listeners", 0.0)) for _ in range(3)]
        everybody += [
            tasks.create_task(come_again("downloads", float("inf"))) for _ in range(waiting)
        ]
        await asyncio.sleep(60.0)
        for task in everybody:
            task.cancel()
    share = got["downloads"] / (got["downloads"] + got["listeners"])
    assert 0 < share < 2 * DOWNLOAD_SHARE
    # One alone waits a second each time; many take their part.
    assert got["downloads"] >= (50 if waiting == 1 else 0.5 * DOWNLOAD_SHARE * 60 / 0.02)
