"""Clients that keep score: what they were told over either protocol, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import msgspec
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol as Offer

from gateway.dialects.native import Subprotocol
from tests.support.server import AudioFrame, Message, SpeechSocket

PCM = {"codec": "pcm_s16le", "sample_rate": 22_050}
"""The engine's own rate: samples come as it made them, so that segments can be compared one by one."""
SAMPLE_BYTES = 2
ANSWERS_WITHIN_S = 60.0
TRUNCATED = "truncated"


class Told(msgspec.Struct):
    """What of an error counts here."""

    code: str


class Refusal(msgspec.Struct):
    """The body of an answer with a status that is not 200."""

    error: Told


@dataclass(slots=True)
class Answer:
    """What came for one text. `codes` are the errors that were told; a body without its end counts as TRUNCATED."""

    audio: bytes = b""
    codes: list[str] = field(default_factory=list)
    segments: dict[int, bytes] = field(default_factory=dict)
    """Over WebSocket: the samples of each finished segment, by the place where its text begins."""
    ranges: list[tuple[int, int]] = field(default_factory=list)
    """Over WebSocket: the text of all segments that were announced."""
    samples: int | None = None
    chars: int | None = None

    @property
    def is_whole(self) -> bool:
        return not self.codes


async def download(base_url: str, body: Message) -> Answer:
    """`POST /v1/speech`. Raises what httpx raises when there is no answer at all."""
    answer = Answer()
    async with (
        httpx.AsyncClient(trust_env=False, verify=False, timeout=ANSWERS_WITHIN_S) as client,
        client.stream("POST", f"{base_url}/v1/speech", json=body) as response,
    ):
        if response.status_code != 200:
            refusal = msgspec.json.decode(await response.aread(), type=Refusal)
            answer.codes.append(refusal.error.code)
            return answer
        try:
            async for part in response.aiter_raw():
                answer.audio += part
        except httpx.RemoteProtocolError:
            answer.codes.append(TRUNCATED)
    return answer


@asynccontextmanager
async def conversation(ws_url: str) -> AsyncIterator[SpeechSocket]:
    """A WebSocket that has got its `ready`."""
    async with connect(ws_url, subprotocols=[Offer(Subprotocol.JSON)], proxy=None) as connection:
        socket = SpeechSocket(connection)
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await socket.receive_until("ready")
        yield socket


async def ask(socket: SpeechSocket, context: str, *texts: str, **settings: object) -> None:
    """Let a context say these texts and end, as fast as it can be had."""
    await socket.send(
        {"type": "configure", "context": context, "lead_ms": None, "format": PCM, **settings},
        *[
            msgspec.json.encode({"type": "text", "context": context, "text": text}).decode()
            for text in texts
        ],
        {"type": "end", "context": context},
    )


async def answers(socket: SpeechSocket, *contexts: str) -> dict[str, Answer]:
    """What comes for these contexts, up to the last of their ends. Raises ConnectionClosed or TimeoutError when
    that does not come."""
    begun = len(socket.received)
    missing = set(contexts)
    async with asyncio.timeout(ANSWERS_WITHIN_S):
        while missing:
            message = await socket.receive()
            if isinstance(message, dict) and message["type"] == "ended":
                missing.discard(str(message["context"]))
    return {context: _told(socket.received[begun:], context) for context in contexts}


def _told(received: list[Message | AudioFrame], context: str) -> Answer:
    """The answer to one context among everything that was received."""
    answer = Answer()
    number, text_start, sample_start = -1, 0, 0
    for message in received:
        if isinstance(message, AudioFrame):
            if message.number == number:
                answer.audio += message.data
            continue
        if message.get("context") != context:
            continue
        match message:
            case {"type": "started", "number": int(value)}:
                number = value
            case {
                "type": "segment",
                "text_start": int(text_start),
                "text_end": int(text_end),
                "sample_start": int(sample_start),
            }:
                answer.ranges.append((text_start, text_end))
            case {"type": "segment_end", "sample_end": int(sample_end), "status": "finished"}:
                part = slice(SAMPLE_BYTES * sample_start, SAMPLE_BYTES * sample_end)
                answer.segments[text_start] = answer.audio[part]
            case {"type": "error", "code": str(code)}:
                answer.codes.append(code)
            case {"type": "ended", "samples": int(samples), "chars": int(chars)}:
                answer.samples, answer.chars = samples, chars
            case _:
                pass
    return answer
