"""The text side of a session: from what a caller pushes to pieces for an engine, and back to the caller's own text.

    pushes ──► surrogates joined ──► cleaned (optional) ──► segmented ──► words replaced (optional) ──► cuts

Engines get cleaned text, with the aliases of a lexicon in it; everybody else speaks of the caller's. A cut knows both. The
cuts of one utterance cover the caller's text without a gap or overlap: what clean-up removed belongs to a neighbour, and
what is left over at a flush to the last cut, or to one without any text if there is no other.

Words are replaced last, when a piece is complete: how the text was split into messages makes no difference, and a rule does
not change where text is cut. A rule of several words is found within a piece only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import msgspec

from gateway.core.cleanup import Cleaner
from gateway.core.params import TextSettings
from gateway.core.replacing import Replaced, Replacer
from gateway.core.segmenter import Piece, Segmenter
from gateway.core.surrogates import SurrogateJoiner
from gateway.core.vocabulary import Cleanup, CutKind, CutReason, PushBoundary

_SPEAKABLE = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class _Passage:
    """Text that was cleaned by one cleaner, which begins at these positions of the whole."""

    cleaner: Cleaner
    clean_from: int
    source_from: int

    def word(self, clean_start: int, clean_end: int) -> tuple[int, int]:
        start, end = self.cleaner.source_word(
            clean_start - self.clean_from, clean_end - self.clean_from
        )
        return start + self.source_from, end + self.source_from

    def end_of(self, clean_start: int, clean_end: int) -> int:
        _, end = self.cleaner.source_range(
            clean_start - self.clean_from, clean_end - self.clean_from
        )
        return end + self.source_from


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece, or a part of one that aliases made too long. `text` is for the engine, with so many rules `applied`; `source`
    is the caller's text[start:end], in code points since the beginning."""

    text: str
    source: str
    start: int
    end: int
    kind: CutKind
    reason: CutReason
    speakable: bool
    applied: int = 0
    phonemes: tuple[tuple[int, int], ...] = ()
    """Ranges of `text` that are phonemes."""
    _clean_start: int = 0
    _clean_end: int = 0
    _passage: _Passage | None = field(default=None, repr=False)
    _replaced: Replaced | None = field(default=None, repr=False)

    def word(self, start: int, end: int) -> tuple[int, int]:
        """Where text[start:end], a word, stands in `source`: offsets within it. A word of several that were written as
        one, or are spoken instead of others, gives the whole of what was written."""
        if self._replaced is not None:
            start, end = self._replaced.word(start, end)
        if self._passage is None:
            return start, end
        begin, stop = self._passage.word(self._clean_start + start, self._clean_start + end)
        # A neighbour may have been given what was removed: a word never reaches out of its cut.
        return min(max(begin, self.start), self.end) - self.start, min(stop, self.end) - self.start

    def forget(self) -> None:
        """No word of this cut or an earlier one will be asked for."""
        if self._passage is not None:
            self._passage.cleaner.forget(self._clean_end - self._passage.clean_from)


