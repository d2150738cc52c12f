"""The output stage against what it promises: positions that are true, drains that are complete, cuts that are exact."""

from __future__ import annotations

import asyncio
import io
import struct
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from gateway.audio.farm import EncodeFarm
from gateway.audio.registry import new_encoder
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
from gateway.core.formats import SHAPES, rates_of
from gateway.core.params import Format
from gateway.core.timeline import samples_out
from gateway.core.vocabulary import CloseReason, Codec, Container
from gateway.runtime.outlet import TELEPHONY, Outlet
from tests.audio.listening import (
    AMPLITUDE,
    LOSSLESS,
    Samples,
    decode,
    delay_of,
    format_of,
    ogg_pages,
    signal_to_noise_db,
    split_files,
    tone,
)
from tests.support.sessions import settings

HEARD = AMPLITUDE / 4
"""A sample louder than this is no artefact of a codec."""


FORMATS = [
    format_of(codec, 24_000, container)
    for codec in Codec
    for container in (SHAPES[codec].containers or (None,))
]
formats = pytest.mark.parametrize("format", FORMATS, ids=str)


def push_out_max(format: Format) -> int:
    """Samples of silence by which a drain makes audio leave, where the stream has to go on; so much is heard more."""
    if format.codec is Codec.OPUS and format.container is Container.PER_CONTEXT:
        return format.sample_rate * 93 // 2_000 + 1
    return delay_of(format.codec) + 2 * 1_152 if delay_of(format.codec) else 0


