"""From text that arrives a few characters at a time to pieces that an engine can speak.

The scanner says where text may be cut; the segmenter decides which of these places to use. The first piece of an
utterance may be short, because somebody waits for it. Each later piece may be as long as everything before it: as long
as text comes faster than it is spoken, the audio then lasts until the piece is there. Sizes thus depend on the text
alone. Where the guess is wrong, timers help: text leaves before the audio runs dry (reason LEAD), or because it waited
too long (reason TIMER).

Always true: the pieces and the pending text together are exactly what was pushed since the last clear; no piece is
longer than `max_chars`; with `push_boundary` NONE and `release_chars` 0 the pieces that no timer made do not depend on
how the text was split into pushes.
"""

from __future__ import annotations

import re

import msgspec

from gateway.core.boundaries import Scanner
from gateway.core.judge import SentencexJudge
from gateway.core.languages import base_language
from gateway.core.params import Segmentation
from gateway.core.vocabulary import CutKind, CutReason, Preset, PushBoundary

LEAD_MARGIN_S = 0.4
"""Held text leaves so long before the audio runs dry: an engine's first audio and the way to the listener."""
PIECE_SHARE_MIN = 0.4
"""A forced cut leaves at least this share of the longest allowed piece."""

_SPEAKABLE = re.compile(r"[^\W_]")
_LAST_BLANK = re.compile(r"\s+(?=\S*\Z)")
_ENDS_SENTENCE = re.compile(r"[.!?…。！？｡．।॥።፧۔؟؞។៕][\"'”’»)\]}]*\s*\Z")

