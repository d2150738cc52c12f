"""The same text said in three ways: over HTTP, over a WebSocket in pieces, and by the engine alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import httpx
import msgspec

from gateway.core.synthesis import Failed, Produced, Report, Synthesize, VoiceSettings
from gateway.engines.base import Engine, EngineInfo
from tests.support.server import Message, RunningServer, speech_socket

UNTIMED: Message = {"max_delay_ms": 0, "idle_ms": 0}
"""No cut is made by a clock, so that segments depend on the text alone."""
RAW: Message = {"format": {"codec": "pcm_s16le"}}


class Cut(msgspec.Struct, frozen=True):
    """A segment as the WebSocket announces it."""

    text_start: int
    text_end: int
    reason: str
    kind: str


async def over_http(client: httpx.AsyncClient, text: str, **fields: object) -> bytes:
    """The audio of one request; its parameters are `fields`."""
    answer = await client.post(
        "/v1/speech", json={"text": text, "buffering": UNTIMED, **RAW, **fields}
    )
    assert answer.status_code == 200, answer.text
    return answer.content


class Gate:
    """An engine that waits until the gate is open. While it is closed nobody hears anything, so no listener can run
    dry: no segment is cut for that reason, however slowly the text comes."""

    def __init__(self, inner: Engine) -> None:
        self._inner = inner
        self.opened = asyncio.Event()
        self.opened.set()

    @property
    def info(self) -> EngineInfo:
        return self._inner.info

    async def start(self) -> None:
        await self._inner.start()

    async def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        await self.opened.wait()
        async with aclosing(self._inner.synthesize(order)) as reports:
            async for report in reports:
                yield report

    async def aclose(self) -> None:
        await self._inner.aclose()


def texts(pieces: Sequence[str]) -> list[Message]:
    """A message for each piece."""
    return [{"type": "text", "text": piece} for piece in pieces]


async def over_websocket(
    server: RunningServer, pieces: Sequence[str], *, gate: Gate | None = None, **fields: object
) -> tuple[bytes, list[Cut]]:
    """The audio, and the segments that were announced, of a text that came in pieces; with a gate, as if it had come
    at once."""
    async with speech_socket(server) as socket:
        if gate is not None:
            gate.opened.clear()
        await socket.send(
            {"type": "configure", "lead_ms": None, "buffering": UNTIMED, **RAW, **fields},
            *texts(pieces),
            {"type": "end"},
            {"type": "ping", "id": "all heard"},
        )
        await socket.receive_until("pong", id="all heard")
        if gate is not None:
            gate.opened.set()
        ended = await socket.receive_until("ended")
        assert ended["chars"] == sum(map(len, pieces))
        assert socket.messages("error") == []
        cuts = [msgspec.convert(segment, Cut) for segment in socket.messages("segment")]
        return socket.audio(), cuts


async def by_the_engine(
    engine: Engine, text: str, cuts: Sequence[Cut], voice: VoiceSettings
) -> bytes:
    """The audio that the engine makes of these segments, asked one after the other."""
    pcm: list[bytes] = []
    for number, cut in enumerate(cuts):
        order = Synthesize(
            segment=number,
            text=text[cut.text_start : cut.text_end],
            voice=voice,
            pause_after=cut.kind not in {"word", "grapheme"} and cut.reason not in {"flush", "end"},
        )
        async with aclosing(engine.synthesize(order)) as reports:
            async for report in reports:
                assert not isinstance(report, Failed)
                if isinstance(report, Produced):
                    pcm.append(report.pcm)
    return b"".join(pcm)
