"""The session told with plain values: what goes in, what comes out, no loop and no clock."""

from __future__ import annotations

import msgspec
import pytest

from gateway.core.commands import (
    Abort,
    Clear,
    Command,
    Configure,
    EndInput,
    Flush,
    KeepAlive,
    PushText,
)
from gateway.core.errors import (
    EngineFailed,
    FormatFixed,
    InputEnded,
    TextBacklogFull,
    TextMissing,
    TextTooLong,
    TooManyPending,
)
from gateway.core.events import (
    Audio,
    Cleared,
    Closed,
    Flushed,
    SegmentCancelled,
    SegmentFailed,
    SegmentFinished,
    SegmentStarted,
    SessionStarted,
    Warned,
    Words,
)
from gateway.core.limits import Limits
from gateway.core.params import Format, Segmentation
from gateway.core.session import GATHER_MARGIN_S, Session, State
from gateway.core.synthesis import Abandon, Failed, Finished, Marked, Produced, Synthesize
from gateway.core.vocabulary import CloseReason, Codec, CutReason, Delivery, PushBoundary
from tests.support.sessions import (
    RATE,
    SAMPLES_PER_CHAR,
    audio_of,
    events,
    make,
    marks,
    names,
    orders,
    pcm,
    run,
    segment_in,
    session,
    settings,
)

RELEASE = Segmentation(push_boundary=PushBoundary.RELEASE)


def said(text: str, **changes: object) -> Session:
    """A session whose whole text was pushed and flushed."""
    new = session(None, 0.0, **changes)
    new.submit(PushText(text), 0.0)
    new.submit(Flush("f"), 0.0)
    return new


class TestOneUtterance:
    def test_tells_the_whole_story_in_order(self) -> None:
        new = said("Hello there.")
        new.submit(EndInput("e"), 0.0)
        assert names(run(new)) == [
            "SessionStarted",
            "SegmentStarted",
            "Words",
            "Audio",
            "Words",
            "Audio",
            "SegmentFinished",
            "Flushed",
            "Closed",
        ]

    def test_positions_say_what_was_handed_out(self) -> None:
        new = said("Hello there.")
        new.submit(EndInput("e"), 0.0)
        told = run(new)
        total = len("Hello there.") * SAMPLES_PER_CHAR
        assert [e.sample_end for e in told if isinstance(e, SegmentFinished | Flushed)] == [
            total
        ] * 2
        assert told[-1] == Closed(CloseReason.FINISHED, total, len("Hello there."), "e")
        audio = [event for event in told if isinstance(event, Audio)]
        assert [event.sequence for event in audio] == list(range(len(audio)))
        assert [event.sample_start for event in audio] == [
            sum(before.sample_count for before in audio[:n]) for n in range(len(audio))
        ]

    def test_words_are_announced_before_their_audio(self) -> None:
        told = run(said("Hello there."))
        words = [
            (word.sample, word.text_start, word.text_end)
            for event in told
            if isinstance(event, Words)
            for word in event.words
        ]
        assert words == [(0, 0, 5), (6 * SAMPLES_PER_CHAR, 6, 12)]
        handed_out = 0
        for event in told:
            if isinstance(event, Words):
                assert all(word.sample >= handed_out for word in event.words)
            if isinstance(event, Audio):
                handed_out = event.sample_start + event.sample_count

    def test_words_are_told_only_to_those_who_ask(self) -> None:
        assert "Words" not in names(run(said("Hello there.", timestamps=False)))

    def test_output_rate_decides_positions(self) -> None:
        told = run(said("Hello there.", format=Format(Codec.PCM_S16LE, 3 * RATE)))
        flushed = next(event for event in told if isinstance(event, Flushed))
        assert flushed.sample_end == 3 * len("Hello there.") * SAMPLES_PER_CHAR

    def test_nothing_is_ordered_before_there_is_a_reason_to_cut(self) -> None:
        new = session()
        new.submit(PushText("Hello"), 0.0)
        assert list(orders(new)) == []
        new.submit(EndInput(), 0.0)
        (order,) = orders(new)
        assert isinstance(order, Synthesize)
        assert (order.text, order.pause_after) == ("Hello", False)

    def test_sentences_close_with_a_pause_and_utterances_do_not(self) -> None:
        new = session(segmentation=Segmentation(min_chars=1))
        new.submit(PushText("This is the first one. And this is the second one."), 0.0)
        new.submit(EndInput(), 0.0)
        pauses = [order.pause_after for order in orders(new) if isinstance(order, Synthesize)]
        assert pauses == [True, False]


