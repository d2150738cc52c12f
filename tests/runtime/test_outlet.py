"""The output stage against what it promises: positions that are true, drains that are complete, cuts that are exact."""

from __future__ import annotations

import asyncio
import io
import struct
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from gateway.audio.farm import EncodeFarm
from gateway.config import RATES
from gateway.core.events import (
    Audio,
    Cleared,
    Closed,
    Event,
    Flushed,
    SegmentCancelled,
    SessionStarted,
)
from gateway.core.formats import default_mp3_bitrate
from gateway.core.params import Format
from gateway.core.timeline import samples_out
from gateway.core.vocabulary import CloseReason, Codec
from gateway.runtime.outlet import Outlet
from tests.audio.listening import AMPLITUDE, Samples, decode, tone
from tests.support.sessions import settings

HEARD = AMPLITUDE / 4
"""A sample louder than this is no artefact of a codec."""


def a_format(codec: Codec, rate: int) -> Format:
    return Format(codec, rate, default_mp3_bitrate(rate) if codec is Codec.MP3 else 0)


class Told:
    """An outlet, and the events that went to the wire."""

    def __init__(
        self,
        farm: EncodeFarm,
        codec: Codec,
        rate_in: int,
        rate_out: int,
        *,
        whole: bool = False,
        file: bool = False,
    ) -> None:
        self.rates = rate_in, rate_out
        self.outlet = Outlet(
            settings(engine_rate=rate_in, format=a_format(codec, rate_out)),
            farm,
            whole=whole,
            container_always=file,
        )
        self.events: list[Event] = []
        self.taken = 0

    @property
    def position(self) -> int:
        """Where a session stands after as many samples, in output samples."""
        return samples_out(self.taken, *self.rates)

    @property
    def audio(self) -> list[Audio]:
        return [event for event in self.events if isinstance(event, Audio)]

    @property
    def data(self) -> bytes:
        return b"".join(audio.data for audio in self.audio)

    async def tell(self, event: Event) -> None:
        self.events += await self.outlet.pass_on(event)

    async def say(self, samples: Samples) -> None:
        """Audio from a session."""
        start, self.taken = self.position, self.taken + len(samples)
        await self.tell(Audio(0, 0, start, self.position - start, samples.tobytes()))

    async def flush(self) -> None:
        await self.tell(Flushed("f", self.position))

    async def clear(self, *, mid_segment: bool) -> None:
        """What a session tells at a clear; the segment's ending only where one was open."""
        if mid_segment:
            await self.tell(SegmentCancelled(0, self.position))
        await self.tell(Cleared("c", self.position, 0, 0, 0, "", "", estimated=False))

    async def end(self, reason: CloseReason = CloseReason.FINISHED) -> None:
        await self.tell(Closed(reason, self.position, 0))


@asynccontextmanager
async def farming() -> AsyncIterator[EncodeFarm]:
    farm = EncodeFarm(threads=1)
    farm.start()
    try:
        yield farm
    finally:
        await farm.aclose()


def assert_true_positions(told: Told) -> None:
    """Audio events are numbered, and gap-free but for what a cut took out of an encoder."""
    position = sequence = 0
    for event in told.events:
        match event:
            case Audio():
                assert (event.sequence, event.sample_start) == (sequence, position)
                sequence += 1
                position += event.sample_count
            case SegmentCancelled(sample_end=end) | Cleared(sample_end=end):
                assert position <= end
                position = end
            case _:
                pass


