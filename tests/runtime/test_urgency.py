"""How urgent each segment and each piece of encoding is: newcomers at once, listeners before they run dry, of streams, too, and
whole files when nobody waits."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

import msgspec
import pytest

from gateway.audio.farm import EncodeFarm
from gateway.core.commands import Abort, EndInput, PushText
from gateway.core.events import Closed, Event
from gateway.core.params import HTTP_DEFAULTS, Parameters
from gateway.core.resolve import resolve
from gateway.core.synthesis import Report, Synthesize
from gateway.engines.tone import ToneEngine
from gateway.runtime.turns import Turns
from gateway.runtime.wake import Wake
from tests.support.leaks import until
from tests.support.memory import memory_house, memory_socket

T = TypeVar("T")


class NotingFarm(EncodeFarm):
    """A farm that notes how long each job might wait."""

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.waits: list[float] = []
        self.eager: set[bool] = set()

    async def run(
        self,
        deadline: float,
        work: Callable[[], T],
        owner: str = "",
        *,
        eager: bool = False,
        writer: object = None,
    ) -> T:
        self.waits.append(deadline - asyncio.get_running_loop().time())
        self.eager.add(eager)
        return await super().run(deadline, work, owner, eager=eager, writer=writer)


@pytest.mark.parametrize(("lead_ms", "whole"), [(None, True), (None, False), (60_000, False)])
async def test_only_what_nobody_waits_for_may_wait(lead_ms: int | None, whole: bool) -> None:
    farm = NotingFarm()
    farm.start()
    async with memory_house() as house, asyncio.TaskGroup() as tasks:
        wake = Wake()
        settings = resolve(Parameters(), house.catalog, HTTP_DEFAULTS)
        speaker = replace(house, farm=farm).new_speaker(
            msgspec.structs.replace(settings, lead_ms=lead_ms),
            *(tasks, wake),
            frame_ms=200,
            whole=whole,
        )
        speaker.submit(PushText("Some words that take a few seconds to say. " * 4))
        speaker.submit(EndInput())
        told: list[Event] = []
        while not any(isinstance(event, Closed) for event in told):
            events = await speaker.next_events()
            if events is None:
                await wake.wait(speaker.session.deadline())
                speaker.tick()
            told += events or []
    await farm.aclose()
    first, second, *rest = farm.waits
    assert first <= 0
    if whole:
        assert {second, *rest} == {math.inf}
    else:
        assert 0 < second < rest[-1] < math.inf
    assert farm.eager == {lead_ms is None}


class NotingTurns(Turns):
    """Turns that note how long each segment might wait."""

    def __init__(self) -> None:
        super().__init__(1)
        self.waits: list[float] = []

    @asynccontextmanager
    async def turn(
        self, needed_by: float, owner: str = "", *, eager: bool = False
    ) -> AsyncIterator[bool]:
        self.waits.append(needed_by - asyncio.get_running_loop().time())
        async with super().turn(needed_by, owner, eager=eager) as waits:
            yield waits


@pytest.mark.parametrize(("lead_ms", "whole"), [(None, True), (None, False), (60_000, False)])
async def test_the_first_segment_is_needed_now_and_the_others_when_it_has_been_played(
    lead_ms: int | None, whole: bool
) -> None:
    turns = NotingTurns()
    async with memory_house() as house, asyncio.TaskGroup() as tasks:
        settings = resolve(Parameters(), house.catalog, HTTP_DEFAULTS)
        speaker = replace(house, turns={settings.engine: turns}).new_speaker(
            msgspec.structs.replace(settings, lead_ms=lead_ms),
            *(tasks, Wake()),
            frame_ms=200,
            whole=whole,
        )
        speaker.submit(PushText("Some words that take a few seconds to say. " * 4))
        speaker.submit(EndInput())
        await asyncio.sleep(0)
        speaker.submit(Abort())
    first, second = turns.waits
    assert first <= 0
    assert second > 0
    assert (second == math.inf) is whole


class NotingEngine(ToneEngine):
    """An engine that notes what it is told of each segment."""

    def __init__(self) -> None:
        super().__init__()
        self.can_wait: list[bool] = []

    def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        self.can_wait.append(order.can_wait)
        return super().synthesize(order)


@pytest.mark.parametrize(("lead_ms", "waits"), [(None, True), (60_000, False)])
async def test_the_engine_is_told_what_can_wait(lead_ms: int | None, waits: bool) -> None:
    """What is made ahead for those who have no pace, and never the first segment."""
    engine = NotingEngine()
    async with memory_house(engine) as house, memory_socket(house) as socket:
        await socket.send(
            {"type": "configure", "lead_ms": lead_ms, "buffering": {"max_chars": 90}},
            {"type": "text", "text": "Some words that take a few seconds to say. " * 8},
            {"type": "end"},
        )
        while not socket.messages("ended"):
            await socket.receive()
    first, *_, last = engine.can_wait
    assert not first
    assert last is waits


class HaltingFarm(EncodeFarm):
    """A farm that halts before the job that finishes a stream, until it is let go."""

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.halted, self.go = asyncio.Event(), asyncio.Event()

    async def run(
        self,
        deadline: float,
        work: Callable[[], T],
        owner: str = "",
        *,
        eager: bool = False,
        writer: object = None,
    ) -> T:
        if "_finish" in work.__qualname__:
            self.halted.set()
            await self.go.wait()
        return await super().run(deadline, work, owner, eager=eager, writer=writer)


async def test_a_clear_during_the_last_drain_still_learns_what_was_heard() -> None:
    farm = HaltingFarm()
    farm.start()
    async with memory_house() as house, memory_socket(replace(house, farm=farm)) as socket:
        await socket.send({"type": "configure", "format": {"codec": "mp3"}, "lead_ms": None})
        await socket.send({"type": "text", "text": "Two words."}, {"type": "end"})
        await farm.halted.wait()
        await socket.send({"type": "clear", "played_ms": 1e6, "id": "late"}, {"type": "ping"})
        await until(lambda: socket.all_heard)
        farm.go.set()
        await socket.receive_until("pong")
    await farm.aclose()
    (cleared,) = socket.messages("cleared")
    assert (cleared["id"], cleared["spoken"]) == ("late", "Two words.")
    assert socket.messages("ended")