class TestFlush:
    def test_without_text_is_answered_at_once(self) -> None:
        new = session()
        new.submit(Flush("a"), 0.0)
        assert events(new)[1:] == [Flushed("a", 0)]

    def test_waits_for_the_audio_before_it(self) -> None:
        new = said("One two.")
        (order,) = orders(new)
        assert names(events(new)) == ["SessionStarted"]
        assert isinstance(order, Synthesize)
        make(new, order)
        assert names(events(new))[-1] == "Flushed"

    def test_each_is_answered_once_and_in_order(self) -> None:
        new = session()
        for name in "abc":
            new.submit(PushText(f"Text {name}."), 0.0)
            new.submit(Flush(name), 0.0)
        flushed = [event for event in run(new) if isinstance(event, Flushed)]
        assert [event.id for event in flushed] == ["a", "b", "c"]
        assert sorted({event.sample_end for event in flushed}) == [
            event.sample_end for event in flushed
        ]


class TestClear:
    def test_takes_back_what_nobody_pulled(self) -> None:
        new = said("One two three.")
        (order,) = orders(new)
        assert isinstance(order, Synthesize)
        make(new, order)
        new.submit(Clear("c"), 0.0)
        told = events(new)
        assert names(told) == ["SessionStarted", "Flushed", "Cleared"]
        cleared = told[-1]
        assert isinstance(cleared, Cleared)
        assert (cleared.id, cleared.sample_end) == ("c", 0)
        assert (cleared.spoken, cleared.unspoken) == ("", "One two three.")
        assert told[1] == Flushed("f", 0, cleared=True)

    def test_abandons_what_is_in_the_making(self) -> None:
        new = said("One two three.")
        (order,) = orders(new)
        new.submit(Clear(), 0.0)
        assert list(orders(new)) == [Abandon(order.segment)]
        new.report(Produced(order.segment, pcm(order.segment, 100)), 0.0)
        new.report(Finished(order.segment), 0.0)
        assert audio_of(events(new)) == b""

    def test_ends_the_open_segment(self) -> None:
        new = said("One two three.")
        (order,) = orders(new)
        assert isinstance(order, Synthesize)
        make(new, order)
        while not isinstance(new.next_event(0.0), Audio):
            pass
        new.submit(Clear(), 0.0)
        assert names(events(new)) == ["SegmentCancelled", "Flushed", "Cleared"]

    def test_no_older_audio_follows(self) -> None:
        new = session(segmentation=RELEASE)
        new.submit(PushText("Old words that were said before. "), 0.0)
        for order in orders(new):
            assert isinstance(order, Synthesize)
            make(new, order)
        new.submit(Clear(), 0.0)
        new.submit(PushText("New."), 0.0)
        told = run(new)
        assert segment_in(audio_of(told)) == {1}
        started = next(event for event in told if isinstance(event, SegmentStarted))
        assert started.text_start == len("Old words that were said before. ")

    @pytest.mark.parametrize(
        ("played_chars", "spoken"),
        [
            (0, ""),
            (3, ""),
            (4, "One"),
            (7, "One"),
            (8, "One two"),
            (13.9, "One two"),
            (14, "One two three."),
            (99, "One two three."),
        ],
    )
    def test_says_to_the_word_what_was_heard(self, played_chars: float, spoken: str) -> None:
        new = said("One two three.")
        run(new)
        played_ms = played_chars * SAMPLES_PER_CHAR / RATE * 1_000
        new.submit(Clear("c", played_ms), 1.0)
        (cleared,) = events(new, 1.0)
        assert isinstance(cleared, Cleared)
        assert cleared.spoken == spoken
        assert cleared.spoken + cleared.unspoken == "One two three."
        assert (cleared.heard_from, cleared.heard_to) == (0, len(spoken))
        assert not cleared.estimated

    def test_estimates_the_playhead_by_its_own_clock(self) -> None:
        new = said("One two three.")
        run(new)
        new.submit(Clear(), 0.085)
        (cleared,) = events(new, 0.085)
        assert isinstance(cleared, Cleared)
        assert (cleared.spoken, cleared.estimated) == ("One two", True)

    def test_counts_what_was_pending_and_waiting_as_unspoken(self) -> None:
        new = session(segmentation=RELEASE)
        new.submit(PushText("Heard. "), 0.0)
        run(new)
        new.submit(PushText("Waiting. "), 0.0)
        new.submit(
            Configure(settings(segmentation=Segmentation(auto_flush=False))),
            0.0,
        )
        new.submit(PushText("Pending"), 0.0)
        new.submit(Clear(played_ms=1e6), 9.0)
        cleared = events(new)[-1]
        assert isinstance(cleared, Cleared)
        assert (cleared.spoken, cleared.unspoken) == ("Heard. ", "Waiting. Pending")

    def test_the_second_clear_tells_only_what_came_after_the_first(self) -> None:
        new = said("One two three.")
        run(new)
        new.submit(Clear(played_ms=1e6), 1.0)
        new.submit(PushText("Four."), 1.0)
        new.submit(Clear(played_ms=1e6), 1.0)
        first, second = [event for event in events(new) if isinstance(event, Cleared)]
        assert first.spoken == "One two three."
        assert (second.spoken, second.unspoken) == ("", "Four.")
        assert second.heard_from == first.text_end == len("One two three.")

    def test_after_the_end_still_takes_the_rest(self) -> None:
        new = session()
        new.submit(PushText("One two three."), 0.0)
        new.submit(EndInput("e"), 0.0)
        new.submit(Clear("c"), 0.0)
        assert names(events(new)) == ["SessionStarted", "Cleared", "Closed"]

    def test_a_closed_session_still_says_what_was_heard(self) -> None:
        new = session()
        new.submit(PushText("One two three."), 0.0)
        new.submit(EndInput(), 0.0)
        run(new)
        assert new.state is State.CLOSED
        cleared = new.recall(Clear("late", 80.0), 5.0)
        assert (cleared.spoken, cleared.unspoken) == ("One two", " three.")


