"""Words of a segment that are spoken otherwise than they are written, and the way back to where they stand.

A text is a row of tokens: words, blanks, single signs. A rule is such a row too, and is found where its tokens stand one after
the other. So a rule never matches a part of a word. The longest match counts, from left to right; what was put in is not
looked at again. A word is what stands between blanks and punctuation, its vowel signs and accents included; in scripts that
put no blanks between words each character is one.

A text is looked at once, and from each of its tokens no further than the longest rule reaches.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.core.cleanup.sourcemap import SourceMap
from gateway.core.lexicon import Lexicon, Rule, rules_for
from gateway.core.scripts import UNSPACED

SPOKEN_CHARS_MAX = 500
"""Characters that an engine is given in one go; aliases may make more of a segment, which is then divided."""


def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Of a token, and of a character of a word that is longer than one character. One class for all that words are made of
    costs a ninth of what alternatives cost."""
    plane = "".join(map(chr, range(0x10000)))
    unspaced = re.compile(f"[{UNSPACED}]")
    marks = [sign for sign in plane if unicodedata.category(sign).startswith("M")]
    runs = "".join(f"{run[0][0]}-{run[0][-1]}" for run in re.finditer(f"[^\\W{UNSPACED}]+", plane))
    joined = "".join(marks) + "\u200c\u200d"
    word = runs + "".join(mark for mark in marks if not unspaced.match(mark)) + "\u200c\u200d"
    rare = "\U00010000-\U0001efff"  # Beyond the plane, but for pictures: old scripts, and some young ones.
    token = (
        f"[{word}]++(?![{rare}])",
        "\\s+",
        f"[{UNSPACED}][{joined}]*",
        f"(?:[{word}]++|[{rare}]++)+",
        f".[{joined}]*",
    )
    return re.compile("|".join(token), re.DOTALL), re.compile(f"[{word}{rare}]")


_TOKEN, _LETTER = _patterns()


class _Spoken(NamedTuple):
    """What a rule puts in the place of a word."""

    text: str
    is_phonemes: bool


_NOTHING = _Spoken("", is_phonemes=False)
_Edit = tuple[int, int, _Spoken]
"""Tokens [first:after) become this."""


@dataclass(slots=True)
class _Node:
    """Where a walk over the tokens of rules has come to."""

    spoken: _Spoken | None = None
    following: dict[str, _Node] = field(default_factory=dict)

    def longest(self, tokens: list[str], first: int, stop: int) -> tuple[int, _Spoken]:
        """Where the longest rule ends that tokens[first:stop] begin with, and what it puts there; `first` if there is none."""
        node = self
        after, spoken = first, _NOTHING
        for at in range(first, stop):
            token = tokens[at]
            following = node.following.get(token)
            if following is None and token.isspace():
                following = node.following.get(" ")
            if following is None:
                break
            node = following
            if node.spoken is not None:
                after, spoken = at + 1, node.spoken
        return after, spoken


@dataclass(frozen=True, slots=True)
class Replaced:
    """A part of a text, [start:end) of it, as it is spoken, with `applied` rules in it. At the ranges `phonemes` stand
    phonemes in [[ and ]]."""

    text: str
    start: int
    end: int
    applied: int
    phonemes: tuple[tuple[int, int], ...] = ()
    _map: SourceMap | None = field(default=None, repr=False)

    def word(self, start: int, end: int) -> tuple[int, int]:
        """Where text[start:end] stands in the part, as it was written: offsets in it. What came from a rule stands for all
        that the rule replaced."""
        return (start, end) if self._map is None else self._map.word(start, end)


