"""Which brackets and quotes are open at a place in the text. Both are forgotten when they stay open too long.

Quotation marks tell little by themselves: „…“, «…», »…«, ”…” and "…" are all in use, so a mark that may close closes
if one is open, and otherwise opens.
"""

from __future__ import annotations

from gateway.core import scripts

BRACKET_CHARS_MAX = 120
"""A bracket that has not been closed for so long was none, or its end is not worth waiting for."""
BRACKETS_MAX = 8
"""Open brackets that are remembered."""
QUOTE_CHARS_MAX = 300
"""The same for a quotation."""


class Nesting:
    """The open brackets and the open quote, by position."""

    __slots__ = ("_brackets", "_quote", "_quote_at")

    def __init__(self) -> None:
        self._brackets: list[int] = []
        self._quote = ""
        self._quote_at = 0

    def read(self, marks: str, position: int) -> None:
        """Take note of `marks`, of which the first stands at `position`; other characters mean nothing."""
        for index, mark in enumerate(marks, position):
            if mark in scripts.CLOSERS:
                if self._brackets:
                    self._brackets.pop()
            elif mark in scripts.OPENERS:
                if len(self._brackets) < BRACKETS_MAX:
                    self._brackets.append(index)
            elif mark in scripts.QUOTES:
                self._quote = "" if self._closes(mark, index) else mark
                self._quote_at = index

    def in_brackets(self, position: int) -> bool:
        """Whether a bracket is open at `position`, which only ever grows."""
        while self._brackets and position - self._brackets[-1] > BRACKET_CHARS_MAX:
            self._brackets.pop()
        return bool(self._brackets)

    def in_quote(self, position: int) -> bool:
        """Whether a quotation is open at `position`."""
        return bool(self._quote) and position - self._quote_at <= QUOTE_CHARS_MAX

    def end_sentence(self) -> None:
        """A bracket does not reach beyond the sentence that was found to end."""
        self._brackets.clear()

    def end_paragraph(self) -> None:
        """Nor does a quotation reach beyond its paragraph."""
        self._quote = ""

    def _closes(self, mark: str, position: int) -> bool:
        if not self.in_quote(position):
            return False
        if mark == "“":
            return self._quote == "„"
        return mark not in "„«‹" or self._quote in "»›"
