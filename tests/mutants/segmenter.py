"""Planted bugs of the segmenter."""

from __future__ import annotations

from tests.mutants.planting import Planted

TESTS = ("tests/core/test_segmenter.py", "tests/properties/test_segmenter_properties.py")
SEGMENTER = "gateway/core/segmenter.py"

BUGS = (
    Planted(
        "character-lost-at-cut",
        "the character behind a cut is swallowed",
        SEGMENTER,
        "        self._start = end\n        if speakable:\n",
        "        self._start = min(end + 1, self._scanner.end)\n        if speakable:\n",
        TESTS,
    ),
    Planted(
        "boundary-per-push",
        "a push that ends like a sentence is one, whatever follows",
        SEGMENTER,
        "        if self._push_counts and not more and self._start < scanner.end:\n            self._end_push(pieces)\n",
        "        if self._start < scanner.end and scanner.is_complete():\n            self._emit(pieces, Boundary(scanner.end, CutKind.SENTENCE), CutReason.SENTENCE)\n",
        TESTS,
    ),
    Planted(
        "slices-are-pushes",
        "a push that comes in slices is several",
        SEGMENTER,
        "        if self._push_counts and not more and self._start < scanner.end:\n",
        "        if self._push_counts and self._start < scanner.end:\n",
        ("tests/core/test_intake.py",),
    ),
    Planted(
        "possessives-forgotten",
        "a phrase may end in a possessive",
        "gateway/core/phrase_border.py",
        "    if last in habits.leaning or last.endswith(habits.leaning_ends):\n",
        "    if last in habits.leaning:\n",
        ("tests/core/test_phrase_border.py",),
    ),
    Planted(
        "any-phrase-border",
        "the last blank is as good as any",
        "gateway/core/phrase_border.py",
        "        if rank >= best_rank:\n",
        "        if True:\n",
        ("tests/segmentation/test_thresholds.py",),
    ),
    Planted(
        "cap-forgotten",
        "the first piece may grow beyond the cap",
        SEGMENTER,
        "            self._longest = min(self._longest, self._params.max_chars)\n",
        "",
        TESTS,
    ),
    Planted(
        "flush-leaves-text",
        "a flush keeps what is no sentence",
        SEGMENTER,
        "        if self.chars_pending:\n            self._emit(pieces, Boundary(self._scanner.end, CutKind.SENTENCE), reason)\n",
        "        if self._scanner.is_complete():\n            self._emit(pieces, Boundary(self._scanner.end, CutKind.SENTENCE), reason)\n",
        TESTS,
    ),
    Planted(
        "clear-keeps-text",
        "a clear reports the pending text and keeps it",
        SEGMENTER,
        "        dropped = self._pending()\n        self._start = self._scanner.end\n",
        "        dropped = self._pending()\n",
        TESTS,
    ),
    Planted(
        "timers-without-end",
        "the clock of the oldest text runs on after a cut",
        SEGMENTER,
        "        if self._start == self._scanner.end:\n            self._since = None\n",
        "        if self._start == self._scanner.end:\n            pass\n",
        ("tests/core/test_session.py",),
    ),
    Planted(
        "auto-flush-ignored",
        "sentences leave although nothing may before a flush",
        SEGMENTER,
        "        if not params.auto_flush or params.release_chars:\n            return\n",
        "        if params.release_chars:\n            return\n",
        TESTS,
    ),
    Planted(
        "graphemes-torn",
        "a boundary may fall into a grapheme cluster",
        SEGMENTER,
        "        if border_before(around, len(around) - 1) < len(around) - 1:\n            return\n",
        "",
        TESTS,
    ),
    Planted(
        "mute-pieces",
        "a piece may be cut before it has anything to speak",
        SEGMENTER,
        "        if length <= 0 or not self._is_speakable(cut.position):\n",
        "        if length <= 0:\n",
        TESTS,
    ),
    Planted(
        "growth-forgotten",
        "later pieces are as short as the first",
        SEGMENTER,
        "            self._sentence_from = params.min_chars or grown\n",
        "            self._sentence_from = params.min_chars or 1\n",
        TESTS,
    ),
    Planted(
        "looks-at-what-has-arrived",
        "a boundary is used only if more text is already there",
        SEGMENTER,
        "            boundary = scanner.advance(min(end, beyond))\n            if boundary is not None:\n",
        "            boundary = scanner.advance(min(end, beyond))\n            if boundary is not None and boundary.position + 3 < end:\n",
        TESTS,
    ),
)
