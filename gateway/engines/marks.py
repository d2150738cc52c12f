"""Word marks from what espeak-ng says about words, which is not what was written.

The library reports where it starts to speak something, as a character position. A written number becomes several reports,
some at the second digit or beyond it; a Chinese or Japanese character may share the position of its neighbour, or have no
report of its own. `WordMarks` turns reports into one mark per written word:

- Where words are set apart by blanks, the text between two blanks is a word.
- In scripts without such blanks each character can be a word of its own, digits and other letters in a row being one. It
  is marked if something was reported there; what follows without a report belongs to it. Several reports at one such
  character speak for as many characters, as far as the next report leaves room.
- A report at a lone dash or bullet is about the word that follows, unless that has a report of its own.
- A report at a blank, or at a word that has its mark, says nothing new.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from gateway.core.scripts import DEPENDENT, UNSPACED
from gateway.core.synthesis import Mark

_ATOM = re.compile(f"[{UNSPACED}][{DEPENDENT}]*[^\\s\\w]*|[^\\s{UNSPACED}]+")
_UNSPACED_START = re.compile(f"[{UNSPACED}]")
_WORD_CHARACTER = re.compile(r"\w")

Report = tuple[int, int]
"""A sample, and the character that begins to be spoken there."""


class WordMarks:
    """The marks of one segment. `feed` the reports in order, then `finish`; both give the marks that became certain."""

    def __init__(self, text: str) -> None:
        self._text = text
        spans = [match.span() for match in _ATOM.finditer(text)]
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]
        self._free = 0
        """The first atom that has no mark yet."""
        self._char = -1
        self._repeats: list[int] = []
        """The samples of further reports at the last character, to be placed when it is known how far they reach."""
        self._open: tuple[int, int] | None = None
        """Sample and atom of the last mark, as long as its end is not known."""
        self._sample = 0
        self._ready: list[Mark] = []

    def feed(self, reports: Sequence[Report]) -> list[Mark]:
        for sample, char in reports:
            self._sample = max(self._sample, sample)
            if char == self._char:
                self._repeats.append(self._sample)
            else:
                self._place_repeats(char)
                self._char = char
                self._place(self._atom_at(char), self._sample)
        # What follows these marks may not be older than the audio that comes with them: see synthesis.Marked.
        if not reports or (self._open is not None and self._open[0] < reports[0][0]):
            return []
        return self._take_ready()

    def finish(self) -> list[Mark]:
        self._place_repeats(len(self._text))
        self._settle(len(self._starts))
        return self._take_ready()

    def _take_ready(self) -> list[Mark]:
        ready, self._ready = self._ready, []
        return ready

    def _place_repeats(self, limit: int) -> None:
        """Give the repeats to the atoms that follow and begin before `limit`, one each; the rest says nothing new."""
        atom = self._atom_at(self._char)
        for sample in self._repeats:
            if atom is None or (atom := self._follower(atom, limit)) is None:
                break
            self._place(atom, sample)
        self._repeats.clear()

    def _place(self, atom: int | None, sample: int) -> None:
        if atom is None or atom < self._free:
            return
        self._settle(atom)
        self._open = (sample, atom)
        self._free = atom + 1
        if self._closes_run(atom) and self._is_word(atom):
            self._settle(atom + 1)

    def _settle(self, next_atom: int) -> None:
        """End the open mark, now that nothing is reported before `next_atom`: there, or at the end of its run."""
        if self._open is None:
            return
        sample, first = self._open
        if not self._is_word(first) and first + 1 < next_atom and self._is_word(first + 1):
            first += 1
        last = first
        while last + 1 < next_atom and not self._closes_run(last):
            last += 1
        self._ready.append(Mark(sample, self._starts[first], self._ends[last]))
        self._free = max(self._free, first + 1)
        self._open = None

    def _atom_at(self, char: int) -> int | None:
        atom = bisect_right(self._starts, char) - 1
        return atom if atom >= 0 and char < self._ends[atom] else None

    def _follower(self, atom: int, limit: int) -> int | None:
        if self._closes_run(atom) or not _UNSPACED_START.match(self._text, self._starts[atom]):
            return None
        begins_before = self._starts[atom + 1] < limit
        return atom + 1 if begins_before and self._is_word(atom + 1) else None

    def _is_word(self, atom: int) -> bool:
        return bool(_WORD_CHARACTER.search(self._text, self._starts[atom], self._ends[atom]))

    def _closes_run(self, atom: int) -> bool:
        """Whether a blank or the end of the text follows."""
        return atom + 1 == len(self._starts) or self._starts[atom + 1] > self._ends[atom]
