"""kill -9 of what speaks, while many listen."""

from __future__ import annotations

import pytest

from tests.chaos.killing import massacre

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.socket,
    pytest.mark.slow,
    pytest.mark.timeout(180),
]


@pytest.mark.timeout(180)
async def test_listeners_hear_nothing_of_it_or_are_told() -> None:
    toll = await massacre(rounds=16, seed=5)
    assert toll.answers >= 32
    assert toll.back_ms, "nobody's worker was lost"
