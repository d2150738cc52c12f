"""Where sentences, clauses and paragraphs end in text that is still arriving.

`Scanner` reads forwards, once. One regular expression finds the next mark that may end something; the rule for that mark
then says what it ends, from a bounded number of characters around it. Where the rule needs characters that have not
arrived, the scanner stops there and asks again when they have. A boundary is therefore decided at the first character
that settles it (`Boundary.decided`), and what is found never depends on how the text was split into feeds.

What the rules know is what streams and scripts need: what may follow a mark, brackets, lists, line ends, numbers. Which
dot belongs to an abbreviation is the judge's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from gateway.core import phrases, scripts
from gateway.core.dots import Dots, abbreviates
from gateway.core.judge import Judge
from gateway.core.vocabulary import CutKind

WINDOW_CHARS_MAX = 300
"""Characters before a mark that its rule may look at."""
AHEAD_CHARS_MAX = 64
"""Characters of a run of marks, and again of what lies between it and the next word."""
WORD_CHARS_MAX = 32
"""A longer word is no abbreviation, and of a longer follower only the beginning is read."""
BRACKET_CHARS_MAX = 120
"""A bracket that has not been closed for so long is forgotten."""
BRACKETS_MAX = 8
"""Open brackets that are remembered."""


class Boundary(NamedTuple):
    """A place where text may be cut: after `position` characters, known once `decided` characters were read."""

    position: int
    kind: CutKind
    decided: int


class _Step(NamedTuple):
    """What a rule found: where to read on, and the boundary if there is one."""

    resume: int
    boundary: Boundary | None = None


class Scanner:
    """Finds the boundaries of one stream of text. Positions count code points since construction."""

    def __init__(self, judge: Judge, language: str) -> None:
        self._judge = judge
        self._text = ""
        self._base = 0
        self._restart_at(0)
        self.use(language)

    def use(self, language: str) -> None:
        """Read what comes next as `language`, a code as `base_language` gives it."""
        self._language = language
        self._trigger = _trigger(language)
        self._dots = Dots(self._judge, language)
        self._closed = phrases.CLOSED_CLASS.get(language, phrases.NOTHING).words

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
        self._base, self._text = self.end, ""
        self._restart_at(self._base)

    def _restart_at(self, position: int) -> None:
        self._scan = self._sentence = position
        self._brackets: list[int] = []
        self._quote = ""
        self._quote_at = position
        self._markers: frozenset[str] = frozenset()

    def advance(self, limit: int) -> Boundary | None:
        """The next boundary that the first `limit` characters decide; None = there is none."""
        stop = limit - self._base
        while match := self._trigger.search(self._text, self._scan - self._base, stop):
            step = _RULES[match.lastgroup](self, match.start(), stop)
            if step is None:
                return None
            self._scan = self._base + step.resume
            if step.boundary is not None:
                return self._announce(step.boundary)
        self._scan = max(self._scan, limit)
        return None

    def _announce(self, found: Boundary) -> Boundary:
        base = self._base
        boundary = Boundary(base + found.position, found.kind, base + found.decided)
        if found.kind in (CutKind.PARAGRAPH, CutKind.SENTENCE):
            self._sentence = boundary.position
            self._brackets.clear()
        if found.kind is CutKind.PARAGRAPH:
            self._quote = ""
            self._markers = frozenset()
        return boundary

    # Rules. Indices count from the beginning of the kept text; nothing at or after `stop` may be looked at. None = wait.

    def _line_end(self, at: int, stop: int) -> _Step | None:
        text = self._text
        gap = _BLANKS.match(text, at, min(stop, at + AHEAD_CHARS_MAX))
        assert gap is not None
        after = gap.end()
        if after == stop and after - at < AHEAD_CHARS_MAX:
            return None
        left = self._left(at)
        if _NOTHING_YET.fullmatch(text, left, at):
            if text[left:at].isspace() or left == at:
                self._sentence = self._base + after
            return _Step(after)
        kind = CutKind.PARAGRAPH if len(_LINE_END.findall(gap.group())) > 1 else CutKind.SENTENCE
        if kind is CutKind.SENTENCE and _FLOWED.search(text, max(left, at - 2), at):
            kind = CutKind.SOFT
        elif kind is CutKind.SENTENCE and after < stop and text[after].islower():
            marker = _LINE_MARKER.match(text, after, stop)
            if marker is not None and marker.end() == stop and stop - after < WORD_CHARS_MAX:
                return None
            if marker is None and not _ENDED.search(text, max(left, at - 16), at):
                kind = CutKind.SOFT
        return _Step(after, Boundary(at, kind, min(after + 1, stop)))

    def _stop(self, at: int, stop: int) -> _Step | None:
        """A full stop, question or exclamation mark, or an ellipsis."""
        text = self._text
        run = _RUN.match(text, at, min(stop, at + AHEAD_CHARS_MAX))
        assert run is not None
        end = run.end()
        if end == stop and end - at < AHEAD_CHARS_MAX:
            return None
        if text[at] == "." and (step := self._list_marker(at, stop)):
            return step
        tail = self._tail(end, stop)
        if tail is None:
            return None
        end = tail
        lead = _LEAD.match(text, end, min(stop, end + AHEAD_CHARS_MAX))
        if lead is None:
            return self._glued(at, end, stop)
        follower = lead.end()
        if follower == stop and follower - end < AHEAD_CHARS_MAX:
            return None
        if follower == stop or text[follower] in scripts.LINE_ENDS:
            self._close(at, end)
            return _Step(end)
        verdict = self._ends(at, run.end(), end, follower, stop)
        if verdict is None:
            return None
        self._close(at, end)
        position, ends, decided = verdict
        kind = CutKind.SENTENCE if ends else CutKind.SOFT
        return _Step(end, Boundary(position, kind, decided))

    def _tail(self, end: int, stop: int) -> int | None:
        """Where a run of marks really ends: behind a spaced closing quote, a smiley or an emoji. None = wait."""
        text = self._text
        index = end
        while index < stop and index < end + 2 and text[index] in " \u00a0\u202f":
            index += 1
        if index >= stop:
            return None
        first = text[index]
        if first in "»\"”" and index > end and self._is_quoted(end):
            if index + 1 >= stop:
                return None
            return end if text[index + 1].isalnum() else index + 1
        if first in ":;=":
            if index + 3 >= stop:
                return None
            smiley = _SMILEY.match(text, index, stop)
            return end if smiley is None else smiley.end()
        emoji = _EMOJI.match(text, index, min(stop, index + AHEAD_CHARS_MAX))
        if emoji is None:
            return end
        return None if emoji.end() == stop and stop < index + AHEAD_CHARS_MAX else emoji.end()

    def _glued(self, at: int, end: int, stop: int) -> _Step | None:
        """A mark with no blank after it ends nothing, unless the script needs no blanks or one was forgotten."""
        text = self._text
        first = text[end]
        nothing = _Step(end)
        if first in scripts.LINE_ENDS or first in scripts.HARD_STOPS:
            self._close(at, end)
            return nothing
        if first.isalpha() and first < _UNSPACED:
            return self._forgotten_blank(at, end, stop)
        opening = end - at - len(text[at:end].rstrip(_OPENING))
        soft = text[at] == "…" or text.startswith("..", at) or self._in_brackets(at)
        self._close(at, end)
        if first < _UNSPACED or _HANGUL.match(first) or not (first.isalnum() or text[at] in "!?"):
            return nothing
        if text[at] == "." and text[at - 1 : at].isascii() and text[at - 1 : at].isalpha():
            return nothing
        kind = CutKind.SOFT if soft else CutKind.SENTENCE
        return _Step(end, Boundary(end - opening, kind, end + 1))

    def _forgotten_blank(self, at: int, end: int, stop: int) -> _Step | None:
        """Between a dot and a letter, unless it is the first of a small word that begins a sentence: "here.And"."""
        text = self._text
        if text[at:end] == "." and text[end].isupper() and _PLAIN.fullmatch(self._token(at)):
            following = _WORD.match(text, end, min(stop, end + WORD_CHARS_MAX))
            assert following is not None
            after = following.end()
            if after == stop:
                return None
            if following.group().lower() in self._closed and text[after].isspace():
                return _Step(end, Boundary(end, CutKind.SENTENCE, after + 1))
        self._close(at, end)
        return _Step(end)

    def _ends(
        self, at: int, run_end: int, end: int, follower: int, stop: int
    ) -> tuple[int, bool, int] | None:
        """Where the run that begins at `at` ends, whether a sentence ends there, and how far one has to read to know."""
        text = self._text
        first, known = text[follower], follower + 1
        marks = text[at:run_end]
        if marks.startswith(". . ."):
            # Three spaced dots are an omission; a fourth before them ended the sentence.
            ended = marks.startswith(". . . .")
            glued = at > 0 and not text[at - 1].isspace()
            return at + 1 if ended and glued else end, ended, known
        if first.islower() and text[follower - 1] in _APOSTROPHES and self._language in _ELIDING:
            known = follower + 3
            if known > stop:
                return None
            first = text[follower + 2]
        if first.islower() and not self._starts_lower(at):
            return end, False, known
        if self._is_quoted(at) and _DASHED.search(text, end, follower):
            return end, False, known
        if self._in_brackets(at) and not set(marks) & set(scripts.CLOSERS):
            return end, False, known
        if text[at] == "!":
            token = self._token(at)
            return end, not (token and abbreviates(self._judge, self._language, token + "!")), known
        if text[at] != ".":
            return end, text[at] != "…" or self._after_ellipsis(at, first), known
        if text.startswith("..", at):
            return end, self._after_ellipsis(at, first), known
        token = self._token(at)
        verdict = self._dots.after(token, first)
        if verdict is not None:
            return end, verdict, known
        following = _WORD.match(text, follower, min(stop, follower + WORD_CHARS_MAX))
        if following is not None:
            known = following.end() + 1
            if known > stop:
                return None
        word = following.group() if following is not None else ""
        left = self._left(at)
        verdict = self._dots.between(token, word, text[known - 1], text[left:at])
        if verdict is None:
            ends_at = range(end - left, follower - left + 1)
            verdict = self._judge.ends_sentence(self._language, text[left:known], ends_at)
        return end, verdict, known

    def _after_ellipsis(self, at: int, first: str) -> bool:
        """An ellipsis is a pause inside a quotation, and where no capital shows that a sentence begins."""
        return not self._is_quoted(at) and (first.isupper() or not first.isalpha() or first.islower())

    def _list_marker(self, at: int, stop: int) -> _Step | None:
        """ "2." begins an item, at the beginning of a line or after "1."; it ends nothing."""
        text = self._text
        left = self._left(at)
        begin = _MARKER.fullmatch(text, left, at)
        if begin is not None:
            self._markers = _successors(begin[1], text[at])
            return _Step(at + 1)
        if self._markers and (inner := _INNER_MARKER.search(text, max(left, at - 6), at)):
            if inner[1] + text[at] in self._markers and at + 1 < stop and not text[at + 1].isalnum():
                self._markers = _successors(inner[1], text[at])
                return _Step(at + 1, Boundary(inner.start(), CutKind.SENTENCE, at + 2))
        return None

    def _hard_stop(self, at: int, stop: int) -> _Step | None:
        text = self._text
        run = _HARD_RUN.match(text, at, min(stop, at + AHEAD_CHARS_MAX))
        assert run is not None
        end = run.end()
        if end == stop and end - at < AHEAD_CHARS_MAX:
            return None
        if text[at] == "．" and at > 0 and text[at - 1].isdecimal() and text[at + 1].isdecimal():
            return _Step(end)
        inside = self._in_brackets(at)
        if text[end - 1] in '"”' and not self._is_quoted(at):
            end -= 1
        self._close(at, end)
        kind = CutKind.SOFT if inside else CutKind.SENTENCE
        return _Step(end, Boundary(end, kind, run.end() + 1))

    def _clause(self, at: int, stop: int) -> _Step | None:
        text = self._text
        if at + 1 >= stop:
            return None
        if self._in_brackets(at) or text[at + 1] in scripts.LINE_ENDS:
            return _Step(at + 1)
        if text[at] in scripts.DASHES and text[self._left(at) : at].isspace():
            return _Step(at + 1)
        return _Step(at + 1, Boundary(at + 1, CutKind.CLAUSE, at + 2))

    def _space(self, at: int, _stop: int) -> _Step | None:
        return _Step(at + 1, Boundary(at, CutKind.CLAUSE, at + 1))

    def _open(self, at: int, _stop: int) -> _Step | None:
        if len(self._brackets) < BRACKETS_MAX:
            self._brackets.append(self._base + at)
        return _Step(at + 1)

    def _closing(self, at: int, stop: int) -> _Step | None:
        if at + 1 >= stop:
            return None
        self._close(at, at + 1)
        return (self._text[at] == ")" and self._list_marker(at, stop)) or _Step(at + 1)

    def _quote(self, at: int, _stop: int) -> _Step | None:
        self._close(at, at + 1)
        return _Step(at + 1)

    def _bullet(self, at: int, stop: int) -> _Step | None:
        if at + 1 >= stop:
            return None
        if at == 0 or not self._text[at - 1].isspace() or self._text[self._left(at) : at].isspace():
            return _Step(at + 1)
        return _Step(at + 1, Boundary(at - 1, CutKind.SENTENCE, at + 2))

    # What the rules ask.

    def _left(self, at: int) -> int:
        return max(self._sentence - self._base, at - WINDOW_CHARS_MAX)

    def _starts_lower(self, at: int) -> bool:
        start = self._sentence - self._base
        if start < at - WINDOW_CHARS_MAX:
            return False
        letter = _LETTER.search(self._text, start, at)
        return letter is not None and letter.group().islower()

    def _in_brackets(self, at: int) -> bool:
        while self._brackets and self._base + at - self._brackets[-1] > BRACKET_CHARS_MAX:
            self._brackets.pop()
        return bool(self._brackets)

    def _token(self, at: int) -> str:
        """What stands before the mark at `at`, back to a blank, a quote or a bracket."""
        start = max(self._left(at), at - WORD_CHARS_MAX)
        return _NO_TOKEN.split(self._text[start:at])[-1].strip(_AROUND_TOKEN)

    def _is_quoted(self, at: int) -> bool:
        return bool(self._quote) and self._base + at - self._quote_at <= WINDOW_CHARS_MAX

    def _close(self, start: int, end: int) -> None:
        """Take note of the brackets and quotes among the marks [start:end)."""
        for index in range(start, end):
            mark = self._text[index]
            if mark in scripts.CLOSERS:
                if self._brackets:
                    self._brackets.pop()
            elif mark in scripts.QUOTES:
                closes = self._is_quoted(index) and (mark not in "„«‹" or self._quote in "»›")
                if mark == "“" and self._quote != "„":
                    closes = False
                self._quote = "" if closes else mark
                self._quote_at = self._base + index


_ROMANS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")


@lru_cache(maxsize=1_024)
def _successors(marker: str, mark: str) -> frozenset[str]:
    """What the next item of a list may begin with: after "1" comes "2", after "i" comes "ii" or "j"."""
    following = set[str]()
    if marker.isdecimal():
        following.add(str(int(marker) + 1))
    elif len(marker) == 1 and marker.isascii():
        following.add(chr(ord(marker) + 1))
    if marker in _ROMANS[:-1]:
        following.add(_ROMANS[_ROMANS.index(marker) + 1])
    return frozenset(item + mark for item in following)


def _any_of(marks: str) -> str:
    return f"[{re.escape(marks)}]"


@lru_cache(maxsize=8)
def _trigger_for(stops: str, unspaced: bool) -> re.Pattern[str]:
    closers = _any_of(scripts.RUN_CLOSERS)
    groups = {
        "line": _any_of(scripts.LINE_ENDS),
        # A dot inside a number, a domain or a file name is by far the most frequent one that ends nothing.
        "stop": rf"[{re.escape(stops.replace('.', ''))}]|\.(?![0-9a-z_\u00df-\u0559\u0561-\u1fff])",
        "hard": _any_of(scripts.HARD_STOPS),
        "clause": rf"{_any_of(scripts.CLAUSE_MARKS)}(?={closers}*(?:\s|\Z))|{_any_of(scripts.CLAUSE_MARKS_WIDE)}"
        rf"|(?<=\s){_any_of(scripts.DASHES)}(?=\s|\Z)",
        "open": rf"(?<![:;=]){_any_of(scripts.OPENERS)}",
        "close": _any_of(scripts.CLOSERS),
        "quote": _any_of(scripts.QUOTES),
        "bullet": _any_of(scripts.BULLETS),
    }
    if unspaced:
        groups["space"] = r"(?<=[\u0e00-\u109f\u1780-\u17ff])[ ](?=[\u0e00-\u109f\u1780-\u17ff])"
    return re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in groups.items()))


def _trigger(language: str) -> re.Pattern[str]:
    stops = scripts.STOPS + scripts.STOPS_OF.get(language, "")
    return _trigger_for(stops, language in scripts.UNSPACED_LANGUAGES)


_RULES: dict[str | None, Callable[[Scanner, int, int], _Step | None]] = {
    "line": Scanner._line_end,
    "stop": Scanner._stop,
    "hard": Scanner._hard_stop,
    "clause": Scanner._clause,
    "space": Scanner._space,
    "open": Scanner._open,
    "close": Scanner._closing,
    "quote": Scanner._quote,
    "bullet": Scanner._bullet,
}

_UNSPACED = "\u2190"
"""Letters from here on are written without blanks, and other characters are symbols and emoji."""
_BLANKS = re.compile(r"\s+")
_LINE_END = re.compile(rf"\r\n|{_any_of(scripts.LINE_ENDS)}")
_HARD_CLOSERS = "".join(mark for mark in scripts.RUN_CLOSERS if mark not in "“„«‹‘")
_RUN = re.compile(
    rf"{_any_of(scripts.STOPS + scripts.STOPS_ELSEWHERE + scripts.RUN_CLOSERS)}+"
    rf"(?:[ ]{_any_of(scripts.STOPS)}+(?=[\s{re.escape(scripts.RUN_CLOSERS)}]|\Z))*"
    r"(?:\[\d{0,3}(?:\]|\Z))*"
)
_HARD_RUN = re.compile(
    rf"(?:{_any_of(scripts.HARD_STOPS + scripts.STOPS)}+[{re.escape(_HARD_CLOSERS)}]*)+"
)
_OPENING = scripts.OPENERS + "“„«‹‘"
_SMILEY = re.compile(r"[:;=]['’-]?[)(DPp]+(?![^\W_])")
_EMOJI = re.compile("[\u2600-\u27bf\ufe0f\u200d\U0001f1e6-\U0001faff]+")
_ELIDING = ("nl", "af")
"""Where a sentence may begin with an elided article that stays small: "'s Avonds"."""
_APOSTROPHES = "'’‘`"
_DASHED = re.compile(r"[–—-]")
_HANGUL = re.compile("[\uac00-\ud7a3]")
_PLAIN = re.compile(r"[^\W\d_]{2,}|\d[\d,]*")
_LEAD = re.compile(rf"[^\S\n]+[{re.escape(scripts.LEADERS)} \t\u00a0\u3000]*")
_WORD = re.compile(r"[\w'’-]+")
_NO_TOKEN = re.compile(r"[\s\"“”„«»‘(\[{（—–/*_]")
_AROUND_TOKEN = scripts.CLOSERS + "'’-\u200e\u200f\u202a\u202b\u202c"
_LETTER = re.compile(r"[^\W\d_]")
_MARKER = re.compile(r"[^\w.]*((?:\d{1,2}\.)*\d{1,2}|[^\W\d_]|[ivx]{2,5})")
_INNER_MARKER = re.compile(r"(?<=\s)\(?(\d{1,2}|[a-z]|[ivx]{2,5})\Z")
_LINE_MARKER = re.compile(r"[a-z]{1,4}(?:[.)]|\Z)")
_NOTHING_YET = re.compile(r"\W*+(?:(?:\d{1,2}|\w)[.)]*+)?\s*+")
_FLOWED = re.compile(r"\w \Z")
"""A line that ends in one blank goes on in the next (RFC 3676)."""
_ENDED = re.compile(rf"{_any_of(scripts.STOPS + scripts.HARD_STOPS)}{_any_of(scripts.RUN_CLOSERS)}*\s*\Z")
