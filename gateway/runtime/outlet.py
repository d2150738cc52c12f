"""Session events on their way to the wire: the PCM in them becomes codec bytes, and the positions stay true.

One resampler and one encoder per context. At a flush both are drained, so that the last word leaves before the answer;
at a clear what an encoder still holds is dropped with it, and what a resampler holds still leaves where the codec is
cheap, so that a raw stream has exactly as many samples as its closing event says.
"""

from __future__ import annotations

import math

from gateway.audio.encoder import Encoder
from gateway.audio.farm import EncodeFarm
from gateway.audio.pcm import Resampler
from gateway.audio.registry import new_encoder
from gateway.core.events import (
    Audio,
    Cleared,
    Closed,
    Event,
    Flushed,
    SegmentCancelled,
    SessionStarted,
)
from gateway.core.params import Settings
from gateway.core.session import SAMPLE_BYTES
from gateway.core.vocabulary import CloseReason


class Outlet:
    """The output stage of one context. Give it the session's events one after the other.

    `container_always`: a context without any audio still gets its (empty) container, as a file must be valid.
    """

    def __init__(
        self,
        settings: Settings,
        farm: EncodeFarm,
        *,
        whole: bool = False,
        container_always: bool = False,
    ) -> None:
        self._format = settings.format
        self._rate_in = settings.engine_rate
        self._farm = farm
        self._whole = whole
        self._container_always = container_always
        self._resampler: Resampler | None = None
        self._encoder: Encoder | None = None
        self._segment = 0
        self._sequence = 0
        self._given = 0
        """Samples that went into the encoder since the context began."""
        self._announced = 0
        """Samples that were part of an audio event; less than `_given` while the encoder has given nothing."""

    async def pass_on(self, event: Event, deadline: float = math.inf) -> list[Event]:
        """The events that go to the wire for this one. `deadline` is when the listener runs dry, in loop time."""
        match event:
            case SessionStarted(settings=settings):
                # Until there is text a context may be given another format, and even another engine.
                self._format, self._rate_in = settings.format, settings.engine_rate
                return [event]
            case Audio():
                self._segment = event.segment
                return await self._encode(event.data, deadline)
            case Flushed(cleared=False):
                return [*await self._drain(deadline), event]
            case SegmentCancelled() | Flushed() | Cleared():
                return [*await self._cut(), event]
            case Closed():
                ended = event.reason is not CloseReason.ABORTED
                return [*(await self._finish(deadline) if ended else []), event]
            case _:
                return [event]

    @property
    def delay_s(self) -> float:
        """The silence that the codec puts in front of a stream."""
        return self._encoder.delay_samples / self._format.sample_rate if self._encoder else 0.0

    def _stage(self) -> tuple[Resampler, Encoder]:
        if self._resampler is None:
            self._resampler = Resampler(self._rate_in, self._format.sample_rate)
        if self._encoder is None:
            self._encoder = new_encoder(self._format, whole_file=self._whole)
        return self._resampler, self._encoder

    async def _encode(self, pcm: bytes, deadline: float) -> list[Event]:
        resampler, encoder = self._stage()
        if encoder.is_cheap:
            samples = resampler.convert(pcm)
            return self._audio(len(samples), encoder.encode(samples))

        def job() -> tuple[int, bytes]:
            samples = resampler.convert(pcm)
            return len(samples), encoder.encode(samples)

        return self._audio(*await self._farm.run(deadline, job))

    async def _drain(self, deadline: float) -> list[Event]:
        if self._resampler is None or self._encoder is None:
            return []
        resampler, encoder = self._resampler, self._encoder

        def job() -> tuple[int, bytes]:
            tail = resampler.drain()
            return len(tail), encoder.encode(tail) + encoder.drain()

        return self._audio(*(job() if encoder.is_cheap else await self._farm.run(deadline, job)))

    async def _cut(self) -> list[Event]:
        if self._resampler is None or self._encoder is None:
            return []
        tail = self._resampler.drain()
        if self._encoder.is_cheap:
            return self._audio(len(tail), self._encoder.encode(tail))
        self._given += len(tail) // SAMPLE_BYTES
        self._announced = self._given
        self._encoder = None
        return []

    async def _finish(self, deadline: float) -> list[Event]:
        if self._encoder is None and not self._container_always:
            return []
        resampler, encoder = self._stage()

        def job() -> tuple[int, bytes]:
            tail = resampler.drain()
            return len(tail), encoder.encode(tail) + encoder.finish()

        return self._audio(*(job() if encoder.is_cheap else await self._farm.run(deadline, job)))

    def _audio(self, size: int, data: bytes) -> list[Event]:
        """The audio event for what the encoder gave; none while it has given nothing."""
        self._given += size // SAMPLE_BYTES
        if not data:
            return []
        start, self._announced = self._announced, self._given
        self._sequence += 1
        return [Audio(self._segment, self._sequence - 1, start, self._given - start, data)]
