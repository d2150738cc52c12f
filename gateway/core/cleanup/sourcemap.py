"""Which source characters a range of cleaned text stands for.

The map is a row of pieces in the order of the text. A piece says that the cleaned characters [cleaned:cleaned_end) were
made of the source characters [source:source_end): one to one in a *copy*, all of them from all of them otherwise. Source
that left nothing behind is a gap between two pieces.

`source_of(c)` is where the source is divided when the cleaned text is cut before its character `c`. It never changes once
character `c - 1` is there, so ranges that are told one after the other join, whenever they are asked for: a gap goes to
the range behind it. Only at a flush the gap at the very end goes to the range before it, because nothing follows; unless
that range was told already.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass


@dataclass(slots=True)
class _Piece:
    cleaned: int
    source: int
    cleaned_end: int
    source_end: int
    copied: bool

    def joins(self, cleaned: int, source: int) -> bool:
        """Whether a copy at these positions only makes this piece longer."""
        return (
            self.copied
            and self.cleaned_end == cleaned
            and self.source_end == source
            and self.source_end - self.source == self.cleaned_end - self.cleaned
        )


class SourceMap:
    """Positions count code points since construction, of the source and of the cleaned text."""

    def __init__(self) -> None:
        self.cleaned = 0
        """Cleaned characters so far."""
        self.source = 0
        """Source characters so far."""
        self._pieces = [_Piece(0, 0, 0, 0, copied=False)]
        self._told = 0

    def copy(self, chars: int) -> None:
        """The next `chars` source characters were left as they are."""
        last = self._pieces[-1]
        if not last.joins(self.cleaned, self.source):
            last = _Piece(self.cleaned, self.source, self.cleaned, self.source, copied=True)
            self._pieces.append(last)
        self.cleaned = last.cleaned_end = last.cleaned_end + chars
        self.source = last.source_end = last.source_end + chars

    def replace(self, source_chars: int, cleaned_chars: int) -> None:
        """The next source characters became other ones, or none."""
        start, self.source = self.source, self.source + source_chars
        if cleaned_chars:
            end = self.cleaned + cleaned_chars
            self._pieces.append(_Piece(self.cleaned, start, end, self.source, copied=False))
            self.cleaned = end

    def end(self) -> None:
        """Nothing follows: what was removed last belongs to the range before it, if that can still be told."""
        if self._told < self.cleaned:
            self._pieces[-1].source_end = self.source

    def settle(self) -> None:
        """All the source so far is dealt with; ranges to come begin behind it."""
        here = self.cleaned, self.source
        self._pieces.append(_Piece(*here, *here, copied=False))

    def source_of(self, cleaned: int) -> int:
        """Where a cut before this cleaned character divides the source."""
        before = bisect_right(self._pieces, cleaned, key=_cleaned_end) - 1
        # A copy may have grown since what lay before this position was forgotten, and then it is the first piece.
        assert before >= 0 or self._pieces[0].cleaned < cleaned, (
            "this part of the map was forgotten"
        )
        if before >= 0 and (piece := self._pieces[before]).cleaned_end == cleaned:
            return piece.source_end
        piece = self._pieces[before + 1]
        return piece.source + cleaned - piece.cleaned if piece.copied else piece.source_end

    def range(self, start: int, end: int) -> tuple[int, int]:
        """The source of cleaned [start:end). Consecutive ranges give consecutive ones."""
        self._told = max(self._told, end)
        return self.source_of(start), self.source_of(end)

    def word(self, start: int, end: int) -> tuple[int, int]:
        """The source of the characters [start:end) alone, without what was removed around them; start < end."""
        first, last = self._piece_of(start), self._piece_of(end - 1)
        return (
            first.source + start - first.cleaned if first.copied else first.source,
            last.source + end - last.cleaned if last.copied else last.source_end,
        )

    def _piece_of(self, cleaned: int) -> _Piece:
        return self._pieces[bisect_right(self._pieces, cleaned, key=_cleaned_end)]

    def forget(self, cleaned: int) -> None:
        """What lies before this cleaned position will not be asked for any more."""
        needed = bisect_right(self._pieces, cleaned, key=_cleaned_end) - 1
        if needed > 0:
            del self._pieces[:needed]


def _cleaned_end(piece: _Piece) -> int:
    return piece.cleaned_end
