"""A thousand barge-ins at random moments; `python -m tests.chaos clears` does more."""

from __future__ import annotations

import pytest

from tests.chaos.clearing import Listener, clear_again_and_again
from tests.chaos.serving import espeak_gateway
from tests.chaos.soaking import NOBODY_REFUSED
from tests.support.server import AudioFrame, Message

CLEARED: Message = {"type": "cleared", "text_end": 20, "sample_end": 100}


@pytest.mark.chaos
@pytest.mark.socket
@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("model", ["tone", "espeak"])
async def test_nothing_older_follows_the_answer(model: str) -> None:
    async with espeak_gateway(**NOBODY_REFUSED) as gateway:
        cleared = await clear_again_and_again(gateway, model, 500, seed=3)
    assert cleared.late == 0
    assert cleared.cut > 100, "most of them came in the middle of something"
    assert cleared.frames > 200


def test_late_audio_would_be_noticed() -> None:
    listener = Listener(samples=100, may_speak=True)
    listener.take(CLEARED)
    listener.hear(AudioFrame(1, 0, 0, 0, 100, 10, bytes(20)))
    assert listener.late


def test_and_so_would_a_segment_of_older_text() -> None:
    listener = Listener(samples=100, may_speak=True)
    listener.take(CLEARED)
    listener.take({"type": "segment", "text_start": 10, "sample_start": 100})
    assert listener.late
    listener.late.clear()
    listener.take({"type": "segment", "text_start": 20, "sample_start": 100})
    listener.hear(AudioFrame(1, 0, 0, 0, 100, 10, bytes(20)))
    assert not listener.late
