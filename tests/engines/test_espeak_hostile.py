"""Texts made to hurt: each gives audio or a typed failure, and the next text is spoken as if nothing had been."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core.synthesis import Finished
from gateway.engines.espeak import TEXT_CHARS_MAX, EspeakEngine
from tests.engines.making import Made, check_marks, make, order

HARMLESS = "This is what everyone hears."


@pytest.fixture
async def engine() -> AsyncIterator[EspeakEngine]:
    engine = EspeakEngine(workers=2)
    await engine.start()
    yield engine
    await engine.aclose()


SPOKEN = {
    "dotted letters": "a.b.c.d." * 50,
    "abbreviations": "U.S.A. e.g. i.e. " * 20,
    "single letters": "A." * 200,
    "accented letters": "é." * 200,
    "no blanks": "x" * 500,
    "digits": "7" * 500,
    "ideographs": "漢" * 500,
    "combining marks": "e" + "\u0301" * 499,
    "right to left": "\u202eabc\u202c שלום" * 10,
    "phonemes": "[[h@'loU]]" * 50,
    "open phonemes": "[[" * 200,
    "markup": '<speak><audio src="/etc/passwd"/>one</speak> <break time="9s"/> &amp;',
    "deep markup": "<b>" * 160,
    "private use": "\ue000\uf8ff\U000f0000 one",
    "not characters": "\ufffe\uffff\ufdd0 one",
    "selectors": "one\ufe0f \U000e0101 two",
    "only blanks": " \n\t" * 100,
    "only dots": "." * 500,
    "control": "one\x01\x02two\x1b[0m\x7f\x9b",
    "library commands": "\x0150p one \x01900s two \x010v three",
    "NUL": "one\0two",
    "lone surrogates": "one \ud83d two\ude00 three",
    "percent": "%s%n%d" * 50,
    "emoji": "😀" * 500,
}

KILLING = {"possessives": "s'" * 80}

LONG = {"ideographs": "漢" * 500, "patterns": "⠿" * 500}
"""Characters that an English voice describes at length. At half speed these are more than five minutes."""


@pytest.mark.parametrize("name", SPOKEN)
async def test_hostile_text_is_spoken(engine: EspeakEngine, name: str) -> None:
    text = SPOKEN[name]
    assert len(text) <= TEXT_CHARS_MAX
    made = await make(engine, order(text, "en-us"))
    check_marks(text, made)
    assert made.end == Finished(7)


async def test_the_library_is_never_in_the_server(engine: EspeakEngine) -> None:
    await make(engine, order(HARMLESS, "en-us"))
    assert "libespeak" not in memory_map()
    assert "gateway.engines.espeak_ffi" not in sys.modules


async def test_text_after_a_nul_is_spoken(engine: EspeakEngine) -> None:
    made = await make(engine, order("one\0two", "en-us"))
    assert made.words("one\0two") == ["one", "two"]


async def test_commands_in_the_text_change_nothing(engine: EspeakEngine) -> None:
    """The library would take these for a change of speed, volume, voice, or for phonemes, if it were let."""
    plain = await make(engine, order("  40s one  0a two", "en-us"))
    assert await make(engine, order(" \x0140s one \x010a two", "en-us")) == plain
    spelled = await make(engine, order("[[h@'loU]]", "en-us"))
    assert len(spelled.pcm) > 2 * len((await make(engine, order("hello", "en-us"))).pcm)


@pytest.mark.parametrize("name", KILLING)
async def test_a_killing_text_fails_alone(engine: EspeakEngine, name: str) -> None:
    before = await make(engine, order(HARMLESS, "en-us"))
    async with asyncio.TaskGroup() as group:
        killer = group.create_task(make(engine, order(KILLING[name], "en-us")))
        others = [group.create_task(make(engine, order(HARMLESS, "en-us"))) for _ in range(8)]
    assert killer.result().code == "segment_rejected"
    assert all(other.result() == before for other in others)
    assert await make(engine, order(HARMLESS, "en-us")) == before


@pytest.mark.parametrize("name", LONG)
async def test_audio_without_end_is_cut_off(engine: EspeakEngine, name: str) -> None:
    made = await make(engine, order(LONG[name], "en-us", speed=0.5))
    assert made.code == "engine_failed"
    assert (await make(engine, order(HARMLESS, "en-us"))).end == Finished(7)


def memory_map() -> str:
    return Path("/proc/self/maps").read_text()


PIECES = [
    *[
        "s'",
        "a.",
        "é.",
        "U.S.",
        "i.e.",
        "[[",
        "]]",
        "<",
        "&#x",
        ";",
        "\x01",
        "'",
        "’s",
        "--",
        "…",
        "\u0301",
    ],
    *[
        "ß",
        "漢",
        "か",
        "अ",
        "ก",
        "😀",
        "\u200d",
        "\ue0ff",
        "1e9",
        "0x",
        "³",
        "½",
        "№",
        "Mr.",
        "\n\n",
        "  ",
    ],
]


@pytest.mark.slow
async def test_a_fuzzed_engine_keeps_its_word(engine: EspeakEngine) -> None:
    """Four hundred texts made of what has hurt before, in many voices, two at a time."""
    random_ = random.Random(20260101)
    voices = [voice.id for voice in engine.info.voices]
    before = await make(engine, order(HARMLESS, "en-us"))
    for _ in range(200):
        texts = [
            "".join(random_.choices(PIECES, k=random_.randint(1, 90)))[:TEXT_CHARS_MAX]
            for _ in range(2)
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(make(engine, order(text, random_.choice(voices))))
                for text in texts
            ]
        for text, task in zip(texts, tasks, strict=True):
            made: Made = task.result()
            check_marks(text, made)
            assert made.code in (None, "segment_rejected", "engine_failed")
    assert await make(engine, order(HARMLESS, "en-us")) == before
