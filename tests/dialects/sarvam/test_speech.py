"""What Sarvam's clients hear: the last word of every flush in every codec, and what the native protocol would say."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.core.params import Format
from gateway.core.vocabulary import Codec
from gateway.dialects.sarvam import CODECS
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
from tests.support.sarvam import SarvamClient, sarvam_in_memory
from tests.support.server import Message

TEXTS = 200
RATE = 24_000
BUFFERING: Message = {
    "release_chars": 50,
    "max_chars": 150,
    "max_delay_ms": 0,
    "idle_ms": 0,
    "push_boundary": "after_terminator",
}


async def say_all(client: SarvamClient, codec: str, texts: list[str]) -> list[bytes]:
    """What came for each of them up to its `final`."""
    await client.say(
        "config", target_language_code="en-IN", output_audio_codec=codec, speech_sample_rate=RATE
    )
    return [await client.cycle(text) for text in texts]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", [name for name in CODECS if name != "linear16"])
async def test_each_flush_is_complete_to_the_last_word(name: str) -> None:
    texts = random_texts(list(CODECS).index(name), TEXTS)
    format = format_of(CODECS[name], RATE)
    async with memory_house() as house:
        async with sarvam_in_memory(house) as client:
            raw = await say_all(client, "linear16", texts)
        async with sarvam_in_memory(house) as client:
            came = await say_all(client, name, texts)
    header = came[0][:44] if format.codec is Codec.WAV else b""
    for number, (pcm, part) in enumerate(zip(raw, came, strict=True)):
        said = np.frombuffer(pcm, "<i2")
        heard = decode(format, part if number == 0 else header + part)
        assert len(heard) >= len(said) + delay_of(format.codec)
        tail = last_word(said, RATE)
        assert likeness(heard[-len(tail) * 3 - (len(said) - last_sound(said)) :], tail) > 0.95


async def natively(texts: list[str], format: Format) -> bytes:
    async with memory_house() as house, memory_socket(house) as socket:
        said: list[Message] = [{"type": "text", "text": text} for text in texts]
        asked = {"codec": format.codec, "sample_rate": format.sample_rate}
        await socket.send(
            {"type": "configure", "lead_ms": None, "format": asked, "buffering": BUFFERING},
            *said,
            {"type": "flush"},
        )
        await socket.receive_until("flushed")
        return socket.audio()


@pytest.mark.parametrize(
    "texts",
    [
        ["One message. With two sentences, and a third: this one."],
        ["Short."],
        [
            "Hello there.",
            "How are you?",
            " I am well, thank you very much, and so are they.",
            "No.",
        ],
        ["word " * 200],
    ],
    ids=["one", "short", "several", "long"],
)
async def test_equal_segmentation_is_equal_speech(texts: list[str]) -> None:
    format = Format(Codec.PCM_S16LE, RATE)
    async with memory_house() as house, sarvam_in_memory(house) as client:
        await client.say(
            "config",
            target_language_code="en-IN",
            output_audio_codec="linear16",
            speech_sample_rate=RATE,
        )
        assert await client.cycle(*texts) == await natively(texts, format)
