"""Percentiles that say no more than the samples know."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

TAIL_SAMPLES_MIN = 5
"""A percentile is given when at least so many samples lie beyond it; fewer make it an anecdote."""


class Latency(msgspec.Struct, frozen=True):
    """The distribution of `n` times in milliseconds; a percentile that n is too small for is None."""

    n: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None


def latency(times_ms: Sequence[float]) -> Latency:
    """Sum up times, in any order."""
    ordered = sorted(times_ms)

    def percentile(share: float) -> float | None:
        return nearest_rank(ordered, share) if enough(len(ordered), share) else None

    return Latency(
        len(ordered),
        nearest_rank(ordered, 0.5) if ordered else None,
        percentile(0.95),
        percentile(0.99),
        ordered[-1] if ordered else None,
    )


def enough(n: int, share: float) -> bool:
    """Whether n samples have a percentile of this share."""
    return round(n * (1 - share), 6) >= TAIL_SAMPLES_MIN


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` of all do not exceed. `ordered` ascends and has at least one."""
    return ordered[max(0, math.ceil(round(share * len(ordered), 6)) - 1)]


def ratio(value: float | None, base: float | None) -> float | None:
    """`value` in units of `base`; None where one of them is missing or there is nothing to divide by."""
    return value / base if value is not None and base else None
