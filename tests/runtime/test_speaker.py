"""A context in motion: engine work follows orders, ends with them, and never waits for the listener."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import msgspec
import pytest

from gateway.core.commands import Abort, Clear, Configure, EndInput, Flush, PushText
from gateway.core.events import Audio, Cleared, Closed, Event, Flushed, SegmentFailed
from gateway.core.params import WEBSOCKET_DEFAULTS, Parameters, Segmentation, Settings
from gateway.core.resolve import resolve
from gateway.core.synthesis import Report, Synthesize
from gateway.core.vocabulary import Codec, PushBoundary
from gateway.engines.base import EngineInfo
from gateway.engines.chaos import ChaosEngine, Delay, Fail, Hang
from gateway.engines.tone import ToneEngine
from gateway.runtime.house import House
from gateway.runtime.speaker import Speaker
from gateway.runtime.turnstile import PASSES
from gateway.runtime.wake import Wake
from tests.audio.listening import format_of
from tests.support.gates import Gate
from tests.support.memory import memory_house

pytestmark = pytest.mark.virtual_time

RELEASE = Segmentation(push_boundary=PushBoundary.RELEASE)


class Counting:
    """An engine that knows what is at work, and what has begun, in it."""

    def __init__(self, inner: ToneEngine | ChaosEngine) -> None:
        self._inner = inner
        self.at_work: set[str] = set()
        self.begun: list[str] = []

    @property
    def info(self) -> EngineInfo:
        return self._inner.info

    @property
    def worker_restarts(self) -> int:
        return self._inner.worker_restarts

    async def start(self) -> None:
        await self._inner.start()

    async def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        self.at_work.add(order.text)
        self.begun.append(order.text)
        try:
            async for report in self._inner.synthesize(order):
                yield report
        finally:
            self.at_work.remove(order.text)

    async def aclose(self) -> None:
        await self._inner.aclose()


def settings_of(house: House, **changes: object) -> Settings:
    settings = resolve(Parameters(), house.catalog, WEBSOCKET_DEFAULTS)
    return msgspec.structs.replace(settings, **{"segmentation": RELEASE, **changes})


def new_speaker(house: House, tasks: asyncio.TaskGroup, wake: Wake, **changes: object) -> Speaker:
    return house.new_speaker(settings_of(house, **changes), tasks, wake, frame_ms=200)


async def pull_until(speaker: Speaker, wake: Wake, last: type[Event]) -> list[Event]:
    """Pull events up to the first of a kind."""
    pulled: list[Event] = []
    while not any(isinstance(event, last) for event in pulled):
        events = await speaker.next_events()
        if events is None:
            await wake.wait(speaker.session.deadline())
            speaker.tick()
        else:
            pulled += events
    return pulled


async def pull_all_now(speaker: Speaker) -> None:
    """Pull whatever comes without the clock moving."""
    quiet_turns = 0
    while quiet_turns < 100:
        quiet_turns = quiet_turns + 1 if await speaker.next_events() is None else 0
        await asyncio.sleep(0)


async def test_an_abandoned_segment_frees_its_worker_at_once() -> None:
    engine = Counting(ToneEngine(workers=1, realtime_factor=1.0))
    async with memory_house(engine) as house, asyncio.TaskGroup() as tasks:
        wake = Wake()
        speaker = new_speaker(house, tasks, wake)
        speaker.submit(PushText("A text that takes a while to be made."))
        await pull_until(speaker, wake, Audio)
        assert len(engine.at_work) == 1
        speaker.submit(Clear("c"))
        speaker.submit(PushText("New."))
        speaker.submit(Flush())
        now = asyncio.get_running_loop().time()
        told = await pull_until(speaker, wake, Flushed)
        assert any(isinstance(event, Cleared) for event in told)
        # Had the one worker gone on with the old text, the new one would have waited for seconds.
        assert asyncio.get_running_loop().time() - now < 1.0
        assert engine.at_work == set()


async def test_a_clear_is_answered_although_others_need_their_frames_sooner() -> None:
    """The frame that stands before its answer is let through."""
    async with memory_house() as house, asyncio.TaskGroup() as tasks:

        async def always_in_need() -> None:
            while True:
                await house.turnstile.through(0.0)

        wake = Wake()
        speaker = new_speaker(house, tasks, wake, lead_ms=60_000)
        speaker.submit(PushText("A text of which there are many frames of audio."))
        await pull_until(speaker, wake, Audio)
        crowd = [tasks.create_task(always_in_need()) for _ in range(3 * PASSES)]
        await asyncio.sleep(0)
        pulling = tasks.create_task(pull_until(speaker, wake, Cleared))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not pulling.done()
        speaker.submit(Clear("c"))
        for _ in range(20):
            await asyncio.sleep(0)
        assert pulling.done()
        speaker.submit(Abort())
        for task in crowd:
            task.cancel()


async def test_a_clear_is_answered_although_others_need_their_encoders_sooner() -> None:
    """The audio that stands before its answer is encoded next."""
    async with memory_house() as house, asyncio.TaskGroup() as tasks:
        first, others = Gate(), Gate()
        wake = Wake()
        mp3 = format_of(Codec.MP3, 24_000, None)
        speaker = new_speaker(house, tasks, wake, lead_ms=60_000, format=mp3)
        speaker.submit(PushText("A text of which there are many frames of audio."))
        await pull_until(speaker, wake, Audio)
        tasks.create_task(house.farm.run(0.0, first))
        await first.begun.wait()
        pulling = tasks.create_task(pull_until(speaker, wake, Audio))
        tasks.create_task(house.farm.run(0.0, others))
        for _ in range(20):
            await asyncio.sleep(0)
        assert house.farm.jobs_waiting == 2
        speaker.submit(Clear("c"))
        first.open()
        await others.begun.wait()
        await asyncio.sleep(0)
        assert pulling.done()
        others.open()
        speaker.submit(Abort())


async def test_an_abort_leaves_no_task_in_any_moment_of_a_segment() -> None:
    """Abort after each number of loop turns that a short dialogue takes."""
    for turns in range(60):
        engine = Counting(ToneEngine(workers=1, chunk_ms=20))
        async with memory_house(engine) as house:
            before = asyncio.all_tasks()
            async with asyncio.TaskGroup() as tasks:
                speaker = new_speaker(house, tasks, Wake())
                speaker.submit(PushText("One."))
                speaker.submit(PushText("Two."))
                for _ in range(turns):
                    await speaker.next_events()
                    await asyncio.sleep(0)
                speaker.submit(Abort())
            assert asyncio.all_tasks() == before
            assert engine.at_work == set()


@pytest.mark.parametrize("lead_ms", [None, 400])
async def test_nobody_is_woken_for_audio_that_is_held_back(lead_ms: int | None) -> None:
    async with memory_house(ToneEngine(chunk_ms=10)) as house, asyncio.TaskGroup() as tasks:
        wakes = 0

        def wake() -> None:
            nonlocal wakes
            wakes += 1

        settings = settings_of(house, lead_ms=lead_ms)
        speaker = house.new_speaker(settings, tasks, wake, frame_ms=10_000)
        speaker.submit(PushText("A text of which there are many chunks of audio."))
        while speaker.session.held_until is None:
            await speaker.next_events()
            await asyncio.sleep(0)
        woken = wakes
        for _ in range(60):
            await asyncio.sleep(0)
        assert wakes == woken
        speaker.submit(Abort())


async def test_orders_never_exceed_the_lookahead() -> None:
    engine = Counting(ToneEngine(realtime_factor=1.0))
    async with memory_house(engine, lookahead=2) as house, asyncio.TaskGroup() as tasks:
        wake = Wake()
        speaker = new_speaker(house, tasks, wake, lead_ms=None)
        for number in range(6):
            speaker.submit(PushText(f"Sentence number {number}."))
        speaker.submit(EndInput())
        most = 0
        while True:
            events = await speaker.next_events()
            most = max(most, len(engine.at_work))
            if events and isinstance(events[-1], Closed):
                break
            if events is None:
                await wake.wait(speaker.session.deadline())
        assert most == 2


async def test_pacing_gates_the_next_order_and_never_a_running_one() -> None:
    """While the listener plays, what was ordered is finished; further segments wait until their time comes."""
    engine = Counting(ToneEngine(workers=1))
    async with (
        memory_house(engine, audio_ahead_ms=1_000, lookahead=1) as house,
        asyncio.TaskGroup() as tasks,
    ):
        wake = Wake()
        speaker = new_speaker(house, tasks, wake, lead_ms=500)
        for _ in range(4):
            speaker.submit(PushText("Twenty-five characters... "))
        speaker.submit(EndInput())
        now = asyncio.get_running_loop().time
        await pull_all_now(speaker)
        assert now() == 0.0
        assert engine.at_work == set(), "a paced listener holds a worker"
        assert len(engine.begun) == 1, "audio that nobody needs yet was ordered"
        told = await pull_until(speaker, wake, Closed)
        assert len(engine.begun) == 4
        (closed,) = (event for event in told if isinstance(event, Closed))
        played_s = closed.samples / 22_050
        assert played_s - 0.5 <= now() <= played_s


async def test_a_segment_that_hangs_blocks_nobody_else() -> None:
    engine = Counting(ChaosEngine(ToneEngine(workers=2), {"stuck": [Hang()]}))
    async with memory_house(engine) as house, asyncio.TaskGroup() as tasks:
        stuck, well = Wake(), Wake()
        hung = new_speaker(house, tasks, stuck)
        hung.submit(PushText("This one is stuck."))
        other = new_speaker(house, tasks, well)
        other.submit(PushText("This one is not."))
        other.submit(EndInput())
        await pull_until(other, well, Closed)
        assert engine.at_work == {"This one is stuck."}
        hung.submit(Abort())


async def test_a_late_failure_ends_the_segment_where_its_audio_ended() -> None:
    engine = ChaosEngine(ToneEngine(), {"break": [Fail(at_sample=5_000)]})
    async with memory_house(engine) as house, asyncio.TaskGroup() as tasks:
        wake = Wake()
        speaker = new_speaker(house, tasks, wake)
        speaker.submit(PushText("This will break."))
        speaker.submit(PushText("This will not."))
        speaker.submit(EndInput("e"))
        told = await pull_until(speaker, wake, Closed)
        (failed,) = (event for event in told if isinstance(event, SegmentFailed))
        assert failed.sample_end == 5_000
        assert failed.problem.code == "engine_failed"
        audio = [event for event in told if isinstance(event, Audio)]
        assert audio[-1].sample_start + audio[-1].sample_count > 5_000


async def test_a_slow_first_segment_is_heard_before_a_quick_second_one() -> None:
    engine = ChaosEngine(ToneEngine(), {"first": [Delay(delay_ms=5_000)]})
    async with memory_house(engine) as house, asyncio.TaskGroup() as tasks:
        wake = Wake()
        speaker = new_speaker(house, tasks, wake)
        speaker.submit(PushText("The first."))
        speaker.submit(PushText("The second."))
        speaker.submit(EndInput())
        told = await pull_until(speaker, wake, Closed)
        segments = [event.segment for event in told if isinstance(event, Audio)]
        assert segments == sorted(segments)
        assert set(segments) == {0, 1}


async def test_another_model_may_be_chosen_until_there_is_text() -> None:
    """The settings in force when text comes decide engine and format, whatever the context began with."""
    low = Counting(ToneEngine(sample_rate=8_000))
    high = Counting(ToneEngine(sample_rate=48_000))
    async with memory_house({"tone": low, "other": high}) as house, asyncio.TaskGroup() as tasks:
        wake = Wake()
        speaker = new_speaker(house, tasks, wake)
        changed = resolve(Parameters(model="other"), house.catalog, WEBSOCKET_DEFAULTS)
        speaker.submit(Configure(changed))
        speaker.submit(PushText("Hello."))
        speaker.submit(EndInput())
        told = await pull_until(speaker, wake, Closed)
        assert (low.begun, high.begun) == ([], ["Hello."])
        assert isinstance(told[-1], Closed)
        data = b"".join(event.data for event in told if isinstance(event, Audio))
        assert len(data) == 2 * told[-1].samples
