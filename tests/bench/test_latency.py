"""Percentiles."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from gateway.bench.latency import enough, latency, nearest_rank, ratio

TIMES = st.lists(st.floats(min_value=0, max_value=1e6), min_size=1, max_size=2_000)


@pytest.mark.parametrize(
    ("share", "value"), [(0.01, 1), (0.5, 50), (0.501, 51), (0.95, 95), (0.99, 99), (1.0, 100)]
)
def test_the_percentile_is_a_sample_by_nearest_rank(share: float, value: int) -> None:
    assert nearest_rank(range(1, 101), share) == value


@given(TIMES, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_at_least_the_share_lies_at_or_below_and_no_smaller_sample_does(
    times: list[float], share: float
) -> None:
    found = nearest_rank(sorted(times), share)

    assert sum(time <= found for time in times) >= round(share * len(times), 6)
    assert sum(time < found for time in times) < round(share * len(times), 6)


@pytest.mark.parametrize(
    ("n", "has_p95", "has_p99"),
    [
        (1, False, False),
        (99, False, False),
        (100, True, False),
        (499, True, False),
        (500, True, True),
    ],
)
def test_a_percentile_needs_samples_beyond_it(n: int, has_p95: bool, has_p99: bool) -> None:
    found = latency([float(i) for i in range(n)])

    assert (found.p95_ms is not None, found.p99_ms is not None) == (has_p95, has_p99)
    assert (enough(n, 0.95), enough(n, 0.99)) == (has_p95, has_p99)
    assert found.max_ms == n - 1


def test_no_samples_say_nothing() -> None:
    found = latency([])

    assert (found.n, found.p50_ms, found.max_ms) == (0, None, None)


def test_a_ratio_needs_both_sides() -> None:
    assert ratio(3.0, 2.0) == 1.5
    assert ratio(None, 2.0) is None
    assert ratio(3.0, None) is None
    assert ratio(3.0, 0.0) is None