@pytest.mark.parametrize("rate_out", RATES)
@pytest.mark.parametrize("rate_in", [22_050, 24_000, 44_100])
@pytest.mark.parametrize("codec", Codec)
async def test_a_flush_leaves_nothing_behind(codec: Codec, rate_in: int, rate_out: int) -> None:
    said = tone(rate_in // 4, rate_in)
    async with farming() as farm:
        told = Told(farm, codec, rate_in, rate_out)
        for piece in np.array_split(said, 7):
            await told.say(piece)
        await told.flush()
        assert_true_positions(told)
        assert sum(audio.sample_count for audio in told.audio) == told.position
        heard = decode(codec, as_file(codec, told.data))
        # MP3 comes in whole frames behind the decoder's delay; nothing before that may be missing.
        delay = 1_105 if codec is Codec.MP3 else 0
        assert len(heard) >= told.position + delay
        last_tenth = heard[told.position + delay - told.position // 10 : told.position + delay]
        assert np.abs(last_tenth.astype(int)).max() > HEARD


@pytest.mark.parametrize("codec", Codec)
async def test_each_flush_is_complete_and_the_header_comes_once(codec: Codec) -> None:
    """The words between two flushes are all audible in what has come by the second."""
    async with farming() as farm:
        told = Told(farm, codec, 22_050, 24_000)
        for turn in range(1, 4):
            await told.say(tone(4_410, 22_050))
            await told.flush()
            heard = decode(codec, as_file(codec, told.data))
            loud = np.count_nonzero(np.abs(heard.astype(int)) > HEARD)
            wholly = np.count_nonzero(np.abs(tone(4_800, 24_000).astype(int)) > HEARD)
            assert loud >= 0.97 * turn * wholly
        await told.end()
        if codec is Codec.WAV:
            assert told.data.count(b"RIFF") == told.data.count(b"data") == 1


Step = int | str


@given(
    codec=st.sampled_from([Codec.PCM_S16LE, Codec.WAV, Codec.MP3]),
    rates=st.tuples(st.sampled_from(RATES), st.sampled_from(RATES)),
    steps=st.lists(
        st.one_of(st.integers(1, 6_000), st.sampled_from(["flush", "clear", "late clear"])),
        max_size=12,
    ),
    ends=st.sampled_from([*CloseReason]),
)
@hypothesis_settings(max_examples=150)
def test_samples_sent_are_samples_counted(
    codec: Codec, rates: tuple[int, int], steps: Sequence[Step], ends: CloseReason
) -> None:
    """At each acknowledgement and at the end as many samples have left as the session's position says; raw codecs
    carry exactly those."""

    async def run() -> None:
        async with farming() as farm:
            told = Told(farm, codec, *rates)
            for step in steps:
                if isinstance(step, int):
                    await told.say(tone(step, rates[0]))
                elif step == "flush":
                    await told.flush()
                else:
                    await told.clear(mid_segment=step == "clear")
                if codec is not Codec.MP3 and not isinstance(step, int):
                    assert sent_samples(told) == told.position
            await told.end(ends)
            assert_true_positions(told)
            if codec is not Codec.MP3 and ends is not CloseReason.ABORTED:
                assert sent_samples(told) == told.position
                assert sum(audio.sample_count for audio in told.audio) == told.position

    def sent_samples(told: Told) -> int:
        header = 44 if codec is Codec.WAV and told.data else 0
        return (len(told.data) - header) // 2

    asyncio.run(run())


async def test_a_clear_takes_back_what_an_mp3_encoder_holds() -> None:
    """What was said before the clear and had not left the encoder is never heard; positions go on as if it had been."""
    async with farming() as farm:
        told = Told(farm, Codec.MP3, 22_050, 22_050)
        await told.say(tone(22_050, 22_050))
        before = len(told.data)
        await told.clear(mid_segment=True)
        assert len(told.data) == before
        await told.say(np.zeros(22_050, "<i2"))
        await told.end()
        assert told.audio[-1].sample_start + told.audio[-1].sample_count == told.position
        new = decode(Codec.MP3, told.data[before:])
        assert np.abs(new.astype(int)).max() < HEARD


async def test_an_aborted_context_ends_without_a_last_word() -> None:
    async with farming() as farm:
        told = Told(farm, Codec.MP3, 22_050, 22_050)
        await told.say(tone(22_050, 22_050))
        told.events.clear()
        await told.end(CloseReason.ABORTED)
        assert [type(event) for event in told.events] == [Closed]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("codec", Codec)
async def test_a_file_without_samples_is_still_a_file(codec: Codec, whole: bool) -> None:
    async with farming() as farm:
        told = Told(farm, codec, 22_050, 24_000, whole=whole, file=True)
        await told.end()
        if codec is Codec.WAV:
            assert len(told.data) == 44
        # An MP3 of no frames is none, so there one of silence is the least.
        assert np.abs(decode(codec, as_file(codec, told.data)).astype(int)).max(initial=0) < 100


@pytest.mark.parametrize("codec", Codec)
async def test_a_context_that_is_no_file_sends_nothing_for_nothing(codec: Codec) -> None:
    async with farming() as farm:
        told = Told(farm, codec, 22_050, 24_000)
        await told.flush()
        await told.clear(mid_segment=False)
        await told.end()
        assert told.audio == []


async def test_a_whole_wav_has_exact_sizes() -> None:
    async with farming() as farm:
        told = Told(farm, Codec.WAV, 22_050, 24_000, whole=True, file=True)
        await told.say(tone(22_051, 22_050))
        await told.end()
        assert struct.unpack_from("<I", told.data, 4)[0] == len(told.data) - 8
        with wave.open(io.BytesIO(told.data)) as file:
            assert file.getnframes() == told.position == 24_002


async def test_the_last_settings_before_the_audio_decide_the_format() -> None:
    async with farming() as farm:
        told = Told(farm, Codec.PCM_S16LE, 22_050, 22_050)
        changed = settings(engine_rate=24_000, format=a_format(Codec.WAV, 8_000))
        await told.tell(SessionStarted(changed))
        told.rates = 24_000, 8_000
        await told.say(tone(24_000, 24_000))
        await told.end()
        assert told.data.startswith(b"RIFF")
        assert sum(audio.sample_count for audio in told.audio) == 8_000


def as_file(codec: Codec, data: bytes) -> bytes:
    """A stream's header says that nobody knew its length; by now we do."""
    if codec is not Codec.WAV or not data:
        return data
    return (
        data[:4]
        + struct.pack("<I", len(data) - 8)
        + data[8:40]
        + struct.pack("<I", len(data) - 44)
        + data[44:]
    )
