"""What a timeline makes of moments, in plain values: 1,000 samples a second, so that a sample is a millisecond."""

from __future__ import annotations

import pytest

from gateway.core.commands import Abort, Clear, Command, Configure, EndInput, Flush, PushText
from gateway.core.errors import EngineLost
from gateway.core.events import (
    Audio,
    Cleared,
    Closed,
    Event,
    Flushed,
    SegmentCancelled,
    SegmentFailed,
    SegmentFinished,
    SegmentStarted,
    SessionStarted,
    Timings,
)
from gateway.core.params import Format
from gateway.core.synthesis import Begun, Failed, Finished, Produced, Report
from gateway.core.vocabulary import CloseReason, Codec, CutKind, CutReason, Route
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.onset import SEARCH_S
from gateway.telemetry.timeline import Timeline
from tests.support.scraped import Scraped, scraped
from tests.support.sessions import settings

RATE = 1_000
LOUD = b"\x00\x40\x00\xc0"
"""Two samples."""


def loud(samples: int) -> bytes:
    return LOUD * (samples // 2)


class Watched:
    """A timeline, and a story told in seconds."""

    def __init__(self, *, whole: bool = False) -> None:
        self.metrics = Metrics()
        plain = settings(engine_rate=RATE, format=Format(Codec.PCM_S16LE, RATE), model="m")
        self.timeline = Timeline(self.metrics, Route.WEBSOCKET, plain, whole=whole)
        self._chars = self._position = 0
        self.out(0.0, SessionStarted(plain, first=True))

    def say(self, now: float, *commands: Command) -> None:
        for command in commands:
            self._chars += len(command.text) if isinstance(command, PushText) else 0
            self.timeline.submitted(command, self._chars, now)

    def made(self, now: float, *reports: Report) -> None:
        for report in reports:
            self.timeline.reported(report, now)

    def begin(self, now: float, segment: int, pcm: bytes, *, wait: float = 0.0) -> None:
        """A segment is ordered, taken after a while, and made at once."""
        self.timeline.ordered(segment, now)
        self.made(now + wait, Begun(segment), Produced(segment, pcm), Finished(segment))

    def out(self, now: float, *events: Event) -> None:
        """Events are pulled and handed out at once."""
        for event in events:
            self.timeline.pulled(event)
            self.timeline.handed_out([event], now)

    def hear(self, now: float, segment: int, pcm: bytes) -> None:
        self.out(now, audio(segment, pcm))

    def timings(self, now: float) -> Timings:
        return self.timeline.timings(now)

    @property
    def told(self) -> Scraped:
        return scraped(self.metrics)


def audio(segment: int, pcm: bytes) -> Audio:
    return Audio(segment, 0, 0, len(pcm) // 2, pcm)


def started(segment: int) -> SegmentStarted:
    return SegmentStarted(segment, 0, 1, CutReason.FLUSH, CutKind.WORD, 0)


CLEARED = Cleared(None, 0, 0, 0, 0, "", "", estimated=True)


class TestFirstAudio:
    def test_payload_and_onset(self) -> None:
        told = Watched()
        told.say(1.0, PushText("Hel"))
        told.say(1.5, PushText("lo."), Flush())
        told.begin(1.5, 0, bytes(200) + loud(200), wait=0.1)
        told.hear(2.0, 0, bytes(200) + loud(100))
        told.hear(2.5, 0, loud(100))
        told.out(2.5, SegmentFinished(0, 300), Flushed(None, 300))
        assert told.told.value("first_payload_seconds_sum") == pytest.approx(1.0)
        # 100 ms of silence, less what the window of 10 ms sees of the sound.
        assert told.told.value("first_audio_seconds_sum") == pytest.approx(1.0 + 0.091)
        assert told.told.value("first_audio_seconds_count", codec="pcm_s16le", model="m") == 1
        timings = told.timings(2.5)
        assert (timings.first_payload_ms, timings.first_audio_ms) == (1_000.0, 1_091.0)

    def test_silence_is_played_with_its_stalls(self) -> None:
        """The first frame is silence, and the next one, with the sound, comes 0.4 s after it was played."""
        told = Watched()
        told.say(0.0, PushText("Hello."))
        told.begin(0.0, 0, bytes(200) + loud(200))
        told.hear(1.0, 0, bytes(200))
        told.hear(1.5, 0, loud(200))
        assert told.timings(2.0).first_audio_ms == pytest.approx(1_500, abs=10)

    def test_what_the_codec_puts_in_front_is_silence_too(self) -> None:
        told = Watched()
        told.say(0.0, PushText("Hello."))
        told.timeline.pulled(audio(0, loud(100)))
        told.timeline.handed_out([audio(0, loud(100))], 1.0, 0.05)
        assert told.timings(1.0).first_payload_ms == 1_000.0
        # The first window with a loud sample in it reaches 9 ms into the silence.
        assert told.timings(1.0).first_audio_ms == 1_041.0

    def test_that_silence_is_played_while_the_next_frame_is_awaited(self) -> None:
        told = Watched()
        told.say(0.0, PushText("Hello."))
        for at, pcm in ((1.0, bytes(200)), (1.12, bytes(40) + loud(100))):
            told.timeline.pulled(audio(0, pcm))
            told.timeline.handed_out([audio(0, pcm)], at, 0.05)
        assert told.timings(2.0).first_audio_ms == pytest.approx(1_000 + 50 + 100 + 20 - 9)

    def test_audio_that_the_encoder_keeps_is_no_payload(self) -> None:
        told = Watched()
        told.say(0.0, PushText("Hello."))
        told.timeline.pulled(audio(0, loud(100)))
        told.timeline.handed_out([], 1.0)
        told.out(1.0, Audio(0, 0, 0, 0, b"a header"))
        assert told.timings(1.0).first_payload_ms is None
        told.out(3.0, audio(0, loud(100)))
        assert told.timings(3.0).first_payload_ms == 3_000.0

    def test_each_utterance_has_its_own_clock(self) -> None:
        told = Watched()
        for turn, begins in enumerate([0.0, 10.0, 20.0]):
            told.say(begins, PushText("Hello."), Flush())
            told.hear(begins + 1.0 + turn, turn, loud(100))
            told.out(begins + 5.0, Flushed(None, 0))
        assert told.told.value("first_payload_seconds_count") == 3
        assert told.told.value("first_payload_seconds_sum") == pytest.approx(1.0 + 2.0 + 3.0)
        assert told.timings(30.0).first_payload_ms == 1_000.0

    def test_nobody_waits_for_what_is_queued_behind_speech(self) -> None:
        told = Watched()
        told.say(0.0, PushText("One."), Flush())
        told.say(0.5, PushText("Two."))
        told.hear(1.0, 0, loud(100))
        told.out(1.0, Flushed(None, 0))
        told.say(2.0, PushText(" And more of two."), Flush())
        told.hear(3.0, 1, loud(100))
        told.out(3.0, Flushed(None, 0))
        assert told.told.value("first_payload_seconds_count") == 1
        told.say(4.0, PushText("Three."))
        told.hear(5.0, 2, loud(100))
        assert told.told.value("first_payload_seconds_sum") == pytest.approx(1.0 + 1.0)

    def test_nor_for_what_is_queued_behind_nothing_to_hear(self) -> None:
        told = Watched()
        told.say(0.0, PushText("..."), Flush(), PushText("Two."), Flush())
        told.out(1.0, Flushed(None, 0))
        told.hear(2.0, 1, loud(100))
        assert told.told.value("first_payload_seconds_count") == 0

    def test_a_clear_takes_the_flushes_with_it(self) -> None:
        told = Watched()
        told.say(0.0, PushText("Old."), Flush())
        told.say(1.0, Clear(), PushText("New."))
        told.out(1.0, Flushed(None, 0, cleared=True), CLEARED)
        told.hear(3.0, 1, loud(100))
        assert told.told.value("first_payload_seconds_sum") == pytest.approx(2.0)

    def test_an_inaudible_utterance_has_only_a_payload(self) -> None:
        told = Watched()
        told.say(0.0, PushText("Hush."))
        for _ in range(int(SEARCH_S)):
            told.hear(1.0, 0, bytes(2 * RATE))
        told.hear(1.0, 0, loud(100))
        assert told.told.value("first_payload_seconds_count") == 1
        assert told.told.value("first_audio_seconds_count") == 0
        assert told.timings(1.0).first_audio_ms is None

    def test_audio_that_was_being_encoded_when_a_clear_came_is_of_the_past(self) -> None:
        told = Watched()
        told.say(0.0, PushText("Old."))
        told.hear(1.0, 0, loud(100))
        told.timeline.pulled(audio(0, loud(100)))
        told.say(2.0, Clear(), PushText("New."))
        told.timeline.handed_out([audio(0, loud(100))], 2.0)
        told.out(2.0, CLEARED)
        told.hear(5.0, 1, loud(100))
        assert told.told.value("first_payload_seconds_sum") == pytest.approx(1.0 + 3.0)

    def test_a_whole_file_is_no_stream(self) -> None:
        told = Watched(whole=True)
        told.say(0.0, PushText("Hello."), EndInput())
        told.begin(0.0, 0, loud(500))
        told.hear(1.0, 0, loud(500))
        assert told.told.value("audio_seconds_total") == 0
        told.out(2.0, Closed(CloseReason.FINISHED, 500, 6))
        assert told.told.value("audio_seconds_total") == 0.5
        assert told.told.value("first_payload_seconds_count") == 0
        assert told.told.value("lead_seconds_count") == 0

    def test_a_whole_file_that_was_given_up_was_never_sent(self) -> None:
        told = Watched(whole=True)
        told.begin(0.0, 0, loud(500))
        told.hear(1.0, 0, loud(500))
        told.say(2.0, Abort())
        assert told.told.value("audio_seconds_total") == 0
        assert told.told.value("audio_unheard_seconds_total", cause="abort") == 0.5


class TestEngines:
    def test_queue_work_and_real_time_factor(self) -> None:
        told = Watched()
        told.timeline.ordered(0, 1.0)
        told.made(1.25, Begun(0))
        told.made(1.5, Produced(0, loud(500)))
        told.made(2.0, Produced(0, loud(500)), Finished(0))
        assert told.told.value("queue_wait_seconds_sum", model="m") == 0.25
        assert told.told.value("engine_first_audio_seconds_sum", model="m") == 0.25
        assert told.told.value("real_time_factor_ratio_sum", model="m") == 0.75
        assert told.told.value("synthesis_seconds_total") == 0.75
        assert told.told.value("audio_made_seconds_total") == 1.0
        timings = told.timings(2.0)
        assert (timings.queue_ms, timings.synthesis_ms, timings.audio_ms) == (250, 750, 1_000)

    def test_work_that_failed_was_work(self) -> None:
        told = Watched()
        told.timeline.ordered(0, 0.0)
        told.made(1.0, Begun(0), Produced(0, loud(100)))
        told.made(2.0, Failed(0, EngineLost("lost").problem))
        assert told.told.value("synthesis_seconds_total") == 1.0
        assert told.told.value("audio_made_seconds_total") == 0.1
        assert told.told.value("real_time_factor_ratio_count") == 0

    def test_without_a_worker_there_is_no_work(self) -> None:
        told = Watched()
        told.timeline.ordered(0, 0.0)
        told.made(2.0, Failed(0, EngineLost("none").problem))
        assert told.told.value("synthesis_seconds_total") == 0
        assert told.told.value("queue_wait_seconds_count") == 0

    def test_reports_of_what_was_cleared_count_no_more(self) -> None:
        told = Watched()
        told.timeline.ordered(0, 0.0)
        told.made(0.0, Begun(0))
        told.say(1.0, Clear())
        told.made(5.0, Produced(0, loud(100)), Finished(0))
        assert told.told.value("synthesis_seconds_total") == 1.0
        assert told.told.value("audio_made_seconds_total") == 0
        told.say(5.0, Clear())
        assert told.told.value("audio_unheard_seconds_total") == 0


class TestListener:
    def test_lead_after_each_frame(self) -> None:
        told = Watched()
        told.hear(0.0, 0, loud(1_000))
        told.hear(0.5, 0, loud(1_000))
        assert told.told.value("lead_seconds_count") == 2
        assert told.told.value("lead_seconds_sum") == pytest.approx(1.0 + 1.5)
        assert told.timings(1.0).lead_ms == 1_000.0

    def test_a_gap_is_a_stall_of_what_had_been_ordered(self) -> None:
        told = Watched()
        told.timeline.ordered(0, 0.0)
        told.timeline.ordered(1, 0.5)
        told.hear(0.0, 0, loud(1_000))
        told.hear(1.25, 1, loud(1_000))
        assert told.told.value("gap_seconds_count") == 1
        assert told.told.value("gap_seconds_sum") == 0.25
        timings = told.timings(2.0)
        assert (timings.gaps, timings.gap_ms) == (1, 250.0)

    def test_a_stall_within_a_segment_is_one_too(self) -> None:
        told = Watched()
        told.timeline.ordered(0, 0.0)
        told.hear(0.0, 0, loud(100))
        told.hear(0.5, 0, loud(100))
        assert told.timings(1.0).gap_ms == 400.0

    def test_late_text_makes_no_gap(self) -> None:
        told = Watched()
        told.timeline.ordered(0, 0.0)
        told.hear(0.0, 0, loud(1_000))
        told.timeline.ordered(1, 3.0)
        told.hear(3.5, 1, loud(1_000))
        assert told.timings(4.0).gaps == 0

    def test_what_nobody_hears_is_no_gap(self) -> None:
        told = Watched()
        told.timeline.ordered(0, 0.0)
        told.hear(0.0, 0, loud(1_000))
        told.hear(1.000_5, 0, loud(1_000))
        assert told.timings(2.0).gaps == 0

    def test_a_cleared_listener_waits_for_nothing(self) -> None:
        told = Watched()
        told.timeline.ordered(0, 0.0)
        told.hear(0.0, 0, loud(100))
        told.say(0.05, Clear())
        told.timeline.ordered(1, 0.06)
        told.hear(3.0, 1, loud(100))
        assert told.timings(3.0).gaps == 0


class TestUnheard:
    """Two seconds are made, one and a half are sent at 0."""

    def listening(self) -> Watched:
        told = Watched()
        told.begin(0.0, 0, loud(2_000))
        told.out(0.0, started(0))
        told.hear(0.0, 0, loud(1_500))
        return told

    def test_a_clear_takes_what_was_not_sent_and_not_played(self) -> None:
        told = self.listening()
        told.say(0.5, Clear())
        told.out(0.75, SegmentCancelled(0, 1_500), CLEARED)
        assert told.told.value("audio_unheard_seconds_total", cause="clear") == 0.5 + 1.0
        assert told.told.value("segments_total", ending="cancelled") == 1
        assert told.told.value("clear_seconds_count") == 1
        assert told.told.value("clear_seconds_sum") == 0.25

    def test_a_clear_may_know_better_what_was_played(self) -> None:
        told = self.listening()
        told.say(0.5, Clear(played_ms=100.0))
        assert told.told.value("audio_unheard_seconds_total") == pytest.approx(0.5 + 1.4)

    def test_what_was_cleared_before_is_not_unheard_again(self) -> None:
        told = self.listening()
        told.say(0.5, Clear(), Clear(played_ms=0.0))
        assert told.told.value("audio_unheard_seconds_total") == 0.5 + 1.0

    def test_who_leaves_hears_no_more(self) -> None:
        told = self.listening()
        told.say(1.0, Abort(), Abort())
        assert told.told.value("audio_unheard_seconds_total", cause="abort") == 0.5 + 0.5
        assert told.told.value("segments_total", ending="cancelled") == 1
        assert told.told.value("contexts_closed_total", reason="aborted") == 1

    def test_who_leaves_between_two_segments_cancels_none(self) -> None:
        told = self.listening()
        told.out(0.5, SegmentFinished(0, 1_500))
        told.say(1.0, Abort())
        assert told.told.value("segments_total", ending="finished") == 1
        assert told.told.value("segments_total", ending="cancelled") == 0

    def test_an_end_takes_nothing(self) -> None:
        told = self.listening()
        told.out(0.0, SegmentFinished(0, 1_500), Closed(CloseReason.FINISHED, 1_500, 5))
        told.say(0.1, Abort())
        assert told.told.value("audio_unheard_seconds_total") == 0
        assert told.told.value("contexts_closed_total", reason="finished") == 1
        assert told.told.value("contexts_closed_total") == 1


def test_characters_are_those_the_session_took() -> None:
    told = Watched()
    told.timeline.submitted(PushText("ab\ud83d"), 2, 0.0)
    told.timeline.submitted(PushText("\ude00"), 3, 0.0)
    assert told.told.value("text_characters_total", route="websocket", model="m") == 3


def test_a_failed_segment_is_an_error_that_was_told() -> None:
    told = Watched()
    problem = EngineLost("lost").problem
    told.out(0.0, started(0), SegmentFailed(0, 0, 0, 5, problem))
    assert told.told.value("errors_total", code="engine_lost", route="websocket") == 1
    assert told.told.value("segments_total", ending="failed") == 1


def test_another_model_has_its_own_figures() -> None:
    told = Watched()
    other = settings(engine_rate=RATE, format=Format(Codec.MP3, RATE), model="other")
    told.say(0.0, Configure(other), PushText("Hello."))
    told.hear(1.0, 0, loud(100))
    assert told.told.value("first_payload_seconds_count", model="other", codec="mp3") == 1
    assert told.told.value("first_payload_seconds_count", model="m") == 0


def test_a_context_that_nobody_was_told_of_never_was() -> None:
    metrics = Metrics()
    timeline = Timeline(metrics, Route.WEBSOCKET, settings())
    timeline.submitted(Abort(), 0, 0.0)
    assert scraped(metrics).value("contexts_closed_total") == 0
