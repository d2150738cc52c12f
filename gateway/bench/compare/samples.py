"""From samples to figures, and from figures to a relation that a verdict can stand on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

from gateway.bench.compare.results import Figure
from gateway.bench.instruments.stats import (
    PERCENTILES,
    Latencies,
    Statistic,
    bootstrap,
    percentile,
    percentile_is_known,
)

Sample = dict[tuple[str, str], list[float]]
"""Of one repeat: the values of a quantity of a way, as (way, quantity)."""

SEED = 1
ROUNDS = 1_000
SLACK_MS = 2.0
SLACK_SHARE = 0.05
"""Within so much of the sooner one, in either way, nobody notices who was later."""


def median(values: Sequence[float]) -> float:
    """The middle value by nearest rank, as `percentile` has it, in a tenth of the time: it is taken a thousand times for
    each figure."""
    middle = (len(values) - 1) // 2
    return float(np.partition(np.asarray(values, dtype=np.float64), middle)[middle])


def figure(
    repeats: Sequence[Sample],
    way: str,
    quantity: str,
    unit: str = "ms",
    scale: float = 1_000.0,
    statistic: Statistic = median,
) -> Figure | None:
    """The median, or another statistic, with its interval; None where nothing was measured. `scale` takes values to `unit`."""
    runs = [[_rounded(v * scale) for v in sample.get((way, quantity), [])] for sample in repeats]
    runs = [run for run in runs if run]
    if not runs:
        return None
    values = list(chain.from_iterable(runs))
    interval = bootstrap(runs, statistic, seed=SEED, rounds=ROUNDS)
    latencies = None
    if unit == "ms" and min(values) >= 0:
        latencies = Latencies(value / 1e3 for value in values)
    return Figure(
        way,
        quantity,
        unit,
        len(values),
        interval.value,
        interval.low,
        interval.high,
        _percentiles(values) if latencies is None else latencies.summary().percentiles_ms,
        runs if statistic is median else [[statistic(run)] for run in runs],
        "" if latencies is None else latencies.encoded(),
    )


def _rounded(value: float) -> float:
    """Six significant digits: more than any clock knows, and short to write."""
    return float(f"{value:.6g}")


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    """Of values that no histogram holds: counts, shares, differences that may be negative."""
    return {
        f"p{percent:g}": percentile(values, percent)
        for percent in PERCENTILES
        if percentile_is_known(len(values), percent)
    }


def figures(
    repeats: Sequence[Sample],
    quantity: str,
    unit: str = "ms",
    scale: float = 1_000.0,
    ways: Iterable[str] | None = None,
    statistic: Statistic = median,
) -> dict[str, Figure]:
    """By way, in order of appearance, what has values of this quantity."""
    if ways is None:
        ways = dict.fromkeys(way for sample in repeats for way, what in sample if what == quantity)
    found = {way: figure(repeats, way, quantity, unit, scale, statistic) for way in ways}
    return {way: one for way, one in found.items() if one is not None}


def total(repeats: Sequence[Sample], way: str, quantity: str) -> float:
    """The sum of all values."""
    return sum(sum(sample.get((way, quantity), [])) for sample in repeats)


def is_below(one: Figure, other: Figure) -> bool:
    """Whether the intervals are apart, with `one` the smaller."""
    return one.high < other.low


def is_no_more_than(one: Figure, other: Figure, margin: float) -> bool:
    """Whether, by their intervals, `one` exceeds `other` by at most `margin`."""
    return one.high - other.low <= margin


def slack(sooner: Figure) -> float:
    """By how much one may be later than this, in its unit (ms), and still be level with it."""
    return max(SLACK_MS, SLACK_SHARE * sooner.value)


def told(one: Figure) -> str:
    """A figure in words: value and interval."""
    return f"{short(one.value)} {one.unit} ({short(one.low)} to {short(one.high)})"


def short(value: float) -> str:
    """Three significant digits."""
    return f"{value:.3g}" if abs(value) < 1_000 else f"{value:,.0f}"
