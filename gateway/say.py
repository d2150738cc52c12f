"""Speech without a server: the same session core, fed from an argument or from standard input as it comes."""

from __future__ import annotations

import asyncio
import codecs
import os
import shutil
import stat
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from gateway.app import open_house
from gateway.config import Config
from gateway.core.commands import Abort, EndInput
from gateway.core.errors import Problem
from gateway.core.events import Audio, Closed, SegmentFailed
from gateway.core.params import Defaults, Parameters
from gateway.core.resolve import resolve
from gateway.core.vocabulary import Codec, Route
from gateway.runtime.house import House
from gateway.runtime.speaker import Speaker
from gateway.runtime.wake import Wake

READ_BYTES = 4_096
FRAME_MS = 200
ROOM_POLL_S = 0.05
DEFAULTS = Defaults(route=Route.WEBSOCKET, codec=Codec.WAV, lead_ms=None)
CODECS_BY_SUFFIX = {
    ".mp3": Codec.MP3,
    ".wav": Codec.WAV,
    ".pcm": Codec.PCM_S16LE,
    ".ogg": Codec.OPUS,
    ".opus": Codec.OPUS,
    ".aac": Codec.AAC,
    ".flac": Codec.FLAC,
    ".ulaw": Codec.MULAW,
    ".alaw": Codec.ALAW,
}
PLAYERS: dict[str, list[str]] = {
    "ffplay": ["-loglevel", "error", "-nodisp", "-autoexit", "-"],
    "mpv": ["--really-quiet", "-"],
    "play": ["-q", "-t", "wav", "-"],
    "aplay": ["-q"],
    "paplay": [],
}
"""Programs that play a WAV stream from standard input, best first."""


class CannotPlay(Exception):
    """There is no player on this machine."""


class SpeechFailed(Exception):
    """A part of the text could not be spoken."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.code}: {problem.message}")


def find_player() -> list[str]:
    """The command line of a player. Raises CannotPlay."""
    for name, arguments in PLAYERS.items():
        if path := shutil.which(name):
            return [path, *arguments]
    raise CannotPlay(f"none of {', '.join(PLAYERS)} is installed; name a file with --output")


def codec_for(path: Path | None) -> Codec:
    """The codec that a file's name asks for; WAV for a player and for other names."""
    return CODECS_BY_SUFFIX.get(path.suffix.lower(), Codec.WAV) if path else Codec.WAV


async def say(
    config: Config, text: str | None, asked: Parameters, write: Callable[[bytes], object]
) -> int:
    """Speak `text`, or standard input as it arrives when it is None; `write` gets the audio bytes as they are made.

    Gives the number of samples. Raises GatewayError, ConfigError, and what `write` raises.
    """
    async with open_house(config) as house:
        return await say_in(house, text, asked, write)


async def say_in(
    house: House, text: str | None, asked: Parameters, write: Callable[[bytes], object]
) -> int:
    """The same in a house that is open. Raises GatewayError, SpeechFailed, and what `write` raises."""
    settings = resolve(asked, house.catalog, DEFAULTS)
    async with asyncio.TaskGroup() as tasks:
        wake = Wake()
        speaker = house.new_speaker(settings, tasks, wake, frame_ms=FRAME_MS, file=True)
        feeding = tasks.create_task(_feed(speaker, text))
        try:
            samples, problem = await _hear(speaker, wake, write)
        finally:
            feeding.cancel()
            speaker.submit(Abort())
    if problem is not None:
        raise SpeechFailed(problem)
    return samples


async def _feed(speaker: Speaker, text: str | None) -> None:
    """Push the text, or standard input, and end."""
    async for part in _standard_input() if text is None else _once(text):
        while len(part) > speaker.session.chars_room:  # noqa: ASYNC110  # room has no event
            await asyncio.sleep(ROOM_POLL_S)
        await speaker.push(part)
    speaker.submit(EndInput())


async def _once(text: str) -> AsyncIterator[str]:
    for start in range(0, len(text), READ_BYTES):
        yield text[start : start + READ_BYTES]


async def _standard_input() -> AsyncIterator[str]:
    """What arrives on standard input, as it arrives. Bytes that are not UTF-8 become U+FFFD."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    if stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode):
        async for part in _once(decoder.decode(sys.stdin.buffer.read())):
            yield part
        return
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
    )
    try:
        while data := await reader.read(READ_BYTES):
            if part := decoder.decode(data):
                yield part
        if part := decoder.decode(b"", final=True):
            yield part
    finally:
        transport.close()


async def _hear(
    speaker: Speaker, wake: Wake, write: Callable[[bytes], object]
) -> tuple[int, Problem | None]:
    """Write all audio; gives the samples and the first problem of a segment, if there was one."""
    problem: Problem | None = None
    while True:
        events = await speaker.next_events()
        if events is None:
            await wake.wait(speaker.session.deadline())
            speaker.tick()
            continue
        for event in events:
            match event:
                case Audio():
                    await asyncio.to_thread(write, event.data)
                case SegmentFailed():
                    problem = problem or event.problem
                case Closed():
                    return event.samples, problem
                case _:
                    pass
