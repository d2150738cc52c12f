"""Thousands of strange texts through a real gateway and the real espeak-ng, in all of its voices."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice

import httpx
import msgspec

from tests.chaos.serving import at_rest, scrape, settled
from tests.chaos.talking import PCM, TRUNCATED, answers, ask, conversation, download
from tests.chaos.texts import texts
from tests.support.process import GatewayProcess
from tests.support.server import Message

AT_ONCE = 8
"""Contexts of one connection, and so texts of one batch."""
SPEED = 3.0
"""Less audio to carry, of the same text."""
HARMLESS = "This is what everyone hears."
TOLD = {"segment_rejected", "engine_failed", "engine_timeout"}
"""What may be said of a segment that the engine does not speak."""


class Fuzzed(msgspec.Struct, frozen=True):
    """What became of the texts; `errors` counts the failed segments by their codes, `downloads` those over HTTP."""

    texts: int
    downloads: int
    chars: int
    voices: int
    audio_s: float
    silent: int
    errors: dict[str, int]
    restarts: int


async def fuzz(gateway: GatewayProcess, count: int, seed: int) -> Fuzzed:
    """Have so many texts spoken. Fails when one gets neither its audio nor a typed error, or a character is not accounted
    for, or a harmless text afterwards is spoken differently, or anything is left over."""
    chance = random.Random(seed)
    voices = await all_voices(gateway)
    plain: Message = {"text": HARMLESS, "format": PCM}
    harmless = await download(gateway.base_url, plain)
    before = await at_rest(gateway)
    wanted = texts(seed, count)
    errors: Counter[str] = Counter()
    used: set[str] = set()
    chars = samples = silent = downloads = done = 0
    while batch := list(islice(wanted, AT_ONCE)):
        done += len(batch)
        chosen = [chance.choice(voices) for _ in batch]
        used.update(chosen)
        chars += sum(map(len, batch))
        async with conversation(gateway.ws_url) as socket:
            for number, (text, voice) in enumerate(zip(batch, chosen, strict=True)):
                await ask(socket, str(number), text, voice=voice, speed=SPEED, timestamps=True)
            told = await answers(socket, *map(str, range(len(batch))))
        for number, text in enumerate(batch):
            answer = told[str(number)]
            assert set(answer.codes) <= TOLD, (text, answer.codes)
            assert covered(answer.ranges) == answer.chars == len(text), (text, answer.ranges)
            assert answer.samples == len(answer.audio) // 2
            errors.update(answer.codes)
            samples += answer.samples
            silent += not answer.samples
        if done % (4 * AT_ONCE) == 0:
            text, voice = batch[0], chosen[0]
            body: Message = {"text": text, "voice": voice, "speed": SPEED, "format": PCM}
            over_http = await download(gateway.base_url, body)
            assert set(over_http.codes) <= TOLD | {TRUNCATED}, (text, over_http.codes)
            assert over_http.is_whole == (not told["0"].codes)
            assert not over_http.is_whole or over_http.audio == told["0"].audio, text
            downloads += 1
    assert await download(gateway.base_url, plain) == harmless
    await settled(gateway, before)
    restarts = round((await scrape(gateway)).value("worker_restarts_total", engine="espeak"))
    return Fuzzed(
        done, downloads, chars, len(used), samples / 22_050, silent, dict(errors), restarts
    )


async def all_voices(gateway: GatewayProcess) -> list[str]:
    """The names of all voices of espeak-ng."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        listed = (await client.get(f"{gateway.base_url}/v1/speech/voices")).json()["voices"]
    return [voice["id"] for voice in listed if voice["model"] == "espeak"]


def covered(ranges: list[tuple[int, int]]) -> int:
    """How far these go from 0 without a gap or an overlap; -1 when they have one."""
    end = 0
    for start, stop in ranges:
        if start != end:
            return -1
        end = stop
    return end