class TestLateReports:
    def test_do_not_hold_back_what_comes_after_a_clear(self) -> None:
        """An engine that has not noticed takes no place and fills no bound."""
        limits = Limits(lookahead=1, audio_ahead_ms=100)
        new = session(limits, segmentation=RELEASE)
        new.submit(PushText("Old text."), 0.0)
        (old,) = orders(new)
        new.submit(Clear(), 0.0)
        assert list(orders(new)) == [Abandon(old.segment)]
        new.report(Produced(old.segment, pcm(old.segment, RATE)), 0.0)
        new.submit(PushText("New text."), 0.0)
        (order,) = orders(new)
        assert isinstance(order, Synthesize)
        assert order.text == "New text."


class TestTrouble:
    def test_a_failed_segment_costs_only_itself(self) -> None:
        new = session(segmentation=RELEASE)
        new.submit(PushText("Bad one."), 0.0)
        new.submit(PushText("Good one."), 0.0)
        new.submit(Flush("f"), 0.0)
        bad, good = orders(new)
        assert isinstance(good, Synthesize)
        problem = EngineFailed("no").problem
        new.report(Produced(bad.segment, pcm(bad.segment, 10)), 0.0)
        new.report(Failed(bad.segment, problem), 0.0)
        make(new, good)
        told = events(new)
        assert names(told)[-1] == "Flushed"
        failed = next(event for event in told if isinstance(event, SegmentFailed))
        assert failed == SegmentFailed(0, 10, 0, 8, problem)
        assert segment_in(audio_of(told)) == {0, 1}

    def test_text_without_anything_to_speak_is_a_success(self) -> None:
        new = said("... 😀")
        assert list(orders(new)) == []
        told = events(new)
        assert {event.code for event in told if isinstance(event, Warned)} == {"nothing_speakable"}
        assert audio_of(told) == b""
        assert told[-1] == Flushed("f", 0)

    def test_an_unknown_language_warns(self) -> None:
        told = events(session(language="xx-nowhere"))
        assert isinstance(told[1], Warned)
        assert told[1].code == "language_unknown"

    def test_halves_of_an_emoji_are_joined(self) -> None:
        new = session()
        new.submit(PushText("Hi \ud83d"), 0.0)
        new.submit(PushText("\ude00 there"), 0.0)
        new.submit(EndInput(), 0.0)
        (order,) = orders(new)
        assert isinstance(order, Synthesize)
        assert order.text == "Hi 😀 there"

    def test_a_half_that_stays_alone_is_replaced(self) -> None:
        new = session()
        new.submit(PushText("Hi \ud83d"), 0.0)
        new.submit(EndInput(), 0.0)
        (order,) = orders(new)
        assert isinstance(order, Synthesize)
        assert order.text == "Hi \ufffd"


