"""How urgent each piece of encoding is: newcomers at once, listeners before they run dry, downloads when nobody waits."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import msgspec
import pytest

from gateway.audio.farm import EncodeFarm
from gateway.core.commands import EndInput, PushText
from gateway.core.events import Closed, Event
from gateway.core.params import HTTP_DEFAULTS, Parameters
from gateway.core.resolve import resolve
from gateway.runtime.wake import Wake
from tests.support.memory import memory_house

T = TypeVar("T")


class NotingFarm(EncodeFarm):
    """A farm that notes how long each job might wait."""

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.waits: list[float] = []

    async def run(self, deadline: float, work: Callable[[], T]) -> T:
        self.waits.append(deadline - asyncio.get_running_loop().time())
        return await super().run(deadline, work)


@pytest.mark.parametrize("lead_ms", [None, 60_000])
async def test_only_what_nobody_waits_for_may_wait(lead_ms: int | None) -> None:
    farm = NotingFarm()
    farm.start()
    async with memory_house() as house, asyncio.TaskGroup() as tasks:
        wake = Wake()
        settings = resolve(Parameters(), house.catalog, HTTP_DEFAULTS)
        speaker = replace(house, farm=farm).new_speaker(
            msgspec.structs.replace(settings, lead_ms=lead_ms), tasks, wake, frame_ms=200
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
    if lead_ms is None:
        assert {second, *rest} == {math.inf}
    else:
        assert 0 < second < rest[-1] < math.inf
