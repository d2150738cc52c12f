"""Sixty-four listeners on two workers: a worker makes a segment and is free, however slowly it is listened to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from gateway.app import open_house
from gateway.config import Config, EnginesConfig, EspeakConfig, ModelConfig
from gateway.core.synthesis import Report, Synthesize
from gateway.engines.base import Engine, EngineInfo
from gateway.engines.tone import ToneEngine
from gateway.runtime.house import House
from tests.support.memory import MemorySocket, memory_house, memory_socket

LISTENERS, CONTEXTS_EACH, WORKERS = 4, 16, 2
TEXT = "One sentence is not enough to be paced. But two or three of them are, I think. "


class Occupancy:
    """An engine that adds up, on the loop's clock, how long its workers were taken."""

    def __init__(self, inner: Engine) -> None:
        self._inner = inner
        self.occupied_s = 0.0
        self.most = self.now = 0

    @property
    def info(self) -> EngineInfo:
        return self._inner.info

    @property
    def worker_restarts(self) -> int:
        return self._inner.worker_restarts

    async def start(self) -> None:
        await self._inner.start()

    async def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        clock = asyncio.get_running_loop().time
        began: float | None = None
        try:
            async with aclosing(self._inner.synthesize(order)) as reports:
                async for report in reports:
                    if began is None:
                        began = clock()
                        self.now += 1
                        self.most = max(self.most, self.now)
                    yield report
        finally:
            if began is not None:
                self.occupied_s += clock() - began
                self.now -= 1

    async def aclose(self) -> None:
        await self._inner.aclose()


async def listen(
    house: House,
    lead_ms: int,
    text: str,
    *,
    contexts: int = CONTEXTS_EACH,
    delivery: str = "native",
) -> list[float]:
    """Paced contexts on one connection, to their ends. When each heard its first audio."""
    clock = asyncio.get_running_loop().time
    async with memory_socket(house) as socket:
        names = [str(number) for number in range(contexts)]
        for name in names:
            await socket.send(
                {"type": "configure", "context": name, "lead_ms": lead_ms, "delivery": delivery},
                {"type": "text", "context": name, "text": text},
                {"type": "end", "context": name},
            )
        first: dict[str, float] = {}
        while len(socket.messages("ended")) < len(names):
            await socket.receive()
            first |= {name: clock() for name in names if name not in first and socket.audio(name)}
        assert_complete(socket)
        return list(first.values())


def assert_complete(socket: MemorySocket) -> None:
    for ended in socket.messages("ended"):
        assert ended["samples"] == len(socket.audio(str(ended["context"]))) // 2 > 0


async def listen_all(
    house: House, lead_ms: int, text: str, delivery: str = "native"
) -> list[float]:
    async with asyncio.TaskGroup() as tasks:
        listeners = [
            tasks.create_task(listen(house, lead_ms, text, delivery=delivery))
            for _ in range(LISTENERS)
        ]
    return [time for listener in listeners for time in listener.result()]


@pytest.mark.virtual_time
async def test_all_progress_and_no_worker_is_held() -> None:
    """All have begun by the time that two workers who never rest need for everything, and all have ended one text
    later. Were a worker held while somebody listens, it would take 64 texts' time on two workers."""
    made_per_played = 0.025
    engine = Occupancy(ToneEngine(workers=WORKERS, realtime_factor=made_per_played))
    clock = asyncio.get_running_loop().time
    async with memory_house(engine) as house:
        (alone,) = await listen(house, 200, TEXT, contexts=1)
        text_s = clock() - alone
        began, engine.occupied_s = clock(), 0.0
        first = await listen_all(house, 200, TEXT)
        assert len(first) == LISTENERS * CONTEXTS_EACH
        work_s = len(first) * (text_s + 0.2) * made_per_played
        assert engine.occupied_s <= work_s
        assert max(first) - began <= work_s / WORKERS
        assert clock() - began <= work_s / WORKERS + text_s + 0.2
        assert engine.most <= WORKERS


@pytest.mark.virtual_time
async def test_progressive_delivery_holds_nobody_up() -> None:
    """Paced, on two workers, with one segment at a time and next to nothing made ahead: everybody hears everything."""
    engine = Occupancy(ToneEngine(workers=WORKERS, realtime_factor=0.025))
    async with memory_house(engine, audio_ahead_ms=1, lookahead=1) as house:
        first = await listen_all(house, 200, TEXT, "progressive")
    assert len(first) == LISTENERS * CONTEXTS_EACH
    assert engine.most <= WORKERS


@pytest.mark.slow
async def test_espeak_too() -> None:
    config = Config(
        models={"espeak": ModelConfig(engine="espeak")},
        engines=EnginesConfig(espeak=EspeakConfig(workers=WORKERS)),
    )
    async with open_house(config) as house:
        first = await listen_all(house, 100, "Hello there, this is a short one. It ends.")
        assert len(first) == LISTENERS * CONTEXTS_EACH
