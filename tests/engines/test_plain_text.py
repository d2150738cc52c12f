"""Text on its way to the library keeps its positions and loses its commands."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from gateway.engines.plain_text import CALL_CHARS_MAX, neutralise, split_calls

ANY = st.text(st.characters(categories=["L", "N", "P", "S", "Z", "Cc", "Cs", "Co", "M"]))


@given(ANY)
def test_positions_stay_and_what_is_left_can_be_sent(text: str) -> None:
    plain = neutralise(text)
    assert len(plain) == len(text)
    assert b"\0" not in plain.encode()
    assert all(
        kept == character or character.isspace() or kept in " \ufffd"
        for kept, character in zip(plain, text, strict=True)
    )


def test_commands_and_surrogates_are_taken_out_of_words() -> None:
    assert neutralise("a\x01b\x00c\td\ne\x9ff\ud83dg") == "a b c\td\ne f\ufffdg"


@given(st.text(st.sampled_from("ab .,。你\n"), max_size=500), st.booleans())
def test_calls_are_short_and_lose_nothing(text: str, pause_after: bool) -> None:
    calls = split_calls(text, pause_after)
    assert "".join(piece for piece, _ in calls) == text
    assert all(len(piece) <= CALL_CHARS_MAX for piece, _ in calls)
    assert calls[-1][1] == pause_after


WORDS = "word " * 20


@pytest.mark.parametrize(
    ("text", "first", "pause"),
    [
        (f"{WORDS}end. {WORDS}yes, {WORDS}", f"{WORDS}end. ", True),
        (f"{WORDS}yes, {WORDS}{WORDS}", f"{WORDS}yes, ", True),
        ("word " * 60, "word " * 40, False),
        ("字" * 100 + "。" + "字" * 150, "字" * 100 + "。", True),
        ("x" * 300, "x" * CALL_CHARS_MAX, False),
    ],
)
def test_a_long_text_is_cut_where_it_breathes(text: str, first: str, pause: bool) -> None:
    assert split_calls(text, pause_after=False)[0] == (first, pause)


def test_beside_phonemes_nothing_else_is_taken_for_some() -> None:
    text = "[[k'at]] [[[d'Og]]] ] [["
    assert neutralise(text) == text
    plain = neutralise(text, [(10, 18)])
    assert plain == "((k'at)) ([[d'Og]]) ) (("
    assert len(plain) == len(text)
