"""What LiveKit's agents do with their plugin for Sarvam, unmodified; run by tests/sdk/test_sarvam.py.

python sarvam_livekit.py http://127.0.0.1:8080 KEY WRONG_KEY LATE_KEY
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import aiohttp
from livekit.agents import APIError
from livekit.agents.types import APIConnectOptions
from livekit.plugins import sarvam

ONCE = APIConnectOptions(max_retry=0, timeout=10.0)
WORDS = "Good morning, this is your assistant. How can I help you today? I am listening. ".split(
    " "
)
STORY = "Once upon a time there was a gateway that would not stop talking. " * 200


async def turn(tts: sarvam.TTS, words: list[str]) -> dict[str, Any]:
    """An answer that comes word by word, as from a language model, and is heard to its end."""
    seconds = 0.0
    final = False
    async with tts.stream(conn_options=ONCE) as stream:
        for word in words:
            stream.push_text(word + " ")
        stream.end_input()
        async for event in stream:
            seconds += event.frame.duration
            final = final or event.is_final
    return {"speaks": seconds > 1.0, "is_final": final}


async def interrupted(tts: sarvam.TTS) -> bool:
    """A long answer that is broken off after its first audio."""
    stream = tts.stream(conn_options=ONCE)
    stream.push_text(STORY)
    stream.end_input()
    async for event in stream:
        assert event.frame.duration > 0
        await stream.aclose()
        return True
    return False


async def refused(tts: sarvam.TTS) -> list[Any]:
    try:
        await turn(tts, WORDS)
    except APIError as error:
        return [type(error).__name__, getattr(error, "status_code", None)]
    return []


async def main(base: str, key: str, wrong: str) -> None:
    async with aiohttp.ClientSession() as session:

        def new(key: str, **more: Any) -> sarvam.TTS:
            return sarvam.TTS(
                base_url=f"{base}/text-to-speech",
                ws_url=f"{base.replace('http', 'ws')}/text-to-speech/ws",
                api_key=key,
                http_session=session,
                **more,
            )

        tts = new(key, output_audio_codec="linear16")
        report = {
            "turn": await turn(tts, WORDS),
            "interrupted": await interrupted(tts),
            "next_turn": await turn(tts, WORDS),
            "mp3": await turn(new(key), WORDS),
            "v4": await turn(new(key, model="bulbul:v4-flash", output_audio_codec="wav"), WORDS),
            "wrong_key": await refused(new(wrong)),
        }
        frames = [event.frame async for event in tts.synthesize("All at once.", conn_options=ONCE)]
        report["one_shot"] = sum(frame.duration for frame in frames) > 0.5
        await tts.aclose()
    print(json.dumps(report))


asyncio.run(main(*sys.argv[1:4]))