class Intake:
    """The text of one context, spoken by the rules of `replacer`. Times are seconds on the caller's clock."""

    def __init__(self, settings: TextSettings, replacer: Replacer | None = None) -> None:
        self._settings = settings
        self._replacer = replacer
        self._last = ""
        """The last character before the next piece, if nothing came between them."""
        self._surrogates = SurrogateJoiner()
        self._segmenter = Segmenter(settings.segmentation, settings.language)
        self._passage: _Passage | None = None
        self.chars_accepted = 0
        """The caller's characters so far, less half a one that may be held."""
        self._covered = 0
        """The caller's characters that are in cuts or were cleared."""
        self._fed = 0
        """Characters given to the segmenter so far."""
        self._unsent: list[str] = []
        """The caller's text behind `_covered`; kept only where it is not what the segmenter has."""
        self._held_since: float | None = None
        self._goes_on = False
        """A push came in slices, and the last one is still to come: no time passes for its text."""
        self._begin_passage()

    @property
    def chars_pending(self) -> int:
        """Characters pushed and not in a cut yet, as they are held."""
        held = self._passage.cleaner.held if self._passage else 0
        return self._segmenter.chars_pending + held

    def reconfigure(self, settings: TextSettings, replacer: Replacer | None = None) -> None:
        """Use other settings and rules from here on. Nothing may be pending: flush before."""
        assert self.chars_pending == 0, "flush before"
        self._settings, self._replacer = settings, replacer
        self._segmenter.reconfigure(settings.segmentation, settings.language)
        self._begin_passage()

    def push(self, text: str, now: float, *, more: bool = False) -> list[Cut]:
        """Append text; gives the cuts that it completes. `more` = the same push goes on in the next call."""
        self._goes_on = more
        joined = self._surrogates.push(text)
        self.chars_accepted += len(joined)
        if self._passage is None:
            return self._segment(joined, now, more=more)
        cleaner = self._passage.cleaner
        self._unsent.append(joined)
        cleaned = cleaner.push(joined)
        if not more and self._settings.segmentation.push_boundary is PushBoundary.RELEASE:
            cleaned += cleaner.settle()
        if not cleaner.held:
            self._held_since = None
        elif cleaned or self._held_since is None:
            self._held_since = now
        return self._segment(cleaned, now, more=more)

    def flush(self, reason: CutReason, now: float) -> list[Cut]:
        """Everything pending leaves; what follows is a new utterance."""
        cuts: list[Cut] = []
        if self._surrogates.holds:
            cuts += self.push(self._surrogates.flush(), now)
        if self._passage is not None:
            cuts += self._segment(self._passage.cleaner.flush(), now, more=True)
            self._held_since = None
        cuts += self._cuts(self._segmenter.flush(reason))
        self._last = ""
        return cuts if self._passage is None else self._cover(cuts, reason)

    def clear(self) -> str:
        """Drop what is pending, half a character included, and give back the caller's text of it."""
        self._surrogates.flush()
        self._last = ""
        dropped = self._segmenter.clear()
        if self._passage is not None:
            self._passage.cleaner.clear()
            dropped = "".join(self._unsent)
            self._unsent.clear()
            self._held_since = None
        self._covered = self.chars_accepted
        return dropped

    def deadline(self, dry_at: float | None) -> float | None:
        """When `tick` may next give something; `dry_at` is when the listener runs out of audio, None = not known."""
        if self._goes_on:
            return None
        times = (self._segmenter.deadline(dry_at), self._settle_at())
        return min((time for time in times if time is not None), default=None)

    def tick(self, now: float, dry_at: float | None) -> list[Cut]:
        """The cuts that leave because of the time. Early or repeated calls give nothing."""
        cuts: list[Cut] = []
        if self._goes_on:
            return cuts
        settle_at = self._settle_at()
        if self._passage is not None and settle_at is not None and now >= settle_at:
            self._held_since = None
            cuts += self._segment(self._passage.cleaner.settle(), now, more=True)
        return cuts + self._cuts(self._segmenter.tick(now, dry_at))

    def _settle_at(self) -> float | None:
        """When text that clean-up holds back has waited long enough for what might follow it."""
        segmentation = self._settings.segmentation
        if self._held_since is None or not segmentation.max_delay_ms or not segmentation.auto_flush:
            return None
        return self._held_since + segmentation.max_delay_ms / 1_000

    def _begin_passage(self) -> None:
        self._passage = None
        if self._settings.cleanup is not Cleanup.OFF:
            cleaner = Cleaner(
                self._settings.cleanup,
                self._settings.language,
                say_code=self._settings.code_notice,
            )
            self._passage = _Passage(cleaner, self._fed, self.chars_accepted)

    def _segment(self, cleaned: str, now: float, *, more: bool) -> list[Cut]:
        self._fed += len(cleaned)
        return self._cuts(self._segmenter.push(cleaned, now, more=more))

    def _cuts(self, pieces: list[Piece]) -> list[Cut]:
        if self._replacer is None:
            return [self._cut(piece) for piece in pieces]
        return [cut for piece in pieces for cut in self._replaced(piece, self._replacer)]

    def _replaced(self, piece: Piece, replacer: Replacer) -> Iterator[Cut]:
        """The cuts of a piece whose words are replaced: one, unless it became too long."""
        last, self._last = self._last, piece.text[-1:]
        parts = replacer.apply(
            piece.text,
            after=last,
            # Only text without a blank is cut there.
            goes_on=piece.kind is CutKind.GRAPHEME,
        )
        for number, part in enumerate(parts, 1):
            here = piece
            if len(parts) > 1:
                here = msgspec.structs.replace(
                    piece,
                    text=piece.text[part.start : part.end],
                    start=piece.start + part.start,
                    end=piece.start + part.end,
                    kind=piece.kind if number == len(parts) else CutKind.WORD,
                    reason=piece.reason if number == len(parts) else CutReason.SIZE,
                )
            yield self._cut(here, part)

    def _cut(self, piece: Piece, replaced: Replaced | None = None) -> Cut:
        start = self._covered
        if self._passage is None:
            source = piece.text
        else:
            source = self._take(self._passage.end_of(piece.start, piece.end) - start)
        self._covered = start + len(source)
        text, speakable, applied = piece.text, piece.speakable, 0
        if replaced is not None:
            text, applied = replaced.text, replaced.applied
            speakable = _SPEAKABLE.search(text) is not None
        return Cut(
            text=text,
            source=source,
            start=start,
            end=self._covered,
            kind=piece.kind,
            reason=piece.reason,
            speakable=speakable,
            applied=applied,
            phonemes=() if replaced is None else replaced.phonemes,
            _clean_start=piece.start,
            _clean_end=piece.end,
            _passage=self._passage,
            _replaced=replaced,
        )

    def _take(self, chars: int) -> str:
        """The next characters of the caller's text."""
        unsent = "".join(self._unsent)
        self._unsent = [unsent[chars:]]
        return unsent[:chars]

    def _cover(self, cuts: list[Cut], reason: CutReason) -> list[Cut]:
        """Give what is left of the caller's text to the last cut, or to one that has no other text."""
        left = "".join(self._unsent)
        self._unsent.clear()
        if not left:
            return cuts
        start, self._covered = self._covered, self._covered + len(left)
        if cuts:
            last = cuts[-1]
            return [*cuts[:-1], replace(last, source=last.source + left, end=self._covered)]
        silent = Cut("", left, start, self._covered, CutKind.PARAGRAPH, reason, speakable=False)
        return [silent]
