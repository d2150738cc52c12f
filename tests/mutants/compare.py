"""Planted bugs of the comparison and its instruments: figures that would flatter, verdicts that would be too quick."""

from __future__ import annotations

from tests.mutants.planting import Planted

CLAIMS = ("tests/bench/test_compare_claims.py",)
PLAYOUT = ("tests/bench/test_playout.py",)
STATS = ("tests/bench/test_stats.py",)
METRICS = ("tests/bench/test_metrics.py",)

BUGS = (
    Planted(
        "percentile-from-too-few",
        "a percentile is told with one value beyond it",
        "gateway/bench/instruments/stats.py",
        ", 9) >= BEYOND_MIN\n",
        ", 9) >= 1\n",
        STATS,
    ),
    Planted(
        "runs-all-alike",
        "intervals are drawn over values alone, as if all were of one run",
        "gateway/bench/instruments/stats.py",
        "                    for i in chance.integers(len(runs), size=len(runs))\n",
        "                    for i in range(len(runs))\n",
        STATS,
    ),
    Planted(
        "stall-from-the-start",
        "a stall is counted from when playback began",
        "gateway/bench/instruments/playout.py",
        "            stalls.append(at - playhead)\n",
        "            stalls.append(at - start)\n",
        PLAYOUT,
    ),
    Planted(
        "piece-there-too-early",
        "a regrouped piece is there when its first part is",
        "gateway/bench/instruments/playout.py",
        "ends[len(found)] <= there:\n",
        "(ends[len(found) - 1] if found else 0) < there:\n",
        PLAYOUT,
    ),
    Planted(
        "unheard-without-what-came-late",
        "audio that came after an interruption was not received in vain",
        "gateway/bench/instruments/metrics.py",
        "unheard_s=unplayed_s + sum(arrival.duration for arrival in late),",
        "unheard_s=unplayed_s,",
        METRICS,
    ),
    Planted(
        "commit-from-the-first-character",
        "a commit delay is counted from the first text",
        "gateway/bench/instruments/metrics.py",
        "timeline.sent[bisect_left(ends, text_end)].at)",
        "timeline.sent[0].at)",
        METRICS,
    ),
    Planted(
        "verdict-from-values",
        "the smaller value wins, whatever the intervals",
        "gateway/bench/compare/samples.py",
        "    return one.high < other.low\n",
        "    return one.value < other.value\n",
        CLAIMS,
    ),
    Planted(
        "halved-in-the-mean",
        "stalls are halved when their means are",
        "gateway/bench/compare/claims/smoothing.py",
        "    return with_chunks.high < without.low / 2\n",
        "    return with_chunks.value < without.value / 2\n",
        CLAIMS,
    ),
    Planted(
        "open-is-level",
        "a case that is not decided counts as one that does not hold",
        "gateway/bench/compare/claims/pieces.py",
        "Verdict.UNDECIDED if self.open or not self.level else",
        "Verdict.UNDECIDED if not self.level and not self.open else",
        CLAIMS,
    ),
    Planted(
        "complete-by-itself",
        "audio over HTTP is complete whatever the other protocol announced",
        "gateway/bench/compare/claims/whole_text.py",
        "    return found.is_complete and found.decoded == announced\n",
        "    return found.is_complete\n",
        CLAIMS,
    ),
    Planted(
        "failures-forgiven",
        "utterances that failed leave the verdict as it is",
        "gateway/bench/compare/harness.py",
        "    if sum(lab.failures.values()) > FAILED_SHARE_MAX * lab.utterances:\n",
        "    if lab.utterances < 0:\n",
        CLAIMS,
    ),
    Planted(
        "late-harness-believed",
        "a harness that was late is believed",
        "gateway/bench/compare/lab.py",
        "cpu / wall if wall else 0.0, p99 <= LAG_P99_MS_MAX)",
        "cpu / wall if wall else 0.0, True)",
        CLAIMS,
    ),
)
