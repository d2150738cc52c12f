"""Text as espeak-ng may be given it: nothing in it is a command, and no call gets much of it.

Both functions keep every position: what they give is as long as what they take, character by character.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

CALL_CHARS_MAX = 200
"""The library dies of long texts far more often than of short ones: 1 in 100 at 1,200 characters, 4 in 10,000 at 250."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""NUL ends the text, 0x01 begins a command of the library; none of them has a sound."""
_SURROGATE = re.compile("[\ud800-\udfff]")

_ROUND = str.maketrans("[]", "()")

_CUTS = (
    (re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？]+[」』”’）]*\s*"), True),
    (re.compile(r"[,;:—–]\s+|[，、；：]\s*"), True),
    (re.compile(r"\s+"), False),
)
"""Where a long text may be cut, best first, and whether a pause belongs there."""


def neutralise(text: str, phonemes: Sequence[tuple[int, int]] = ()) -> str:
    """Put blanks for control characters other than tab and newline, U+FFFD for lone surrogates; and, where phonemes stand
    between [[ and ]] at these ranges, parentheses for all other brackets, so that nothing else is taken for some."""
    plain = _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", text))
    if not phonemes:
        return plain
    kept, at = "", 0
    for start, end in phonemes:
        kept += plain[at:start].translate(_ROUND) + plain[start:end]
        at = end
    return kept + plain[at:].translate(_ROUND)


def split_calls(text: str, pause_after: bool) -> list[tuple[str, bool]]:
    """Cut into pieces of at most CALL_CHARS_MAX characters, each with whether it ends with a pause."""
    pieces: list[tuple[str, bool]] = []
    while len(text) > CALL_CHARS_MAX:
        end, pause = _cut(text)
        pieces.append((text[:end], pause))
        text = text[end:]
    pieces.append((text, pause_after))
    return pieces


def _cut(text: str) -> tuple[int, bool]:
    for pattern, pause in _CUTS:
        ends = [
            match.end() for match in pattern.finditer(text, CALL_CHARS_MAX // 4, CALL_CHARS_MAX)
        ]
        if ends:
            return ends[-1], pause
    return CALL_CHARS_MAX, False
