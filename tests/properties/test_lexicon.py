"""Rules of a lexicon against any text, however it comes: they fire where they must and nowhere else, and every mark and range is
of the caller's text."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from gateway.core.intake import Cut, Intake
from gateway.core.lexicon import Lexicon, Rule
from gateway.core.params import Segmentation, TextSettings
from gateway.core.replacing import SPOKEN_CHARS_MAX, Replacer
from gateway.core.vocabulary import Cleanup, CutReason
from tests.support.floods import calls_of

WORDS = (
    "Siobhan",
    "sql",
    "C++",
    "e.g.",
    "New York",
    "new",
    "york",
    "हिन्द",
    "हिन्दी",
    "naïve",
    ".*",
    "&",
)
ALIASES = [f"alias{chr(0x61 + number)}" for number in range(len(WORDS))]
"""They occur nowhere else, so that one can tell from what is spoken where rules fired."""
RULES = dict(zip(WORDS, ALIASES, strict=True))
LEXICON = Lexicon("lx", 1, tuple(Rule("en", word, alias) for word, alias in RULES.items()))
REPLACER = Replacer(LEXICON, "en")
MARKS = ("\u0301", "ी", "\u200d", "\u094d")

TEXTS = st.lists(
    st.one_of(
        st.sampled_from([*WORDS, *(word.upper() for word in WORDS), *MARKS]),
        st.sampled_from([" ", " ", "\n ", "_", "-", "'", ". ", ", ", "7", "s", "é", "😀", "**"]),
        st.text("abNYnewsqlC+ .é7", max_size=6),
    ),
    max_size=25,
).map("".join)


def is_of_a_word(sign: str) -> bool:
    return sign.isalnum() or sign in "_\u200c\u200d" or unicodedata.category(sign).startswith("M")


def leans(sign: str) -> bool:
    """Whether it belongs to what stands before it."""
    return unicodedata.category(sign).startswith("M") or sign in "\u200c\u200d"


def divides(text: str, at: int) -> bool:
    """Whether no word and no character goes on at this place."""
    if at in {0, len(text)}:
        return True
    base = at - 1
    while base > 0 and leans(text[base]) and not text[base - 1].isspace():
        base -= 1
    if leans(text[at]):
        return text[base].isspace()
    return not (is_of_a_word(text[base]) and is_of_a_word(text[at]))


def replaced_slowly(text: str) -> str:
    """What the rules mean, in as few words as possible."""
    spoken, at = "", 0
    while at < len(text):
        best, alias = at, text[at]
        for word, stands_for in RULES.items():
            if not divides(text, at):
                break
            end = _end_of(word, text, at)
            if end is not None and divides(text, end) and end > best:
                best, alias = end, stands_for
        spoken += alias
        at = max(best, at + 1)
    return spoken


def _end_of(word: str, text: str, at: int) -> int | None:
    """Where a match ends that begins here: any case if it has no capital, any blanks for its blank."""
    for number, wanted in enumerate(word.split(" ")):
        blanks = 0
        if number:
            while text[at + blanks : at + blanks + 1].isspace():
                blanks += 1
            if not blanks:
                return None
        at += blanks
        found = text[at : at + len(wanted)]
        if found != wanted and (word != word.lower() or found.lower() != wanted):
            return None
        at += len(wanted)
    return at


@given(TEXTS)
def test_whole_words_the_longest_first_and_nothing_else(text: str) -> None:
    parts = REPLACER.apply(text)
    assert "".join(part.text for part in parts) == replaced_slowly(text)
    assert sum(part.applied for part in parts) == sum(
        replaced_slowly(text).count(alias) for alias in ALIASES
    )
    assert "".join(text[part.start : part.end] for part in parts) == text


def said(pushes: list[str], cleanup: Cleanup, size: int) -> list[Cut]:
    segmentation = Segmentation(max_chars=size, first_chars_max=min(60, size))
    settings = TextSettings(language="en", cleanup=cleanup, segmentation=segmentation)
    intake = Intake(settings, REPLACER)
    cuts = [cut for push in pushes for cut in intake.push(push, 0.0)]
    return cuts + intake.flush(CutReason.END, 0.0)


@given(TEXTS, st.sampled_from(Cleanup), st.sampled_from([60, 250]), st.data())
def test_how_a_text_is_split_makes_no_difference(
    text: str, cleanup: Cleanup, size: int, data: st.DataObject
) -> None:
    places = data.draw(st.sets(st.integers(0, len(text)))) if text else set()
    pushes = [text[a:b] for a, b in pairwise([0, *sorted(places), len(text)])]
    whole, by_character = said([text], cleanup, size), said(list(text), cleanup, size)
    for cuts in (said(pushes, cleanup, size), by_character):
        assert [(cut.text, cut.start, cut.end, cut.applied) for cut in cuts] == [
            (cut.text, cut.start, cut.end, cut.applied) for cut in whole
        ]


@given(
    st.lists(st.sampled_from(["Siobhan", "SQL", "naïve", "हिन्दी", "MySQL", "word"]), max_size=60)
)
def test_a_word_fires_though_it_comes_in_single_characters(words: list[str]) -> None:
    text = " ".join(words)
    applied = sum(cut.applied for cut in said(list(text), Cleanup.OFF, 60))
    assert applied == sum(word not in {"MySQL", "word"} for word in words)


@given(TEXTS, st.sampled_from(Cleanup), st.sampled_from([20, 250]))
def test_ranges_increase_and_cover(text: str, cleanup: Cleanup, size: int) -> None:
    cuts = said([text], cleanup, size)
    assert "".join(cut.source for cut in cuts) == text
    position = 0
    for cut in cuts:
        assert (cut.start, cut.end) == (position, position + len(cut.source))
        position = cut.end
        assert len(cut.text) <= SPOKEN_CHARS_MAX
        before = 0
        for start, end in _words_of(cut.text):
            begins, ends = cut.word(start, end)
            assert before <= begins <= ends <= len(cut.source)
            before = begins
        cut.forget()


def _words_of(text: str) -> list[tuple[int, int]]:
    spans, at = [], 0
    for word in text.split():
        start = text.index(word, at)
        at = start + len(word)
        spans.append((start, at))
    return spans


FLOODS = {
    "prose": "Siobhan told the SQL server that nobody knew why it happened. ",
    "the first half of a rule": "new new new new new new new new new new ",
    "all rules": "C++ e.g. New York हिन्दी naïve .* & ",
    "no blank": "a",
    "signs": ".",
    "no words": "我",
}


@pytest.mark.parametrize("unit", FLOODS.values(), ids=FLOODS)
def test_work_grows_with_the_text_and_no_faster(unit: str) -> None:
    def work(chars: int) -> int:
        text = (unit * chars)[:chars]
        return calls_of(lambda: REPLACER.apply(text))

    assert work(16_000) <= 4.4 * work(4_000)


def test_more_rules_are_no_more_work() -> None:
    """But for those that begin with a word of the text."""
    rules = tuple(
        Rule("en", f"{letter}{number} thing", "alias") for letter in "abcd" for number in range(100)
    )
    many, few = Replacer(Lexicon("lx", 1, (*rules, *LEXICON.rules)), "en"), REPLACER
    text = (FLOODS["prose"] * 100)[:3_500]
    assert calls_of(lambda: many.apply(text)) <= 1.01 * calls_of(lambda: few.apply(text))
