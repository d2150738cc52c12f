"""Verdicts follow from the samples alone: what is planted in plain numbers is what is said of them."""

from __future__ import annotations

from itertools import cycle, islice

import pytest

from gateway.bench.compare.claims import first_byte, whole_text
from gateway.bench.compare.question import Judge
from gateway.bench.compare.results import Verdict
from gateway.bench.compare.samples import Sample, figure, figures

REPEATS = 3
NOISE_S = (-0.0002, 0.0, 0.0001, 0.0003, -0.0001)


def around(seconds: float, n: int = 40) -> list[float]:
    """Values that differ a little, with this median."""
    return [seconds + noise for noise in islice(cycle(NOISE_S), n)]


def successive(cold_later: float, kept_later: float) -> list[Sample]:
    b = first_byte
    return [
        {
            (b.COLD, b.TTFB): around(0.005 + cold_later),
            (b.KEPT, b.TTFB): around(0.005 + kept_later),
            (b.WARM, b.TTFB): around(0.005),
            (b.COLD, b.LATER): around(cold_later),
            (b.KEPT, b.LATER): around(kept_later),
        }
    ] * REPEATS


@pytest.mark.parametrize(
    ("cold_later", "kept_later", "verdict"),
    [
        (0.004, 0.002, Verdict.HOLDS),
        (0.004, 0.0, Verdict.HOLDS_WHEN),
        (0.0, 0.0, Verdict.UNDECIDED),
        (-0.001, -0.002, Verdict.DOES_NOT_HOLD),
    ],
)
def test_a_warm_websocket_is_sooner_when_http_is_later(
    cold_later: float, kept_later: float, verdict: Verdict
) -> None:
    found = first_byte.judge_successive(successive(cold_later, kept_later))

    assert found.verdict is verdict
    assert {chart.title for chart in found.charts} == {
        "Time to first byte by connection",
        "Time to first byte on one WebSocket",
    }


def by_length(per_word: float) -> list[Sample]:
    return [
        {(f"{n} words", first_byte.TTFB): around(0.004 + per_word * n) for n in first_byte.WORDS}
    ] * REPEATS


@pytest.mark.parametrize(
    ("per_word", "verdict"),
    [
        (0.0, Verdict.HOLDS),
        (0.00002, Verdict.HOLDS_WHEN),
        (0.001, Verdict.DOES_NOT_HOLD),
    ],
)
def test_the_first_byte_by_length(per_word: float, verdict: Verdict) -> None:
    assert first_byte.judge_length(by_length(per_word)).verdict is verdict


def pairs(first_later: float, last_later: float, same: float = 40) -> list[Sample]:
    w = whole_text
    return [
        {
            (w.HTTP, w.TTFA): around(0.01 + first_later),
            (w.SOCKET, w.TTFA): around(0.01),
            (w.LATER, w.TTFA): around(first_later),
            (w.HTTP, w.LAST): around(0.02 + last_later),
            (w.SOCKET, w.LAST): around(0.02),
            (w.LATER, w.LAST): around(last_later),
            (w.SAME, w.PAIRS): [same],
            (w.HTTP, w.PAIRS): [40.0],
        }
    ] * REPEATS


@pytest.mark.parametrize(
    ("first_later", "last_later", "same", "verdict"),
    [
        (0.0, 0.0, 40, Verdict.HOLDS),
        (0.0, 0.01, 40, Verdict.HOLDS_WHEN),
        (0.01, 0.01, 40, Verdict.DOES_NOT_HOLD),
        (0.01, 0.0, 40, Verdict.UNDECIDED),
        (0.0, 0.0, 39, Verdict.DOES_NOT_HOLD),
    ],
)
def test_http_loses_nothing_unless_it_is_later_or_differs(
    first_later: float, last_later: float, same: float, verdict: Verdict
) -> None:
    assert whole_text.judge(pairs(first_later, last_later, same)).verdict is verdict


@pytest.mark.parametrize(
    "judge", [first_byte.judge_successive, first_byte.judge_length, whole_text.judge]
)
def test_without_samples_nothing_is_decided(judge: Judge) -> None:
    assert judge([]).verdict is Verdict.UNDECIDED


def test_a_figure_is_the_median_of_all_repeats_with_what_percentiles_n_allows() -> None:
    sample: Sample = {("way", "what"): [n / 1_000 for n in range(1, 51)]}

    found = figure([sample, sample], "way", "what")

    assert found is not None
    assert (found.n, found.value) == (100, 25.0)
    assert found.low < 25.0 < found.high
    assert found.percentiles == {"p50": 25.0, "p90": 45.0}
    assert list(figures([sample], "what")) == ["way"]
    assert figure([sample], "way", "other") is None
