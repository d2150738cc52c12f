"""The ways in which `gateway bench` asks for speech, one text after the other, and what has come of it so far.

The clients are those of the instruments; a `Stream` adds up over its utterances what a window wants to know.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from gateway.bench.instruments.http import HttpClient
from gateway.bench.instruments.timeline import Codec, Form, Timeline, Trouble, clock
from gateway.bench.instruments.utterance import Piece, Utterance
from gateway.bench.instruments.websocket import WebSocketClient
from gateway.bench.subjects import Gateway

ENGINE_RATE = 22_050
"""Hz: that of both engines as they come, so that nothing is resampled."""
MP3_BITRATE = 64_000
UTTERANCE_S_MAX = 60.0
"""Nothing that is asked for here is silent for longer, unless something hangs."""


class Refused(Exception):
    """The gateway answered with an error, or broke off."""


class Way(StrEnum):
    """How to ask: each utterance is a request, or a context of its own."""

    HTTP_COLD = "HTTP cold"
    """A new connection for each request; its time counts."""
    HTTP_WARM = "HTTP keep-alive"
    WEBSOCKET_WARM = "WebSocket warm"


WARM = (Way.HTTP_WARM, Way.WEBSOCKET_WARM)


class First(NamedTuple):
    """The first audio of an utterance: when it came, and how long after it was asked for."""

    at: float
    ms: float


class Count(NamedTuple):
    """What has come so far. Frames are HTTP body chunks or WebSocket audio messages, bytes are audio without headers."""

    utterances: int
    frames: int
    bytes: int
    firsts: list[First]


class Stream:
    """One client. `lead_ms`, over WebSocket, is how far ahead of playback audio may be sent; None = as fast as it can be."""

    def __init__(
        self, gateway: Gateway, way: Way, model: str, codec: str, *, lead_ms: int | None = None
    ) -> None:
        self._form = form_of(codec)
        self._is_cold = way is Way.HTTP_COLD
        self._parameters: dict[str, object] = {"model": model}
        address = f"{gateway.host}:{gateway.port}/v1/speech"
        self._client: HttpClient | WebSocketClient
        if way is Way.WEBSOCKET_WARM:
            self._parameters["lead_ms"] = lead_ms
            self._client = WebSocketClient(f"ws://{address}", patience_s=UTTERANCE_S_MAX)
        else:
            self._client = HttpClient(f"http://{address}", patience_s=UTTERANCE_S_MAX)
        self._utterances = self._frames = self._bytes = 0
        self._firsts: list[First] = []
        self._last: Timeline | None = None

    async def open(self) -> None:
        """Connect, where connections are kept. Raises Refused."""
        if not self._is_cold:
            _refuse(await self._client.open())

    async def speak(self, text: str) -> None:
        """Ask for a text and take all its audio. Raises Refused."""
        self._take(await self._client.speak(self._utterance(text), clock(), cold=self._is_cold))

    async def speak_and_vanish(self, text: str) -> None:
        """Ask for a text and be gone, without a word, when its first audio comes. Raises Refused."""
        utterance = self._utterance(text, vanish_s=0.0)
        self._take(await self._client.speak(utterance, clock(), cold=self._is_cold))

    def vanish(self) -> None:
        """Be gone, in the middle of anything or not, without a word to the gateway."""
        self._client.close()

    def count(self) -> Count:
        """What has come, of the utterance that goes on too."""
        ended = Count(self._utterances, self._frames, self._bytes, [*self._firsts])
        going_on = self._client.timeline
        if going_on is None or going_on is self._last:
            return ended
        return total((ended, _count(going_on, utterances=0)))

    def _utterance(self, text: str, vanish_s: float | None = None) -> Utterance:
        return Utterance((Piece(0.0, text),), self._form, self._parameters, vanish_s=vanish_s)

    def _take(self, timeline: Timeline) -> None:
        count = _count(timeline, utterances=1)
        self._utterances += count.utterances
        self._frames += count.frames
        self._bytes += count.bytes
        self._firsts += count.firsts
        self._last = timeline
        timeline.heard = []  # Nobody listens to it, and many streams have much of it.
        _refuse(timeline.trouble)


def form_of(codec: str) -> Form:
    """The format in which nothing is resampled."""
    return Form(Codec(codec), ENGINE_RATE, MP3_BITRATE if codec == Codec.MP3 else 0)


def total(counts: Iterable[Count]) -> Count:
    """The sum."""
    every = list(counts)
    return Count(
        sum(count.utterances for count in every),
        sum(count.frames for count in every),
        sum(count.bytes for count in every),
        [first for count in every for first in count.firsts],
    )


def _count(timeline: Timeline, utterances: int) -> Count:
    payloads = timeline.payloads
    # One that failed counts for nothing: it is an error and no figure.
    if timeline.trouble is not None:
        return Count(0, 0, 0, [])
    firsts = [First(p.at, 1_000 * (p.at - timeline.intended)) for p in payloads[:1]]
    size = sum(len(payload.data) for payload in payloads)
    return Count(utterances, timeline.chunks or len(payloads), size, firsts)


def _refuse(trouble: Trouble | None) -> None:
    if trouble is not None:
        raise Refused(f"{trouble.failure}: {' '.join(trouble.detail.split())[:200]}")
