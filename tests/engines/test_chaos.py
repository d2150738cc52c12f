"""Planned faults come when and where they are planned."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from gateway.core.errors import EngineLost
from gateway.core.synthesis import Finished
from gateway.engines.chaos import ChaosEngine, Delay, Fail, Hang
from gateway.engines.tone import ToneEngine
from tests.engines.making import make, order

TEXT = "one two three four"


@pytest.mark.parametrize("at_sample", [0, 1, 2_205, 7_000])
async def test_a_segment_fails_at_its_sample(at_sample: int) -> None:
    engine = ChaosEngine(ToneEngine(), {"two": [Fail(at_sample, EngineLost)]})
    whole = await make(ToneEngine(), order(TEXT, "words"))
    made = await make(engine, order(TEXT, "words"))
    assert made.code == "engine_lost"
    assert made.pcm == whole.pcm[: 2 * at_sample]


async def test_faults_are_used_up_one_segment_each() -> None:
    engine = ChaosEngine(ToneEngine(), {"two": [Fail(), None, Fail()]})
    assert (await make(engine, order("other", "words"))).end == Finished(7)
    codes = [(await make(engine, order(TEXT, "words"))).code for _ in range(4)]
    assert codes == ["engine_failed", None, "engine_failed", None]


@pytest.mark.virtual_time
async def test_a_late_segment_is_complete() -> None:
    loop = asyncio.get_running_loop()
    engine = ChaosEngine(ToneEngine(), {"two": [Delay(5_000, 2_000)]})
    began = loop.time()
    made = await make(engine, order(TEXT, "words"))
    assert loop.time() - began == pytest.approx(2.0)
    assert made == await make(ToneEngine(), order(TEXT, "words"))


@pytest.mark.virtual_time
async def test_a_hanging_segment_ends_when_it_is_given_up() -> None:
    engine = ChaosEngine(ToneEngine(workers=1), {"two": [Hang(3_000)]})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await make(engine, order(TEXT, "words"))
    async with aclosing(engine.synthesize(order(TEXT, "words"))) as reports:
        assert [report async for report in reports][-1] == Finished(7)
