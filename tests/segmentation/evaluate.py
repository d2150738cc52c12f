"""Prints how well streamed text is cut, set by set: `python -m tests.segmentation.evaluate`.

Boundaries: precision, recall and F1 of sentence ends, false splits, cases that are exactly right, and the delay in
characters (mean, 95th, 99th percentile, largest). Pieces: characters fed before the first piece leaves, its length, the
mean length of the later ones, the longest. Speed: processor time per character, beside one pass of the judge over the
same text; the only figures here that differ from run to run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import sentencex

from gateway.core.params import PRESETS, Segmentation
from gateway.core.segmenter import Segmenter
from tests.segmentation.measure import (
    Sizes,
    percentile,
    pool,
    score_all,
    sets,
    sizes_all,
)

JUDGE_CHARS_MAX = 8_000
"""The judge loses line ends between its own pieces of more than 10 kB."""


def main() -> None:
    """Print the table."""
    _boundaries()
    _pieces()
    _speed()


def _print(*columns: object) -> None:
    sys.stdout.write("  ".join(str(column) for column in columns) + "\n")


def _boundaries() -> None:
    _print(
        f"{'sentence ends, streamed':26}",
        "    P     R    F1  false missed    exact  delay p95 p99 max  kept",
    )
    scores = {name: score_all(cases) for name, cases in sets().items() if name != "llm_mtbench"}
    scores["UD without Thai"] = pool(scores)
    for name, score in scores.items():
        delays = score.delays
        mean = sum(delays) / max(1, len(delays))
        _print(
            f"{name:26}",
            f"{score.precision:.3f} {score.recall:.3f} {score.f1:.3f}",
            f"{score.false:5} {score.misses:6}",
            f"{score.exact:4}/{score.cases:<4}",
            f"{mean:4.1f} {percentile(delays, 0.95):3} {percentile(delays, 0.99):3} {max(delays, default=0):3}",
            f"{100 * score.lossless / score.cases:.0f}%",
        )


def _pieces() -> None:
    _print()
    _print(f"{'pieces of GPT-4 answers':26}", "first fed p95 max  chars  later  longest  kept")
    for preset, params in PRESETS.items():
        sizes: Sizes = sizes_all(sets()["llm_mtbench"], params)
        fed = sizes.first_fed
        _print(
            f"{preset:26}",
            f"{sum(fed) / len(fed):9.1f} {percentile(fed, 0.95):3} {max(fed):3}",
            f"{min(sizes.first_chars)}-{max(sizes.first_chars)}",
            f"{sum(sizes.later_chars) / len(sizes.later_chars):6.1f} {sizes.longest:7}",
            f"{100 * sizes.lossless / len(fed):5.0f}%",
        )


def _speed() -> None:
    texts = {
        "English": " ".join(case.text for case in sets()["ud_english_pud"])[:100_000],
        "Chinese": "".join(case.text for case in sets()["ud_chinese_pud"]),
    }
    _print()
    _print(f"{'µs per character':26}", "judge  one push  (x judge)  4 characters a push")
    for name, text in texts.items():
        lang = {"English": "en", "Chinese": "zh"}[name]
        judge = _micros(lambda: _judge(lang, text), text)  # noqa: B023  (called at once)
        once = _micros(lambda: _push(lang, text, len(text)), text)  # noqa: B023
        tokens = _micros(lambda: _push(lang, text, 4), text)  # noqa: B023
        _print(f"{name:26}", f"{judge:.3f}  {once:8.3f}  {once / judge:9.1f}  {tokens:.3f}")


def _micros(work: Callable[[], None], text: str) -> float:
    best = float("inf")
    for _ in range(3):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best / len(text) * 1e6


def _judge(lang: str, text: str) -> None:
    for start in range(0, len(text), JUDGE_CHARS_MAX):
        sentencex.segment(lang, text[start : start + JUDGE_CHARS_MAX])


def _push(lang: str, text: str, chars: int) -> None:
    segmenter = Segmenter(Segmentation(), lang)
    for start in range(0, len(text), chars):
        segmenter.push(text[start : start + chars], 0.0)
    segmenter.flush()


if __name__ == "__main__":
    main()
