"""From text that arrives a few characters at a time to pieces that an engine can speak.

The scanner says where text may be cut; the segmenter decides which of these places to use. Somebody waits for the first
piece of an utterance, so it may be short: a clause, or the words up to a phrase border. Every later piece may be as long
as all that was emitted before it: as long as text comes faster than it is spoken, there is still something to play when
that piece is complete. Sizes thus follow from the text alone. Where the guess is wrong, timers help: held text leaves
before the audio runs dry (LEAD), and no text waits too long for its boundary (TIMER).

Always true: the pieces and the pending text together are exactly what was pushed since the last clear; no piece is
longer than `max_chars`; with `push_boundary` NONE and `release_chars` 0, pieces that no timer made do not depend on how
the text was split into pushes. For the last, nothing here may look at what "has arrived": a decision is made when a
certain character is reached, and with the text up to that character.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from gateway.core.boundaries import Boundary, Scanner
from gateway.core.graphemes import border_before
from gateway.core.judge import SentencexJudge
from gateway.core.languages import base_language
from gateway.core.params import Segmentation
from gateway.core.phrase_border import phrase_border
from gateway.core.vocabulary import CutKind, CutReason, Preset, PushBoundary

LEAD_MARGIN_S = 0.4
"""Held text leaves so long before the audio runs dry: time for an engine's first audio and the way to the listener."""
CUT_SHARE_MIN = 0.4
"""A forced cut leaves no less than this share of the longest piece that was allowed."""
CLUSTER_CHARS = 32
"""Characters before a mark from which it is told whether a cut after it divides a cluster."""

_SPEAKABLE = re.compile(r"[^\W_]")
_SENTENCES = (CutKind.PARAGRAPH, CutKind.SENTENCE)
_JUDGE = SentencexJudge()


class _Growth(NamedTuple):
    """How later pieces grow: sentence ends count from `least` on, and from `most` on whatever was emitted before.

    Until `most` characters were emitted, a clause of `clause` characters leaves too.
    """

    least: int
    most: int
    clause: int


_GROWTH = {
    Preset.LATENCY: _Growth(least=1, most=120, clause=60),
    Preset.BALANCED: _Growth(least=1, most=200, clause=90),
    Preset.QUALITY: _Growth(least=60, most=250, clause=120),
}


class Piece(msgspec.Struct, frozen=True):
    """A piece of text for the engine.

    `text` is exactly the caller's characters [start:end), counted in code points over all text pushed since
    construction. Not `speakable` = no letter and no digit in it: nothing for an engine.
    """

    text: str
    start: int
    end: int
    kind: CutKind
    reason: CutReason
    speakable: bool


