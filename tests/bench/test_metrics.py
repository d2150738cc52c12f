"""Figures of timelines made by hand, and what they are made from: decoding, pacing, joining."""

from __future__ import annotations

import struct

import msgspec
import numpy as np
import pytest
from hypothesis import given, strategies as st

from gateway.audio.mp3 import Mp3Encoder
from gateway.bench.instruments.hearing import Pace
from gateway.bench.instruments.http import retry_after_s
from gateway.bench.instruments.metrics import measure
from gateway.bench.instruments.objectives import Objectives, goodput
from gateway.bench.instruments.sound import NotAudio, decode, wav_header_bytes
from gateway.bench.instruments.timeline import (
    Codec,
    Failure,
    Form,
    Message,
    Payload,
    Sent,
    Timeline,
    Trouble,
    Wire,
    joined,
)
from gateway.bench.instruments.utterance import Consumer
from tests.support.calibration import wav_header

RATE = 24_000
PCM = Form(Codec.PCM_S16LE, RATE)
MP3 = Form(Codec.MP3, RATE, 64_000)


def tone(seconds: float) -> bytes:
    wave = 9_000 * np.sin(np.arange(round(seconds * RATE)) * 0.2)
    return bytes(wave.astype("<i2").tobytes())


def timeline(*payloads: tuple[float, bytes], wire: Wire = Wire.HTTP, form: Form = PCM) -> Timeline:
    """Intended at 10, begun at 10.001, text sent at 10.002, done a hundredth after the last audio."""
    return Timeline(
        wire,
        form,
        intended=10.0,
        begun=10.001,
        sent=[Sent(10.002, "Hello.")],
        text_ended=10.002,
        heard=[Payload(at, data) for at, data in payloads],
        finished=payloads[-1][0] + 0.01 if payloads else 10.5,
    )


def test_an_utterance_in_figures() -> None:
    metrics = measure(timeline((10.2, bytes(960) + tone(0.08)), (10.25, tone(0.2))))
    assert metrics.trouble is None
    assert metrics.lag_s == pytest.approx(0.001)
    assert metrics.connect_s is None
    assert metrics.ttfb_s == metrics.ttfc_s == pytest.approx(0.2)
    assert metrics.ttfa_s == pytest.approx(0.215, abs=0.006)
    assert metrics.ftts_s == pytest.approx(0.213, abs=0.006)
    assert metrics.tail_s == pytest.approx(0.248)
    assert metrics.audio_s == pytest.approx(0.3)
    assert metrics.rtf == pytest.approx(0.248 / 0.3)
    assert metrics.playout is not None
    assert metrics.playout.lead_max_s == pytest.approx(0.25)
    assert metrics.playout.cadence_errors_s == pytest.approx([-0.05])
    assert metrics.cancel is None


def test_samples_cut_anywhere_are_counted_when_they_are_whole() -> None:
    data = tone(0.1)
    heard = decode([data[:1], data[1:4], data[4:], b"\0"], PCM)
    assert heard.counts == [0, 2, 2_400, 2_400]
    assert heard.odd_bytes == 1
    assert len(heard.samples) == 2_400


def test_half_a_sample_at_the_end_is_a_protocol_failure() -> None:
    trouble = measure(timeline((10.1, tone(0.1) + b"\0"))).trouble
    assert trouble is not None
    assert trouble.failure is Failure.PROTOCOL


@pytest.mark.parametrize(
    ("form", "data"),
    [
        (PCM, tone(0.1) + b"\0"),
        (Form(Codec.WAV, RATE), wav_header(RATE)[:30]),
        (MP3, b"\xff\xf3"),
    ],
    ids=["pcm", "wav", "mp3"],
)
def test_who_interrupts_may_cut_audio_anywhere(form: Form, data: bytes) -> None:
    cut = timeline((10.1, data), form=form)
    cut.finished, cut.interrupted = None, 10.12
    assert measure(cut).trouble is None


@pytest.mark.parametrize("count", [2_399, 2_401])
def test_a_frame_must_hold_the_samples_that_it_claims(count: int) -> None:
    spoken = timeline(wire=Wire.WEBSOCKET)
    spoken.heard = [Payload(10.1, tone(0.1), 0, count)]
    spoken.finished, spoken.interrupted = None, 10.12
    trouble = measure(spoken).trouble
    assert trouble is not None
    assert trouble.failure is Failure.PROTOCOL


def test_wav_without_a_header_is_not_audio() -> None:
    trouble = measure(timeline((10.1, tone(0.1)), form=Form(Codec.WAV, RATE))).trouble
    assert trouble is not None
    assert trouble.failure is Failure.PROTOCOL


def test_a_wav_header_may_have_more_chunks() -> None:
    header = wav_header(RATE)
    more = header[:36] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + header[36:]
    assert wav_header_bytes(header + tone(0.1)) == 44
    assert wav_header_bytes(more + tone(0.1)) == 56
    assert wav_header_bytes(b"") == 0
    with pytest.raises(NotAudio):
        wav_header_bytes(header[:40])