class TestBounds:
    def test_text_fills_the_room_exactly(self) -> None:
        limits = Limits(text_chars_max=60, chars_pending_max=100)
        new = session(limits, segmentation=Segmentation(auto_flush=False, max_chars=500))
        new.submit(PushText("a" * 60), 0.0)
        with pytest.raises(TextBacklogFull) as refused:
            new.submit(PushText("b" * 41), 0.0)
        assert refused.value.problem.allowed == "40 characters now"
        new.submit(PushText("b" * 40), 0.0)
        assert new.chars_room == 0

    @pytest.mark.parametrize(("chars", "ok"), [(59, True), (60, True), (61, False)])
    def test_one_text_has_its_own_bound(self, chars: int, ok: bool) -> None:
        new = session(Limits(text_chars_max=60, chars_pending_max=100))
        if ok:
            new.submit(PushText("a" * chars), 0.0)
        else:
            with pytest.raises(TextTooLong):
                new.submit(PushText("a" * chars), 0.0)

    def test_empty_text_is_refused(self) -> None:
        with pytest.raises(TextMissing):
            session().submit(PushText(""), 0.0)

    def test_a_refused_text_leaves_the_format_free(self) -> None:
        new = session()
        with pytest.raises(TextMissing):
            new.submit(PushText(""), 0.0)
        assert new.state is State.CONFIGURING
        new.submit(Configure(settings(format=Format(Codec.WAV, RATE))), 0.0)

    def test_unanswered_flushes_are_bounded(self) -> None:
        new = session(Limits(events_pending_max=4))
        for _ in range(3):
            new.submit(Flush(), 0.0)
        with pytest.raises(TooManyPending):
            new.submit(Flush(), 0.0)
        assert len(events(new)) == 4
        new.submit(Flush(), 0.0)

    def test_lookahead_bounds_what_is_in_the_making(self) -> None:
        new = session(Limits(lookahead=2), segmentation=RELEASE)
        for _ in range(5):
            new.submit(PushText("Some text."), 0.0)
        first, _ = orders(new)
        assert list(orders(new)) == []
        assert isinstance(first, Synthesize)
        make(new, first)
        assert len(list(orders(new))) == 1

    def test_unpulled_audio_holds_back_the_next_order(self) -> None:
        new = session(Limits(lookahead=1, audio_ahead_ms=100), segmentation=RELEASE)
        new.submit(PushText("0123456789"), 0.0)
        new.submit(PushText("again"), 0.0)
        (order,) = orders(new)
        assert isinstance(order, Synthesize)
        make(new, order)
        assert list(orders(new)) == []
        events(new)
        assert len(list(orders(new))) == 1


