"""The tone engine: arithmetic that can be read back."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import numpy as np
import pytest

from gateway.core.synthesis import Produced
from gateway.engines.tone import CHAR_MS, GAP_MS, ToneEngine, render, word_frequency_hz
from tests.engines.making import make, order

RATE = 22_050


@pytest.mark.parametrize("rate", [8_000, RATE, 48_000])
@pytest.mark.parametrize("pitch", [0.0, 3.3])
def test_hums_join_without_a_click(rate: int, pitch: float) -> None:
    """The steps between neighbouring samples are no larger at the seam than elsewhere."""
    texts = ["One.", "And a second one!", "x", "The third is longer than the others."]
    pieces = [render(order(text, "sine-440", pitch=pitch), rate)[0] for text in texts]
    steps = np.abs(np.diff(np.frombuffer(b"".join(pieces), "<i2").astype(np.int32), 2))
    inside = max(
        np.abs(np.diff(np.frombuffer(piece, "<i2").astype(np.int32), 2)).max() for piece in pieces
    )
    assert steps.max() <= inside


def test_words_can_be_read_back_from_the_audio() -> None:
    text = "what was said, can be read"
    pcm, marks = render(order(text, "words"), RATE)
    samples = np.frombuffer(pcm, "<i2").astype(float)
    ends = [mark.sample for mark in marks[1:]] + [len(samples)]
    for mark, end in zip(marks, ends, strict=True):
        tone = samples[mark.sample : end - GAP_MS * RATE // 1_000]
        strongest = int(np.abs(np.fft.rfft(tone, RATE)).argmax())
        assert strongest == pytest.approx(word_frequency_hz(text[mark.start : mark.end]), abs=4)


def test_a_word_lasts_as_long_as_it_is_written() -> None:
    pcm, _ = render(order("four", "words"), RATE)
    assert len(pcm) / 2 / RATE * 1_000 == pytest.approx(4 * CHAR_MS + GAP_MS, abs=5)


def test_nothing_to_say_is_no_words() -> None:
    assert render(order(" \n", "words"), RATE) == (b"", ())


@pytest.mark.virtual_time
async def test_it_can_be_as_slow_as_a_large_model() -> None:
    loop = asyncio.get_running_loop()
    engine = ToneEngine(realtime_factor=0.5, first_delay_ms=300, chunk_ms=100)
    arrivals = []
    began = loop.time()
    async with aclosing(engine.synthesize(order("a" * 50, "words"))) as reports:
        async for report in reports:
            if isinstance(report, Produced):
                arrivals.append(loop.time() - began)
    assert arrivals == pytest.approx([0.3 + 0.05 * n for n in range(len(arrivals))])
    assert len(arrivals) == 31


@pytest.mark.virtual_time
async def test_workers_are_a_limit() -> None:
    loop = asyncio.get_running_loop()
    engine = ToneEngine(workers=2, first_delay_ms=1_000)
    began = loop.time()
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(make(engine, order("hello", "words")))
    assert loop.time() - began == pytest.approx(3.0)
