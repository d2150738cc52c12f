"""Where sentences, clauses and paragraphs end in text that is still arriving.

`Scanner` reads forwards, once. One regular expression finds the next mark that may end something; the rule for that mark
then says what it ends, from a bounded number of characters around it. Where the rule needs characters that have not
arrived, the scanner stops there and asks again when they have. What is found therefore never depends on how the text was
split into feeds, only on the text.

What the rules know is what streams and scripts need: what may follow a mark, brackets, lists, line ends. What a single
dot means is decided in `dots`, and which words abbreviate is the judge's business.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple, assert_never

from gateway.core import phrases, scripts
from gateway.core.dots import Dots, abbreviates
from gateway.core.judge import Judge
from gateway.core.nesting import Nesting
from gateway.core.vocabulary import CutKind

WINDOW_CHARS_MAX = 300
"""Characters before a mark that its rule may look at."""
AHEAD_CHARS_MAX = 64
"""Characters of a run of marks, and again of what lies between it and the next word."""
WORD_CHARS_MAX = 32
"""A longer word is no abbreviation, and of a longer follower only the beginning is read."""
CLOSERS_MAX = 4
"""Closing quotes and the like between a clause mark and its blank."""
SMILEY_CHARS_MAX = 5
MARKER_CHARS_MAX = 16
"""A list marker, with what may stand before it on its line."""


class Boundary(NamedTuple):
    """A place where text may be cut: after `position` characters."""

    position: int
    kind: CutKind


class _Step(NamedTuple):
    """What a rule found: where to read on, and what ends at which place, if anything does."""

    resume: int
    position: int = -1
    kind: CutKind | None = None


class _Mark(Enum):
    """What a mark may end, and so which rule it goes to."""

    CLAUSE = auto()
    STOP = auto()
    HARD_STOP = auto()
    LINE_END = auto()
    NESTING = auto()
    BULLET = auto()
    SPACE = auto()


class Scanner:
    """Finds the boundaries of one stream of text. Positions count code points since construction; `end` is the last."""

    def __init__(self, judge: Judge, language: str) -> None:
        self._judge = judge
        self._text = ""
        self._base = 0
        self.end = 0
        self.restart()
        self.use(language)

    def use(self, language: str) -> None:
        """Read what comes next as `language`, a code as `base_language` gives it."""
        self._language = language
        self._marks, self._meaning = _marks(language)
        self._dots = Dots(self._judge, language)
        self._closed = phrases.CLOSED_CLASS.get(language, phrases.NOTHING).words

    def slice(self, start: int, end: int) -> str:
        """The characters [start:end), which must not have been given up by `feed`."""
        return self._text[start - self._base : end - self._base]

    def feed(self, text: str, keep_from: int) -> None:
        """Append `text`; characters before `keep_from` will not be asked for any more."""
        needed = min(keep_from, max(self._sentence, self._scan - WINDOW_CHARS_MAX))
        # One character more, so that a look behind sees the same however much was fed at a time.
        drop = max(0, needed - 1 - self._base)
        self._text = self._text[drop:] + text
        self._base += drop
        self.end += len(text)

    def restart(self) -> None:
        """What follows begins a new text: it is read without regard to what was fed so far."""
        self._scan = self._sentence = self.end
        self._nesting = Nesting()
        self._markers: frozenset[str] = frozenset()

    def advance(self, limit: int) -> Boundary | None:
        """The next boundary that the first `limit` characters show; None = they show no more."""
        text, base = self._text, self._base
        stop = limit - base
        while found := self._marks.search(text, self._scan - base, stop):
            at = found.start()
            match self._meaning[text[at]]:
                case _Mark.CLAUSE:
                    step = self._clause(at, stop)
                case _Mark.STOP:
                    step = self._stop(at, stop)
                case _Mark.HARD_STOP:
                    step = self._hard_stop(at, stop)
                case _Mark.LINE_END:
                    step = self._line_end(at, stop)
                case _Mark.NESTING:
                    step = self._nested(at, stop)
                case _Mark.BULLET:
                    step = self._bullet(at, stop)
                case _Mark.SPACE:
                    step = self._space(at, stop)
                case never:
                    assert_never(never)
            if step is None:
                return None
            self._scan = base + step.resume
            if step.kind is not None:
                return self._announce(base + step.position, step.kind)
        self._scan = max(self._scan, limit)
        return None

    def is_complete(self) -> bool:
        """Whether what was fed so far ends in a sentence end if nothing more comes."""
        text = self._text
        end = len(text.rstrip())
        left = max(self._sentence - self._base, end - MARKER_CHARS_MAX)
        if end <= left:
            return False
        if any(mark in scripts.LINE_ENDS for mark in text[end:]):
            return True
        ended = _ENDED.search(text, left, end)
        if ended is None:
            return False
        at = ended.start()
        return ended.group()[0] != "." or self._dots.after_last(self._token(at))

    def _announce(self, position: int, kind: CutKind) -> Boundary:
        if kind in (CutKind.PARAGRAPH, CutKind.SENTENCE):
            self._sentence = position
            self._nesting.end_sentence()
        if kind is CutKind.PARAGRAPH:
            self._nesting.end_paragraph()
            self._markers = frozenset()
        return Boundary(position, kind)

    # The rules. Indices count in the kept text; nothing at or after `stop` may be looked at. None = wait for more.

    def _line_end(self, at: int, stop: int) -> _Step | None:
        """Two line ends make a paragraph, one a sentence, unless the line plainly goes on in the next."""
        text = self._text
        gap = _BLANKS.match(text, at, min(stop, at + AHEAD_CHARS_MAX))
        assert gap is not None
        after = gap.end()
        if after == stop and after - at < AHEAD_CHARS_MAX:
            return None
        left = self._left(at)
        if _NOTHING_YET.fullmatch(text, left, at):
            if not text[left:at].strip():
                self._sentence = self._base + after
            return _Step(after)
        if len(_LINE_END.findall(gap.group())) > 1:
            return _Step(after, at, CutKind.PARAGRAPH)
        if _FLOWED.search(text, max(left, at - 2), at):
            return _Step(after, at, CutKind.SOFT)
        if after < stop and text[after].islower():
            marker = _LINE_MARKER.match(text, after, stop)
            if marker is not None and marker.end() == stop:
                return None
            if marker is None and not _ENDED.search(text, max(left, at - MARKER_CHARS_MAX), at):
                return _Step(after, at, CutKind.SOFT)
        return _Step(after, at, CutKind.SENTENCE)

    def _stop(self, at: int, stop: int) -> _Step | None:
        """A full stop, a question or exclamation mark, or an ellipsis."""
        text = self._text
        if at + 1 >= stop:
            return None
        # A dot inside a number, a domain or a file name is by far the most frequent one that ends nothing.
        if text[at] == "." and _GLUED.match(text, at + 1, stop):
            return _Step(at + 1)
        if text[at] == "." and (step := self._list_marker(at)):
            return step
        run = _RUN.match(text, at, min(stop, at + AHEAD_CHARS_MAX))
        assert run is not None
        if run.end() == stop and stop - at < AHEAD_CHARS_MAX:
            return None
        end = self._tail(run.end(), stop)
        if end is None:
            return None
        lead = _LEAD.match(text, end, min(stop, end + AHEAD_CHARS_MAX))
        if lead is None:
            return self._glued(at, end, stop)
        follower = lead.end()
        ahead = follower - end
        if follower == stop and ahead < AHEAD_CHARS_MAX:
            return None
        if ahead == AHEAD_CHARS_MAX or text[follower] in scripts.LINE_ENDS:
            self._nesting.read(text[at:end], self._base + at)
            return _Step(end)
        marks = run.group()
        if marks.startswith(". . ."):
            step = self._omission(at, end, marks)
        else:
            verdict = self._ends(at, marks, end, follower, stop)
            if verdict is None:
                return None
            abbreviated = (
                not verdict
                and marks == "."
                and self._dots.after(self._token(at), text[follower]) is not True
            )
            # The dot of an abbreviation is no pause either: "Mr. Silva", "the U.S. dollar".
            kind = CutKind.SENTENCE if verdict else CutKind.SOFT
            step = _Step(end) if abbreviated else _Step(end, end, kind)
        self._nesting.read(text[at:end], self._base + at)
        return step

    def _tail(self, end: int, stop: int) -> int | None:
        """Where a run of marks really ends: behind a spaced closing quote, a smiley or an emoji."""
        text = self._text
        index = end
        while index < stop and index < end + 2 and text[index] in " \u00a0\u202f":
            index += 1
        if index >= stop:
            return None
        first = text[index]
        if first in '»"”' and index > end and self._nesting.in_quote(self._base + end):
            if index + 1 >= stop:
                return None
            return end if text[index + 1].isalnum() else index + 1
        if first in ":;=":
            if index + SMILEY_CHARS_MAX >= stop:
                return None
            tail = _SMILEY.match(text, index, stop)
        else:
            tail = _EMOJI.match(text, index, min(stop, index + AHEAD_CHARS_MAX))
            if tail is not None and tail.end() == stop and stop < index + AHEAD_CHARS_MAX:
                return None
        return end if tail is None else tail.end()

    def _glued(self, at: int, end: int, stop: int) -> _Step | None:
        """A mark with no blank after it ends nothing, unless the script needs no blanks or one was forgotten."""
        text = self._text
        first = text[end]
        if first.isalpha() and first < _UNSPACED:
            return self._forgotten_blank(at, end, stop)
        marks = text[at:end]
        paused = marks.startswith(("…", "..")) or self._nesting.in_brackets(self._base + at)
        self._nesting.read(marks, self._base + at)
        if first in scripts.LINE_ENDS or first in scripts.HARD_STOPS or first < _UNSPACED:
            return _Step(end)
        if _HANGUL.match(first) or not (first.isalnum() or text[at] in "!?"):
            return _Step(end)
        if text[at] == "." and _LATIN.search(text, max(0, at - 1), at):
            return _Step(end)
        return _Step(
            end, at + len(marks.rstrip(_OPENING)), CutKind.SOFT if paused else CutKind.SENTENCE
        )

    def _forgotten_blank(self, at: int, end: int, stop: int) -> _Step | None:
        """Glued to a letter, a dot ends a sentence only if a small word begins one there: "here.And"."""
        text = self._text
        if text[at:end] == "." and text[end].isupper() and _PLAIN.fullmatch(self._token(at)):
            following = _WORD.match(text, end, min(stop, end + WORD_CHARS_MAX))
            assert following is not None
            after = following.end()
            if after == stop:
                return None
            if following.group().lower() in self._closed and text[after].isspace():
                return _Step(end, end, CutKind.SENTENCE)
        self._nesting.read(text[at:end], self._base + at)
        return _Step(end)

    def _omission(self, at: int, end: int, marks: str) -> _Step:
        """Three spaced dots leave something out; a fourth before them ended the sentence."""
        if not marks.startswith(". . . ."):
            return _Step(end, end, CutKind.SOFT)
        glued = at > self._left(at) and not self._text[at - 1].isspace()
        return _Step(end, at + 1 if glued else end, CutKind.SENTENCE)

    def _ends(self, at: int, marks: str, end: int, follower: int, stop: int) -> bool | None:
        """Whether a sentence ends in `marks`, which a blank follows and then, at `follower`, something else."""
        text = self._text
        first = text[follower]
        if first.islower() and text[follower - 1] in _APOSTROPHES and self._language in _ELIDING:
            if follower + 2 >= stop:
                return None
            first = text[follower + 2]
        if first.islower() and not self._starts_lower(at):
            return False
        quoted = self._nesting.in_quote(self._base + at)
        if quoted and _DASH.search(text, end, follower):
            return False
        if self._nesting.in_brackets(self._base + at) and _CLOSING.isdisjoint(marks):
            return False
        if marks.startswith(("…", "..")):
            return not quoted and (first.isupper() or first.islower() or not first.isalpha())
        if text[at] == "!":
            token = self._token(at)
            return not (token and abbreviates(self._judge, self._language, token + "!"))
        return text[at] != "." or self._dot_ends(at, end, follower, stop)

    def _dot_ends(self, at: int, end: int, follower: int, stop: int) -> bool | None:
        text = self._text
        token = self._token(at)
        verdict = self._dots.after(token, text[follower])
        if verdict is not None:
            return verdict
        following = _WORD.match(text, follower, min(stop, follower + WORD_CHARS_MAX))
        known = following.end() if following is not None else follower
        if known >= stop:
            return None
        word = following.group() if following is not None else ""
        left = self._left(at)
        verdict = self._dots.between(token, word, text[known], text[left:at])
        if verdict is not None:
            return verdict
        places = range(end - left, follower - left + 1)
        return self._judge.ends_sentence(self._language, text[left : known + 1], places)

    def _list_marker(self, at: int) -> _Step | None:
        """The dot or bracket of an item "2." or "2)", where a sentence begins or after an item "1."."""
        text = self._text
        left = self._left(at)
        if at - left <= MARKER_CHARS_MAX and (begin := _MARKER.fullmatch(text, left, at)):
            self._markers = _successors(begin[1], text[at])
            return _Step(at + 1)
        if not self._markers:
            return None
        inner = _INNER_MARKER.search(text, max(left, at - 6), at)
        if inner is None or inner[1] + text[at] not in self._markers or text[at + 1].isalnum():
            return None
        self._markers = _successors(inner[1], text[at])
        return _Step(at + 1, inner.start() - 1, CutKind.SENTENCE)

    def _hard_stop(self, at: int, stop: int) -> _Step | None:
        """A mark that ends a sentence whatever follows: ideographic stop, danda and their like."""
        text = self._text
        run = _HARD_RUN.match(text, at, min(stop, at + AHEAD_CHARS_MAX))
        assert run is not None
        end = run.end()
        if end == stop and end - at < AHEAD_CHARS_MAX:
            return None
        if text[at] == "．" and at > self._left(at) and _NUMBER.match(text, at - 1, stop):
            return _Step(end)
        bracketed = self._nesting.in_brackets(self._base + at)
        if text[end - 1] in '"”' and not self._nesting.in_quote(self._base + at):
            end -= 1
        self._nesting.read(text[at:end], self._base + at)
        return _Step(end, end, CutKind.SOFT if bracketed else CutKind.SENTENCE)

    def _clause(self, at: int, stop: int) -> _Step | None:
        text = self._text
        mark, left = text[at], self._left(at)
        spaced = at > left and text[at - 1].isspace()
        if mark in scripts.DASHES and not (spaced and text[left:at].strip()):
            return _Step(at + 1)
        closers = _CLOSERS.match(text, at + 1, min(stop, at + 1 + CLOSERS_MAX))
        assert closers is not None
        end = closers.end()
        if end == stop:
            return None
        if not text[end].isspace() and mark not in scripts.CLAUSE_MARKS_WIDE:
            return _Step(at + 1)
        if text[end] in scripts.LINE_ENDS or self._nesting.in_brackets(self._base + at):
            return _Step(at + 1)
        if end > at + 1:
            self._nesting.read(text[at + 1 : end], self._base + at + 1)
        return _Step(end, end, CutKind.CLAUSE)

    def _space(self, at: int, stop: int) -> _Step | None:
        """A blank between letters of a script that does not separate words."""
        if at + 1 >= stop:
            return None
        if not _UNSPACED_LETTER.match(self._text, at + 1, stop):
            return _Step(at + 1)
        return _Step(at + 1, at, CutKind.CLAUSE)

    def _bullet(self, at: int, stop: int) -> _Step | None:
        """A bullet inside a line begins an item."""
        if at + 1 >= stop:
            return None
        left = self._left(at)
        if at == left or not self._text[at - 1].isspace() or not self._text[left:at].strip():
            return _Step(at + 1)
        return _Step(at + 1, at - 1, CutKind.SENTENCE)

    def _nested(self, at: int, stop: int) -> _Step | None:
        """A bracket or a quote; a closing bracket may also belong to a list marker."""
        mark = self._text[at]
        if mark == ")" and at + 1 >= stop:
            return None
        if mark in scripts.OPENERS and at > self._left(at) and self._text[at - 1] in ":;=":
            # The mouth of a smiley.
            return _Step(at + 1)
        self._nesting.read(mark, self._base + at)
        return (mark == ")" and self._list_marker(at)) or _Step(at + 1)

    # What the rules ask.

    def _left(self, at: int) -> int:
        """From where on text may be looked at for the mark at `at`: its sentence, or the window."""
        return max(self._sentence - self._base, at - WINDOW_CHARS_MAX)

    def _starts_lower(self, at: int) -> bool:
        start = self._sentence - self._base
        if start < at - WINDOW_CHARS_MAX:
            return False
        letter = _LETTER.search(self._text, start, at)
        return letter is not None and letter.group().islower()

    def _token(self, at: int) -> str:
        """What stands before the mark at `at`, back to a blank, a quote or a bracket."""
        start = max(self._left(at), at - WORD_CHARS_MAX)
        return _NO_TOKEN.split(self._text[start:at])[-1].strip(_AROUND_TOKEN)


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


_STOP = _any_of(scripts.STOPS)
_RUN_CLOSER = _any_of(scripts.RUN_CLOSERS)
_OPENING = scripts.OPENERS + "“„«‹‘"
_HARD_CLOSER = _any_of("".join(mark for mark in scripts.RUN_CLOSERS if mark not in _OPENING))
_UNSPACED = "\u2190"
"""Letters from here on are written without blanks, and other characters are symbols and emoji."""


@lru_cache(maxsize=8)
def _marks_of(stops: str, unspaced: bool) -> tuple[re.Pattern[str], dict[str, _Mark]]:
    meaning = (
        dict.fromkeys(
            scripts.CLAUSE_MARKS + scripts.CLAUSE_MARKS_WIDE + scripts.DASHES, _Mark.CLAUSE
        )
        | dict.fromkeys(stops, _Mark.STOP)
        | dict.fromkeys(scripts.HARD_STOPS, _Mark.HARD_STOP)
        | dict.fromkeys(scripts.LINE_ENDS, _Mark.LINE_END)
        | dict.fromkeys(scripts.OPENERS + scripts.CLOSERS + scripts.QUOTES, _Mark.NESTING)
        | dict.fromkeys(scripts.BULLETS, _Mark.BULLET)
    )
    pattern = _any_of("".join(meaning))
    if unspaced:
        pattern += f"|(?<={_UNSPACED_LETTER.pattern})[ ]"
    return re.compile(pattern), meaning | {" ": _Mark.SPACE}


def _marks(language: str) -> tuple[re.Pattern[str], dict[str, _Mark]]:
    """What finds the next mark in text of a language, and what each of them may end."""
    stops = scripts.STOPS + scripts.STOPS_OF.get(language, "")
    return _marks_of(stops, language in scripts.UNSPACED_LANGUAGES)


_UNSPACED_LETTER = re.compile("[\u0e00-\u109f\u1780-\u17ff]")
"""Thai, Lao, Burmese, Khmer."""
_GLUED = re.compile("[0-9a-z_\u00df-\u0559\u0561-\u1fff]")

_RUN = re.compile(
    rf"{_any_of(scripts.STOPS + scripts.STOPS_ELSEWHERE + scripts.RUN_CLOSERS)}+"
    rf"(?:[ ]{_STOP}+(?=\s|{_RUN_CLOSER}|\Z))*(?:\[\d{{0,3}}(?:\]|\Z))*"
)
_HARD_RUN = re.compile(rf"(?:{_any_of(scripts.HARD_STOPS + scripts.STOPS)}+{_HARD_CLOSER}*)+")
_CLOSERS = re.compile(f"{_RUN_CLOSER}*")
_CLOSING = frozenset(scripts.CLOSERS)
_LEAD = re.compile(rf"[^\S{scripts.LINE_ENDS}]+[{re.escape(scripts.LEADERS)} \t\u00a0\u3000]*")
_SMILEY = re.compile(r"[:;=]['’-]?[)(DPp]{1,3}(?![^\W_])")
_EMOJI = re.compile("[\u2600-\u27bf\ufe0f\u200d\U0001f1e6-\U0001faff]+")

_BLANKS = re.compile(r"\s+")
_LINE_END = re.compile(rf"\r\n|{_any_of(scripts.LINE_ENDS)}")
_LINE_MARKER = re.compile(r"[a-z]{1,4}(?:[.)]|\Z)")
_FLOWED = re.compile(r"\w \Z")
"""A line that ends in one blank goes on in the next (RFC 3676)."""
_NOTHING_YET = re.compile(r"\W*+(?:(?:\d{1,2}|\w)[.)]*+)?\s*+")
_ENDED = re.compile(rf"{_any_of(scripts.STOPS + scripts.HARD_STOPS)}{_RUN_CLOSER}*\s*\Z")
_MARKER = re.compile(
    r"[^\w.]*+((?:\d{1,2}\.)*\d{1,2}|[a-zA-Z\u0370-\u04ff\u0590-\u06ff]|[ivx]{2,5})"
)
_INNER_MARKER = re.compile(r"(?<=\s)\(?(\d{1,2}|[a-z]|[ivx]{2,5})\Z")

_WORD = re.compile(r"[\w'’-]+")
_NO_TOKEN = re.compile(r"[\s\"“”„«»‘(\[{（—–/*_]")
_AROUND_TOKEN = scripts.CLOSERS + "'’-\u200e\u200f\u202a\u202b\u202c"
_LETTER = re.compile(r"[^\W\d_]")
_LATIN = re.compile("[A-Za-z]")
_HANGUL = re.compile("[\uac00-\ud7a3]")
_PLAIN = re.compile(r"[^\W\d_]{2,}|\d[\d,]*")
_NUMBER = re.compile(r"\d.\d")
_DASH = re.compile("[–—-]")
_ELIDING = ("nl", "af")
"""Where a sentence may begin with an elided article that stays small: "'s Avonds"."""
_APOSTROPHES = "'’‘`"
