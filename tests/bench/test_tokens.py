"""Text cut as a model writes it, and gathered as HTTP clients would."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from gateway.bench.workload.corpus import load
from gateway.bench.workload.tokens import Gather, Pause, gathered, tokens, trickled

LINES = load()
TEXT = "Dear Dr. Who, it is 10:45. Come at once; bring 1,234 screws! Is that all"


def test_tokens_are_words_pieces_and_signs() -> None:
    assert tokens("Hello, international world 12345 times.") == [
        *("Hello", ",", " inte", "rnat", "iona", "l", " world", " 123", "45", " times", "."),
    ]
    assert tokens("नमस्ते जी।") == ["नमस", "्ते", " जी", "।"]
    assert tokens("  two   spaces\n\n") == [" ", " two", "  ", " spaces", "\n\n"]
    assert tokens("") == []


@given(st.text())
def test_together_tokens_are_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text
    assert all(tokens(text))


def test_english_has_about_four_characters_per_token() -> None:
    english = [line.text for line in LINES if line.language == "en"]
    count = sum(len(tokens(text)) for text in english)
    assert 3.5 <= sum(map(len, english)) / count <= 4.7


@pytest.mark.parametrize("per_s", [20.0, 70.0, 150.0])
def test_tokens_trickle_at_their_rate(per_s: float) -> None:
    pieces = trickled(TEXT, per_s)
    assert [piece.text for piece in pieces] == tokens(TEXT)
    assert [piece.at_s for piece in pieces] == [n / per_s for n in range(len(pieces))]


def test_a_pause_delays_all_that_follows() -> None:
    even = trickled(TEXT, 50)
    paused = trickled(TEXT, 50, [Pause(before=3, seconds=2.0)])
    assert [p.at_s for p in paused[:3]] == [p.at_s for p in even[:3]]
    assert [p.at_s for p in paused[3:]] == pytest.approx([p.at_s + 2.0 for p in even[3:]])


def test_all_is_one_piece_when_the_last_token_is_there() -> None:
    pieces = trickled(TEXT, 50)
    assert [(p.at_s, p.text) for p in gathered(pieces, Gather.ALL)] == [(pieces[-1].at_s, TEXT)]


def test_sentences_and_clauses_leave_when_they_are_known_to_be_whole() -> None:
    sentences = gathered(trickled(TEXT, 50), Gather.SENTENCE)
    assert [p.text for p in sentences] == [
        "Dear Dr. ",
        "Who, it is 10:45. ",
        "Come at once; bring 1,234 screws! ",
        "Is that all",
    ]
    clauses = gathered(trickled(TEXT, 50), Gather.CLAUSE)
    assert [p.text for p in clauses][1:4] == ["Who, ", "it is 10:45. ", "Come at once; "]


@given(
    st.sampled_from([line.text for line in LINES]) | st.text(),
    st.sampled_from(Gather),
)
def test_gathering_keeps_the_text_and_never_knows_it_early(text: str, how: Gather) -> None:
    pieces = trickled(text, 10)
    groups = gathered(pieces, how)
    assert "".join(group.text for group in groups) == text
    assert [g.at_s for g in groups] == sorted(g.at_s for g in groups)
    said = ""
    for group in groups:
        said += group.text
        there = "".join(piece.text for piece in pieces if piece.at_s <= group.at_s)
        assert there.startswith(said)


def test_hindi_sentences_end_at_a_danda() -> None:
    text = next(line.text for line in LINES if line.id == "hi-13")
    assert re.match(".*। ", gathered(trickled(text, 10), Gather.SENTENCE)[0].text)