class Replacer:
    """The rules of a lexicon for text in one language. With `phonemes` those are spoken that a rule has, else its alias; a
    rule without one is left out."""

    def __init__(self, lexicon: Lexicon, language: str, *, phonemes: bool = False) -> None:
        self._exact, self._any_case = _Node(), _Node()
        self._begins: set[str] = set()
        """What a rule begins with, in lower case."""
        self.rules = 0
        for rule in rules_for(lexicon, language):
            spoken = _spoken(rule, phonemes=phonemes)
            if spoken is not None:
                self._add(rule, spoken, exact=lexicon.exact)
                self.rules += 1

    def _add(self, rule: Rule, spoken: _Spoken, *, exact: bool) -> None:
        forms = {rule.word}
        if not rule.word.isascii():
            # However an accent was typed.
            forms |= {unicodedata.normalize(form, rule.word) for form in ("NFC", "NFD")}
        for form in forms:
            node = self._exact if exact or form != form.lower() else self._any_case
            tokens = _TOKEN.findall(form)
            self._begins.add(tokens[0].lower())
            for token in tokens:
                node = node.following.setdefault(token, _Node())
            node.spoken = spoken

    def apply(self, text: str, *, after: str = "", goes_on: bool = False) -> list[Replaced]:
        """The text as it is spoken: in one part, or in several of at most SPOKEN_CHARS_MAX characters that together are all of
        it. `after` is the character before it, so that the rest of a word is not taken for one; if it `goes_on`, its last
        word may not be whole either."""
        if not self.rules:
            return [Replaced(text, 0, len(text), 0)]
        tokens: list[str] = _TOKEN.findall(text)
        at = 1 if _LETTER.match(after) and _LETTER.match(text) else 0
        stop = len(tokens) - (1 if goes_on and _LETTER.match(text[-1:]) else 0)
        edits = self._edits(tokens, at, stop)
        if not edits:
            return [Replaced(text, 0, len(text), 0)]
        return list(_parts(tokens, edits))

    def _edits(self, tokens: list[str], at: int, stop: int) -> list[_Edit]:
        """What is replaced among tokens[at:stop]."""
        edits: list[_Edit] = []
        begins = self._begins
        folded = [token.lower() for token in tokens]
        for first, token in enumerate(folded):
            if token in begins and at <= first < stop:
                after, spoken = self._exact.longest(tokens, first, stop)
                after_any, spoken_any = self._any_case.longest(folded, first, stop)
                # Of two equally long ones that for this case alone.
                if after_any > after:
                    after, spoken = after_any, spoken_any
                if after > first:
                    edits.append((first, after, spoken))
                    at = after
        return edits


def _spoken(rule: Rule, *, phonemes: bool) -> _Spoken | None:
    if phonemes and rule.phonemes is not None:
        return _Spoken(f"[[{rule.phonemes}]]", is_phonemes=True)
    return None if rule.alias is None else _Spoken(rule.alias, is_phonemes=False)


def _parts(tokens: list[str], edits: list[_Edit]) -> Iterator[Replaced]:
    """The text in as few parts as fit, divided at blanks where there are any, and never inside a token or a match."""
    units = _units(tokens, edits)
    if sum(len(spoken) for _, spoken, _ in units) <= SPOKEN_CHARS_MAX:
        yield _part(units, 0)
        return
    start = first = blank = chars = 0
    for at, (written, spoken, _) in enumerate(units):
        if at > first and chars + len(spoken) > SPOKEN_CHARS_MAX:
            cut = blank if blank > first else at
            part = _part(units[first:cut], start)
            yield part
            start, first = part.end, cut
            chars = sum(len(spoken) for _, spoken, _ in units[cut:at])
        if written.isspace():
            blank = at
        chars += len(spoken)
    yield _part(units[first:], start)


_Unit = tuple[str, str, _Spoken | None]
"""As it is written, as it is spoken, and what a rule says."""


def _units(tokens: list[str], edits: list[_Edit]) -> list[_Unit]:
    """What is not divided: tokens, and what rules replaced."""
    units: list[_Unit] = []
    at = 0
    for first, after, spoken in edits:
        units += [(token, token, None) for token in tokens[at:first]]
        units.append(("".join(tokens[first:after]), spoken.text, spoken))
        at = after
    units += [(token, token, None) for token in tokens[at:]]
    return units


def _part(units: list[_Unit], start: int) -> Replaced:
    map = SourceMap()
    applied = copied = 0
    phonemes: list[tuple[int, int]] = []
    for written, spoken, rule in units:
        if rule is not None:
            map.copy(copied)
            if rule.is_phonemes:
                phonemes.append((map.cleaned, map.cleaned + len(spoken)))
            map.replace(len(written), len(spoken))
            applied, copied = applied + 1, 0
        else:
            copied += len(written)
    map.copy(copied)
    text = "".join(spoken for _, spoken, _ in units)
    return Replaced(
        *(text, start, start + map.source, applied, tuple(phonemes)), map if applied else None
    )
