"""What leaves when: sizes, vendors' push borders, timers, flush and clear."""

from __future__ import annotations

import msgspec
import pytest

from gateway.core.params import PRESETS, Segmentation
from gateway.core.segmenter import Piece, Segmenter
from gateway.core.vocabulary import CutKind, CutReason, Preset, PushBoundary

SENTENCE = "This is a sentence of about forty letters. "
PROSE = SENTENCE * 40


def segmenter(language: str = "en", **params: object) -> Segmenter:
    return Segmenter(msgspec.structs.replace(Segmentation(), **params), language)


def texts(pieces: list[Piece]) -> list[str]:
    return [piece.text for piece in pieces]


def cuts(pieces: list[Piece]) -> list[tuple[str, CutReason]]:
    return [(piece.text, piece.reason) for piece in pieces]


# Sizes.


def test_the_first_piece_leaves_at_a_sentence_end_however_short() -> None:
    assert texts(segmenter().push("Yes. And then", 0.0)) == ["Yes."]


def test_the_first_piece_leaves_at_a_clause_that_is_long_enough() -> None:
    pieces = segmenter(first_chars_min=20).push("Well, if you ask me about it, I say yes", 0.0)
    assert cuts(pieces) == [("Well, if you ask me about it,", CutReason.CLAUSE)]


def test_the_first_piece_leaves_at_a_phrase_border_in_time() -> None:
    text = (
        "The implementation provided earlier with some complexity is better than the other one here"
    )
    piece, *_ = segmenter(first_chars_max=60).push(text, 0.0)
    assert piece.reason is CutReason.SIZE
    assert piece.kind is CutKind.WORD
    assert len(piece.text) <= 60
    assert text[piece.end :].split()[0] in ("with", "is", "than")


def test_a_first_piece_without_blanks_waits_for_one() -> None:
    pieces = segmenter().push("a" * 70 + " b" + " c" * 40, 0.0)
    assert pieces[0].text == "a" * 70 + " b c"[: len(pieces[0].text) - 70]


def test_later_pieces_grow() -> None:
    subject = segmenter()
    lengths = [len(piece.text) for piece in subject.push(PROSE, 0.0)]
    assert lengths[0] < 50
    assert lengths[0] < lengths[1] < lengths[2] == lengths[3]
    assert lengths[2] > 150


@pytest.mark.parametrize("preset", list(Preset))
def test_no_piece_is_longer_than_the_cap(preset: Preset) -> None:
    params = PRESETS[preset]
    for text in ("x" * 5_000, "word " * 1_000, "好" * 3_000, "." * 3_000, "e\u0301" * 1_000):
        subject = Segmenter(params, "en")
        pieces = subject.push(text, 0.0) + subject.flush()
        assert max(len(piece.text) for piece in pieces) <= params.max_chars
        assert "".join(texts(pieces)) == text


