"""Prints how well streamed text is cut: `make segmentation`, or `python -m tests.segmentation.evaluate`.

Segmenters: ours beside those peers that are installed (`make peers`). On the treebanks without Thai: precision, recall
and F1 of sentence ends, false splits, the delay in characters, and processor time; then the golden rules that are exactly
right, and on GPT-4's answers the characters fed before the first piece leaves, the longest piece, and the texts whose
pieces join to the text again. Sets: ours, one by one. Pieces: what the presets make of the answers. Phrases: how many
blanks of long English sentences are inside a tight phrase, and how many first cuts. Speed: beside one pass
of the judge over the same text, by length of the text, and for the slices that long messages are cut in.

Only the times differ from run to run.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from functools import partial

import sentencex

from gateway.core.intake import Intake
from gateway.core.params import PRESETS, Segmentation, TextSettings
from gateway.core.segmenter import Segmenter
from gateway.core.vocabulary import Cleanup
from gateway.runtime.speaker import SLICE_CHARS
from tests.segmentation.measure import (
    Cutter,
    Score,
    Sizes,
    blank_cuts,
    first_cuts,
    is_pooled,
    ours,
    percentile,
    phrases,
    pool,
    score_all,
    sets,
    sizes_all,
)
from tests.segmentation.peers import PEERS
from tests.support.floods import HARD, MARKUP, flood

JUDGE_CHARS_MAX = 8_000
"""The judge loses line ends between its own pieces of more than 10 kB."""
LENGTHS = (25_000, 100_000)
FLOOD_CHARS = 20_000
BLANKS_BEFORE = (40, 60, 100, 150)
OURS = "speech gateway"


def main() -> None:
    """Print the tables."""
    _segmenters()
    _sets()
    _pieces()
    _phrases()
    _speed()
    _slices()


def _row(*cells: object) -> None:
    sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")
    sys.stdout.flush()


def _head(*cells: str) -> None:
    sys.stdout.write("\n")
    _row(*cells)
    _row(*["---"] * len(cells))


def _delays(score: Score) -> str:
    delays = score.delays
    mean = sum(delays) / max(1, len(delays))
    p95, p99 = percentile(delays, 0.95), percentile(delays, 0.99)
    return f"{mean:.1f} {p95} {p99} {max(delays, default=0)}"


def _segmenters() -> None:
    _head(
        "treebanks, golden rules, GPT-4",
        "P / R / F1",
        "false",
        "delay mean p95 p99 max",
        "golden en",
        "other",
        "first fed mean p95 max",
        "longest",
        "exact texts",
        "µs/char",
    )
    _segmenter(OURS, ours(), ours(Segmentation()))
    missing = []
    for name, make in PEERS.items():
        try:
            cutter = make()
        except ImportError as error:
            missing.append(f"{name} ({error.name})")
        else:
            _segmenter(name, cutter, cutter)
    if missing:
        sys.stdout.write(f"Not installed: {', '.join(missing)}. `make peers` installs them.\n")


def _segmenter(name: str, sentences: Cutter, answers: Cutter) -> None:
    pooled = pool(
        {name: score_all(cases, sentences) for name, cases in sets().items() if is_pooled(name)}
    )
    english = score_all(sets()["golden_english"], sentences)
    other = score_all(sets()["golden_other"], sentences)
    sizes = sizes_all(sets()["llm_mtbench"], answers)
    _row(
        name,
        f"{pooled.precision:.3f} / {pooled.recall:.3f} / {pooled.f1:.3f}",
        pooled.false,
        _delays(pooled),
        f"{english.exact}/{english.cases}",
        f"{other.exact}/{other.cases}",
        _first_fed(sizes),
        sizes.longest,
        f"{sizes.lossless}/{len(sizes.first_fed)}",
        f"{pooled.micros:.2f}",
    )


def _sets() -> None:
    _head("set", "P / R / F1", "false", "missed", "exact", "delay mean p95 p99 max", "kept")
    for name, cases in sets().items():
        if name == "llm_mtbench":
            continue
        score = score_all(cases)
        _row(
            name,
            f"{score.precision:.3f} / {score.recall:.3f} / {score.f1:.3f}",
            score.false,
            score.misses,
            f"{score.exact}/{score.cases}",
            _delays(score),
            f"{100 * score.lossless / score.cases:.0f} %",
        )


def _first_fed(sizes: Sizes) -> str:
    fed = sizes.first_fed
    return f"{sum(fed) / len(fed):.1f} {percentile(fed, 0.95)} {max(fed)}"


def _pieces() -> None:
    _head("GPT-4", "first fed mean p95 max", "first chars", "later mean", "longest", "kept")
    for preset, params in PRESETS.items():
        sizes = sizes_all(sets()["llm_mtbench"], ours(params))
        _row(
            preset,
            _first_fed(sizes),
            f"{min(sizes.first_chars)}-{max(sizes.first_chars)}",
            f"{sum(sizes.later_chars) / len(sizes.later_chars):.1f}",
            sizes.longest,
            f"{100 * sizes.lossless / len(sizes.first_fed):.0f} %",
        )


def _phrases() -> None:
    _head("English", "cuts", "inside a tight phrase")
    every = [at in gaps.tight for gaps in phrases() for at in gaps.all]
    rows = {"any blank": every}
    rows |= {f"the last blank before {chars}": blank_cuts(chars) for chars in BLANKS_BEFORE}
    rows |= {f"ours, {preset}": first_cuts(params) for preset, params in PRESETS.items()}
    for name, cuts in rows.items():
        _row(name, f"{len(cuts):,}", f"{100 * sum(cuts) / len(cuts):.1f} %")


def _speed() -> None:
    english = " ".join(case.text for case in sets()["ud_english_pud"])
    chinese = "".join(case.text for case in sets()["ud_chinese_pud"])
    _head("µs per character", "judge", "one push", "x judge", "4 characters a push")
    for name, text, language in (("English", english, "en"), ("Chinese", chinese, "zh")):
        judge = _micros(partial(_judge, language), text)
        once = _micros(partial(_push, language, len(text)), text)
        tokens = _micros(partial(_push, language, 4), text)
        _row(name, f"{judge:.3f}", f"{once:.3f}", f"{once / judge:.1f}", f"{tokens:.3f}")
    _head("µs per character, one push", *(f"{chars:,}" for chars in LENGTHS), "ratio")
    for name, unit in HARD.items():
        short, long = (
            _micros(partial(_push, "en", chars), flood(unit, chars)) for chars in LENGTHS
        )
        _row(name, f"{short:.3f}", f"{long:.3f}", f"{long / short:.2f}")


def _micros(work: Callable[[str], None], text: str) -> float:
    best = float("inf")
    for _ in range(3):
        begin = time.process_time()
        work(text)
        best = min(best, time.process_time() - begin)
    return best / len(text) * 1e6


def _judge(language: str, text: str) -> None:
    for start in range(0, len(text), JUDGE_CHARS_MAX):
        sentencex.segment(language, text[start : start + JUDGE_CHARS_MAX])


def _push(language: str, chars: int, text: str) -> None:
    segmenter = Segmenter(Segmentation(), language)
    for start in range(0, len(text), chars):
        segmenter.push(text[start : start + chars], 0.0)
    segmenter.flush()


def _slices() -> None:
    """The slowest slice of each text, cut three times. What stands in memory before is out of the garbage collector's
    sight, as it is in the server."""
    gc.collect()
    gc.freeze()
    _head("ms per slice", *Cleanup)
    slowest = {
        (name, mode): max(_slowest_slice(flood(unit, FLOOD_CHARS), mode) for _ in range(3))
        for name, unit in (HARD | MARKUP).items()
        for mode in Cleanup
    }
    _row("prose", *(f"{slowest['prose', mode]:.2f}" for mode in Cleanup))
    worst = [
        max((ms, name) for (name, mode), ms in slowest.items() if mode is of) for of in Cleanup
    ]
    _row("worst", *(f"{ms:.2f} ({name})" for ms, name in worst))


def _slowest_slice(text: str, mode: Cleanup) -> float:
    intake = Intake(TextSettings(language="en", cleanup=mode))
    slowest = 0.0
    for start in range(0, len(text), SLICE_CHARS):
        begin = time.process_time()
        intake.push(text[start : start + SLICE_CHARS], 0.0, more=True)
        slowest = max(slowest, time.process_time() - begin)
    return slowest * 1_000


if __name__ == "__main__":
    main()
