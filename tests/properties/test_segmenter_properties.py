"""The segmenter on any text in any language, however it arrives.

The alphabet mixes what the rules care about (marks, quotes, brackets, list markers, abbreviations, line ends) with any
character at all, halves of surrogate pairs included, so that most examples reach a rule and some reach none.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import event, given, strategies as st

from gateway.core.boundaries import AHEAD_CHARS_MAX, WINDOW_CHARS_MAX, WORD_CHARS_MAX, Scanner
from gateway.core.graphemes import border_before
from gateway.core.judge import SentencexJudge
from gateway.core.languages import KNOWN
from gateway.core.params import Segmentation
from gateway.core.segmenter import Piece, Segmenter
from gateway.core.vocabulary import CutReason, Preset, PushBoundary
from tests.support.floods import HARD, calls_of, flood

WORDS = (
    "the", "The", "In", "a", "I", "word", "Dr", "U.S", "e.g", "etc", "z.B", "r", "1990", "3.14", "10", "1", "2", "ii",
    "однако", "г", "है", "डॉ", "你好", "他说", "はい", "안녕", "สวัสดี", "សួស្តី", "שלום", "أحمد", "Բարև", "ሰላም",
    "http://a.b/c?d", "a@b.org", "<break/>", "e\u0301", "👨\u200d👩\u200d👧", "🇩🇪", "😀", ":)", "\ud83d", "\ude00",
)  # fmt: skip
MARKS = (
    *".!?…,;:—–-", "...", ". . .", "。", "！", "，", "、", "।", "؟", "۔", "։", "።", "។", "·", "．",
    *"\"'“”„«»‘’()[]「」*_#<>/•", "[1]", "1.", "2)", "a.",
)  # fmt: skip
BLANKS = (" ", "  ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u2003", "\u2028", "\u200b", "\u202a")

PHRASES = (
    "in the U.S. The ", "etc. In ", "by Dr. Who ", "1990 r. W ", "so. it ", "here.And ", "‘Yes.’ he ", "« Oui. » Il ",
    "9. Mai ", "says (no. Yes", "so… The ", ", ” and ", "'s Avonds ",
)  # fmt: skip
EXTENDERS = ("\u0301", "\u200d", "\ufe0f", "\u0600", "\u094d", "🏽")

elements = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(MARKS),
    st.sampled_from(BLANKS),
    st.sampled_from(PHRASES),
    st.sampled_from(EXTENDERS),
    st.sampled_from((" ", ". ", ", ")),
    st.characters(exclude_categories=()),
    st.builds(str.__mul__, st.sampled_from(("a", ".", " ", "\n", ")", "好")), st.integers(1, 150)),
)
many = st.lists(elements, max_size=12) | st.lists(elements, min_size=30, max_size=80)
texts = many.map("".join)
languages = st.sampled_from(sorted(KNOWN)) | st.sampled_from(("en", "de", "nl", "pl", "zh", "th"))


def parameters(**fixed: st.SearchStrategy[object]) -> st.SearchStrategy[Segmentation]:
    ranges: dict[str, st.SearchStrategy[object]] = {
        "preset": st.sampled_from(Preset),
        "first_chars_min": st.integers(1, 60),
        "first_chars_max": st.integers(10, 120),
        "min_chars": st.just(0) | st.integers(0, 300),
        "max_chars": st.integers(20, 60) | st.integers(20, 500),
        "schedule": st.just(()) | st.lists(st.integers(1, 300), max_size=3).map(tuple),
        "auto_flush": st.booleans(),
        "max_delay_ms": st.sampled_from((0, 500)),
        "idle_ms": st.sampled_from((0, 100)),
    }
    return st.builds(Segmentation, **(ranges | fixed))


any_parameters = parameters(
    push_boundary=st.sampled_from(PushBoundary), release_chars=st.just(0) | st.integers(0, 80)
)


def split(text: str, places: list[int]) -> list[str]:
    borders = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in pairwise(borders)]


def pieces_of(parts: list[str], params: Segmentation, language: str) -> list[Piece]:
    subject = Segmenter(params, language)
    pieces = [piece for part in parts for piece in subject.push(part, 0.0)]
    return pieces + subject.flush()


@given(texts, languages, parameters(), st.lists(st.integers(0, 10_000), max_size=30))
def test_pieces_do_not_depend_on_how_the_text_was_split(
    text: str, language: str, params: Segmentation, places: list[int]
) -> None:
    whole = pieces_of([text] if text else [], params, language)
    event(f"pieces: {min(len(whole), 5)}")
    assert pieces_of(split(text, places), params, language) == whole
    assert pieces_of(list(text), params, language) == whole


@given(texts, parameters())
def test_a_longer_text_keeps_the_pieces_of_its_beginning(text: str, params: Segmentation) -> None:
    short, long = Segmenter(params, "en"), Segmenter(params, "en")
    before = short.push(text[: len(text) // 2], 0.0)
    assert long.push(text, 0.0)[: len(before)] == before


@given(texts, texts, languages, parameters(), st.sampled_from((Segmenter.flush, Segmenter.clear)))
def test_text_after_a_flush_or_clear_is_cut_as_if_nothing_came_before(
    before: str,
    after: str,
    language: str,
    params: Segmentation,
    end: Callable[[Segmenter], object],
) -> None:
    subject = Segmenter(params, language)
    subject.push(before, 0.0)
    end(subject)
    fresh = Segmenter(params, language)
    fresh_pieces = fresh.push(after, 0.0) + fresh.flush()
    pieces = subject.push(after, 0.0) + subject.flush()
    assert [(piece.text, piece.kind) for piece in pieces] == [
        (piece.text, piece.kind) for piece in fresh_pieces
    ]


commands = st.tuples(
    st.sampled_from(("push", "push", "more", "flush", "clear", "tick", "tick")),
    texts,
    st.sampled_from((0.0, 0.04, 0.11, 0.3, 0.7)),
    st.sampled_from((None, 0.0, 0.5, 60.0)),
)
"""What happens, with which text, how much later, and how long the audio still lasts."""


@given(any_parameters, languages, st.lists(commands, max_size=12))
def test_nothing_is_lost_whatever_happens(
    params: Segmentation, language: str, history: list[tuple[str, str, float, float | None]]
) -> None:
    subject = Segmenter(params, language)
    now = 0.0
    waiting = ""
    end = 0
    for command, text, later, lead in history:
        now += later
        pieces: list[Piece] = []
        match command:
            case "push" | "more":
                waiting += text
                pieces = subject.push(text, now, more=command == "more")
            case "flush":
                pieces = subject.flush()
                assert "".join(piece.text for piece in pieces) == waiting
                assert subject.flush() == []
            case "clear":
                assert subject.clear() == waiting
                end += len(waiting)
                waiting = ""
            case _:
                dry_at = None if lead is None else now + lead
                due = subject.deadline(dry_at)
                pieces = subject.tick(now, dry_at)
                assert bool(pieces) == (due is not None and due <= now)
                event(f"timer: {pieces[0].reason if pieces else None}")
        for piece in pieces:
            assert piece.text
            assert waiting.startswith(piece.text)
            assert (piece.start, piece.end) == (end, end + len(piece.text))
            assert len(piece.text) <= params.max_chars
            assert piece.speakable == any(char.isalnum() for char in piece.text)
            waiting, end = waiting[len(piece.text) :], piece.end
        assert subject.chars_pending == len(waiting) <= params.max_chars


@given(texts, languages, parameters())
def test_what_nobody_can_speak_is_joined_to_what_somebody_can(
    text: str, language: str, params: Segmentation
) -> None:
    for piece in pieces_of([text] if text else [], params, language):
        forced = len(piece.text) > params.max_chars * 0.4
        assert piece.speakable or forced or piece.reason is CutReason.FLUSH


@given(texts, languages, parameters())
def test_only_a_cluster_above_the_cap_is_cut(
    text: str, language: str, params: Segmentation
) -> None:
    whole = pieces_of([text] if text else [], params, language)
    for piece in whole[:-1]:
        if border_before(text, piece.end) != piece.end:
            assert len(piece.text) == params.max_chars
            assert border_before(text[piece.start :], len(piece.text)) == 0


clusters = st.sampled_from(
    ("e\u0301\u0323", "👨\u200d👩\u200d👧", "👍🏽", "🇩🇪", "क्षि", "한", "\u1112\u1161\u11ab", "\r\n", "ก็", "1\ufe0f\u20e3", "x")
)  # fmt: skip


@given(st.lists(clusters, min_size=2, max_size=8), st.data())
def test_a_border_is_found_before_each_cluster_and_nowhere_inside(
    parts: list[str], data: st.DataObject
) -> None:
    text = "".join(parts)
    borders = {len("".join(parts[:count])) for count in range(len(parts) + 1)}
    index = data.draw(st.integers(0, len(text)))
    assert border_before(text, index) == max(border for border in borders if border <= index)


class CountingJudge:
    """The real judge, with the characters that it was shown."""

    def __init__(self) -> None:
        self.judge = SentencexJudge()
        self.calls: list[int] = []

    def ends_sentence(self, language: str, window: str, positions: range) -> bool:
        self.calls.append(len(window))
        return self.judge.ends_sentence(language, window, positions)


@given(texts, languages)
def test_the_judge_is_asked_little(text: str, language: str) -> None:
    judge = CountingJudge()
    scanner = Scanner(judge, language)
    scanner.feed(text, 0)
    while scanner.advance(len(text)):
        pass
    marks = sum(char in ".!" for char in text)
    assert len(judge.calls) <= 2 * marks
    longest = WINDOW_CHARS_MAX + 2 * AHEAD_CHARS_MAX + WORD_CHARS_MAX + 1
    assert max(judge.calls, default=0) <= longest


@pytest.mark.parametrize("unit", HARD.values(), ids=HARD)
def test_work_grows_with_the_text_and_no_faster(unit: str) -> None:
    def work(chars: int) -> int:
        return calls_of(lambda: pieces_of([flood(unit, chars)], Segmentation(), "en"))

    work(2_000)  # the judge remembers words
    assert work(16_000) <= 4.4 * work(4_000)


@pytest.mark.parametrize("unit", HARD.values(), ids=HARD)
def test_characters_are_handed_out_a_few_times(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    handed = 0

    def tally(self: Scanner, start: int, end: int) -> str:
        nonlocal handed
        handed += end - start
        return honest(self, start, end)

    honest = Scanner.slice
    monkeypatch.setattr(Scanner, "slice", tally)
    text = flood(unit, 20_000)
    pieces_of([text], Segmentation(), "en")
    assert handed <= 40 * len(text)


def test_tokens_cost_no_more_at_the_end_than_at_the_beginning() -> None:
    def work(chars: int) -> int:
        text = flood(HARD["prose"], chars)
        return calls_of(
            lambda: pieces_of(split(text, list(range(0, chars, 3))), Segmentation(), "en")
        )

    work(2_000)
    assert work(16_000) <= 4.4 * work(4_000)
