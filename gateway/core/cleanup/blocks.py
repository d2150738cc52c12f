"""How a line begins: which block of Markdown it belongs to, and which of its first characters are marks."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import NamedTuple

from gateway.core.cleanup.window import Edit, Edits, Window


class Line(Enum):
    """What a line is."""

    TEXT = auto()
    BLANK = auto()
    ITEM = auto()
    HEADING = auto()
    QUOTE = auto()
    ROW = auto()
    RULE = auto()
    """Only marks: a horizontal rule, the line under a title or a table's head."""
    FENCE = auto()


class Start(NamedTuple):
    """The marks at the beginning of a line. `fence` is the run of marks that opens a code block."""

    line: Line
    edits: Edits
    end: int
    fence: str = ""
    info: str = ""
    """What stands behind the fence, as a rule the language of the code."""

    def closes(self, fence: str) -> bool:
        """Whether this line can be the end of a code block that `fence` began."""
        return self.fence.startswith(fence) and not self.info.strip()


PARAGRAPHS = frozenset({Line.HEADING, Line.ROW, Line.RULE, Line.FENCE})
"""Each of these is a paragraph of its own."""
STARTERS = PARAGRAPHS | {Line.ITEM}
"""These end the paragraph before them."""

_INDENT = re.compile(r"[ \t\r]*+")
MARKS = re.compile(r"[-*_=:|+ \t\r]*+")
_RULE = re.compile(r"(?=.*\||(.)(?:[ \t]*\1){2})")
_FENCE = re.compile(r"(`{3,}+|~{3,}+)([^`\n]*+)")
_MARKERS = (
    (Line.HEADING, re.compile(r"#{1,6}+(?:[ \t]++|(?=\n|\Z))"), ""),
    (Line.ITEM, re.compile(r"[-*+•‣◦▪][ \t]++(?:\[[ xX]\][ \t]++)?"), ""),
    (Line.ITEM, re.compile(r"\d{1,9}+[.)][ \t]++"), None),
)
"""What stands before the text of a line, and what becomes of it: only numbers are spoken."""
_UNFINISHED = re.compile(r"#{1,6}+|[-*+•‣◦▪](?:[ \t]++(?:\[(?:[ xX]\]?+)?+)?+)?+|\d{1,9}+[.)]?+")
"""What may become such a marker when more comes."""
_QUOTE = re.compile(r">[ \t]?")


def line_start(window: Window, start: int) -> Start | None:
    """Read the beginning of the line at `start`; None = wait."""
    edits: Edits = []
    quoted = False
    while True:
        at = window.end_of(_INDENT, start)
        if window.waits(at):
            return None
        edits.append(Edit(at, ""))
        if window.ends_line(at):
            return Start(Line.BLANK, edits, at)
        if quote := window.match(_QUOTE, at):
            if window.waits(quote.end()):
                return None
            quoted = True
            start = quote.end()
            edits.append(Edit(start, ""))
            continue
        found = _marked(window, at)
        if found is None:
            return None
        if found.line is Line.TEXT and quoted:
            found = found._replace(line=Line.QUOTE)
        return found._replace(edits=edits + found.edits)


def _marked(window: Window, at: int) -> Start | None:
    """The line whose first visible character stands at `at`."""
    marks = window.end_of(MARKS, at)
    if marks > at:
        if window.waits(marks):
            return None
        full = marks == window.stop
        if (full or window.ends_line(marks)) and _RULE.match(window.text, at, marks):
            return Start(Line.RULE, [Edit(marks, "")], marks)
    if window.text[at] == "|":
        end = window.end_of(_INDENT, at + 1)
        if window.waits(end):
            return None
        return Start(Line.ROW, [Edit(end, "")], end)
    if fence := window.match(_FENCE, at):
        if window.waits(fence.end()):
            return None
        if window.char(fence.end()) != "`":
            return Start(Line.FENCE, [], at, *fence.groups())
    elif window.text[at] in "`~" and window.waits(at + 2):
        return None
    unfinished = window.match(_UNFINISHED, at)
    if unfinished and window.waits(unfinished.end()):
        return None
    for line, pattern, text in _MARKERS:
        if marker := window.match(pattern, at):
            if window.waits(marker.end()):
                return None
            return Start(line, [Edit(marker.end(), text)], marker.end())
    return Start(Line.TEXT, [], at)
