"""Every voice speaks, the same each time, and says where its words are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings, strategies as st

from gateway.accounts.clock import now_ms
from gateway.core.synthesis import Finished
from gateway.engines.espeak import TEXT_CHARS_MAX, EspeakEngine
from tests.engines.making import check_marks, make, order

SENTENCES = {
    "en-us": "Hello there, it costs $3.50 (really) on 2024-05-12, or 1,234,567.89 dollars.",
    "de": "Am 3. Oktober 1990 kosteten 21.345 Donaudampfschifffahrtsgesellschaften 12,50 €.",
    "hi": "नमस्ते, आप कैसे हैं? यह १२३ रुपये और 456 है।",
    "cmn": "你好，世界。今天是2024年5月12日，我有3个苹果和一台iPhone。",
    "ja": "こんにちは、世界。今日は2024年です。カタカナ。",
    "fr": "L'été, c'est 20h30 !",
    "ar": "مرحبا بالعالم 123",
    "ko": "안녕하세요 세계 123",
    "ru": "Он родился 12.05.1990 в 10:30, 5 кг.",
}

WORDS = {
    "cmn": "你好， 世 界。 今 天 是 2024 年 5 月 12 日， 我 有 3 个 苹果 和 一台 iPhone。",
    "ja": "こんにちは、 世 界。 今 日 は 2024 年です。 カタカナ。",
    "fr": "L'été, c'est 20h30",
}
"""The words that are marked, where they are not simply what stands between blanks."""


@pytest.fixture
async def engine() -> AsyncIterator[EspeakEngine]:
    engine = EspeakEngine(workers=2)
    await engine.start()
    yield engine
    await engine.aclose()


async def test_every_voice_speaks(engine: EspeakEngine) -> None:
    assert len(engine.info.voices) > 130
    for voice in engine.info.voices:
        made = await make(engine, order("1 2 3 ok", voice.id))
        assert made.end == Finished(7), voice
        assert made.rms > 100, voice
        check_marks("1 2 3 ok", made)


async def test_every_variant_speaks_in_its_own_way(engine: EspeakEngine) -> None:
    plain = await make(engine, order("hello", "en-us"))
    assert len(engine.info.variants) > 100
    for variant in engine.info.variants:
        made = await make(engine, order("hello", f"en-us+{variant}"))
        assert made.end == Finished(7), variant
        # `fast` differs only at speeds where the library would squeeze finished audio.
        assert (made.pcm != plain.pcm) == (variant != "fast"), variant


async def test_voices_have_languages_and_genders(engine: EspeakEngine) -> None:
    voices = {voice.id: voice for voice in engine.info.voices}
    assert voices["en-us"].languages == ("en-us", "en")
    assert voices["cmn"].language == "cmn"
    assert "zh" in voices["cmn"].languages
    assert voices["de"].gender == "male"
    assert not any(voice.id.startswith("mb") for voice in engine.info.voices)


@pytest.mark.parametrize(
    "voice",
    [
        *["nope", "", "en-us+nope", "en-us+", "gmw/en-US", "+f3", "EN-US", "de\0", "fo"],
        *["en-us+../../lang/gmw/de", "en+" + "../" * 12 + "etc/hostname"],
        *["en-us+f3+f3", "en-us+" + "a" * 60],
    ],
)
async def test_only_listed_names_reach_the_library(engine: EspeakEngine, voice: str) -> None:
    assert (await make(engine, order("hello", voice))).code == "unknown_voice"


@pytest.mark.parametrize("voice", SENTENCES)
async def test_written_words_are_marked(engine: EspeakEngine, voice: str) -> None:
    text = SENTENCES[voice]
    made = await make(engine, order(text, voice))
    check_marks(text, made)
    assert made.words(text) == WORDS.get(voice, text).split()
    assert made.marks[0].sample < 0.1 * engine.info.sample_rate


@pytest.mark.parametrize("voice", ["en-us", "de", "cmn"])
async def test_marks_lie_where_the_words_are(engine: EspeakEngine, voice: str) -> None:
    """A word after a long pause: its mark is behind the silence, and not far behind."""
    text = "one.\n\ntwo" if voice != "cmn" else "一。\n\n二"
    made = await make(engine, order(text, voice))
    second = made.marks[1].sample
    loudness = abs(made.samples)
    assert loudness[second - 2_000 : second].max() < 500
    assert loudness[second : second + 6_000].max() > 3_000


async def test_all_voices_are_the_same_each_time_in_any_order(engine: EspeakEngine) -> None:
    orders = [
        order(text, voice, speed=speed, pause_after=pause)
        for voice, text in SENTENCES.items()
        for speed, pause in ((1.0, False), (1.3, True))
    ]
    first = [await make(engine, wanted) for wanted in orders]
    again = [await make(engine, wanted) for wanted in reversed(orders)]
    assert again[::-1] == first
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(make(engine, wanted)) for wanted in orders]
    assert [task.result() for task in tasks] == first


async def test_every_voice_is_the_same_after_any_other(engine: EspeakEngine) -> None:
    """Some text of its own script and some that it must spell, first in one direction, then in the other."""
    text = "Is it 12? नमस्ते 你好 привет"
    orders = [order(text, voice.id) for voice in engine.info.voices]
    first = [await make(engine, wanted) for wanted in orders]
    assert [await make(engine, wanted) for wanted in reversed(orders)] == first[::-1]


async def test_two_servers_sound_alike(engine: EspeakEngine) -> None:
    """Also at the 200th order of one and the first of the other, and where a variant breathes by chance."""
    begun_s, spoken = now_ms() // 1_000, 0
    # The library would take the second of its start for a seed.
    while spoken < 200 or now_ms() // 1_000 == begun_s:
        await make(engine, order("ab", "en-us"))
        spoken += 1
    other = EspeakEngine(workers=1)
    await other.start()
    orders = [order(text, voice) for voice, text in SENTENCES.items()]
    orders += [order("hello", f"en-us+{variant}") for variant in engine.info.variants]
    for wanted in orders:
        assert await make(engine, wanted) == await make(other, wanted)
    await other.aclose()


async def test_sentences_add_up_to_the_whole(engine: EspeakEngine) -> None:
    """Segments with a pause after all but the last are as long as the text in one piece."""
    sentences = ["This is the first sentence. ", "Here is another one! ", "And a third, the last."]
    whole = await make(engine, order("".join(sentences), "en-us"))
    parts = [
        await make(engine, order(text, "en-us", pause_after=text is not sentences[-1]))
        for text in sentences
    ]
    assert sum(len(part.pcm) for part in parts) == pytest.approx(len(whole.pcm), rel=0.01)


async def test_a_text_in_several_calls_is_marked_throughout(engine: EspeakEngine) -> None:
    text = ("Some words before the comma, and then more of them. " * 9).strip()
    made = await make(engine, order(text, "en-us"))
    check_marks(text, made)
    assert made.words(text) == text.split()


TEXTS = st.text(st.one_of(st.sampled_from("aeio 1.,-'$ ")), max_size=60) | st.text(max_size=40)


def test_any_text_gives_orderly_reports() -> None:
    """Through the real library, in voices of several scripts."""
    with asyncio.Runner() as runner:
        engine = EspeakEngine(workers=2)
        runner.run(engine.start())

        @settings(max_examples=150)
        @given(TEXTS, st.sampled_from(["en-us", "cmn", "ja", "hi", "th", "ar"]))
        def holds(text: str, voice: str) -> None:
            assert len(text) <= TEXT_CHARS_MAX
            made = runner.run(make(engine, order(text, voice)))
            check_marks(text, made)
            assert made.code in (None, "segment_rejected")

        holds()
        runner.run(engine.aclose())
