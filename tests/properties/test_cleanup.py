"""Clean-up over all of Unicode and over what is hardest for it: any text, any cuts, flushes and clears anywhere."""

from __future__ import annotations

import random
import re
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import event as reached, example, given, strategies as st

from gateway.core.cleanup import HELD_CHARS_MAX, Cleaner
from gateway.core.cleanup.markdown import Markdown
from gateway.core.cleanup.window import Edits, Window
from gateway.core.vocabulary import Cleanup
from tests.support.cleaning import assert_maps, clean

MARKS = [
    "*", "**", "_", "~~", "`", "```", "~~~", "[", "]", "](", "![", "(", ")", "|", "\n", "\n\n", " ", "\t", "\r", "\\", "$",
    "<", ">", "br", "#", "- ", "> ", "1. ", "---", "|-", "[x] ", "http", "https://", "www.", "://", "/", "?", "@", ".", ",",
    ":", "!", '"', "🎉", "\u200d", "\ufe0f", "©", "👩🏽", "🇩🇪", "क्\u200dष", "é", "你", "。", "a", "word", "h", "w",
]  # fmt: skip
SPOKEN = [
    "1", "12", "5", "2024-05-17", "3:05", "14:00", "12h30", ".", ",", "'", "-", "/", " ", "$", "US$", "R", "€", "km", "km/h",
    "h", "m", "s", "Uhr", "Mai", "17. Mai", "million", "M", "p.m.", "बजे", "@", "a", "example.com", "\u202f", "\n", "*",
]  # fmt: skip
LANGUAGES = ["en", "de", "fr", "it", "pt", "hi", "zh", "ar", "xx"]
MODES = st.sampled_from([Cleanup.MARKDOWN, Cleanup.SPEECH])


def assembled(parts: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(parts), max_size=30).map("".join)


TEXTS = st.one_of(
    assembled(MARKS),
    assembled(SPOKEN),
    assembled(MARKS + SPOKEN),
    st.text(max_size=60),
    st.text("*_`[](|\n a1$<", max_size=60),
    # Longer than anything that is held back
    st.tuples(assembled(MARKS), st.sampled_from(MARKS + SPOKEN), st.integers(100, 450), assembled(MARKS)).map(
        lambda parts: parts[0] + parts[1] * parts[2] + parts[3]
    ),
)  # fmt: skip


def test_texts_reach_every_rule() -> None:
    """The pieces the texts are made of contain each mark that a rule is for."""
    rules = Markdown("", None)._rules
    assert len(rules) == 13
    hit = {
        match.lastgroup for part in MARKS for match in Markdown("", None)._trigger.finditer(part)
    }
    assert hit == set(rules)


@given(TEXTS, MODES, st.sampled_from(LANGUAGES), st.lists(st.integers(0, 500)))
@example("🎉©️a", Cleanup.MARKDOWN, "en", [2])
@example("[a](" + "b" * 1_999 + ")", Cleanup.MARKDOWN, "en", [1_000, 2_001])
def test_pushes_do_not_matter_and_the_map_covers(
    source: str, mode: Cleanup, language: str, places: list[int]
) -> None:
    whole = clean(source, mode, language)
    assert_maps(whole, source)
    cuts = sorted(min(place, len(source)) for place in places)
    assert clean(source, mode, language, cuts) == whole
    assert clean(source, mode, language, range(1, len(source))) == whole


_NOT_SPOKEN = re.compile(r"[`~<\[(hHwW]")


@given(st.one_of(TEXTS, st.text(max_size=200)))
def test_letters_and_digits_stay_in_order(source: str) -> None:
    """In order always; all of them where there is no code, link, address or tag."""
    cleaned = clean(source)
    reach = -1
    for character, (start, end) in zip(cleaned.text, cleaned.characters, strict=True):
        if character.isalnum():
            assert source[start:end] == character
            assert start > reach
            reach = start
    if not _NOT_SPOKEN.search(source):
        reached("nothing is left out")
        assert [*filter(str.isalnum, cleaned.text)] == [*filter(str.isalnum, source)]


LETTERS = st.characters(
    categories=["L", "Nd", "Mc", "Mn"], include_characters=" ,;", exclude_characters="\ufe0e\ufe0f"
)


