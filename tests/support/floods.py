"""Texts that are hard to read in linear time, and a measure of work without a clock."""

from __future__ import annotations

import sys
from collections.abc import Callable

HARD = {
    "prose": "The quick brown fox jumps, as it does. ",
    "dots": ".",
    "spaced dots": ". ",
    "digits": "1",
    "dotted digits": "1.",
    "quotes": '"',
    "opening brackets": "(",
    "closing brackets": ")",
    "clauses": "a, ",
    "commas and brackets": ",)))",
    "ideographs": "他说你好，",
    "titles": "Dr. ",
    "initials": "U.S. A ",
    "line ends": "\n",
    "blank lines": " " * 63 + "\n",
    "short lines": "a\n",
    "list": "1. a ",
    "smileys": ". :",
    "one word": "a",
    "combining marks": "\u0301",
    "flag halves": "\U0001f1e9",
    "blanks": " ",
}
"""What a flood is made of, by name: for the segmenter,"""
MARKUP = {
    "emphasis": "**a ",
    "quoted lines": "> \n",
    "table rows": "|a|b|\n",
    "square brackets": "[",
    "links": "[a](",
    "images": "[![",
    "code": "`a ",
    "tags": "<a ",
    "addresses": "https://a.b/c(.",
    "prices": "$5 ",
    "dates": "17. M",
    "emoji": "🎉 ",
}
"""and for clean-up."""


def flood(unit: str, chars: int) -> str:
    """So many characters of it."""
    return (unit * (chars // len(unit) + 1))[:chars]


def calls_of(work: Callable[[], object]) -> int:
    """Function calls, Python's own and those into C, that `work` makes: a measure of work without a clock."""
    count = 0

    def tally(_frame: object, kind: str, _argument: object) -> None:
        nonlocal count
        count += kind in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(tally)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count
