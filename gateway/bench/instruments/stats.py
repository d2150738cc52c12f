"""Figures that a sceptic accepts: percentiles only from enough samples, and intervals over repeats.

Latencies are kept in HDR histograms (three significant digits, one microsecond to one hour), which merge without loss
across workers and runs. A percentile p is told only from n >= 10/(1-p) samples, so that at least ten lie beyond it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)
BEYOND_MIN = 10
"""So many samples must lie beyond a percentile for it to be told."""
LATENCY_S_MAX = 3_600.0
SIGNIFICANT_DIGITS = 3
BOOTSTRAP_ROUNDS = 2_000
CONFIDENCE = 0.95
_PER_SECOND = 1e6
"""Histograms count microseconds."""

Statistic = Callable[[Sequence[float]], float]


def percentile_is_known(count: int, percentile: float) -> bool:
    """Whether `count` samples are enough to tell this percentile (in percent)."""
    return round(count * (100 - percentile) / 100, 9) >= BEYOND_MIN


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that is not below `percent` of all: nearest rank, never an invention between two samples.

    Needs at least one value. It does not ask whether there are enough.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    return float(np.percentile(ordered, percent, method="inverted_cdf"))


class Latencies:
    """Latencies of one kind. Add them, merge them, and read what their number allows."""

    def __init__(self, seconds: Iterable[float] = ()) -> None:
        self._histogram = HdrHistogram(1, round(LATENCY_S_MAX * _PER_SECOND), SIGNIFICANT_DIGITS)
        self._sum_s = 0.0
        for value in seconds:
            self.add(value)

    def add(self, seconds: float) -> None:
        """Record one latency. What is longer than `LATENCY_S_MAX` counts as that; a negative one is our bug."""
        assert seconds >= 0, f"a latency of {seconds} s"
        self._histogram.record_value(round(min(seconds, LATENCY_S_MAX) * _PER_SECOND))
        self._sum_s += seconds

    def merge(self, other: Latencies) -> None:
        """Take over all that `other` holds."""
        self._histogram.add(other._histogram)
        self._sum_s += other._sum_s

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self._histogram.get_total_count())

    def summary(self) -> Summary:
        """What can be told about them."""
        if self.count == 0:
            return Summary(0, None, None, {})
        return Summary(
            count=self.count,
            mean_ms=self._sum_s / self.count * 1e3,
            max_ms=self._histogram.get_max_value() / 1e3,
            percentiles_ms={
                f"p{percent:g}": self._histogram.get_value_at_percentile(percent) / 1e3
                for percent in PERCENTILES
                if percentile_is_known(self.count, percent)
            },
        )

    def encoded(self) -> str:
        """The histogram in HdrHistogram's compressed base64 form (microseconds), which its other tools read."""
        return bytes(self._histogram.encode()).decode()


class Summary(msgspec.Struct, frozen=True):
    """What can be told about some latencies; `percentiles_ms` holds only those that `count` allows."""

    count: int
    mean_ms: float | None
    max_ms: float | None
    percentiles_ms: dict[str, float]


class Interval(msgspec.Struct, frozen=True):
    """A figure and the interval that it lies in with `CONFIDENCE`."""

    value: float
    low: float
    high: float


def bootstrap(
    repeats: Sequence[Sequence[float]],
    statistic: Statistic,
    *,
    seed: int,
    rounds: int = BOOTSTRAP_ROUNDS,
) -> Interval:
    """The statistic of all values of all repeats, with its bootstrap interval. The same seed gives the same interval.

    Runs differ more than the values of one run, so both are drawn with replacement: first runs, then values of each.
    Needs at least one repeat, and a value in each.
    """
    chance = np.random.default_rng(seed)
    runs = [np.asarray(run, dtype=np.float64) for run in repeats]
    drawn = [
        statistic(
            np.concatenate(
                [
                    # What `choice` does, without its checks of each draw, which take most of its time.
                    runs[i][chance.integers(len(runs[i]), size=len(runs[i]))]
                    for i in chance.integers(len(runs), size=len(runs))
                ]
            )  # type: ignore[arg-type]
        )
        for _ in range(rounds)
    ]
    tail = (1 - CONFIDENCE) / 2 * 100
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Interval(statistic(np.concatenate(runs)), float(low), float(high))  # type: ignore[arg-type]


def change_of_medians(
    old: Sequence[Sequence[float]],
    new: Sequence[Sequence[float]],
    *,
    seed: int,
    rounds: int = BOOTSTRAP_ROUNDS,
) -> Interval:
    """The median of all values of `new` less that of `old`, with its bootstrap interval, both drawn as in `bootstrap`.

    Needs of each at least one repeat, and a value in each.
    """
    chance = np.random.default_rng(seed)
    before, after = _medians_drawn(old, chance, rounds), _medians_drawn(new, chance, rounds)
    tail = (1 - CONFIDENCE) / 2 * 100
    low, high = np.percentile(after - before, [tail, 100 - tail])
    value = percentile([v for run in new for v in run], 50) - percentile(
        [v for run in old for v in run], 50
    )
    return Interval(value, float(low), float(high))


def _medians_drawn(
    repeats: Sequence[Sequence[float]], chance: np.random.Generator, rounds: int
) -> NDArray[np.float64]:
    """So many medians by nearest rank, each of as many runs drawn, and as many values of each. One row of a matrix each."""
    sizes = np.array([len(run) for run in repeats])
    values = np.full((len(repeats), sizes.max()), np.inf)
    for number, run in enumerate(repeats):
        values[number, : len(run)] = run
    runs = chance.integers(len(repeats), size=(rounds, len(repeats)))
    drawn_sizes = sizes[runs][:, :, np.newaxis]
    which = (chance.random((rounds, len(repeats), sizes.max())) * drawn_sizes).astype(np.intp)
    drawn = values[runs[:, :, np.newaxis], which]
    drawn[np.broadcast_to(np.arange(sizes.max()), drawn.shape) >= drawn_sizes] = np.inf
    drawn = np.sort(drawn.reshape(rounds, -1), axis=1)
    middle = (drawn_sizes.sum(axis=(1, 2)) + 1) // 2 - 1
    medians: NDArray[np.float64] = drawn[np.arange(rounds), middle]
    return medians
