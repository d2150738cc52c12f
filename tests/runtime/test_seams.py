"""A voice that hums without a break must be heard without one: no click where segments, frames or flushes meet."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.core.vocabulary import Codec
from tests.audio.listening import decode_mp3
from tests.support.memory import memory_house, memory_socket
from tests.support.server import Message

HZ = 440
LEVEL = 0.4 * 32_767


def roughness(samples: np.ndarray, rate: int) -> float:
    """The sharpest bend of a curve, against that of the tone it should be (1.0)."""
    bend = np.abs(np.diff(samples.astype(float), 2)).max()
    return float(bend / (LEVEL * (2 * np.pi * HZ / rate) ** 2))


def test_a_click_would_be_noticed() -> None:
    for rate in (8_000, 48_000):
        tone = LEVEL * np.sin(2 * np.pi * HZ * np.arange(rate) / rate)
        assert roughness(tone, rate) < 1.01
        tone[rate // 2 :] += LEVEL / 4
        assert roughness(tone, rate) > 1.5


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("codec", [Codec.PCM_S16LE, Codec.WAV])
async def test_segments_and_flushes_meet_smoothly(codec: Codec, rate: int) -> None:
    sentences = [f"This is sentence number {number} of the hum. " for number in range(6)]
    async with memory_house() as house, memory_socket(house) as socket:
        hum: Message = {"type": "configure", "voice": "sine-440", "lead_ms": None}
        await socket.send({**hum, "format": {"codec": codec, "sample_rate": rate}})
        for sentence in sentences:
            await socket.send({"type": "text", "text": sentence}, {"type": "flush"})
        await socket.send({"type": "text", "text": "".join(sentences)}, {"type": "end"})
        await socket.receive_until("ended")
        assert len(socket.messages("segment")) > len(sentences)
        header = 44 if codec is Codec.WAV else 0
        samples = np.frombuffer(socket.audio()[header:], "<i2")
    # Before the tone and after it is silence, and from silence to a tone is a bend.
    assert roughness(samples[50:-50], rate) < 1.3


async def test_segments_of_an_mp3_meet_smoothly() -> None:
    async with memory_house() as house, memory_socket(house) as socket:
        await socket.send(
            {"type": "configure", "voice": "sine-440", "format": {"codec": "mp3"}, "lead_ms": None},
            {"type": "text", "text": "This is one of the sentences of the hum. " * 12},
            {"type": "end"},
        )
        await socket.receive_until("ended")
        assert len(socket.messages("segment")) > 2
        heard, rate, _ = decode_mp3(socket.audio())
    # The codec's own pre-echo is at both ends.
    assert roughness(heard[4_000:-4_000], rate) < 1.3
