"""Where a text without a mark is best cut: between two phrases, told by small words and by how words end.

No dictionary and no parser: what a cut would divide is guessed from two words before it and two behind it.
"""

from __future__ import annotations

import re

from gateway.core.graphemes import border_before
from gateway.core.phrases import (
    CLOSED_CLASS,
    COORDINATORS,
    HABITS,
    NO_HABITS,
    NOTHING,
    ClosedClass,
    Habits,
)

_BLANKS = re.compile(r"\s+")
_LAST_WORDS = re.compile(r"(?:([\w'’]+)\s)?([\w'’]+)\Z")
_NEXT_WORD = re.compile(r"[\w'’]+(?=[^\w'’])")
_TAG = re.compile(r"<[A-Za-z/]")
_WORD_CHARS_MAX = 24
"""No closed-class word is longer."""

_TAGGED, _NUMBER, _DIVIDING, _COMPOUND, _WORDS, _SMALL, _PREPOSITION, _CONJUNCTION = range(-3, 5)
"""What a cut would be, from the worst on: inside a tag, inside a number, after a word that leans on the next one, between
two words that may be one name or noun, between any others, before a small word, a preposition, a conjunction."""


def phrase_border(text: str, shortest: int, language: str) -> int | None:
    """The best blank of `text` for a cut after at least `shortest` characters; None = there is no blank.

    Best is before a conjunction, then before a preposition, then before another small word; the later the better among
    equals. The last character of `text` is not cut off, only seen.
    """
    closed = CLOSED_CLASS.get(language, NOTHING)
    habits = HABITS.get(language, NO_HABITS)
    tagged = _TAG.search(text) is not None
    solid = len(text) - len(text.lstrip())
    best, best_rank = None, _TAGGED
    for blank in _BLANKS.finditer(text, max(1, shortest, solid)):
        at, after = blank.span()
        if text[at - 1].isspace() or border_before(text, at) != at:
            continue
        inside_tag = tagged and text.rfind("<", 0, at) > text.rfind(">", 0, at)
        rank = _TAGGED if inside_tag else _rank(text, at, after, closed, habits)
        if rank >= best_rank:
            best, best_rank = at, rank
    return best


def _rank(text: str, at: int, after: int, closed: ClosedClass, habits: Habits) -> int:
    words = _LAST_WORDS.search(text, max(0, at - 2 * _WORD_CHARS_MAX), at)
    following = _NEXT_WORD.match(text, after, after + _WORD_CHARS_MAX)
    second, last = (words[1] or "", words[2]) if words is not None else ("", "")
    first = text[after : after + 1]
    named = last[:1].isupper() and (first.isupper() or first.isdecimal())
    second, last = _plain(second), _plain(last)
    word = _plain(following.group()) if following is not None else ""
    if last[-1:].isdecimal() and first.isdecimal():
        return _NUMBER
    if last in closed.words:
        joined = word in closed.joins
        ends = last in habits.standing or (word in COORDINATORS and last in habits.particles)
        return _CONJUNCTION if joined and ends else _DIVIDING
    if word in habits.trailing or _leans(second, last, closed, habits):
        return _DIVIDING
    modifies = last.endswith(habits.modifier_ends)
    if word in closed.joins:
        # One word between a small word and "and" is half of a pair: "the summer and winter solstices".
        paired = word in COORDINATORS and (modifies or second in closed.words)
        return _SMALL if paired else _CONJUNCTION
    if following is not None and word in closed.leads:
        return _before_preposition(text, following.end(), word, closed, habits)
    if word in closed.binds:
        return _SMALL
    loose = not (named or modifies or last[-1:].isdecimal() or second in closed.words)
    return _WORDS if loose else _COMPOUND


def _leans(second: str, last: str, closed: ClosedClass, habits: Habits) -> bool:
    if last in habits.leaning or last.endswith(habits.leaning_ends):
        return True
    return second in closed.words and last.endswith(habits.adverb_ends)


def _before_preposition(text: str, end: int, word: str, closed: ClosedClass, habits: Habits) -> int:
    """The rank of a cut before the preposition that ends at `end`, if it is one."""
    if word not in habits.particles:
        return _PREPOSITION
    if not text[end].isspace():
        return _DIVIDING
    following = _NEXT_WORD.match(text, end + 1, end + 1 + _WORD_CHARS_MAX)
    if following is None:
        return _SMALL
    beyond = _plain(following.group())
    ends = beyond in closed.leads or (beyond in closed.joins and beyond not in habits.standing)
    return _DIVIDING if ends else _PREPOSITION


def _plain(word: str) -> str:
    return word.lower().replace("’", "'")