_TARGET_CHARS = {Preset.LATENCY: 120, Preset.BALANCED: 200, Preset.QUALITY: 250}
_SENTENCE_KINDS = (CutKind.PARAGRAPH, CutKind.SENTENCE)


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
    """Cuts one stream of text. Times are seconds on the caller's clock."""

    def __init__(self, params: Segmentation, language: str) -> None:
        self._scanner = Scanner(SentencexJudge(), base_language(language))
        self._params = params
        self._start = 0
        self._spoken = 0
        self._count = 0
        self._held: list[tuple[int, CutKind]] = []
        self._since: float | None = None
        self._pushed_at = 0.0

    def reconfigure(self, params: Segmentation, language: str) -> None:
        """Use other parameters from here on. Nothing may be pending; offsets continue."""
        assert self.chars_pending == 0
        self._params = params
        self._scanner.use(base_language(language))

    @property
    def chars_pending(self) -> int:
        """Characters pushed and neither emitted nor cleared."""
        return self._scanner.end - self._start

    def push(self, text: str, now: float, *, more: bool = False) -> list[Piece]:
        """Append text; returns the pieces that it completes. `more` = the same push goes on in the next call."""
        if not text:
            return []
        gathered = self.chars_pending + len(text)
        self._pushed_at = now
        if self._since is None:
            self._since = now
        self._scanner.feed(text, self._start)
        pieces = self._advance()
        match self._params.push_boundary:
            case PushBoundary.RELEASE:
                leaves = True
            case PushBoundary.AFTER_TERMINATOR:
                leaves = self._ends_sentence()
            case PushBoundary.NONE:
                leaves = False
        leaves = leaves or 0 < self._params.release_chars <= gathered
        if leaves and not more and self.chars_pending:
            self._emit(pieces, self._scanner.end, CutKind.SENTENCE, CutReason.SENTENCE)
            self._scanner.restart()
        if pieces:
            self._since = now if self.chars_pending else None
        return pieces

    def flush(self, reason: CutReason = CutReason.FLUSH) -> list[Piece]:
        """Everything pending leaves; the next text begins a new utterance. Without pending text, gives nothing."""
        pieces: list[Piece] = []
        if self.chars_pending:
            self._emit(pieces, self._scanner.end, CutKind.SENTENCE, reason)
        self._restart()
        return pieces

    def clear(self) -> str:
        """Drop the pending text and return it; the next text begins a new utterance."""
        dropped = self._scanner.slice(self._start, self._scanner.end)
        self._start = self._scanner.end
        self._restart()
        return dropped

    def deadline(self, dry_at: float | None) -> float | None:
        """When `tick` may next give something; None = not before more text comes.

        `dry_at` is when the audio handed to the player so far will have been played, None = not known.
        """
        times = [time for time, _ in self._due(dry_at)]
        return min(times) if times else None

    def tick(self, now: float, dry_at: float | None) -> list[Piece]:
        """The pieces that leave because of the time. Gives nothing before `deadline`; calling again is fine."""
        pieces: list[Piece] = []
        for time, cut in self._due(dry_at):
            if time <= now and cut is not None and cut[0] > self._start:
                self._emit(pieces, *cut)
                if not self.chars_pending:
                    self._scanner.restart()
        if pieces:
            self._since = now if self.chars_pending else None
        return pieces

    def _restart(self) -> None:
        self._scanner.restart()
        self._spoken = 0
        self._count = 0
        self._held.clear()
        self._since = None

    def _advance(self) -> list[Piece]:
        pieces: list[Piece] = []
        scanner = self._scanner
        while True:
            limit = min(scanner.end, self._start + self._forced_at() + 1)
            boundary = scanner.advance(limit)
            if boundary is not None:
                if boundary.position <= self._start:
                    continue
                self._held.append((boundary.position, boundary.kind))
                if boundary.position - self._start >= self._threshold(boundary.kind):
                    reason = (
                        CutReason.SENTENCE if boundary.kind in _SENTENCE_KINDS else CutReason.CLAUSE
                    )
                    self._emit(pieces, boundary.position, boundary.kind, reason)
            elif limit - self._start > self._forced_at():
                position, kind = self._best_cut(self._forced_at())
                self._emit(pieces, position, kind, CutReason.SIZE)
            else:
                return pieces

    def _forced_at(self) -> int:
        params = self._params
        if self._spoken or not params.auto_flush or params.schedule or params.release_chars:
            return params.max_chars
        return min(params.first_chars_max, params.max_chars)

    def _threshold(self, kind: CutKind) -> int:
        params = self._params
        if not params.auto_flush or params.release_chars:
            return params.max_chars + 1
        sentence = kind in _SENTENCE_KINDS
        if params.schedule:
            minimum = params.schedule[min(self._count, len(params.schedule) - 1)]
            return minimum if sentence else params.max_chars + 1
        if not self._spoken:
            return 2 if sentence else params.first_chars_min
        target = _TARGET_CHARS[params.preset]
        return (params.min_chars or min(self._spoken, target)) if sentence else target

    def _best_cut(self, longest: int) -> tuple[int, CutKind]:
        """The best place for a cut that cannot wait, at most `longest` characters into the pending text."""
        shortest = self._start + int(longest * PIECE_SHARE_MIN)
        limit = self._start + longest
        held = [cut for cut in self._held if shortest <= cut[0] <= limit]
        for kinds in (_SENTENCE_KINDS, (CutKind.SOFT, CutKind.CLAUSE)):
            for cut in reversed(held):
                if cut[1] in kinds:
                    return cut
        text = self._scanner.slice(self._start, limit)
        blank = _LAST_BLANK.search(text)
        if blank is not None and blank.start() > 0:
            return self._start + blank.start(), CutKind.WORD
        return limit, CutKind.GRAPHEME

    def _ends_sentence(self) -> bool:
        text = self._scanner.slice(self._start, self._scanner.end)
        return _ENDS_SENTENCE.search(text, max(0, len(text) - 64)) is not None

    def _due(self, dry_at: float | None) -> list[tuple[float, tuple[int, CutKind, CutReason] | None]]:
        params = self._params
        if not self.chars_pending or self._since is None or not params.auto_flush:
            return []
        due: list[tuple[float, tuple[int, CutKind, CutReason] | None]] = []
        if params.idle_ms and self._ends_sentence():
            idle_at = self._pushed_at + params.idle_ms / 1_000
            due.append((idle_at, (self._scanner.end, CutKind.SENTENCE, CutReason.TIMER)))
        sentences = [cut for cut in self._held if cut[1] in _SENTENCE_KINDS]
        if self._spoken and sentences and dry_at is not None:
            due.append((dry_at - LEAD_MARGIN_S, (*sentences[-1], CutReason.LEAD)))
        if params.max_delay_ms:
            late_at = self._since + params.max_delay_ms / 1_000
            if dry_at is not None:
                late_at = max(late_at, dry_at - LEAD_MARGIN_S)
            due.append((late_at, (*self._best_cut(self.chars_pending), CutReason.TIMER)))
        return due

    def _emit(self, pieces: list[Piece], end: int, kind: CutKind, reason: CutReason) -> None:
        text = self._scanner.slice(self._start, end)
        speakable = _SPEAKABLE.search(text) is not None
        pieces.append(Piece(text, self._start, end, kind, reason, speakable))
        self._start = end
        if speakable:
            self._spoken += len(text)
            self._count += 1
        self._held = [cut for cut in self._held if cut[0] > end]
