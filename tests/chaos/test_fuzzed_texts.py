"""A few hundred strange texts; `python -m tests.chaos fuzz` sends thousands."""

from __future__ import annotations

import pytest

from tests.chaos.fuzzing import covered, fuzz
from tests.chaos.serving import espeak_gateway
from tests.chaos.soaking import NOBODY_REFUSED
from tests.chaos.texts import texts


def test_texts_are_as_strange_as_they_should_be() -> None:
    made = list(texts(1, 2_000))
    assert made == list(texts(1, 2_000))
    everything = "".join(made)
    assert all(made)
    assert not any("\ud800" <= char < "\ue000" for char in everything)
    assert len({ord(char) >> 8 for char in everything}) > 1_000
    assert any(char < " " for char in everything)
    assert max(map(len, "".join(made).split())) > 200
    assert len(set(made)) > 1_800


def test_what_is_left_out_or_said_twice_is_noticed() -> None:
    assert covered([(0, 3), (3, 5)]) == 5
    assert covered([(0, 3), (4, 5)]) == -1
    assert covered([(0, 3), (2, 5)]) == -1
    assert covered([]) == 0


@pytest.mark.chaos
@pytest.mark.socket
@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_each_is_spoken_or_said_not_to_be() -> None:
    async with espeak_gateway(**NOBODY_REFUSED) as gateway:
        fuzzed = await fuzz(gateway, 240, seed=7)
    assert fuzzed.voices > 60
    assert fuzzed.silent < fuzzed.texts / 2