@given(st.binary(max_size=200))
def test_no_bytes_break_the_wav_parser(data: bytes) -> None:
    try:
        size = wav_header_bytes(data)
    except NotAudio:
        return
    assert 0 <= size <= len(data)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_mp3_decodes_alike_however_it_was_cut(sizes: list[int]) -> None:
    encoder = Mp3Encoder(RATE, MP3.bitrate)
    data = encoder.encode(tone(0.5)) + encoder.finish()
    pieces = []
    at = 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    pieces.append(data[at:])
    heard = decode(pieces, MP3)
    assert np.array_equal(heard.samples, decode([data], MP3).samples)
    assert heard.counts == sorted(heard.counts)
    assert heard.counts[-1] >= len(heard.samples) - 576
    for number, count in enumerate(heard.counts):
        alone = len(decode(pieces[: number + 1], MP3).samples)
        assert alone - 576 <= count <= alone
    assert 12_000 <= len(heard.samples) <= 12_000 + 1_105 + 2 * 576


def test_other_bytes_are_no_mp3() -> None:
    with pytest.raises(NotAudio):
        decode([b"nothing like it " * 100], MP3)


def test_mp3_of_another_rate_is_not_what_was_asked_for() -> None:
    encoder = Mp3Encoder(RATE, MP3.bitrate)
    with pytest.raises(NotAudio):
        decode([encoder.encode(tone(0.5)) + encoder.finish()], Form(Codec.MP3, 44_100, 64_000))


def test_trouble_that_was_seen_stays_and_figures_are_given_all_the_same() -> None:
    broken = timeline((10.1, tone(0.1)))
    broken.finished, broken.trouble = None, Trouble(Failure.TRUNCATED, "gone")
    metrics = measure(broken)
    assert metrics.trouble == broken.trouble
    assert metrics.ttfb_s == pytest.approx(0.1)
    assert metrics.tail_s is None


def test_a_timeline_of_nothing_has_no_figures() -> None:
    metrics = measure(Timeline(Wire.HTTP, PCM, 10.0))
    assert (metrics.lag_s, metrics.ttfb_s, metrics.ttfa_s, metrics.playout) == (None,) * 4


def test_commit_delays_start_with_the_segments_last_character() -> None:
    spoken = timeline((10.9, tone(0.1)), wire=Wire.WEBSOCKET)
    spoken.sent = [Sent(10.0, "One "), Sent(10.2, "two. Thr"), Sent(10.4, "ee.")]
    ends = [(10.25, 4), (10.5, 5), (10.7, 15), (10.8, 99)]
    spoken.heard += [Message(at, "segment", {"text_end": end}) for at, end in ends]
    assert measure(spoken).commit_s == pytest.approx([0.25, 0.3, 0.3])


def test_who_interrupts_after_everything_came_has_not_heard_the_rest() -> None:
    interrupted = timeline((10.2, tone(1.0)))
    interrupted.interrupted = 10.5
    metrics = measure(interrupted)
    assert metrics.cancel is not None
    assert metrics.cancel.unheard_s == pytest.approx(0.7)
    assert metrics.cancel.acknowledged_s is None
    assert metrics.cancel.last_audio_s == 0.0
    assert metrics.tail_s is not None


def test_what_comes_after_an_interruption_was_received_in_vain() -> None:
    interrupted = timeline((10.2, tone(1.0)), (10.52, tone(0.2)))
    interrupted.interrupted = 10.5
    metrics = measure(interrupted)
    assert metrics.cancel is not None
    assert metrics.cancel.unheard_s == pytest.approx(0.7 + 0.2)
    assert metrics.cancel.last_audio_s == pytest.approx(0.02)


def test_a_leak_in_the_same_read_as_the_acknowledgement_is_a_leak() -> None:
    cleared = timeline((10.2, tone(0.1)), wire=Wire.WEBSOCKET)
    cleared.interrupted, cleared.silenced = 10.25, 10.3
    cleared.heard += [Message(10.3, "cleared", {}), Payload(10.3, tone(0.1))]
    metrics = measure(cleared)
    assert metrics.cancel is not None
    assert metrics.cancel.leaked == 1
    assert metrics.cancel.acknowledged_s == pytest.approx(0.05)


def test_requests_that_follow_each_other_are_one_utterance() -> None:
    first, second = timeline((10.2, tone(0.1)), (10.3, tone(0.1))), timeline((10.25, tone(0.2)))
    second.sent = [Sent(10.1, "And more.")]
    whole = joined([first, second])
    assert [payload.at for payload in whole.payloads] == [10.2, 10.3, 10.3]
    assert [sent.text for sent in whole.sent] == ["Hello.", "And more."]
    metrics = measure(whole, announced=round(0.4 * RATE))
    assert metrics.trouble is None
    assert metrics.audio_s == pytest.approx(0.4)
    assert whole.finished == pytest.approx(10.31)


