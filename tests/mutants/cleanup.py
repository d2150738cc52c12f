"""Planted bugs of the clean-up."""

from __future__ import annotations

from tests.mutants.planting import Planted

TESTS = (
    "tests/core/test_cleanup.py",
    "tests/core/test_cleanup_speech.py",
    "tests/properties/test_cleanup.py",
)

BUGS = (
    Planted(
        "decides-too-early",
        "a rule decides at the end of what is there",
        "gateway/core/cleanup/window.py",
        "return end >= self.stop and not self.whole",
        "return end > self.stop and not self.whole",
        TESTS,
    ),
    Planted(
        "hold-back-unbounded",
        "hold-back unbounded",
        "gateway/core/cleanup/cleaner.py",
        "whole=whole or stop == mark + HELD_CHARS_MAX",
        "whole=whole",
        TESTS,
    ),
    Planted(
        "gap-untold-at-flush",
        "a flush leaves the gap at the end untold",
        "gateway/core/cleanup/cleaner.py",
        "        self._map.end()\n",
        "",
        TESTS,
    ),
    Planted(
        "clear-leaks-source",
        "a clear leaves the dropped text to the next range",
        "gateway/core/cleanup/cleaner.py",
        "        self._map.settle()\n",
        "",
        TESTS,
    ),
    Planted(
        "gap-on-the-wrong-side",
        "a gap goes to the range before it",
        "gateway/core/cleanup/sourcemap.py",
        "            return piece.source_end\n        piece =",
        "            return self._pieces[min(before + 1, len(self._pieces) - 1)].source\n        piece =",
        TESTS,
    ),
    Planted(
        "indic-joiners-dropped",
        "joiners of Indic letters are dropped",
        "gateway/core/cleanup/markdown.py",
        "(?<=[{emoji.EMOJI}{emoji.EXTENDERS}])[{emoji.EXTENDERS}]",
        "[{emoji.EXTENDERS}]",
        TESTS,
    ),
    Planted(
        "number-ends-at-its-dot",
        "a number ends at its dot",
        "gateway/core/cleanup/speech.py",
        "    return None if window.waits(end + separated) else end",
        "    return None if window.waits(end) else end",
        TESTS,
    ),
    Planted(
        "orphan-fence",
        "the end of a cut code block opens another",
        "gateway/core/cleanup/markdown.py",
        'self._orphan = (self._fence or self._orphan) if flushed else ""',
        'self._orphan = ""',
        TESTS,
    ),
    Planted(
        "emphasis-over-paragraphs",
        "emphasis outlives its paragraph",
        "gateway/core/cleanup/markdown.py",
        "        if line is Line.BLANK or line in STARTERS:\n            self._emphasis = inline.Emphasis()\n",
        "",
        TESTS,
    ),
    Planted(
        "product-as-emphasis",
        "a product is emphasis",
        "gateway/core/cleanup/inline.py",
        "            opens = opens and not _PRODUCT.search(window.text, max(0, window.at - 2), window.at)\n",
        "            pass\n",
        TESTS,
    ),
    Planted(
        "map-forgets-too-much",
        "forget forgets one piece too many",
        "gateway/core/cleanup/sourcemap.py",
        "needed = bisect_right(self._pieces, cleaned, key=_cleaned_end) - 1",
        "needed = bisect_right(self._pieces, cleaned, key=_cleaned_end)",
        TESTS,
    ),
    Planted(
        "loose-words",
        "words take the marks around them",
        "gateway/core/cleanup/sourcemap.py",
        "last.source + end - last.cleaned if last.copied else last.source_end",
        "last.source_end",
        TESTS,
    ),
)
