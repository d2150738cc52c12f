"""Figures of contexts in motion: planted delays are read back to the microsecond of virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from gateway.core.synthesis import Produced, Report, Synthesize
from gateway.engines.chaos import ChaosEngine, Delay, Fail
from gateway.engines.tone import ToneEngine
from gateway.runtime.house import House
from gateway.telemetry.loop_lag import PERIOD_S, watch_loop
from gateway.telemetry.metrics import Metrics
from tests.support.memory import memory_house, memory_socket
from tests.support.scraped import scraped
from tests.support.server import Message
from tests.support.virtual_time import VirtualTimeLoop

pytestmark = pytest.mark.virtual_time

FLUSH: Message = {"type": "flush"}
END: Message = {"type": "end"}


def text(said: str) -> Message:
    return {"type": "text", "text": said}


class Hesitant(ToneEngine):
    """Each segment begins with so much silence."""

    silence_ms = 250

    async def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        silence: bytes = bytes(2 * self.info.sample_rate * self.silence_ms // 1_000)
        async for report in super().synthesize(order):
            if isinstance(report, Produced) and silence:
                yield Produced(report.segment, silence)
                silence = b""
            yield report


async def test_a_slow_start_is_told_to_the_caller_and_to_prometheus() -> None:
    engine = ToneEngine(sample_rate=8_000, first_delay_ms=300, realtime_factor=0.5)
    async with memory_house(engine) as house, memory_socket(house) as socket:
        await socket.send(text("Hello."), FLUSH)
        await socket.receive_until("flushed")
        await asyncio.sleep(10)
        await socket.send(END)
        ended = await socket.receive_until("ended")
        samples = ended["samples"]
        assert isinstance(samples, int)
        audio_ms = samples / 8
        assert ended["timings"] == {
            "queue_ms": 0.0,
            # The last chunk of 100 ms is there when the ones before it have taken half their time.
            "synthesis_ms": 300 + (-(-samples // 800) - 1) * 50,
            "audio_ms": audio_ms,
            "gaps": 0,
            "gap_ms": 0.0,
            "lead_ms": 0.0,
            "first_payload_ms": 300.0,
            "first_audio_ms": 300.0,
        }
    told = scraped(house.metrics)
    assert told.value("first_payload_seconds_sum") == pytest.approx(0.3)
    assert told.value("engine_first_audio_seconds_sum") == pytest.approx(0.3)
    assert told.value("audio_seconds_total") == pytest.approx(audio_ms / 1_000)


async def test_silence_in_front_is_waited_for_too() -> None:
    async with memory_house(Hesitant(first_delay_ms=100)) as house, memory_socket(house) as socket:
        await socket.send(text("Hello."), END)
        timings = (await socket.receive_until("ended"))["timings"]
        assert isinstance(timings, dict)
        assert timings["first_payload_ms"] == 100.0
        assert 340.0 <= timings["first_audio_ms"] <= 350.0


async def test_mp3_adds_its_own_silence() -> None:
    async with memory_house(ToneEngine(sample_rate=24_000)) as house:
        # Less what a window of 10 ms sees of the sound behind the silence.
        for codec, delay_ms in (("pcm_s16le", 0.0), ("mp3", 1_105 / 24 - 9)):
            async with memory_socket(house) as socket:
                await socket.send(
                    {"type": "configure", "format": {"codec": codec, "sample_rate": 24_000}}
                )
                await socket.send(text("Hello."), END)
                timings = (await socket.receive_until("ended"))["timings"]
                assert isinstance(timings, dict)
                added = timings["first_audio_ms"] - timings["first_payload_ms"]
                assert added == pytest.approx(delay_ms, abs=0.01)


async def test_the_second_in_line_waits_for_the_worker() -> None:
    """One worker, two turns at the engine: the third order waits for the first turn, and all of them for the worker."""
    engine = ToneEngine(sample_rate=8_000, workers=1, first_delay_ms=1_000)
    async with memory_house(engine) as house, asyncio.TaskGroup() as tasks:

        async def speak() -> None:
            async with memory_socket(house) as socket:
                await socket.send(text("Hello."), END)
                await socket.receive_until("ended")

        for _ in range(3):
            tasks.create_task(speak())
        await asyncio.sleep(0.5)
        told = scraped(house.metrics)
        assert told.value("contexts") == 3
        assert told.value("engine_places_free", engine="tone") == 0
        assert told.value("engine_orders_waiting", engine="tone") == 1
    told = scraped(house.metrics)
    assert told.value("queue_wait_seconds_sum") == pytest.approx(0.0 + 1.0 + 2.0)
    assert told.value("queue_wait_seconds_count") == 3
    assert told.value("first_audio_seconds_sum") == pytest.approx(1.0 + 2.0 + 3.0)
    assert told.value("contexts") == told.value("engine_orders_waiting") == 0
    assert told.value("engine_places_free", engine="tone") == 2


async def test_a_delay_in_the_middle_is_a_gap() -> None:
    """0.1 s of audio, then nothing for two seconds."""
    engine = ChaosEngine(ToneEngine(sample_rate=8_000), {"Hello": [Delay(800, 2_000)]})
    async with memory_house(engine) as house, memory_socket(house) as socket:
        await socket.send(text("Hello there."), END)
        timings = (await socket.receive_until("ended"))["timings"]
        assert isinstance(timings, dict)
        assert timings["gaps"] == 1
        assert timings["gap_ms"] == pytest.approx(1_900.0)
    assert scraped(house.metrics).value("gap_seconds_sum") == pytest.approx(1.9)


async def test_words_that_come_late_are_no_gap() -> None:
    async with memory_house() as house, memory_socket(house) as socket:
        for _ in range(3):
            await socket.send(text("Hello there."), FLUSH)
            await socket.receive_until("flushed")
            await asyncio.sleep(60)
        await socket.send(END)
        timings = (await socket.receive_until("ended"))["timings"]
        assert isinstance(timings, dict)
        assert timings["gaps"] == 0
    told = scraped(house.metrics)
    assert told.value("first_payload_seconds_count") == 3
    assert told.value("contexts_closed_total", reason="finished") == 1


async def test_the_lead_is_what_pacing_allows() -> None:
    async with memory_house(ToneEngine(sample_rate=8_000)) as house, memory_socket(house) as socket:
        await socket.send({"type": "configure", "lead_ms": 1_000})
        await socket.send(text("One sentence, and one more of them. " * 6), END)
        timings = (await socket.receive_until("ended"))["timings"]
        assert isinstance(timings, dict)
        assert 800 < timings["lead_ms"] <= 1_000.01
    told = scraped(house.metrics)
    frames = told.value("lead_seconds_count")
    assert frames > 30
    assert told.value("lead_seconds_bucket", le="2.0") == frames
    assert told.value("gap_seconds_count") == 0


async def test_a_clear_and_a_disconnect_tell_what_was_for_nothing() -> None:
    async with memory_house(ToneEngine(sample_rate=8_000)) as house:
        async with memory_socket(house) as socket:
            await socket.send(text("One sentence, and one more of them. " * 6), FLUSH)
            await socket.receive_until("segment")
            await asyncio.sleep(1)
            await socket.send({"type": "clear"})
            await socket.receive_until("cleared")
            told = scraped(house.metrics)
            made, sent = told.value("audio_made_seconds_total"), told.value("audio_seconds_total")
            unheard = told.value("audio_unheard_seconds_total", cause="clear")
            assert sent > 1.0
            assert unheard == pytest.approx(made - 1.0)
            assert told.value("clear_seconds_count") == 1
            await socket.send(text("One sentence, and one more of them. " * 6), FLUSH)
            await socket.receive_until("segment")
            socket.leave()
            await socket.verdict
        told = scraped(house.metrics)
        made = told.value("audio_made_seconds_total")
        unheard = told.value("audio_unheard_seconds_total")
        assert unheard == pytest.approx(made - 1.0)
        assert told.value("contexts_closed_total", reason="aborted") == 1
        assert told.value("segments_total", ending="cancelled") == 2
        assert told.value("contexts") == 0


async def test_a_failed_segment_and_refused_messages_are_errors() -> None:
    engine = ChaosEngine(ToneEngine(), {"bad": [Fail()]})
    async with memory_house(engine) as house, memory_socket(house) as socket:
        await socket.send(
            text("This is bad."), FLUSH, "{", text(""), {"type": "end", "context": "b"}
        )
        await socket.receive_until("flushed")
        await socket.send(END)
        await socket.receive_until("ended")
        told = scraped(house.metrics)
        for error in socket.messages("error"):
            assert told.value("errors_total", route="websocket", code=str(error["code"])) == 1
        assert told.value("errors_total") == len(socket.messages("error")) == 4
        assert told.value("segments_total", ending="failed") == 1


async def test_a_crash_closes_its_contexts() -> None:
    """Whatever happens to a connection, what was opened is closed."""

    class Crashing(ToneEngine):
        def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
            raise ZeroDivisionError

    async def crash(house: House) -> None:
        async with memory_socket(house) as socket:
            await socket.send({"type": "configure"})
            await socket.receive_until("started")
            await socket.send(text("Hello."), FLUSH)
            await asyncio.wait([socket.verdict])

    async with memory_house(Crashing()) as house:
        with pytest.raises(ExceptionGroup):
            await crash(house)
    told = scraped(house.metrics)
    assert told.value("contexts_opened_total") == 1
    assert told.value("contexts_closed_total", reason="aborted") == 1


async def test_a_loop_that_is_held_up_is_late() -> None:
    """A callback takes half a second, which begins 50 ms before the next look is due."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    metrics = Metrics()

    def hold_up() -> None:
        loop._clock.now += 0.5

    took: list[float] = []

    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(
            watch_loop(
                metrics,
                lambda worked_s, waited_s, elapsed_s: took.append(
                    (worked_s + waited_s) / elapsed_s
                ),
            )
        )
        loop.call_at(10 * PERIOD_S - 0.05, hold_up)
        await asyncio.sleep(20 * PERIOD_S)
        watching.cancel()
    told = scraped(metrics)
    assert told.value("loop_lag_seconds_count") == 15
    assert told.value("loop_lag_seconds_sum") == pytest.approx(0.45)
    assert max(took) == pytest.approx(0.45 / 0.55)
