"""The last word of a text is never missing, in any codec: 500 random texts, each spoken up to a flush."""

from __future__ import annotations

import random

import numpy as np
import pytest

from gateway.core.formats import SHAPES
from gateway.core.params import Format
from gateway.core.vocabulary import Codec, Container
from gateway.runtime.outlet import TELEPHONY
from tests.audio.listening import (
    decode,
    delay_of,
    format_of,
    last_sound,
    last_word,
    likeness,
    random_texts,
)
from tests.support.memory import memory_house, memory_socket
from tests.support.server import AudioFrame, Message, SpeechSocket

FORMATS = [
    format_of(codec, 8_000 if codec in TELEPHONY else 24_000, container)
    for codec in Codec
    for container in (SHAPES[codec].containers or (None,))
]
TEXTS = 500 // len(FORMATS) + 1
UNTIMED: Message = {"max_delay_ms": 0, "idle_ms": 0}


async def say(
    socket: SpeechSocket, context: str, format: Format, texts: list[str], splits: int
) -> list[bytes]:
    """What came for each text, up to the answer of its flush. Texts are handed over in pieces."""
    dice = random.Random(splits)
    asked = {"codec": format.codec, "sample_rate": format.sample_rate}
    if format.container is not None:
        asked["container"] = format.container
    await socket.send(
        {
            "type": "configure",
            "context": context,
            "voice": "words",
            "lead_ms": None,
            "format": asked,
            "buffering": UNTIMED,
        }
    )
    came, before = [], 0
    for number, text in enumerate(texts):
        cut = dice.randint(1, len(text))
        for part in filter(None, (text[:cut], text[cut:])):
            await socket.send({"type": "text", "context": context, "text": part})
        await socket.send({"type": "flush", "context": context, "id": f"{number}"})
        await socket.receive_until("flushed", context=context, id=f"{number}")
        came.append(socket.audio(context)[before:])
        before += len(came[-1])
    return came


@pytest.mark.parametrize("format", FORMATS, ids=str)
async def test_is_heard(format: Format) -> None:
    texts = random_texts(FORMATS.index(format), TEXTS)
    raw = Format(Codec.PCM_S16LE, format.sample_rate)
    async with memory_house() as house, memory_socket(house) as socket:
        said = [np.frombuffer(pcm, "<i2") for pcm in await say(socket, "raw", raw, texts, 1)]
        came = await say(socket, "coded", format, texts, 2)
        flushed = [message["sample_end"] for message in socket.messages("flushed")]
    assert flushed[:TEXTS] == flushed[TEXTS:] == list(np.cumsum([len(pcm) for pcm in said]))

    data, already = b"", 0
    for pcm, part in zip(said, came, strict=True):
        one_stream = format.container is Container.PER_CONTEXT
        data = data + part if one_stream else part
        heard = decode(format, data)[already:]
        assert len(heard) >= len(pcm) + delay_of(format.codec)
        if one_stream:
            already += len(heard)
        elif not delay_of(format.codec):
            assert len(heard) == len(pcm)
        tail = last_word(pcm, format.sample_rate)
        # Not anywhere in what came: where it belongs.
        assert likeness(heard[-len(tail) * 3 - (len(pcm) - last_sound(pcm)) :], tail) > 0.95


@pytest.mark.parametrize("codec", TELEPHONY)
async def test_telephones_get_frames_of_20_ms(codec: Codec) -> None:
    texts = random_texts(99, 10)
    async with memory_house() as house, memory_socket(house) as socket:
        await say(socket, "line", Format(codec, 8_000), texts, 3)
    frames = [(m, n) for m, n in zip(socket.received, socket.received[1:], strict=False)]
    sizes = []
    for frame, after in frames:
        if isinstance(frame, AudioFrame):
            assert frame.sample_count == len(frame.data)
            sizes.append((frame.sample_count, isinstance(after, AudioFrame)))
    assert {size for size, more in sizes if more} == {160}
    assert len(sizes) > 100
