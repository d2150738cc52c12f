"""A short soak: nothing is left of a few hundred sessions; `python -m tests.chaos sessions` has ten thousand."""

from __future__ import annotations

import random

import pytest

from tests.chaos.serving import at_rest, espeak_gateway
from tests.chaos.slopes import slope
from tests.chaos.soaking import SETTINGS, soak


@pytest.mark.chaos
@pytest.mark.socket
@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_nothing_is_left_of_any_session() -> None:
    async with espeak_gateway(**SETTINGS) as gateway:
        before = await at_rest(gateway)
        soaked = await soak(gateway, 120, 60, 11, lambda look: None)
    assert len(soaked.kinds) >= 6
    assert [look.vitals for look in soaked.looks] == [before] * 2


def test_a_slope_is_found_in_noise() -> None:
    chance = random.Random(1)
    sessions = list(range(250, 10_001, 250))
    leak = [100 + 0.02 * at + chance.gauss(0, 20) for at in sessions]
    found = slope(sessions, leak)
    assert found.is_growth
    assert found.low < 20 < found.high


@pytest.mark.parametrize("seed", range(20))
def test_and_none_where_there_is_only_noise_or_memory_of_it(seed: int) -> None:
    """Errors whose neighbours are alike would look like growth to who takes them for independent."""
    chance = random.Random(seed)
    sessions = list(range(250, 10_001, 250))
    values, drift = [], 0.0
    for _ in sessions:
        drift = 0.6 * drift + chance.gauss(0, 10)
        values.append(500 + drift)
    found = slope(sessions, values)
    assert found.low < found.per_thousand < found.high
    assert found.low < 3, "at most one in twenty is taken for growth, and then for little"


def test_what_never_changes_has_no_slope() -> None:
    assert slope(list(range(10)), [24.0] * 10).per_thousand == pytest.approx(0)
    assert not slope(list(range(10)), [24.0] * 10).is_growth


def test_the_warm_up_does_not_count() -> None:
    sessions = list(range(250, 10_001, 250))
    values = [min(at, 1_900) / 10 for at in sessions]
    assert not slope(sessions, values).is_growth