def test_one_failed_request_fails_the_whole() -> None:
    first, second = timeline((10.2, tone(0.1))), timeline((10.4, tone(0.1)))
    second.finished, second.trouble = None, Trouble(Failure.TIMEOUT, "nothing")
    whole = joined([first, second])
    assert whole.finished is None
    assert whole.trouble == second.trouble


def test_the_announced_length_of_another_run_finds_a_loss() -> None:
    short = timeline((10.2, tone(0.1)))
    assert measure(short, announced=2_400).trouble is None
    for announced in (2_399, 2_401):
        trouble = measure(short, announced=announced).trouble
        assert trouble is not None
        assert trouble.failure is Failure.TRUNCATED


def test_what_is_announced_and_what_is_received_must_agree_whatever_a_codec_adds() -> None:
    encoder = Mp3Encoder(RATE, MP3.bitrate)
    data = encoder.encode(tone(0.5)) + encoder.finish()
    spoken = timeline(wire=Wire.WEBSOCKET, form=MP3)
    segment = Message(10.1, "segment", {"text_start": 0, "text_end": 6})
    spoken.heard = [segment, Payload(10.1, data, 0, 12_000)]
    spoken.announced = 12_000
    assert measure(spoken).trouble is None
    spoken.announced = 12_100
    trouble = measure(spoken).trouble
    assert trouble is not None
    assert trouble.failure is Failure.TRUNCATED


SEGMENT, CLEARED = "segment", "cleared"


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        ([(SEGMENT, 0, 4), (SEGMENT, 4, 15)], 0),
        ([(SEGMENT, 0, 4), (SEGMENT, 6, 15)], 2),
        ([(SEGMENT, 0, 4), (SEGMENT, 4, 14)], 1),
        ([(SEGMENT, 0, 10), (CLEARED, 10, 15)], 0),
        ([(SEGMENT, 0, 10), (CLEARED, 8, 12)], 3),
        ([], 15),
    ],
)
def test_every_character_is_spoken_or_given_back(
    said: list[tuple[str, int, int]], lost: int
) -> None:
    spoken = timeline((10.9, tone(0.1)), wire=Wire.WEBSOCKET)
    spoken.sent = [Sent(10.0, "One "), Sent(10.2, "two. Three.")]
    for type, start, end in said:
        text_start = {"text_start": start} if type == SEGMENT else {}
        spoken.heard.append(Message(10.5, type, {**text_start, "text_end": end}))
    completeness = measure(spoken).completeness
    assert completeness is not None
    assert completeness.chars_lost == lost
    assert completeness.is_complete == (lost == 0)


def test_an_utterance_is_good_when_it_keeps_every_objective() -> None:
    good = measure(timeline((10.1, tone(0.3))))
    late = measure(timeline((10.3, tone(0.3))))
    choppy = measure(timeline((10.1, tone(0.1)), (10.4, tone(0.1)), (10.41, tone(0.1))))
    silent = measure(timeline((10.1, bytes(4_800))))
    nothing = measure(Timeline(Wire.HTTP, PCM, 10.0))
    objectives = Objectives(ttfa_s_max=0.2, prebuffer_s=0.0)
    kept = [objectives.are_met_by(each) for each in (good, late, choppy, silent, nothing)]
    assert kept == [True, False, False, False, False]
    # A player that waits for a fifth of a second of audio has it all by then.
    assert Objectives(prebuffer_s=0.2).are_met_by(choppy)
    assert goodput([good, late, good], 4.0, objectives) == 0.5


def test_figures_can_be_written_down() -> None:
    metrics = measure(timeline((10.2, tone(0.1))))
    again = msgspec.json.decode(msgspec.json.encode(metrics), type=type(metrics))
    assert again == metrics


def test_a_greedy_consumer_never_waits() -> None:
    pace = Pace(Consumer())
    assert [pace.pause_s(at, 10.0) for at in (0.0, 0.1)] == [0.0, 0.0]


def test_a_listener_reads_so_far_ahead_and_no_further() -> None:
    pace = Pace(Consumer(rate=1.0, ahead_s=0.5))
    assert pace.pause_s(10.0, 0.4) == 0.0
    assert pace.pause_s(10.0, 0.4) == pytest.approx(0.3)
    assert pace.pause_s(10.3, 0.1) == pytest.approx(0.1)
    assert pace.pause_s(11.0, 0.1) == 0.0


def test_a_slow_reader_takes_longer_for_the_same() -> None:
    pace = Pace(Consumer(rate=0.5, ahead_s=0.5))
    assert pace.pause_s(10.0, 1.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("value", "seconds"), [("2", 2.0), ("", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)]
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    assert retry_after_s(value) == seconds
