"""Running a cleaner over a text in one piece or many, with everything that can be seen of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gateway.core.cleanup import HELD_CHARS_MAX, Cleaner
from gateway.core.vocabulary import Cleanup


class Cleaned(NamedTuple):
    """Cleaned text, and for each of its characters the source range it is told and the source of it alone."""

    text: str
    ranges: list[tuple[int, int]]
    characters: list[tuple[int, int]]


def clean(
    source: str, mode: Cleanup = Cleanup.MARKDOWN, language: str = "en", cuts: Iterable[int] = ()
) -> Cleaned:
    """Push `source`, cut at these positions, and flush. Holds the bound on what is held back."""
    cleaner = Cleaner(mode, language)
    text = ""
    start = 0
    for end in [*cuts, len(source)]:
        text += cleaner.push(source[start:end])
        assert cleaner.held < HELD_CHARS_MAX
        start = end
    text += cleaner.flush()
    assert cleaner.held == 0
    places = range(len(text))
    return Cleaned(
        text,
        [cleaner.source_range(place, place + 1) for place in places],
        [cleaner.source_word(place, place + 1) for place in places],
    )


def assert_maps(cleaned: Cleaned, source: str) -> None:
    """The ranges cover the source without a gap, and what was copied is there character by character."""
    at = 0
    for start, end in cleaned.ranges:
        assert start == at <= end
        at = end
    assert at == (len(source) if cleaned.text else 0)
    before = (0, 0)
    for character, (start, end) in zip(cleaned.text, cleaned.characters, strict=True):
        assert before[1] <= start < end <= len(source) or (start, end) == before
        if end - start == 1 and source[start].isalnum():
            assert character == source[start]
        before = start, end
