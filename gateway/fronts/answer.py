"""What one one-shot request is sent, and how it came to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from starlette.types import Message, Send

from gateway.accounts.clock import now_ms
from gateway.accounts.ledger import Meter
from gateway.audio.farm import EncodeFarm
from gateway.audio.registry import media_type
from gateway.core.errors import Problem
from gateway.core.events import Audio, Closed, Event, SegmentFailed, Timings, Warned
from gateway.core.playback import Playback
from gateway.core.vocabulary import Progress
from gateway.dialects.http import Agreed, Answering, Exchange, RequestRate, Wrapping
from gateway.fronts.event_body import EventBody
from gateway.fronts.reply import Headers, error_details, said_headers, send_json
from gateway.runtime.mastering import master
from gateway.runtime.replays import Claim
from gateway.runtime.spool import SpoolRoom
from gateway.telemetry.receipt import Receipt

GOODBYE_MS_MAX = 1_000
"""How long an error may take to leave that comes after the first byte."""

WRAPPED_BYTES = 262_144
"""What is wrapped in one turn of the loop."""

Bound = Callable[[Awaitable[None]], Awaitable[None]]
"""Awaits a send, and raises TimeoutError when it takes too long."""


class Bill(NamedTuple):
    """What an account had before a request, and what that costs when all of it is made, in thousandths of a credit."""

    available: int
    quote: int


class Answer:
    """What one request is sent: nothing until the first audio, then a body that ends only when all is well."""

    def __init__(self, send: Send, request_id: str, exchange: Exchange, room: SpoolRoom) -> None:
        self.request_id = request_id
        self.status = 0
        self.samples = 0
        self.ending = "peer_gone"
        """How it came to its end, unless it is known better: the client left."""
        self.problem: Problem | None = None
        """Why it was refused or broken off."""
        self.principal = ""
        """Whose it is, once that is known."""
        self.meter: Meter | None = None
        """What it costs; None = nothing."""
        self.rate: RequestRate | None = None
        """How many more requests there may be; None = any number."""
        self.bill: Bill | None = None
        """What is told of its price; None = nothing."""
        self.claim: Claim | None = None
        """The key by which it may be asked for again."""
        self.receipt: Receipt | None = None
        """Set once speech is being made for it."""
        self.timings: Timings | None = None
        self._send = send
        self._exchange = exchange
        self._began = time.monotonic()
        self._agreed: Agreed | None = None
        self._wrapping: Wrapping | None = None
        self._media_type = ""
        self._warnings: list[str] = []
        self.playback = Playback()
        """The listener to a whole file, once it is sent."""
        self._kept = room.new()
        """What is sent when all of it is there."""
        self._sample_rate = 0
        self._events: EventBody | None = None
        self._complete = False
        self._clock = asyncio.get_running_loop().time

    @property
    def begun(self) -> bool:
        """True once a status has been sent."""
        return self.status != 0

    @property
    def progress(self) -> Progress:
        """How far it has come when no more is done for it."""
        if self.problem is not None:
            return Progress.FAILED
        return Progress.COMPLETE if self.ending == "complete" else Progress.CANCELLED

    @property
    def silent_until(self) -> float | None:
        """When a `keep_alive` is due, in loop time; None = never."""
        return None if self._events is None else self._events.silent_until

    def describe(self, agreed: Agreed, keep_alive_s: float) -> None:
        """What was agreed on: the audio is taken in this form from now on."""
        self._agreed = agreed
        self._wrapping = self._exchange.wrapping(agreed, self.request_id, now_ms() / 1_000)
        self._sample_rate = agreed.settings.format.sample_rate
        self._media_type = media_type(agreed.settings.format)
        if agreed.form is not None:
            self._events = EventBody(agreed.form, agreed.ignored, keep_alive_s)
            self._media_type = self._events.media_type

    async def take(self, event: Event, *, whole: bool) -> None:
        """One event: it goes out, or only its audio does, or that is kept where the whole file was asked for."""
        if isinstance(event, Audio):
            self.samples += event.sample_count
        if self._events is not None:
            await self._stream(self._events.take(event, self._clock()))
            return
        match event:
            case Audio() if whole:
                await self._keep(event)
            case Audio():
                await self._stream(event.data)
            case Warned():
                if event.code not in self._warnings:
                    self._warnings.append(event.code)
            case _:
                pass

    async def _keep(self, event: Audio) -> None:
        """A part of a whole file, which may be all of it."""
        if self._wrapping is None:
            await self._kept.append(event.data)
            return
        for start in range(0, len(event.data), WRAPPED_BYTES):
            await self._kept.append(self._wrapping.take(event.data[start : start + WRAPPED_BYTES]))
            await asyncio.sleep(0)

    async def keep_alive(self) -> None:
        """Say that there is nothing to say, when that is due."""
        if self._events is not None:
            await self._stream(self._events.keep_alive(self._clock()))

    async def fail(self, event: SegmentFailed) -> None:
        """Events that have begun tell of it, and of nothing after it."""
        if self._events is not None and self.begun:
            await self._end(self._events.take(event, self._clock()))

    async def master(self, room: SpoolRoom, farm: EncodeFarm, owner: str) -> None:
        """Make what was gathered as PCM into the file that was asked for, if that is another one. Raises what `master` raises."""
        agreed = self._agreed
        if agreed is None or agreed.loudness_lufs is None:
            return
        pcm = self._kept
        try:
            self._kept = await master(
                pcm, agreed.settings.format, agreed.loudness_lufs, room=room, farm=farm, owner=owner
            )
        finally:
            pcm.close()

    async def finish(self, event: Closed, bound: Bound) -> None:
        """All is well: send what is left, each part of it through `bound`, and end the body. Raises what a spool raises.

        The end is a part of its own, because a send waits until what was sent before it has left: from then on nobody
        knows that this listener may still have to play.
        """
        if self._events is not None:
            await self._kept.append(self._events.take(event, self._clock()))
        if self._wrapping is not None:
            await self._kept.append(self._wrapping.end())
        if not self.begun:
            # Nothing was streamed: a whole file, or an empty one, whose length is known.
            size = str(self._kept.size).encode()
            await bound(self._begin([(b"content-length", size)]))
        seconds_per_byte = self.samples / self._sample_rate / max(1, self._kept.size)
        async for block in self._kept.blocks():
            if self._events is None:
                self.playback.handed_out(len(block) * seconds_per_byte, self._clock())
            await bound(self._stream(block))
            await asyncio.sleep(0)
        await bound(self._end(b""))
        self.ending = "complete"

    def close(self) -> None:
        """Nothing more is sent."""
        self._kept.close()

    async def refuse(self, problem: Problem) -> None:
        """Answer with an error; after the first byte it is an event, or else the body is left unended."""
        self.problem = problem
        if self.begun:
            self.ending = "failed"
            if self._events is not None and not self._complete:
                # The peer may be gone, or may have stopped listening.
                with suppress(OSError, TimeoutError):
                    async with asyncio.timeout(GOODBYE_MS_MAX / 1_000):
                        await self._end(self._events.error(problem))
            return
        self.ending = "refused"
        refusal = self._exchange.refuse(problem, self.request_id, now_ms() / 1_000)
        self.status = refusal.status
        head = [*refusal.headers, *error_details(problem)]
        await send_json(self._send, self.status, refusal.body, said_headers(self.request_id, head))

    async def _stream(self, body: bytes) -> None:
        if body:
            await self._begin(())
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _end(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": False})
        self._complete = True

    async def _begin(self, more: Headers | tuple[()]) -> None:
        if self.begun:
            return
        assert self._agreed is not None
        self.status = 200
        cost, left = self._price(self._agreed)
        answering = Answering(
            request_id=self.request_id,
            media_type=self._media_type,
            processing_ms=(time.monotonic() - self._began) * 1_000,
            at_s=now_ms() / 1_000,
            warnings=tuple(self._warnings),
            replay_of=None if self.claim is None else self.claim.replay_of,
            credits=cost,
            credits_left=left,
            rate=self.rate,
        )
        said = self._exchange.describe(self._agreed, answering)
        start: Message = {
            "type": "http.response.start",
            "status": 200,
            "headers": [*said_headers(self.request_id, said), *more],
        }
        await self._send(start)

    def _price(self, agreed: Agreed) -> tuple[float, float] | tuple[None, None]:
        """In credits: what it costs, and what the account has then."""
        if self.bill is None or self.meter is None:
            return None, None
        cost = self.meter.millicredits if agreed.whole else self.bill.quote
        return cost / 1_000, (self.bill.available - cost) / 1_000
