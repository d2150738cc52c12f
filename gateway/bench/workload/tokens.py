"""Text as a language model writes it: token by token, at a rate, with pauses; and as HTTP clients gather it again.

No tokenizer of any model is in here, but the sizes are theirs: a word takes its leading space with it and is one token
up to seven letters; longer ones come in pieces of four; scripts other than Latin come in pieces of three; digits come in
threes, every other sign by itself. English comes out at about four characters per token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from gateway.bench.instruments.utterance import Piece

WORD_CHARS_MAX = 7
PIECE_CHARS = 4
PIECE_CHARS_OTHER = 3

_SIGNS = r"!-/:-@\[-`{-~\u00a1-\u00bf\u2010-\u203a\u0964\u0965"
_TOKEN = re.compile(rf" ?[^\s\d{_SIGNS}]+| ?\d{{1,3}}|[{_SIGNS}]|\s+?(?= \S)|\s+")
_ENDS = {
    "sentence": re.compile(r"[.!?\u0964\u2026]+[\"'\u201d\u00bb)]*\s"),
    "clause": re.compile(r"[.!?\u0964\u2026,;:\u2013\u2014]+[\"'\u201d\u00bb)]*\s"),
}


class Gather(StrEnum):
    """How a client that can only send whole texts gathers the tokens it gets."""

    ALL = "all"
    SENTENCE = "sentence"
    CLAUSE = "clause"


class Pause(msgspec.Struct, frozen=True):
    """The model stops for `seconds` before token number `before`: it calls a tool, or is slow."""

    before: int
    seconds: float


def tokens(text: str) -> list[str]:
    """The text in tokens; together they are the text."""
    return [piece for word in _TOKEN.findall(text) for piece in _pieces(word)]


def trickled(text: str, tokens_per_s: float, pauses: Sequence[Pause] = ()) -> tuple[Piece, ...]:
    """The tokens at a constant rate, the first at once, and all after a pause later by it."""
    return tuple(
        Piece(number / tokens_per_s + sum(p.seconds for p in pauses if p.before <= number), token)
        for number, token in enumerate(tokens(text))
    )


def gathered(pieces: Sequence[Piece], how: Gather) -> tuple[Piece, ...]:
    """The same text in fewer pieces, each at the moment when the client knows that it is whole.

    An end of a sentence or clause is known by the space behind it; what is left leaves with the last token.
    """
    if not pieces:
        return ()
    found: list[Piece] = []
    pending = ""
    for piece in pieces:
        pending += piece.text
        while how is not Gather.ALL and (end := _ENDS[how].search(pending)):
            found.append(Piece(piece.at_s, pending[: end.end()]))
            pending = pending[end.end() :]
    return (*found, Piece(pieces[-1].at_s, pending)) if pending else tuple(found)


def _pieces(token: str) -> list[str]:
    """A word in the pieces that it comes in; anything else is one."""
    word = token.strip()
    if not word or not word[0].isalpha():
        return [token]
    is_latin = word[0] < "\u0250"
    if is_latin and len(word) <= WORD_CHARS_MAX:
        return [token]
    size = PIECE_CHARS if is_latin else PIECE_CHARS_OTHER
    first = len(token) - len(word) + size
    return [token[:first], *(token[n : n + size] for n in range(first, len(token), size))]
