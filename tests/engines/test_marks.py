"""Word marks from recorded reports of the library. The samples are small numbers; only their order counts here."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from gateway.core.synthesis import Finished, Mark
from gateway.engines.marks import Report, WordMarks
from tests.engines.making import Made, check_marks

TABLE: list[tuple[str, list[Report], list[tuple[int, str]]]] = [
    ("Hello there", [(0, 0), (5, 6)], [(0, "Hello"), (5, "there")]),
    # A written number is several reports, at positions inside it.
    (
        "costs $3.50 or",
        [(0, 0), (1, 6), (2, 7), (3, 8), (4, 8), (5, 8), (6, 12)],
        [(0, "costs"), (1, "$3.50"), (6, "or")],
    ),
    # Apostrophes, hyphens and dots do not end a written word.
    (
        "Smith's e-mail: a.b@c.com;",
        [(0, 0), (1, 8), (2, 16), (3, 19), (4, 20), (5, 21)],
        [(0, "Smith's"), (1, "e-mail:"), (2, "a.b@c.com;")],
    ),
    # The dash is silent, and where it stands the word after it is reported.
    ("hello - yes", [(0, 0), (1, 6)], [(0, "hello"), (1, "yes")]),
    ("- yes", [(0, 0)], [(0, "yes")]),
    # This star is spoken: the word after it has its own report.
    ("a * b", [(0, 0), (1, 2), (2, 4)], [(0, "a"), (1, "*"), (2, "b")]),
    # An emoji is followed by a report at the blank behind it.
    ("I 😀 you", [(0, 0), (1, 2), (2, 3), (3, 4)], [(0, "I"), (1, "😀"), (3, "you")]),
    ("a 😀", [(0, 0), (1, 2), (2, 3)], [(0, "a"), (1, "😀")]),
    # Chinese: a report for each character, or for a word of them.
    ("你好，世界。", [(0, 0), (1, 3), (2, 4)], [(0, "你好，"), (1, "世"), (2, "界。")]),
    # The figure three is reported at its left neighbour.
    ("我有3个", [(0, 0), (1, 1), (2, 1), (3, 3)], [(0, "我"), (1, "有"), (2, "3"), (3, "个")]),
    # The parts of a year are reported at its second digit, not at the character for it.
    (
        "是2024年",
        [(0, 0), (1, 1), (2, 2), (3, 2), (4, 5)],
        [(0, "是"), (1, "2024"), (4, "年")],
    ),
    # Japanese: unknown characters are spelled, all at the position of the first.
    ("カタ と", [(0, 0), (1, 0), (2, 3)], [(0, "カ"), (1, "タ"), (2, "と")]),
    ("漢字。", [(0, 0), (1, 0), (2, 0)], [(0, "漢"), (1, "字。")]),
    # Thai vowel signs and tones are never cut off.
    ("ชื่อจอ", [(0, 0), (1, 3)], [(0, "ชื่"), (1, "อจอ")]),
    # Blanks around and between, reports where nothing is.
    ("  a  b ", [(0, 0), (1, 2), (2, 5), (3, 6)], [(1, "a"), (2, "b")]),
    ("a b", [(0, 0), (1, 99)], [(0, "a")]),
    ("a b", [(0, 2), (1, 0)], [(0, "b")]),
    ("a b", [(5, 0), (3, 2)], [(5, "a"), (5, "b")]),
    ("a b", [(0, -1), (1, 2)], [(1, "b")]),
    ("", [(0, 0)], []),
]


@pytest.mark.parametrize(("text", "reports", "expected"), TABLE)
def test_reports_become_words(
    text: str, reports: list[Report], expected: list[tuple[int, str]]
) -> None:
    words = WordMarks(text)
    marks = words.feed(reports) + words.finish()
    assert [(mark.sample, text[mark.start : mark.end]) for mark in marks] == expected


def test_a_word_between_blanks_is_known_at_once() -> None:
    words = WordMarks("one two")
    assert words.feed([(0, 0)]) == [Mark(0, 0, 3)]
    assert words.feed([(9, 4)]) == [Mark(9, 4, 7)]
    assert words.finish() == []


CHARACTERS = st.sampled_from("ab1 .-$\n你世とカชื่😀e\u0301")


@given(
    st.text(CHARACTERS, max_size=12),
    st.lists(st.tuples(st.integers(0, 20), st.integers(-1, 14)), max_size=12),
    st.integers(0, 12),
)
def test_any_reports_give_orderly_marks_however_they_arrive(
    text: str, reports: list[Report], cut: int
) -> None:
    at_once, in_parts = WordMarks(text), WordMarks(text)
    marks = at_once.feed(reports) + at_once.finish()
    parts = in_parts.feed(reports[:cut]) + in_parts.feed(reports[cut:]) + in_parts.finish()
    assert parts == marks
    check_marks(text, Made(bytes(2 * 20), tuple(marks), Finished(7)))


STEPS = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from([0, 0, 1, 1, 2, 3, -1]), st.integers(0, 2)),
    max_size=9,
)


@settings(max_examples=500)
@given(st.text("你世 a-", max_size=6), STEPS)
def test_no_mark_is_older_than_the_audio_before_the_last_ones(
    text: str, steps: list[tuple[int, int, int]]
) -> None:
    """What `Marked` promises, when reports come in batches, each with the audio in which they begin."""
    words = WordMarks(text)
    batches: list[list[Report]] = [[]]
    sample = char = 0
    for later, further, new_batches in steps:
        sample, char = sample + later, char + further
        batches += [[] for _ in range(new_batches)]
        batches[-1].append((sample, char))
    oldest = spoken = 0
    for batch in batches:
        now = batch[0][0] if batch else spoken + 1
        spoken = batch[-1][0] if batch else spoken
        if marks := words.feed(batch):
            assert all(mark.sample >= oldest for mark in marks)
            oldest = now
    assert all(mark.sample >= oldest for mark in words.finish())
