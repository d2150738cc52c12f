"""Where sentences, clauses and paragraphs end in text that is still arriving.

`Scanner` reads every character once, forwards, and names the places where text may be cut. What it says about a place
depends on the text alone, never on how the text was split into feeds: a candidate is decided by a fixed rule on what
follows it, at the first character that settles the matter (`Boundary.decided`), and until then the scanner waits.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.core.judge import Judge
from gateway.core.vocabulary import CutKind

WINDOW_CHARS_MAX = 300
"""Characters before a candidate that are shown to the judge."""
RUN_CHARS_MAX = 64
"""Terminators and closers that are read as one candidate."""

_TRIGGER = re.compile(r"\n|[.!?…]|[。！？｡．।॥።፧۔؟؞។៕]|[,;:—–،؛、，；：၊፣]")
_RUN = re.compile(r"[.!?…]+[\"'”’»)\]}]*")
_HARD = frozenset("。！？｡．।॥።፧۔؟؞។៕")
_CLAUSE = frozenset(",;:—–،؛、，；：၊፣")
_WIDE = frozenset("、，；：")
_NON_BLANK = re.compile(r"\S")


class Boundary(NamedTuple):
    """A place where text may be cut: after `position` characters, known once `decided` characters were read."""

    position: int
    kind: CutKind
    decided: int


class Scanner:
    """Finds the boundaries of one stream of text. Positions count code points since construction."""

    def __init__(self, judge: Judge, language: str) -> None:
        self._judge = judge
        self.language = language
        self._text = ""
        self._base = 0
        self._scan = 0
        self._sentence = 0

    @property
    def end(self) -> int:
        """Characters fed so far."""
        return self._base + len(self._text)

    def slice(self, start: int, end: int) -> str:
        """The characters [start:end), which must not have been given up by `feed`."""
        return self._text[start - self._base : end - self._base]

    def feed(self, text: str, keep_from: int) -> None:
        """Append `text`; characters before `keep_from` will not be asked for any more."""
        needed = max(self._sentence, self._scan - WINDOW_CHARS_MAX)
        cut = min(keep_from, needed) - self._base
        self._text = self._text[cut:] + text
        self._base += cut

    def restart(self) -> None:
        """Everything fed so far has been dealt with; what follows begins a new text."""
        self._text, self._base = "", self.end
        self._scan = self._sentence = self._base

    def advance(self, limit: int) -> Boundary | None:
        """The next boundary that the first `limit` characters decide; None = there is none."""
        text, base = self._text, self._base
        stop = limit - base
        while match := _TRIGGER.search(text, self._scan - base, stop):
            step = self._judge_at(match.start(), stop)
            if step is None:
                return None
            resume, boundary = step
            self._scan = base + resume
            if boundary is not None:
                if boundary.kind in (CutKind.PARAGRAPH, CutKind.SENTENCE):
                    self._sentence = boundary.position
                return boundary
        self._scan = max(self._scan, limit)
        return None

    def _judge_at(self, at: int, stop: int) -> tuple[int, Boundary | None] | None:
        text, base = self._text, self._base
        mark = text[at]
        if mark == "\n":
            following = _NON_BLANK.search(text, at, min(stop, at + RUN_CHARS_MAX))
            if following is None and stop - at < RUN_CHARS_MAX:
                return None
            end = following.start() if following else at + RUN_CHARS_MAX
            kind = CutKind.PARAGRAPH if text.count("\n", at, end) > 1 else CutKind.SENTENCE
            return end, Boundary(base + at, kind, base + end + 1)
        if mark in _HARD:
            if at + 1 >= stop:
                return None
            return at + 1, Boundary(base + at + 1, CutKind.SENTENCE, base + at + 2)
        if mark in _CLAUSE:
            if at + 1 >= stop:
                return None
            if mark not in _WIDE and not text[at + 1].isspace():
                return at + 1, None
            return at + 1, Boundary(base + at + 1, CutKind.CLAUSE, base + at + 2)
        run = _RUN.match(text, at, min(stop, at + RUN_CHARS_MAX))
        assert run is not None
        end = run.end()
        if end == stop and end - at < RUN_CHARS_MAX:
            return None
        follower = _NON_BLANK.search(text, end, min(stop, end + RUN_CHARS_MAX))
        if follower is None:
            return None if stop - end < RUN_CHARS_MAX else (end, None)
        if follower.start() == end:
            return end, None
        word = follower.end()
        while word < min(stop, end + RUN_CHARS_MAX) and text[word].isalnum():
            word += 1
        if word == stop and word < end + RUN_CHARS_MAX:
            return None
        left = max(self._sentence - base, at - WINDOW_CHARS_MAX, 0)
        window = text[left:word]
        if self._judge.ends_sentence(
            self.language, window, range(end - left, follower.start() + 2 - left)
        ):
            return end, Boundary(base + end, CutKind.SENTENCE, base + word)
        return end, Boundary(base + end, CutKind.SOFT, base + word)