class Told:
    """An outlet, and the events that went to the wire."""

    def __init__(
        self,
        farm: EncodeFarm,
        format: Format,
        rate_in: int = 22_050,
        *,
        whole: bool = False,
        file: bool = False,
    ) -> None:
        self.format = format
        self.rates = rate_in, format.sample_rate
        self.outlet = Outlet(
            settings(engine_rate=rate_in, format=format),
            farm,
            whole=whole,
            container_always=file,
            framed=not file,
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

    def heard(self) -> Samples:
        """What a listener has heard by now."""
        return decode(self.format, self.data)

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


@pytest.mark.parametrize("rate_in", [22_050, 24_000, 44_100])
@pytest.mark.parametrize(
    "format",
    [format_of(codec, rate) for codec in Codec for rate in rates_of(codec, RATES)],
    ids=str,
)
async def test_a_flush_leaves_nothing_behind(format: Format, rate_in: int) -> None:
    said = tone(rate_in // 4, rate_in)
    async with farming() as farm:
        told = Told(farm, format, rate_in)
        for piece in np.array_split(said, 7):
            await told.say(piece)
        await told.flush()
        assert_true_positions(told)
        assert sum(audio.sample_count for audio in told.audio) == told.position
        heard, end = told.heard(), told.position + delay_of(format.codec)
        assert len(heard) >= end
        last_tenth = heard[end - told.position // 10 : end]
        assert np.abs(last_tenth.astype(int)).max() > HEARD


@formats
async def test_each_flush_is_complete_and_each_container_has_one_header(format: Format) -> None:
    """The words between two flushes are all audible in what has come by the second."""
    turns = 3
    async with farming() as farm:
        told = Told(farm, format)
        for turn in range(1, turns + 1):
            await told.say(tone(4_410, 22_050))
            await told.flush()
            loud = np.count_nonzero(np.abs(told.heard().astype(int)) > HEARD)
            wholly = np.count_nonzero(np.abs(tone(4_800, 24_000).astype(int)) > HEARD)
            assert loud >= 0.97 * turn * wholly
        await told.end()
    containers = turns if format.container is Container.PER_FLUSH else 1
    if format.codec is Codec.OPUS:
        pages = list(ogg_pages(told.data))
        assert [page.begins for page in pages].count(True) == containers
        assert [page.ends for page in pages].count(True) == containers
        assert len({page.serial for page in pages}) == containers
        assert pages[-1].ends
    elif format.container is not None:
        assert len(split_files(format, told.data)) == containers


@formats
async def test_what_is_heard_is_what_was_said(format: Format) -> None:
    """Not only as long: the same, flush by flush, behind the delay that is declared."""
    said = tone(22_050, 22_050, 330)
    async with farming() as farm:
        told = Told(farm, format, file=True)
        for piece in np.array_split(said, 9):
            await told.say(piece)
        await told.end()
    expected = tone(told.position, 24_000, 330)
    # Both ends of a piece ring a little when it is resampled.
    inside = slice(500, told.position - 500)
    delay = delay_of(format.codec)
    heard = told.heard()[delay : delay + told.position]
    shifted = {
        shift: signal_to_noise_db(np.roll(heard, shift)[inside], expected[inside])
        for shift in range(-40, 41)
    }
    best = max(shifted, key=shifted.__getitem__)
    assert best == 0
    assert shifted[best] > (40 if format.codec in LOSSLESS else 15)


Step = int | str


some_format = st.sampled_from([*Codec]).flatmap(
    lambda codec: st.builds(
        format_of,
        st.just(codec),
        st.sampled_from(rates_of(codec, RATES)),
        st.sampled_from(SHAPES[codec].containers or [None]),
    )
)


@given(
    format=some_format,
    rate_in=st.sampled_from(RATES),
    steps=st.lists(
        st.one_of(st.integers(1, 6_000), st.sampled_from(["flush", "clear", "late clear"])),
        max_size=12,
    ),
    ends=st.sampled_from([*CloseReason]),
)
@hypothesis_settings(max_examples=400)
def test_samples_sent_are_samples_counted(
    format: Format, rate_in: int, steps: Sequence[Step], ends: CloseReason
) -> None:
    """At each acknowledgement and at the end as many samples have left as the session's position says, and a decoder
    gives as many: exactly, but for what a drain is known to add and a clear to take."""
    outlives_clear = new_encoder(format).outlives_clear

    async def run() -> None:
        async with farming() as farm:
            told = Told(farm, format, rate_in)
            drains = 0
            for step in steps:
                if isinstance(step, int):
                    await told.say(tone(step, rate_in))
                    continue
                if step == "flush":
                    await told.flush()
                else:
                    await told.clear(mid_segment=step == "clear")
                drains += 1
                check(told, drains, told.position if outlives_clear else counted(told))
            await told.end(ends)
            assert_true_positions(told)
            if ends is not CloseReason.ABORTED:
                check(told, drains + 1, told.position if outlives_clear else counted(told))
                assert not outlives_clear or counted(told) == told.position
            if format.codec in TELEPHONY:
                assert_in_frames(told)
            if format.codec is Codec.OPUS:
                pages = [*ogg_pages(told.data)]
                assert len({page.serial for page in pages}) == sum(page.begins for page in pages)

    def counted(told: Told) -> int:
        return sum(audio.sample_count for audio in told.audio)

    def check(told: Told, drains: int, expected: int) -> None:
        if "clear" in str(steps) and not outlives_clear:
            return  # What was broken off may be too short to be recognized; the next test is about it.
        delay = delay_of(format.codec) if expected else 0
        assert expected + delay <= len(told.heard()) <= expected + drains * push_out_max(format)

    asyncio.run(run())


def assert_in_frames(told: Told) -> None:
    """Each is 20 ms, but for the one before an acknowledgement."""
    frame = told.format.sample_rate // 50
    for event, after in pairwise(told.events):
        if isinstance(event, Audio):
            assert event.sample_count == len(event.data)
            assert event.sample_count == frame or not isinstance(after, Audio)
            assert event.sample_count <= frame


@pytest.mark.parametrize(
    "format", [format for format in FORMATS if not new_encoder(format).outlives_clear], ids=str
)
async def test_a_clear_takes_back_what_an_encoder_holds(format: Format) -> None:
    """What was said before the clear and had not left the encoder is never heard; positions go on as if it had been, and
    what is said then is heard wholly, by whoever begins there and by whoever has listened all the time."""
    async with farming() as farm:
        told = Told(farm, format)
        await told.say(tone(22_050, 22_050))
        before = len(told.data)
        cut_off = len(told.heard())
        assert cut_off > format.sample_rate * 4 // 5
        await told.clear(mid_segment=True)
        assert len(told.data) == before
        await told.say(np.zeros(22_050, "<i2"))
        await told.say(tone(11_025, 22_050))
        await told.end()
        assert told.audio[-1].sample_start + told.audio[-1].sample_count == told.position
        new = decode(format, told.data[before:])
        delay = delay_of(format.codec)
        half, one = format.sample_rate // 2, format.sample_rate
        assert np.abs(new[: one - 400].astype(int)).max() < HEARD
        assert one + half + delay <= len(new) <= one + half + push_out_max(format)
        assert np.abs(new[one + half + delay - 200 : one + half + delay].astype(int)).max() > HEARD
        # LAME stops in the middle of a frame, which a player passes over and FFmpeg's library reports.
        if format.codec is not Codec.MP3:
            assert len(told.heard()) >= cut_off + len(new) - 1_152
        if format.codec is Codec.OPUS:
            assert len({page.serial for page in ogg_pages(told.data)}) == 2


async def test_an_aborted_context_ends_without_a_last_word() -> None:
    async with farming() as farm:
        told = Told(farm, format_of(Codec.MP3, 22_050))
        await told.say(tone(22_050, 22_050))
        told.events.clear()
        await told.end(CloseReason.ABORTED)
        assert [type(event) for event in told.events] == [Closed]


@pytest.mark.parametrize("whole", [False, True])
@formats
async def test_a_file_without_samples_is_still_a_file(format: Format, whole: bool) -> None:
    async with farming() as farm:
        told = Told(farm, format, whole=whole, file=True)
        await told.end()
        if format.codec is Codec.WAV:
            assert len(told.data) == 44
        # An MP3 of no frames is none, so there one of silence is the least; so it is with AAC and Opus.
        assert np.abs(told.heard().astype(int)).max(initial=0) < 100
        assert bool(told.data) == (format.codec not in {Codec.PCM_S16LE, *TELEPHONY})


@formats
async def test_a_context_that_is_no_file_sends_nothing_for_nothing(format: Format) -> None:
    async with farming() as farm:
        told = Told(farm, format)
        await told.flush()
        await told.clear(mid_segment=False)
        await told.end()
        assert told.audio == []


async def test_a_whole_wav_has_exact_sizes() -> None:
    async with farming() as farm:
        told = Told(farm, format_of(Codec.WAV, 24_000), whole=True, file=True)
        await told.say(tone(22_051, 22_050))
        await told.end()
        assert struct.unpack_from("<I", told.data, 4)[0] == len(told.data) - 8
        with wave.open(io.BytesIO(told.data)) as file:
            assert file.getnframes() == told.position == 24_002


async def test_the_last_settings_before_the_audio_decide_the_format() -> None:
    async with farming() as farm:
        told = Told(farm, format_of(Codec.PCM_S16LE, 22_050))
        changed = settings(engine_rate=24_000, format=format_of(Codec.WAV, 8_000))
        await told.tell(SessionStarted(changed))
        told.rates = 24_000, 8_000
        await told.say(tone(24_000, 24_000))
        await told.end()
        assert told.data.startswith(b"RIFF")
        assert sum(audio.sample_count for audio in told.audio) == 8_000
