"""Session events on their way to the wire: the PCM in them becomes codec bytes, and the positions stay true.

One resampler and one encoder per context. At a flush both are drained, so that the last word leaves before the answer;
at a clear an encoder that outlives it is drained too, so that a raw stream has exactly as many samples as its closing
event says; what others still hold is dropped with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

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
from gateway.core.params import Format, Settings
from gateway.core.session import SAMPLE_BYTES
from gateway.core.vocabulary import CloseReason, Codec

TELEPHONY = frozenset({Codec.MULAW, Codec.ALAW})
TELEPHONY_FRAME_MS = 20


class Outlet:
    """The output stage of one context. Give it the session's events one after the other.

    `container_always`: a context without any audio still gets its (empty) container, as a file must be valid. `framed`:
    a telephone's codec leaves in the frames of TELEPHONY_FRAME_MS that telephony counts in, the last one before a flush,
    clear or end being what is left. `owner` is whose share of the encoders this is. `sample_start`: what is before it the
    listener has, and the encoder begins there. `writer` is who pulls these events, one at a time. `raw`: PCM leaves, at the rate of the format, which it is made into afterwards.
    """

    def __init__(
        self,
        settings: Settings,
        farm: EncodeFarm,
        *,
        whole: bool = False,
        container_always: bool = False,
        framed: bool = False,
        owner: str = "",
        writer: object = None,
        sample_start: int = 0,
        raw: bool = False,
    ) -> None:
        self._raw = raw
        self._settings = settings
        self._farm = farm
        self.is_whole = whole
        self._container_always = container_always
        self._framed = framed
        self._owner = owner
        self._writer = writer
        self._resampler: Resampler | None = None
        self._encoder: Encoder | None = None
        self._segment = 0
        self._sequence = 0
        self._rest = b""
        """Less than a frame, where the codec leaves in frames."""
        self._given = 0
        """Samples that went into the encoder since the context began."""
        self._unwanted = sample_start
        """Samples that are still to be left out."""
        self._announced = sample_start
        """Samples that were part of an audio event; less than `_given` while the encoder has given nothing."""

    async def pass_on(self, event: Event, deadline: float = math.inf) -> list[Event]:
        """The events that go to the wire for this one. `deadline` is when the listener runs dry, in loop time."""
        match event:
            case SessionStarted(settings=settings):
                # Until there is text a context may be given another format, and even another engine.
                self._settings = settings
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

    def hurry(self) -> None:
        """What the writer waits for is to be encoded next, whichever context of its it is of."""
        self._farm.hurry(self._writer)

    @property
    def delay_s(self) -> float:
        """The silence that the codec puts in front of a stream."""
        return self._encoder.delay_samples / self._format.sample_rate if self._encoder else 0.0

    @property
    def _format(self) -> Format:
        format = self._settings.format
        return Format(Codec.PCM_S16LE, format.sample_rate) if self._raw else format

    def _stage(self) -> tuple[Resampler, Encoder]:
        if self._resampler is None:
            self._resampler = Resampler(self._settings.engine_rate, self._format.sample_rate)
        if self._encoder is None:
            # Each container was begun by an audio event, so their number is one that none of them has.
            self._encoder = new_encoder(
                self._format, whole_file=self.is_whole, serial=self._sequence
            )
        return self._resampler, self._encoder

    async def _encode(self, pcm: bytes, deadline: float) -> list[Event]:
        resampler, encoder = self._stage()
        if encoder.is_cheap:
            samples = resampler.convert(pcm)
            return self._audio(len(samples), self._feed(encoder, samples))

        def job() -> tuple[int, bytes]:
            samples = resampler.convert(pcm)
            return len(samples), self._feed(encoder, samples)

        return self._audio(*await self._run(deadline, job))

    async def _drain(self, deadline: float) -> list[Event]:
        if self._resampler is None or self._encoder is None:
            return []
        resampler, encoder = self._resampler, self._encoder

        def job() -> tuple[int, bytes]:
            tail = resampler.drain()
            return len(tail), self._feed(encoder, tail) + encoder.drain()

        size, data = job() if encoder.is_cheap else await self._run(deadline, job)
        return self._audio(size, data, all_of_it=True)

    async def _cut(self) -> list[Event]:
        if self._resampler is None or self._encoder is None:
            return []
        if self._encoder.outlives_clear:
            return await self._drain(-math.inf)
        tail = self._resampler.drain()
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
            return len(tail), self._feed(encoder, tail) + encoder.finish()

        size, data = job() if encoder.is_cheap else await self._run(deadline, job)
        return self._audio(size, data, all_of_it=True)

    async def _run(
        self, deadline: float, job: Callable[[], tuple[int, bytes]]
    ) -> tuple[int, bytes]:
        eager = self._settings.lead_ms is None
        return await self._farm.run(deadline, job, self._owner, eager=eager, writer=self._writer)

    def _feed(self, encoder: Encoder, samples: bytes) -> bytes:
        """What the encoder gives for the samples that the listener has not. In its thread, which one job at a time is in."""
        gone = min(self._unwanted, len(samples) // SAMPLE_BYTES)
        self._unwanted -= gone
        wanted = samples[gone * SAMPLE_BYTES :]
        return encoder.encode(wanted) if wanted else b""

    def _audio(self, size: int, data: bytes, *, all_of_it: bool = False) -> list[Event]:
        """The audio events for what the encoder gave; none while it has given nothing."""
        self._given += size // SAMPLE_BYTES
        if self._framed and self._format.codec in TELEPHONY:
            return self._frames(data, all_of_it=all_of_it)
        if not data:
            return []
        # Where all was left out, an empty file is behind what was given.
        start, self._announced = self._announced, max(self._announced, self._given)
        self._sequence += 1
        return [Audio(self._segment, self._sequence - 1, start, self._announced - start, data)]

    def _frames(self, data: bytes, *, all_of_it: bool) -> list[Event]:
        """The same for a codec with one byte per sample that leaves in frames."""
        data = self._rest + data
        frame = self._format.sample_rate * TELEPHONY_FRAME_MS // 1_000
        end = len(data) if all_of_it else len(data) // frame * frame
        self._rest = data[end:]
        events: list[Event] = []
        for at in range(0, end, frame):
            part = data[at : min(at + frame, end)]
            events.append(Audio(self._segment, self._sequence, self._announced, len(part), part))
            self._sequence += 1
            self._announced += len(part)
        return events
