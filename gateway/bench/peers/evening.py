"""The server that one writes in an evening: Starlette, with espeak-ng and ffmpeg as programs whose output is streamed.

It is ours, a stand-in for what people run, and meant to be quick for what it is: the flags of ffmpeg are those for low
latency, and nothing is written to disk. With `whole` it answers with whole files, as many speech servers do.

    uvicorn gateway.bench.peers.evening:app
    curl -X POST localhost:8000/speech -H 'content-type: application/json' -d '{"text": "Hello."}' -o hello.wav
"""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

ESPEAK = ("espeak-ng", "--stdout", "-v", "en", "--")
LOW_LATENCY = ("-probesize", "32", "-analyzeduration", "0", "-flush_packets", "1")
FFMPEG = ("ffmpeg", "-loglevel", "error", *LOW_LATENCY, "-f", "wav", "-i", "pipe:0")
MP3 = ("-f", "mp3", "-b:a", "64k", "-id3v2_version", "0", "pipe:1")
READ_BYTES = 4_096


async def start(text: str, *, is_mp3: bool) -> list[Process]:
    """The programs; the last one's output is the audio."""
    if not is_mp3:
        return [await asyncio.create_subprocess_exec(*ESPEAK, text, stdout=PIPE)]
    wav_out, wav_in = os.pipe()
    try:
        speaking = await asyncio.create_subprocess_exec(*ESPEAK, text, stdout=wav_in)
        encoding = await asyncio.create_subprocess_exec(*FFMPEG, *MP3, stdin=wav_out, stdout=PIPE)
    finally:
        os.close(wav_out)
        os.close(wav_in)
    return [speaking, encoding]


async def audio(text: str, *, is_mp3: bool) -> AsyncIterator[bytes]:
    """What the programs write, as they write it. They are gone when the listener is."""
    programs = await start(text, is_mp3=is_mp3)
    output = programs[-1].stdout
    assert output is not None
    try:
        while piece := await output.read(READ_BYTES):
            yield piece
    finally:
        for program in programs:
            if program.returncode is None and not output.at_eof():
                program.kill()
            await program.wait()


async def speech(request: Request) -> Response:
    """POST {"text": …, "format": "wav" or "mp3", "whole": true or false}."""
    asked = await request.json()
    is_mp3 = asked.get("format") == "mp3"
    media_type = "audio/mpeg" if is_mp3 else "audio/wav"
    pieces = audio(asked["text"], is_mp3=is_mp3)
    if asked.get("whole"):
        return Response(b"".join([piece async for piece in pieces]), media_type=media_type)
    return StreamingResponse(pieces, media_type=media_type)


app = Starlette(routes=[Route("/speech", speech, methods=["POST"])])
