"""What makes speech: espeak-ng's library and voices, the codecs, and the first audio of each model."""

from __future__ import annotations

import asyncio
import math
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

import espeakng_loader

from gateway.app import open_house
from gateway.audio.registry import new_encoder
from gateway.config import RATES, Config, ConfigError
from gateway.core.errors import GatewayError
from gateway.core.formats import judge_format
from gateway.core.params import FormatRequest, Parameters
from gateway.core.vocabulary import Codec
from gateway.doctor.finding import Finding, fail, ok, warn
from gateway.runtime.house import House
from gateway.say import SpeechFailed, say_in

ANSWERS_WITHIN_S = 10.0
TEXT = "One, two."
ROUNDS = 3
FIRST_AUDIO_MS_MAX = 250
"""Above it a conversation feels slow; espeak-ng needs a few milliseconds."""
SAMPLE_RATE = 48_000
SAMPLES = SAMPLE_RATE // 10
REINSTALL = "remove .venv and ./run again; in a container, build the image anew"

_VERSION = """
import ctypes, sys
info = ctypes.CDLL(sys.argv[1]).espeak_Info
info.restype = ctypes.c_char_p
print(info(None).decode())
"""
"""Runs in a process of its own: what is wrong with the library may end it."""


def check_codecs() -> Iterator[Finding]:
    """Encodes 100 ms of a tone in each codec and lets it out."""
    tone = [round(8_000 * math.sin(2 * math.pi * 440 * n / SAMPLE_RATE)) for n in range(SAMPLES)]
    pcm = struct.pack(f"<{SAMPLES}h", *tone)
    works = []
    for codec in Codec:
        format = judge_format(codec, None, None, None, engine_rate=SAMPLE_RATE, sample_rates=RATES)
        piece = pcm[: 2 * format.sample_rate // 10]
        try:
            encoder = new_encoder(format)
            encoded = len(encoder.encode(piece)) + len(encoder.drain()) + len(encoder.finish())
        except Exception as error:  # noqa: BLE001  # whatever a codec's library says, it does not work
            yield fail("codecs", f"{codec}: {type(error).__name__}", REINSTALL)
            continue
        if encoded:
            works.append(str(codec))
        else:
            yield fail("codecs", f"{codec}: 100 ms of sound became nothing", REINSTALL)
    if works:
        yield ok("codecs", f"100 ms encoded and drained: {', '.join(works)}")


async def check_speech(config: Config) -> list[Finding]:
    """Starts the engines that the models use, and lets each model speak. The library of espeak-ng is tried first."""
    found = []
    if any(model.engine == "espeak" for model in config.models.values()):
        found.append(await asyncio.to_thread(_library))
        if found[0].status == "fail":
            return found
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S * (1 + len(config.models))):
            async with open_house(config) as house:
                found += _voices(house)
                for model in house.catalog.models:
                    found.append(await _first_audio(house, model))
    except (GatewayError, ConfigError) as error:
        found.append(fail("engines", str(error), "the server would not start either"))
    except TimeoutError:
        found.append(fail("engines", "they did not answer in time", "look at the machine's load"))
    return found


def _library() -> Finding:
    """espeak-ng's library and its version."""
    try:
        path = espeakng_loader.get_library_path()
        asked = subprocess.run(  # noqa: S603  # the command is ours
            [sys.executable, "-S", "-c", _VERSION, path],
            capture_output=True,
            timeout=ANSWERS_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return fail("espeak", f"cannot be asked: {type(error).__name__}", REINSTALL)
    if asked.returncode:
        reason = asked.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return fail("espeak", f"the library does not load: {reason[:200]}", REINSTALL)
    return ok("espeak", f"espeak-ng {asked.stdout.decode(errors='replace').split()[0]}")


def _voices(house: House) -> Iterator[Finding]:
    for model in house.catalog.models.values():
        languages = {voice.language for voice in model.voices.values()}
        saw = f"{model.id}: {len(model.voices)} voices, {len(languages)} languages"
        yield ok("voices", saw)


async def _first_audio(house: House, model: str) -> Finding:
    """The median of some tries; the first of them pays for what is read once."""
    asked = Parameters(model=model, format=FormatRequest(codec=Codec.PCM_S16LE))
    waits = []
    for _ in range(ROUNDS):
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                waited = await _wait(house, asked)
        except (GatewayError, SpeechFailed) as error:
            return fail("speech", f"{model}: {error}", "the log of the server knows more")
        except TimeoutError:
            return fail("speech", f"{model}: silent for {ANSWERS_WITHIN_S:g} s", "try it alone")
        if waited is None:
            return fail("speech", f"{model}: two words became no audio", REINSTALL)
        waits.append(waited)
    saw = f"{model}: first audio after {1_000 * median(waits):.1f} ms"
    if 1_000 * median(waits) > FIRST_AUDIO_MS_MAX:
        return warn("speech", saw, f"more than {FIRST_AUDIO_MS_MAX} ms: is the machine busy?")
    return ok("speech", saw)


async def _wait(house: House, asked: Parameters) -> float | None:
    """Seconds to the first audio; None without any. Raises GatewayError and SpeechFailed."""
    begun = time.perf_counter()
    came: list[float] = []
    await say_in(house, TEXT, asked, lambda _: came.append(time.perf_counter()))
    return came[0] - begun if came else None