def test_a_cut_at_the_cap_keeps_clusters_whole() -> None:
    subject = segmenter(max_chars=20)
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    pieces = subject.push("x" + family * 12, 0.0) + subject.flush()
    assert all(piece.text.replace("x", "") == family * (len(piece.text) // 5) for piece in pieces)


def test_min_chars_passes_over_later_sentence_ends() -> None:
    pieces = segmenter(min_chars=100).push(PROSE, 0.0)
    assert len(pieces[0].text) < 100
    assert all(len(piece.text) >= 100 for piece in pieces[1:])
    assert len(pieces[1].text) < 150


def test_a_schedule_names_the_minima_and_the_last_repeats() -> None:
    lengths = [len(text) for text in texts(segmenter(schedule=(1, 80)).push(PROSE, 0.0))]
    assert lengths[0] < 80
    assert set(lengths[1:]) == {86}


def test_without_auto_flush_only_the_cap_cuts() -> None:
    subject = segmenter(auto_flush=False, max_chars=100)
    pieces = subject.push(PROSE, 0.0)
    assert {piece.reason for piece in pieces} == {CutReason.SIZE}
    assert all(50 < len(piece.text) <= 100 for piece in pieces)
    assert subject.deadline(None) is None


def test_then_a_sentence_that_fits_is_never_cut() -> None:
    """However short the piece before it is; only what is longer than the cap is cut at its clauses, then at blanks."""
    short = "No. "
    fits = "It goes on and on without any mark until the very end of it all. "
    clauses = "Here is a clause which is long, and here is another one of about the same size. "
    blanks = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen."
    subject = segmenter(auto_flush=False, max_chars=66)
    pieces = subject.push(short + fits + clauses + blanks, 0.0) + subject.flush()
    assert texts(pieces)[:3] == ["No.", f" {fits.strip()}", " Here is a clause which is long,"]
    assert "".join(texts(pieces)) == short + fits + clauses + blanks
    kinds = [piece.kind for piece in pieces]
    assert kinds[:3] == [CutKind.SENTENCE, CutKind.SENTENCE, CutKind.CLAUSE]
    assert CutKind.WORD in kinds[3:]
    assert CutKind.GRAPHEME not in kinds


# What nobody can speak.


def test_marks_alone_wait_for_words() -> None:
    subject = segmenter()
    assert subject.push("... !!! — \n\n", 0.0) == []
    assert subject.push("?! ", 0.0) == []
    assert texts(subject.push("Yes. No", 0.0)) == ["... !!! — \n\n?! Yes."]


def test_marks_alone_are_told_from_words_at_a_flush() -> None:
    subject = segmenter()
    subject.push("?! \U0001f600", 0.0)
    (piece,) = subject.flush()
    assert not piece.speakable
    assert subject.deadline(None) is None


@pytest.mark.parametrize("text", ["a", "7", "ß", "好", "ข", "१"])
def test_letters_and_digits_of_any_script_are_speakable(text: str) -> None:
    subject = segmenter()
    subject.push(text, 0.0)
    assert subject.flush()[0].speakable


# Flush, clear, offsets.


def test_flush_gives_everything_and_begins_a_new_utterance() -> None:
    subject = segmenter()
    subject.push(PROSE + "and some half a wo", 0.0)
    (last,) = subject.flush(CutReason.END)
    assert last.reason is CutReason.END
    assert subject.chars_pending == 0
    assert subject.flush() == []
    assert texts(subject.push("Yes. And", 0.0)) == ["Yes."]


def test_clear_drops_what_is_pending_and_offsets_go_on() -> None:
    subject = segmenter()
    first = subject.push("Yes. And then some", 0.0)
    assert subject.clear() == " And then some"
    assert subject.clear() == ""
    second = subject.push("No. But", 0.0)
    assert [(piece.start, piece.end) for piece in first + second] == [(0, 4), (18, 21)]


def test_text_after_a_flush_knows_nothing_of_text_before() -> None:
    subject = segmenter()
    subject.push("He said (and he meant it", 0.0)
    subject.flush()
    assert texts(subject.push("So. And", 0.0)) == ["So."]


def test_other_parameters_take_over_after_a_flush() -> None:
    subject = segmenter()
    subject.push("One", 0.0)
    subject.flush()
    subject.reconfigure(Segmentation(auto_flush=False), "de-AT")
    assert subject.push("Ja. Nein. ", 0.0) == []
    assert [(piece.start, piece.end) for piece in subject.flush()] == [(3, 13)]


# Vendors' ways to read the border between two pushes.


def test_a_border_between_pushes_means_nothing_by_default() -> None:
    subject = segmenter()
    assert subject.push("Pi is 3.", 0.0) == []
    assert texts(subject.push("14. And", 0.0)) == ["Pi is 3.14."]


def test_a_push_that_ends_a_sentence_is_a_break() -> None:
    subject = segmenter(push_boundary=PushBoundary.AFTER_TERMINATOR)
    assert texts(subject.push("Hello there.", 0.0)) == ["Hello there."]
    assert subject.push("How are", 0.0) == []
    assert texts(subject.push(" you?", 0.0)) == ["How are you?"]


@pytest.mark.parametrize("text", ["Hello Dr.", "Pi is 3.", "1.", "J."])
def test_a_push_that_ends_in_an_abbreviation_or_number_is_none(text: str) -> None:
    assert segmenter(push_boundary=PushBoundary.AFTER_TERMINATOR).push(text, 0.0) == []


def test_a_break_below_the_minimum_is_kept_for_later() -> None:
    subject = segmenter(push_boundary=PushBoundary.AFTER_TERMINATOR, release_chars=50)
    assert subject.push("Hello there.", 0.0) == []
    assert subject.push("How are you?", 0.0) == []
    assert texts(subject.flush()) == ["Hello there.", "How are you?"]


def test_every_push_is_released() -> None:
    subject = segmenter(push_boundary=PushBoundary.RELEASE)
    assert texts(subject.push("Hello the", 0.0)) == ["Hello the"]
    assert texts(subject.push("re", 0.0)) == ["re"]


def test_enough_characters_release_everything() -> None:
    subject = segmenter(release_chars=50, max_chars=150)
    assert texts(subject.push("y" * 60, 0.0)) == ["y" * 60]
    assert subject.push("z" * 20, 0.0) == []
    assert len(subject.push(PROSE[:400], 0.0)) == 3
    assert subject.chars_pending == 0


def test_slices_of_one_push_are_one_push() -> None:
    subject = segmenter(release_chars=50)
    assert subject.push("y" * 30, 0.0, more=True) == []
    assert texts(subject.push("z" * 30, 0.0)) == ["y" * 30 + "z" * 30]


# Timers.


def test_a_finished_sentence_waits_for_idle_only() -> None:
    subject = segmenter(idle_ms=150)
    subject.push("It is done.", 10.0)
    assert subject.deadline(None) == pytest.approx(10.15)
    assert subject.tick(10.14, None) == []
    assert cuts(subject.tick(10.15, None)) == [("It is done.", CutReason.TIMER)]
    assert subject.deadline(None) is None


@pytest.mark.parametrize("text", ["It is 3.", "Hello Dr.", "It is"])
def test_what_may_go_on_does_not_leave_when_idle(text: str) -> None:
    subject = segmenter(idle_ms=150, max_delay_ms=0)
    subject.push(text, 0.0)
    assert subject.deadline(None) is None
    assert subject.tick(60.0, None) == []


def test_no_text_waits_longer_than_the_delay() -> None:
    subject = segmenter(max_delay_ms=1_000)
    subject.push("It goes on ", 5.0)
    subject.push("and o", 5.9)
    assert subject.deadline(None) == pytest.approx(6.0)
    assert cuts(subject.tick(6.0, None)) == [("It goes on", CutReason.TIMER)]
    assert subject.chars_pending == len(" and o")


def test_half_a_word_waits_twice_as_long() -> None:
    subject = segmenter(max_delay_ms=1_000)
    subject.push("Hel", 0.0)
    assert subject.deadline(None) == pytest.approx(2.0)
    assert texts(subject.tick(2.0, None)) == ["Hel"]


def test_nobody_waits_while_audio_plays() -> None:
    subject = segmenter(max_delay_ms=1_000)
    subject.push("It goes on ", 0.0)
    assert subject.deadline(9.0) == pytest.approx(8.6)
    assert subject.tick(8.5, 9.0) == []


def test_held_sentences_leave_before_the_audio_runs_dry() -> None:
    subject = segmenter()
    subject.push(SENTENCE * 2 + "More", 0.0)
    assert subject.deadline(30.0) == pytest.approx(29.6)
    assert subject.tick(29.5, 30.0) == []
    (piece,) = subject.tick(29.7, 30.0)
    assert piece.reason is CutReason.LEAD
    assert piece.kind is CutKind.SENTENCE
    assert subject.chars_pending == len(" More")


def test_explicit_minima_are_not_rescued() -> None:
    subject = segmenter(min_chars=200, max_delay_ms=0)
    subject.push(SENTENCE * 3, 0.0)
    assert subject.chars_pending > 0
    assert subject.deadline(0.1) == subject.deadline(None)


def test_timers_that_are_off_never_come() -> None:
    subject = segmenter(max_delay_ms=0, idle_ms=0)
    subject.push("It is done.", 0.0)
    assert subject.deadline(None) is None
    assert subject.tick(1e9, None) == []