class Segmenter:
    """Cuts one stream of text. Times are seconds on the caller's clock, lengths are code points."""

    def __init__(self, params: Segmentation, language: str) -> None:
        self._scanner = Scanner(_JUDGE, base_language(language))
        self._start = 0
        self._pushed_at = 0.0
        self._since: float | None = None
        self._longest = self._sentence_from = self._clause_from = 0
        self._goes_on = False
        self._params = params
        self._language = base_language(language)
        self._begin_utterance()

    def reconfigure(self, params: Segmentation, language: str) -> None:
        """Use other parameters from here on. Nothing may be pending; offsets continue."""
        assert self.chars_pending == 0, "flush or clear before"
        self._params = params
        self._language = base_language(language)
        self._scanner.use(self._language)
        self._begin_utterance()

    @property
    def chars_pending(self) -> int:
        """Characters pushed and neither emitted nor cleared."""
        return self._scanner.end - self._start

    def push(self, text: str, now: float, *, more: bool = False) -> list[Piece]:
        """Append text; returns the pieces that it completes. `more` = the same push goes on in the next call."""
        if not text and (more or not self._goes_on):
            return []
        scanner, start = self._scanner, self._start
        if not self._goes_on:
            self._gathered = scanner.end - start
        self._gathered += len(text)
        self._goes_on = more
        self._pushed_at = now
        if self._since is None:
            self._since = now
        if self._ended_at == scanner.end and text and not text[0].isspace():
            self._seams.append(self._ended_at)
        scanner.feed(text, start)
        pieces = self._read()
        if self._push_counts and not more and self._start < scanner.end:
            self._end_push(pieces)
        self._settle(pieces, now)
        return pieces

    def flush(self, reason: CutReason = CutReason.FLUSH) -> list[Piece]:
        """Everything pending leaves; the next text begins a new utterance. Without pending text, gives nothing."""
        pieces: list[Piece] = []
        if self.chars_pending:
            self._emit(pieces, Boundary(self._scanner.end, CutKind.SENTENCE), reason)
        self._begin_utterance()
        return pieces

    def clear(self) -> str:
        """Drop the pending text and return it; the next text begins a new utterance."""
        dropped = self._pending()
        self._start = self._scanner.end
        self._begin_utterance()
        return dropped

    def deadline(self, dry_at: float | None) -> float | None:
        """When `tick` may next give something; None = not before more text comes.

        `dry_at` is when the audio handed to the player so far will have been played; None = not known.
        """
        times = [
            time
            for time in (self._idle_at(), self._lead_at(dry_at), self._late_at(dry_at))
            if time is not None
        ]
        return min(times, default=None)

    def tick(self, now: float, dry_at: float | None) -> list[Piece]:
        """The pieces that leave because of the time: none before `deadline`. Calling again is fine."""
        pieces: list[Piece] = []
        cut = self._rescuable()
        if _is_due(self._idle_at(), now):
            self._emit(pieces, Boundary(self._scanner.end, CutKind.SENTENCE), CutReason.TIMER)
        elif cut is not None and _is_due(self._lead_at(dry_at), now):
            self._emit(pieces, cut, CutReason.LEAD)
        elif _is_due(self._late_at(dry_at), now):
            self._emit(pieces, self._late_cut(), CutReason.TIMER)
        self._settle(pieces, now)
        return pieces

    # Cuts that follow from the text.

    def _begin_utterance(self) -> None:
        self._scanner.restart()
        self._emitted = 0
        self._count = 0
        self._speakable_at = self._mute_until = -1
        self._held: list[Boundary] = []
        self._seams: list[int] = []
        self._ended_at = -1
        self._gathered = 0
        self._goes_on = False
        self._since = None
        self._measure()

    def _read(self) -> list[Piece]:
        """Go on to the end of the text, a boundary or a forced cut at a time, in the order of what decides them."""
        pieces: list[Piece] = []
        scanner = self._scanner
        end = scanner.end
        while True:
            beyond = self._start + self._longest + 1
            boundary = scanner.advance(min(end, beyond))
            if boundary is not None:
                self._consider(pieces, boundary)
            elif end < beyond:
                return pieces
            else:
                self._force(pieces)

    def _consider(self, pieces: list[Piece], cut: Boundary) -> None:
        """Use a boundary, or hold it for later."""
        length = cut.position - self._start
        if length <= 0 or not self._is_speakable(cut.position):
            return
        around = self._scanner.slice(
            max(self._start, cut.position - CLUSTER_CHARS), cut.position + 1
        )
        if border_before(around, len(around) - 1) < len(around) - 1:
            return
        if cut.kind in _SENTENCES:
            if length >= self._sentence_from:
                self._emit(pieces, cut, CutReason.SENTENCE)
                return
        elif length >= self._clause_from:
            self._emit(pieces, cut, CutReason.CLAUSE)
            return
        self._held.append(cut)

    def _force(self, pieces: list[Piece]) -> None:
        """The pending text is longer than it should be."""
        forced = self._forced_cut(self._longest)
        if forced is not None:
            self._emit(pieces, forced, CutReason.SIZE)
        else:
            self._longest += max(1, self._params.first_chars_max // 4)
            self._longest = min(self._longest, self._params.max_chars)

    def _measure(self) -> None:
        """Set from which length on the next piece may end in a sentence or a clause, and where it is cut at last."""
        params = self._params
        self._push_counts = (
            params.push_boundary is not PushBoundary.NONE or params.release_chars > 0
        )
        cap = params.max_chars
        never = cap + 1
        self._longest, self._sentence_from, self._clause_from = cap, never, never
        if not params.auto_flush or params.release_chars:
            return
        if params.schedule:
            self._sentence_from = params.schedule[min(self._count, len(params.schedule) - 1)]
        elif self._emitted == 0:
            self._longest = min(cap, max(params.first_chars_max, params.first_chars_min))
            self._sentence_from, self._clause_from = 1, params.first_chars_min
        else:
            growth = _GROWTH[params.preset]
            grown = max(growth.least, min(2 * self._emitted, growth.most))
            self._sentence_from = params.min_chars or grown
            self._clause_from = max(params.min_chars, growth.clause, 3 * self._emitted)

    def _forced_cut(self, longest: int) -> Boundary | None:
        """The best cut at most `longest` characters on; None = there is none yet, and more text may be read."""
        first = longest < self._params.max_chars
        shortest = int(longest * CUT_SHARE_MIN)
        if first:
            shortest = self._params.first_chars_min
        reach = self._start + longest
        # Where the cap is the only rule, a sentence that would fit stays whole, however short the piece before it is.
        whole = 1 if not self._params.auto_flush else shortest
        for kinds, least in ((_SENTENCES, whole), ((CutKind.SOFT, CutKind.CLAUSE), shortest)):
            for cut in reversed(self._held):
                if cut.kind in kinds and self._start + least <= cut.position <= reach:
                    return cut
        text = self._scanner.slice(self._start, reach + 1)
        if self._is_speakable(reach):
            border = phrase_border(text, shortest, self._language)
            if border is not None and self._is_speakable(self._start + border):
                return Boundary(self._start + border, CutKind.WORD)
        if first:
            return None
        return Boundary(self._start + (border_before(text, longest) or longest), CutKind.GRAPHEME)

    def _end_push(self, pieces: list[Piece]) -> None:
        """What the end of a push means, if it means anything."""
        params = self._params
        end = self._scanner.end
        if params.push_boundary is PushBoundary.RELEASE:
            self._emit(pieces, Boundary(end, CutKind.SENTENCE), CutReason.FLUSH)
        elif 0 < params.release_chars <= self._gathered:
            self._emit(pieces, Boundary(end, CutKind.SENTENCE), CutReason.SIZE)
        elif params.push_boundary is PushBoundary.AFTER_TERMINATOR and self._scanner.is_complete():
            cut = Boundary(end, CutKind.SENTENCE)
            self._scanner.restart()
            self._held.append(cut)
            explicit = params.schedule or params.release_chars or params.min_chars
            adaptive = params.auto_flush and not explicit
            if adaptive or self.chars_pending >= self._sentence_from:
                self._emit(pieces, cut, CutReason.SENTENCE)
            else:
                self._ended_at = end

    # Cuts that follow from the time.

    def _idle_at(self) -> float | None:
        params = self._params
        if not (params.idle_ms and params.auto_flush and self._waits()):
            return None
        return self._pushed_at + params.idle_ms / 1_000 if self._scanner.is_complete() else None

    def _lead_at(self, dry_at: float | None) -> float | None:
        if dry_at is None or self._rescuable() is None:
            return None
        return dry_at - LEAD_MARGIN_S

    def _rescuable(self) -> Boundary | None:
        """Where text was held back only to grow: the last sentence end, or else the last clause worth a piece."""
        params = self._params
        if not self._held or not self._emitted or not params.auto_flush:
            return None
        if params.schedule or params.release_chars or params.min_chars:
            return None
        for cut in reversed(self._held):
            if cut.kind in _SENTENCES:
                return cut
        last = self._held[-1]
        return last if last.position - self._start >= params.first_chars_min else None

    def _late_at(self, dry_at: float | None) -> float | None:
        """When waiting ends. While earlier audio still plays, nobody waits; half a word waits twice as long."""
        params = self._params
        if not (params.max_delay_ms and params.auto_flush and self._waits()):
            return None
        assert self._since is not None
        pending = self._pending().lstrip()
        whole = bool(self._held) or len(pending.split(None, 1)) > 1 or pending[-1].isspace()
        late_at = self._since + params.max_delay_ms / 1_000 * (1 if whole else 2)
        return late_at if dry_at is None else max(late_at, dry_at - LEAD_MARGIN_S)

    def _late_cut(self) -> Boundary:
        end = self._scanner.end
        pending = self._pending()
        if self._held:
            return self._held[-1]
        if not pending[-1].isspace():
            border = phrase_border(pending, 1, self._language)
            if border is not None and _SPEAKABLE.search(pending, 0, border):
                return Boundary(self._start + border, CutKind.WORD)
        return Boundary(end, CutKind.WORD)

    def _waits(self) -> bool:
        return self._is_speakable(self._scanner.end)

    # Bookkeeping.

    def _pending(self) -> str:
        return self._scanner.slice(self._start, self._scanner.end)

    def _is_speakable(self, position: int) -> bool:
        """Whether the pending text has a letter or digit before `position`; no character is searched twice."""
        if self._speakable_at < self._start:
            begin = max(self._start, self._mute_until)
            found = _SPEAKABLE.search(self._scanner.slice(begin, max(begin, position)))
            if found is None:
                self._mute_until = max(begin, position)
                return False
            self._speakable_at = begin + found.start()
        return self._speakable_at < position

    def _emit(self, pieces: list[Piece], cut: Boundary, reason: CutReason) -> None:
        """Make a piece of the pending text up to the cut, and one more at each seam where pushes must not be glued."""
        while self._seams and self._seams[0] <= cut.position:
            seam = self._seams.pop(0)
            if self._start < seam < cut.position:
                self._emit_piece(pieces, Boundary(seam, CutKind.SENTENCE), CutReason.SENTENCE)
        self._emit_piece(pieces, cut, reason)
        self._held = [
            held
            for held in self._held
            if held.position > cut.position and self._is_speakable(held.position)
        ]

    def _emit_piece(self, pieces: list[Piece], cut: Boundary, reason: CutReason) -> None:
        end, kind = cut
        text = self._scanner.slice(self._start, end)
        speakable = self._is_speakable(end)
        pieces.append(Piece(text, self._start, end, kind, reason, speakable))
        self._start = end
        if speakable:
            self._emitted += len(text)
            self._count += 1
        if end == self._scanner.end:
            self._scanner.restart()
        self._measure()

    def _settle(self, pieces: list[Piece], now: float) -> None:
        """After a cut, what is left begins to wait anew."""
        if self._start == self._scanner.end:
            self._since = None
        elif pieces:
            self._since = now


def _is_due(time: float | None, now: float) -> bool:
    return time is not None and time <= now
