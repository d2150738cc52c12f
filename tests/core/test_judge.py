"""The judge never raises, whatever it is shown."""

from __future__ import annotations

import pytest

from gateway.core.judge import SentencexJudge


@pytest.mark.parametrize("language", ["en", "de", "zh", "hi", "xx", ""])
@pytest.mark.parametrize("blank", ["\u2003", "\u00a0", "\u2028", "\u3000", "\x85", "\r\n"])
def test_blanks_of_many_bytes_before_a_dot(language: str, blank: str) -> None:
    window = f"He met A{blank}. Then he"
    end = window.index(".") + 1
    SentencexJudge().ends_sentence(language, window, range(end, end + 2))


def test_halves_of_surrogate_pairs() -> None:
    assert SentencexJudge().ends_sentence("en", "It \ud83d rains. We go", range(11, 13))


@pytest.mark.parametrize(
    ("window", "ends"), [("It rains. We", True), ("We met Dr. Brown", False), ("", False)]
)
def test_an_end_is_told_from_an_abbreviation(window: str, ends: bool) -> None:
    end = window.find(".") + 1
    assert SentencexJudge().ends_sentence("en", window, range(end, end + 2)) is ends
