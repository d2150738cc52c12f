"""What Pipecat's pipelines do with their services for Sarvam, unmodified; run by tests/sdk/test_sarvam.py.

python sarvam_pipecat.py http://127.0.0.1:8080 KEY WRONG_KEY LATE_KEY
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence

import aiohttp
from loguru import logger
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
)
from pipecat.services.sarvam.tts import SarvamHttpTTSService, SarvamTTSService
from pipecat.services.tts_service import TTSService
from pipecat.tests.utils import SleepFrame, run_test

STORY = "Once upon a time there was a gateway that would not stop talking. " * 30
STORIES = 12
"""Of two minutes each."""


async def say(service: TTSService, frames: Sequence[Frame]) -> dict[str, object]:
    """What comes out of a pipeline of this service alone, after the interruption if there is one."""
    down, up = await run_test(service, frames_to_send=frames, start_timeout=10.0)
    kinds = [type(frame) for frame in down]
    interrupted = kinds.index(InterruptionFrame) if InterruptionFrame in kinds else 0
    before = sum(isinstance(frame, TTSAudioRawFrame) for frame in down[:interrupted])
    down = down[interrupted:]
    audio = [frame for frame in down if isinstance(frame, TTSAudioRawFrame)]
    seconds = sum(len(frame.audio) / 2 / frame.sample_rate for frame in audio)
    return {
        "before": before > 0,
        "audio": 0.5 < seconds < 5.0,
        "utterances": len({frame.context_id for frame in audio}),
        "stopped": sum(isinstance(frame, TTSStoppedFrame) for frame in down),
        "errors": sum(isinstance(frame, ErrorFrame) for frame in (*down, *up)),
    }


async def main(base: str, key: str, wrong: str) -> None:
    logger.remove()

    def new(key: str) -> SarvamTTSService:
        return SarvamTTSService(
            api_key=key,
            url=f"{base.replace('http', 'ws')}/text-to-speech/ws",
            settings=SarvamTTSService.Settings(model="bulbul:v3", voice="shubh"),
        )

    turn = [TTSSpeakFrame("Hello there. How are you?"), SleepFrame(1.0)]
    interruption = [
        *(TTSSpeakFrame(STORY) for _ in range(STORIES)),
        SleepFrame(0.3),
        BotStartedSpeakingFrame(),
        InterruptionFrame(),
        SleepFrame(0.3),
        *turn,
    ]
    report = {
        "turn": await say(new(key), turn),
        "interruption": await say(new(key), interruption),
        "wrong_key": (await say(new(wrong), [SleepFrame(0.2)]))["errors"],
    }
    async with aiohttp.ClientSession() as session:
        http = SarvamHttpTTSService(api_key=key, base_url=base, aiohttp_session=session)
        report["http"] = await say(http, turn)
    print(json.dumps(report))


asyncio.run(main(*sys.argv[1:4]))
