"""What every engine keeps, whatever it is made of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import numpy as np
import pytest

from gateway.core.synthesis import Begun, Finished, Produced
from gateway.engines.base import Engine
from gateway.engines.chaos import ChaosEngine
from gateway.engines.espeak import EspeakEngine
from gateway.engines.tone import ToneEngine
from tests.engines.making import check_marks, fundamental_hz, gather, make, order

TEXT = "Hello there, this is what everyone says. It takes $3.50, or 4 seconds."
OTHER = "Something else was said before."

ENGINES: dict[str, Callable[[], Engine]] = {
    "tone": lambda: ToneEngine(workers=2),
    "espeak": lambda: EspeakEngine(workers=2),
    "chaos": lambda: ChaosEngine(ToneEngine(workers=2), {}),
}


@pytest.fixture(params=ENGINES)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    engine = ENGINES[request.param]()
    await engine.start()
    yield engine
    await engine.aclose()


@pytest.fixture
def voice(engine: Engine) -> str:
    return engine.info.default_voice


def test_voices_are_named_once(engine: Engine) -> None:
    ids = [voice.id for voice in engine.info.voices]
    assert len(ids) == len(set(ids))
    assert engine.info.default_voice in ids
    assert all(voice.language in voice.languages for voice in engine.info.voices)
    assert not any(set("+/. \t") & set(name) for name in [*ids, *engine.info.variants])


async def test_a_segment_is_audio_with_marks_and_one_end(engine: Engine, voice: str) -> None:
    made = await make(engine, order(TEXT, voice))
    assert made.end == Finished(7)
    assert made.rms > 500
    assert made.words(TEXT) == TEXT.split()
    check_marks(TEXT, made)


async def test_a_segment_begins_when_a_worker_is_free(engine: Engine, voice: str) -> None:
    """Both workers are taken; a third order is not begun before one of them comes free."""
    third = engine.synthesize(order(OTHER, voice))
    async with asyncio.TaskGroup() as group, aclosing(third):
        async with (
            aclosing(engine.synthesize(order(TEXT, voice))) as one,
            aclosing(engine.synthesize(order(TEXT, voice))) as two,
        ):
            assert [await anext(one), await anext(two)] == [Begun(7), Begun(7)]
            begun = group.create_task(anext(third))
            for _ in range(20):
                await asyncio.sleep(0)
            assert not begun.done()
        assert await begun == Begun(7)


async def test_no_worker_is_lost_in_peace(engine: Engine, voice: str) -> None:
    await make(engine, order(TEXT, voice))
    assert engine.worker_restarts == 0


async def test_the_first_word_is_at_the_start_and_the_last_before_the_end(
    engine: Engine, voice: str
) -> None:
    made = await make(engine, order(TEXT, voice))
    assert made.marks[0].sample < engine.info.sample_rate // 10
    assert made.marks[-1].sample < len(made.pcm) // 2 - engine.info.sample_rate // 10


async def test_equal_orders_are_equal_samples_in_any_order(engine: Engine, voice: str) -> None:
    first = await make(engine, order(TEXT, voice))
    other = await make(engine, order(OTHER, voice, speed=1.5))
    assert await make(engine, order(TEXT, voice)) == first
    assert await make(engine, order(OTHER, voice, speed=1.5)) == other
    assert first.pcm != other.pcm


async def test_equal_orders_are_equal_samples_side_by_side(engine: Engine, voice: str) -> None:
    first = await make(engine, order(TEXT, voice))
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(make(engine, order(text, voice)))
            for text in [TEXT, OTHER, TEXT, OTHER] * 3
        ]
    for task, text in zip(tasks, [TEXT, OTHER, TEXT, OTHER] * 3, strict=True):
        assert (task.result() == first) == (text == TEXT)


async def test_a_closed_segment_frees_its_worker(engine: Engine, voice: str) -> None:
    """Both workers, twice over, given back in the middle; then the engine is as good as new."""
    first = await make(engine, order(TEXT, voice))
    for _ in range(2):
        async with (
            aclosing(engine.synthesize(order(TEXT, voice))) as one,
            aclosing(engine.synthesize(order(OTHER, voice))) as two,
        ):
            await anext(one)
            await anext(two)
    assert await make(engine, order(TEXT, voice)) == first


async def test_a_cancelled_task_frees_its_worker(engine: Engine, voice: str) -> None:
    begun = asyncio.Event()

    async def listen() -> None:
        async with aclosing(engine.synthesize(order(TEXT, voice))) as reports:
            async for _ in reports:
                begun.set()
                await asyncio.get_running_loop().create_future()

    for _ in range(3):
        begun.clear()
        async with asyncio.TaskGroup() as group:
            listener = group.create_task(listen())
            await begun.wait()
            listener.cancel()
    assert (await make(engine, order(TEXT, voice))).end == Finished(7)


async def test_waiting_in_line_can_be_cancelled(engine: Engine, voice: str) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(make(engine, order(TEXT, voice))) for _ in range(12)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
    assert all(task.result().end == Finished(7) for task in tasks[1::2])
    assert (await make(engine, order(TEXT, voice))).end == Finished(7)


async def test_after_closing_orders_fail(engine: Engine, voice: str) -> None:
    await engine.aclose()
    await engine.aclose()
    assert (await make(engine, order(TEXT, voice))).code == "engine_lost"


async def test_closing_ends_what_is_in_the_making(engine: Engine, voice: str) -> None:
    async with aclosing(engine.synthesize(order(TEXT * 6, voice))) as reports:
        begun = [await anext(reports)]
        await engine.aclose()
        made = gather(begun + [report async for report in reports])
    assert made.code in ("engine_lost", None)
    assert made.code is None or len(made.pcm) < engine.info.sample_rate * 60


async def test_closing_before_starting_is_allowed() -> None:
    for build in ENGINES.values():
        await build().aclose()


@pytest.mark.parametrize("speed", [0.5, 1.5, 2.0])
async def test_speed_divides_the_duration(engine: Engine, voice: str, speed: float) -> None:
    natural = await make(engine, order(TEXT, voice))
    changed = await make(engine, order(TEXT, voice, speed=speed))
    assert len(natural.pcm) / len(changed.pcm) == pytest.approx(speed, rel=0.1)


@pytest.mark.parametrize("pitch", [-7.0, 5.0])
async def test_pitch_moves_the_voice(engine: Engine, voice: str, pitch: float) -> None:
    voice = "sine-220" if voice == "words" else voice
    natural = await make(engine, order(TEXT, voice))
    changed = await make(engine, order(TEXT, voice, pitch=pitch))
    rate = engine.info.sample_rate
    moved = 12 * np.log2(fundamental_hz(changed, rate) / fundamental_hz(natural, rate))
    assert moved == pytest.approx(pitch, abs=1.5)
    assert len(changed.pcm) == pytest.approx(len(natural.pcm), rel=0.1)


async def test_volume_scales_the_samples(engine: Engine, voice: str) -> None:
    natural = await make(engine, order(TEXT, voice))
    assert (await make(engine, order(TEXT, voice, volume=0.5))).rms == pytest.approx(
        natural.rms / 2, rel=0.1
    )
    assert (await make(engine, order(TEXT, voice, volume=2.0))).rms > 1.5 * natural.rms
    silent = await make(engine, order(TEXT, voice, volume=0.0))
    assert silent.rms == 0
    assert len(silent.pcm) == pytest.approx(len(natural.pcm), rel=0.01)


async def test_the_pause_after_a_sentence_is_audible_as_silence(engine: Engine, voice: str) -> None:
    rate = engine.info.sample_rate
    without = await make(engine, order(TEXT, voice))
    made = await make(engine, order(TEXT, voice, pause_after=True))
    added = (len(made.pcm) - len(without.pcm)) // 2
    assert 0.1 * rate < added < 0.6 * rate
    assert np.abs(made.samples[-added // 2 :]).max() < 50


async def test_one_character_and_the_longest_text(engine: Engine, voice: str) -> None:
    for text in ("a", ("word " * 200)[: engine.info.text_chars_max].strip()):
        made = await make(engine, order(text, voice))
        assert made.end == Finished(7)
        assert made.words(text) == text.split()
        check_marks(text, made)


async def test_audio_comes_in_parts_before_the_end(engine: Engine, voice: str) -> None:
    async with aclosing(engine.synthesize(order(TEXT * 4, voice))) as reports:
        parts = [report async for report in reports if isinstance(report, Produced)]
    assert len(parts) > 2
    assert len(parts[0].pcm) < sum(len(part.pcm) for part in parts) / 2
