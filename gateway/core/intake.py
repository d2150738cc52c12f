"""The text side of a session: from what a caller pushes to pieces for an engine, and back to the caller's own text.

    pushes ──► surrogates joined ──► cleaned (optional) ──► segmented ──► cuts

Engines get cleaned text; everybody else speaks of the caller's. A cut knows both. The cuts of one utterance cover the
caller's text without a gap or overlap: what clean-up removed belongs to a neighbour, and what is left over at a flush to
the last cut, or to one without any text if there is no other.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gateway.core.cleanup import Cleaner
from gateway.core.params import TextSettings
from gateway.core.segmenter import Piece, Segmenter
from gateway.core.surrogates import SurrogateJoiner
from gateway.core.vocabulary import Cleanup, CutKind, CutReason, PushBoundary


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
    """A piece. `text` is for the engine; `source` is the caller's text[start:end], in code points since the beginning."""

    text: str
    source: str
    start: int
    end: int
    kind: CutKind
    reason: CutReason
    speakable: bool
    _clean_start: int = 0
    _passage: _Passage | None = field(default=None, repr=False)

    def word(self, start: int, end: int) -> tuple[int, int]:
        """Where text[start:end], a word, stands in `source`: offsets within it. A word of several that were written as
        one gives the whole of what was written."""
        if self._passage is None:
            return start, end
        begin, stop = self._passage.word(self._clean_start + start, self._clean_start + end)
        # A neighbour may have been given what was removed: a word never reaches out of its cut.
        return min(max(begin, self.start), self.end) - self.start, min(stop, self.end) - self.start

    def forget(self) -> None:
        """No word of this cut or an earlier one will be asked for."""
        if self._passage is not None:
            self._passage.cleaner.forget(
                self._clean_start + len(self.text) - self._passage.clean_from
            )


class Intake:
    """The text of one context. Times are seconds on the caller's clock."""

    def __init__(self, settings: TextSettings) -> None:
        self._settings = settings
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

    def reconfigure(self, settings: TextSettings) -> None:
        """Use other settings from here on. Nothing may be pending: flush before."""
        assert self.chars_pending == 0, "flush before"
        self._settings = settings
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
        return cuts if self._passage is None else self._cover(cuts, reason)

    def clear(self) -> str:
        """Drop what is pending, half a character included, and give back the caller's text of it."""
        self._surrogates.flush()
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
        return [self._cut(piece) for piece in pieces]

    def _cut(self, piece: Piece) -> Cut:
        start = self._covered
        if self._passage is None:
            source = piece.text
        else:
            source = self._take(self._passage.end_of(piece.start, piece.end) - start)
        self._covered = start + len(source)
        return Cut(
            text=piece.text,
            source=source,
            start=start,
            end=self._covered,
            kind=piece.kind,
            reason=piece.reason,
            speakable=piece.speakable,
            _clean_start=piece.start,
            _passage=self._passage,
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
