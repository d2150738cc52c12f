"""What one dot means: the end of a sentence, of an abbreviation, of a number, of an initial.

Most dots follow an ordinary word and are decided by that word alone. The others depend on the word after them, and of
those the judge decides what no rule does. The rules are where a judge of whole texts is known to be weak: it takes a
small word for an abbreviation because the language also abbreviates so, and it never ends a sentence after an
abbreviation although the next word plainly begins one.
"""

from __future__ import annotations

import re
from functools import lru_cache

from gateway.core import phrases, scripts
from gateway.core.judge import Judge

_SYLLABLES = "\u1100"
"""From here on one character is a syllable or a word and no initial."""
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_ORDINAL = re.compile(r"\d{1,2}(?:\.\d{1,2})?")
"""Also a day with its month: "24.12."."""
_ROMAN = re.compile(r"[IVXLC]{2,}")
_INNER = re.compile(r"[.@]")
_APOSTROPHE = re.compile("['’]")
YEAR_CHARS_MAX = 24
"""A year or century with its abbreviation."""
_YEAR = re.compile(r"\d\s?\w+(?:\.\s?\w+)*\Z")
_SPACED_ABBREVIATION = re.compile(r"\b[a-z]\. ?\w\Z")


class Dots:
    """The meaning of dots in one language."""

    def __init__(self, judge: Judge, language: str) -> None:
        self._judge = judge
        self._language = language
        self._ordinals = language in scripts.ORDINAL_LANGUAGES
        self._short = scripts.ABBREVIATIONS.get(language, frozenset())
        self._years = scripts.YEAR_ABBREVIATIONS.get(language, frozenset())
        self._closed = phrases.CLOSED_CLASS.get(language, phrases.NOTHING).words

    def after(self, token: str, first: str) -> bool | None:
        """Whether the dot after `token` ends a sentence if `first` is the next character; None = it takes the next word."""
        word = token.lower()
        if not word or (len(word) == 1 and word >= _SYLLABLES):
            return True
        if _NUMBER.fullmatch(word):
            return None if self._ordinals and _ORDINAL.fullmatch(word) else True
        if first.isdecimal() and (
            word in scripts.NUMBERED
            or (len(word) <= 2 and word.upper() != word and word not in self._closed)
        ):
            return False
        if len(word) > 1 and word in self._closed:
            return True
        if word in scripts.TITLES:
            return False
        if (
            len(word) == 1
            or word in self._short
            or word in self._years
            or (self._ordinals and _ROMAN.fullmatch(token))
            or abbreviates(self._judge, self._language, token + ".")
        ):
            return None
        return True

    def after_last(self, token: str) -> bool:
        """Whether the dot after `token` ends a sentence if nothing follows: not after what may be half a number."""
        return not token[-1:].isdecimal() and self.after(token, " ") is True

    def between(self, token: str, follower: str, next_char: str, before: str) -> bool | None:
        """The same with the whole next word and what follows that; None = the judge has to be asked.

        `before` is the sentence up to the dot, `follower` is empty if no word follows.
        """
        word = token.lower()
        initial = len(token) == 1
        if self._begins_sentence(follower, next_char):
            name = initial and follower.lower() in phrases.NAME_PARTICLES
            return not name or _SPACED_ABBREVIATION.search(before) is not None
        if _NUMBER.fullmatch(word) or _ROMAN.fullmatch(token):
            return False
        if word in self._years and _YEAR.search(before[-YEAR_CHARS_MAX:]):
            return follower[:1].isupper() and before.count(" ") >= scripts.YEAR_WORDS_MIN
        if initial and (len(follower) == 1 or not token.isupper() or self._language != "en"):
            return False
        return False if word in self._short or word in self._years else None

    def _begins_sentence(self, follower: str, next_char: str) -> bool:
        if not follower[:1].isupper() or (len(follower) == 1 and not next_char.isspace()):
            return False
        word = follower.lower()
        elided = _APOSTROPHE.split(word)[0]
        return elided in self._closed and word not in scripts.POLITE


@lru_cache(maxsize=4_096)
def abbreviates(judge: Judge, language: str, token: str) -> bool:
    """Whether the judge may see an abbreviation in `token`, mark included, whatever comes after it."""
    if token.endswith(".") and _INNER.search(token, 0, len(token) - 1):
        return True
    before = f"Xx xx {token}"
    return not judge.ends_sentence(language, f"{before} Zz zz", range(len(before), len(before) + 2))