class TestPacing:
    def test_sends_only_so_far_ahead(self) -> None:
        new = said("x" * 100, lead_ms=300)
        new.frame_ms = 100
        sent = 0
        now = 0.0
        while sent < 100 * SAMPLES_PER_CHAR:
            for order in orders(new, now):
                assert isinstance(order, Synthesize)
                make(new, order, now)
            for event in events(new, now):
                if isinstance(event, Audio):
                    sent += event.sample_count
                assert sent / RATE - now <= 0.3 + 1e-9
            if sent == 100 * SAMPLES_PER_CHAR:
                break
            deadline = new.deadline()
            assert deadline is not None
            assert deadline > now
            now = deadline
            new.tick(now)
        assert 0.7 <= now <= 0.8

    def test_who_has_enough_to_play_waits_for_whole_frames(self) -> None:
        new = said("x" * 100)
        new.frame_ms = 500
        (order,) = orders(new)
        assert isinstance(order, Synthesize)

        def made(ms: int, now: float) -> list[int]:
            """The samples of the frames that leave when so much more is made."""
            new.report(Produced(order.segment, bytes(2 * ms * RATE // 1_000)), now)
            return [event.sample_count for event in events(new, now) if isinstance(event, Audio)]

        assert sum(made(300, 0.0)) == 300 * RATE // 1_000, "nobody with less than the margin waits"
        assert sum(made(100, 0.0)) == 100 * RATE // 1_000, "nor with just the margin"
        assert made(499, 0.0) == []
        assert new.deadline() == new.held_until == pytest.approx(0.4 - GATHER_MARGIN_S)
        assert made(1, 0.0) == [500 * RATE // 1_000], "whole"
        assert made(100, 0.5) == []
        assert made(100, 0.6 + 1e-6) == [200 * RATE // 1_000], "the margin is reached"
        assert made(10, 0.7) == []
        new.report(Finished(order.segment), 0.7)
        assert [type(event) for event in events(new, 0.7)][:2] == [Audio, SegmentFinished]

    def test_without_lead_everything_goes_at_once(self) -> None:
        new = said("x" * 100)
        assert len(audio_of(run(new))) == 2 * 100 * SAMPLES_PER_CHAR

    def test_the_first_frame_is_short(self) -> None:
        audio = [event for event in run(said("x" * 100)) if isinstance(event, Audio)]
        assert audio[0].sample_count == RATE * 60 // 1_000
        assert audio[1].sample_count == RATE * 200 // 1_000


class TestTime:
    def test_text_does_not_wait_for_ever(self) -> None:
        new = session(segmentation=Segmentation(max_delay_ms=500, idle_ms=0))
        new.submit(PushText("some words without an end "), 0.0)
        deadline = new.deadline()
        assert deadline is not None
        assert deadline <= 0.5
        new.tick(deadline)
        (order,) = orders(new, deadline)
        assert isinstance(order, Synthesize)

    def test_an_idle_context_is_warned_then_spoken_out_and_ended(self) -> None:
        limits = Limits(context_idle_ms=10_000, context_idle_warning_ms=4_000)
        new = session(limits)
        events(new)
        assert new.deadline() == 6.0
        new.tick(5.9)
        assert events(new, 5.9) == []
        new.tick(6.0)
        (warned,) = events(new, 6.0)
        assert isinstance(warned, Warned)
        assert warned.code == "context_idle"
        assert new.deadline() == 10.0
        new.tick(10.0)
        (closed,) = events(new, 10.0)
        assert isinstance(closed, Closed)
        assert closed.reason is CloseReason.IDLE

    def test_an_unread_answer_stops_the_idle_clock(self) -> None:
        """Who has not read cannot have answered, and warnings must not pile up."""
        limits = Limits(context_idle_ms=10_000, context_idle_warning_ms=4_000)
        new = session(limits)
        assert new.deadline() is None
        for now in (6.0, 10.0, 20.0):
            new.tick(now)
        assert names(events(new, 20.0)) == ["SessionStarted"]
        assert new.state is State.CONFIGURING

    def test_the_wait_of_a_text_begins_with_it(self) -> None:
        sentences = Segmentation(
            max_delay_ms=1_000, idle_ms=0, push_boundary=PushBoundary.AFTER_TERMINATOR
        )
        new = session(segmentation=sentences)
        new.submit(PushText("All of this leaves at once."), 0.0)
        assert audio_of(run(new))
        new.submit(PushText("and this "), 50.0)
        deadline = new.deadline()
        assert deadline is not None
        assert deadline >= 51.0

    def test_five_minutes_of_silence_then_text(self) -> None:
        new = session()
        new.submit(PushText("Before."), 0.0)
        new.submit(Flush(), 0.0)
        run(new)
        now = 300.0
        new.tick(now)
        new.submit(PushText("After."), now)
        new.submit(Flush(), now)
        assert audio_of(run(new, now))

    def test_a_keep_alive_winds_the_clock(self) -> None:
        limits = Limits(context_idle_ms=10_000, context_idle_warning_ms=4_000)
        new = session(limits)
        events(new)
        new.submit(KeepAlive(), 5.0)
        assert new.deadline() == 11.0

    def test_nothing_is_due_while_an_engine_works(self) -> None:
        new = said("Some text.")
        assert new.deadline() is None


class TestConfigure:
    def test_speaks_pending_text_with_the_old_settings_first(self) -> None:
        new = session()
        new.submit(PushText("old"), 0.0)
        new.submit(Configure(settings(voice="other"), "c"), 0.0)
        new.submit(PushText("new"), 0.0)
        new.submit(EndInput(), 0.0)
        old, fresh = orders(new)
        assert isinstance(old, Synthesize)
        assert isinstance(fresh, Synthesize)
        assert (old.text, old.voice.voice) == ("old", "anybody")
        assert (fresh.text, fresh.voice.voice) == ("new", "other")
        started = [event for event in events(new) if isinstance(event, SessionStarted)]
        assert [(event.id, event.first) for event in started] == [(None, True), ("c", False)]

    def test_the_format_is_free_until_there_is_text(self) -> None:
        new = session()
        other = settings(format=Format(Codec.WAV, RATE))
        new.submit(Configure(other), 0.0)
        new.submit(PushText("text"), 0.0)
        with pytest.raises(FormatFixed) as refused:
            new.submit(Configure(settings()), 0.0)
        assert refused.value.problem.field == "format"
        assert new.settings == other


class TestEnds:
    @pytest.mark.parametrize("command", [PushText("x"), Flush(), EndInput(), Configure(settings())])
    def test_the_end_refuses_more_input(self, command: Command) -> None:
        new = session()
        new.submit(EndInput(), 0.0)
        with pytest.raises(InputEnded):
            new.submit(command, 0.0)
        run(new)
        with pytest.raises(InputEnded):
            new.submit(command, 0.0)

    def test_nothing_follows_closed(self) -> None:
        new = session()
        new.submit(EndInput(), 0.0)
        assert isinstance(run(new)[-1], Closed)
        new.submit(Abort(), 1.0)
        new.tick(1e6)
        assert events(new, 1e6) == []
        assert new.deadline() is None

    def test_an_abort_stops_everything(self) -> None:
        new = said("One two three.")
        (order,) = orders(new)
        new.report(Produced(order.segment, pcm(order.segment, 1_000)), 0.0)
        while not isinstance(new.next_event(0.0), Audio):
            pass
        new.submit(Abort(), 0.0)
        assert list(orders(new)) == [Abandon(order.segment)]
        cancelled, closed = events(new)
        assert isinstance(cancelled, SegmentCancelled)
        assert isinstance(closed, Closed)
        assert closed.reason is CloseReason.ABORTED


class TestProgressiveDelivery:
    """A segment is heard when it is finished, or not at all."""

    def begun(self, **changes: object) -> tuple[Session, Synthesize]:
        new = said("One two three.", delivery=Delivery.PROGRESSIVE, **changes)
        events(new)
        (order,) = orders(new)
        assert isinstance(order, Synthesize)
        return new, order

    def test_nothing_is_told_before_it_is_finished(self) -> None:
        new, order = self.begun()
        new.report(Marked(order.segment, marks(order)), 0.0)
        new.report(Produced(order.segment, pcm(order.segment, 1_000)), 0.0)
        assert events(new) == []
        assert new.deadline() is None
        new.report(Finished(order.segment), 0.0)
        told = events(new)
        assert names(told)[0] == "SegmentStarted"
        assert names(told)[-2:] == ["SegmentFinished", "Flushed"]
        assert len(audio_of(told)) == 2_000

    def test_what_fails_half_way_is_not_heard(self) -> None:
        new, order = self.begun()
        new.report(Marked(order.segment, marks(order)), 0.0)
        new.report(Produced(order.segment, pcm(order.segment, 1_000)), 0.0)
        new.report(Failed(order.segment, EngineFailed("no").problem), 0.0)
        assert names(events(new)) == ["SegmentStarted", "SegmentFailed", "Flushed"]
        assert new._bytes_unpulled == 0

    def test_a_clear_takes_what_waits_and_says_that_it_was_not_heard(self) -> None:
        new, order = self.begun()
        new.report(Produced(order.segment, pcm(order.segment, 1_000)), 0.0)
        new.submit(Clear("c"), 0.0)
        flushed, cleared = events(new)
        assert isinstance(flushed, Flushed)
        assert isinstance(cleared, Cleared)
        assert (cleared.spoken, cleared.unspoken) == ("", "One two three.")
        assert list(orders(new)) == [Abandon(order.segment)]

    def test_a_segment_keeps_the_delivery_that_it_was_cut_with(self) -> None:
        new, order = self.begun()
        new.submit(Configure(msgspec.structs.replace(new.settings, delivery="native")), 0.0)
        new.report(Produced(order.segment, pcm(order.segment, 1_000)), 0.0)
        assert names(events(new)) == ["SessionStarted"]

    @pytest.mark.parametrize("lead_ms", [None, 100])
    @pytest.mark.parametrize("lookahead", [1, 2])
    def test_segments_longer_than_every_bound_get_through(
        self, lead_ms: int | None, lookahead: int
    ) -> None:
        """The segment that is waited for is larger than what may be ahead: it must never wait for itself."""
        limits = Limits(audio_ahead_ms=1, lookahead=lookahead)
        new = session(
            limits, 0.0, delivery=Delivery.PROGRESSIVE, segmentation=RELEASE, lead_ms=lead_ms
        )
        for text in ("A first segment. ", "A second segment. ", "A third segment."):
            new.submit(PushText(text), 0.0)
        new.submit(EndInput(), 0.0)
        now, told = 0.0, run(new)
        while not isinstance(told[-1], Closed):
            deadline = new.deadline()
            assert deadline is not None
            assert deadline > now
            now = deadline
            told += run(new, now)
        assert len(audio_of(told)) == 2 * SAMPLES_PER_CHAR * new.chars_accepted


class TestPauses:
    PAUSE = 300 * RATE // 1_000

    def test_silence_stands_between_two_segments_to_the_sample(self) -> None:
        new = session(segmentation=RELEASE, pause_ms=300)
        for text in ("First one. ", "... ", "Second."):
            new.submit(PushText(text), 0.0)
        new.submit(EndInput(), 0.0)
        told = run(new)
        first, second = (len(text) * SAMPLES_PER_CHAR for text in ("First one. ", "Second."))
        assert audio_of(told) == pcm(0, first) + bytes(2 * self.PAUSE) + pcm(2, second)
        starts = [event.sample_start for event in told if isinstance(event, SegmentStarted)]
        assert starts == [0, first, first], "the pause is the beginning of what follows"
        words = [word.sample for event in told if isinstance(event, Words) for word in event.words]
        assert words == [0, 6 * SAMPLES_PER_CHAR, first + self.PAUSE], "its words are behind it"
        assert told[-1] == Closed(CloseReason.FINISHED, first + self.PAUSE + second, 22)

    def test_it_is_there_instead_of_the_engines_own(self) -> None:
        for pause_ms, made_by_engine in ((0, True), (1, False)):
            new = session(pause_ms=pause_ms)
            new.submit(PushText("This is the first one. This is the second."), 0.0)
            new.submit(EndInput(), 0.0)
            placed = [order for order in orders(new) if isinstance(order, Synthesize)]
            assert placed[0].pause_after is made_by_engine

    def test_what_was_heard_is_told_behind_it(self) -> None:
        new = session(segmentation=RELEASE, pause_ms=300)
        new.submit(PushText("One two. "), 0.0)
        new.submit(PushText("Three four."), 0.0)
        run(new)
        first = 9 * SAMPLES_PER_CHAR
        up_to_four = first + self.PAUSE + 6 * SAMPLES_PER_CHAR
        new.submit(Clear("c", played_ms=up_to_four * 1_000 / RATE), 0.0)
        told = next(event for event in run(new) if isinstance(event, Cleared))
        assert told.spoken == "One two. Three"

    def test_after_a_clear_there_is_nothing_to_pause_after(self) -> None:
        new = session(segmentation=RELEASE, pause_ms=300)
        new.submit(PushText("One. "), 0.0)
        run(new)
        new.submit(Clear("c"), 0.0)
        new.submit(PushText("Two."), 0.0)
        assert audio_of(run(new)) == pcm(1, 4 * SAMPLES_PER_CHAR)


def test_every_setting_that_is_not_fixed_may_change() -> None:
    """A guard for new fields: each is either fixed or may change in mid-text."""
    fixed = {"format", "model", "engine", "engine_rate", "phonemes"}
    free = {
        "voice",
        "language",
        "speed",
        "pitch",
        "volume",
        "segmentation",
        "cleanup",
        "code_notice",
        "lexicon",
        "timestamps",
        "delivery",
        "lead_ms",
        "pause_ms",
    }
    assert set(settings().__struct_fields__) == fixed | free
    changes = {"voice": "v", "language": "de", "speed": 2.0, "pitch": 1.0, "volume": 0.5}
    new = session()
    new.submit(PushText("text"), 0.0)
    new.submit(Configure(msgspec.structs.replace(settings(), **changes)), 0.0)
    assert new.settings.voice == "v"
    assert CutReason.FLUSH in {
        event.reason for event in run(new) if isinstance(event, SegmentStarted)
    }