@given(st.text(LETTERS, max_size=80))
def test_text_without_marks_is_left_alone(source: str) -> None:
    assert clean(f"A{source}z").text == f"A{source}z"


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.one_of(assembled(MARKS), assembled(SPOKEN))),
        st.tuples(st.sampled_from(["settle", "flush", "clear"]), st.just("")),
    ),
    max_size=12,
)


def play(
    operations: list[tuple[str, str]], mode: Cleanup, size: int
) -> tuple[list[str], list[tuple[int, int]]]:
    """Do this, texts in pieces of `size`; gives what each operation brought, and the source ranges of it as told."""
    cleaner = Cleaner(mode, "de")
    brought: list[str] = []
    told: list[tuple[int, int]] = []
    at = 0
    for name, text in operations:
        out = ""
        if name == "push":
            for start in range(0, len(text), size):
                out += cleaner.push(text[start : start + size])
                assert cleaner.held < HELD_CHARS_MAX
        elif name == "settle":
            out = cleaner.settle()
        elif name == "flush":
            out = cleaner.flush()
            assert cleaner.held == 0
            assert cleaner.flush() == ""
        else:
            cleaner.clear()
            assert cleaner.held == 0
        brought.append(out)
        if out:
            told.append(cleaner.source_range(at, at + len(out)))
            at += len(out)
            cleaner.forget(at)
    return brought, told


@given(OPERATIONS, MODES)
def test_flushes_and_clears_anywhere(operations: list[tuple[str, str]], mode: Cleanup) -> None:
    brought, told = play(operations, mode, 10_000)
    assert play(operations, mode, 1) == (brought, told)
    pushed = sum(len(text) for _, text in operations)
    cleared = any(name == "clear" for name, _ in operations)
    for (_, end), (start, _) in pairwise([(0, 0), *told]):
        assert start >= end if cleared else start == end
    assert not told or told[-1][1] <= pushed


# What GPT-4 really wrote.

ANSWERS = [
    answer["text"]
    for answer in msgspec.json.decode(
        (Path(__file__).parents[1] / "data/segmentation/llm_mtbench.json").read_bytes()
    )
]


@pytest.mark.parametrize("mode", [Cleanup.MARKDOWN, Cleanup.SPEECH])
def test_real_answers(mode: Cleanup) -> None:
    draw = random.Random(7)
    for answer in ANSWERS:
        whole = clean(answer, mode)
        assert_maps(whole, answer)
        cuts: list[int] = []
        while (at := (cuts[-1] if cuts else 0) + draw.randint(1, 6)) < len(answer):
            cuts.append(at)
        assert clean(answer, mode, cuts=cuts) == whole
        assert "```" not in whole.text
        assert "**" not in whole.text


# Work.

FLOODS = [
    *MARKS, *SPOKEN, "a*", "* ", "`a", "`a`` ", "[a](", "[x ", "[![", "a|", "a | b\n", "| a ", "|a|b|\n", "$a ", "$5 ", "<a ",
    "<br ", "🎉 ", "©", " \ta", "> \n", "```\n", "```x\n", "https://a.b/c(.", "a@", "a.b", "1,", "1:", "5 k", "17. M", "(", "\\[",
]  # fmt: skip


@pytest.mark.parametrize("mode", [Cleanup.MARKDOWN, Cleanup.SPEECH])
@pytest.mark.parametrize("size", [3, 20_000])
def test_work_grows_with_the_text_and_no_faster(
    mode: Cleanup, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each push asks at most one rule in vain, and each other rule gets past a character; each looks at a bounded part."""
    calls = 0
    read = Markdown.read

    def counted(self: Markdown, window: Window) -> Edits | None:
        nonlocal calls
        calls += 1
        assert window.stop - window.at <= HELD_CHARS_MAX
        assert len(window.text) <= size + 2 * HELD_CHARS_MAX
        return read(self, window)

    monkeypatch.setattr(Markdown, "read", counted)
    for flood in FLOODS:
        text = (flood * 4_000)[:4_000]
        calls = 0
        cleaner = Cleaner(mode, "de")
        for start in range(0, len(text), size):
            cleaner.push(text[start : start + size])
        cleaner.flush()
        pushes = len(text) // size + 2
        assert calls <= 1.1 * len(text) + pushes, flood
