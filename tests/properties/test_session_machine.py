"""The session against a reference model, driven by random commands, reports, pulls and time.

The model knows nothing of lines, segments or queues: it keeps the text, what was ordered, and what was heard, and holds
the invariants against each event as it is pulled. Which rules are switched on is drawn for each run (swarm testing), and
rules that end a session are rare, so that long and odd histories are reached.
"""

from __future__ import annotations

import msgspec
from hypothesis import HealthCheck, event as reached, settings as profile, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

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
from gateway.core.errors import CallerError, EngineFailed
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
    Words,
)
from gateway.core.lexicon import Lexicon, LexiconInUse, Rule
from gateway.core.limits import Limits
from gateway.core.params import Format, Segmentation, Settings
from gateway.core.session import Session, State
from gateway.core.synthesis import Abandon, Failed, Finished, Marked, Produced, Synthesize
from gateway.core.timeline import samples_out
from gateway.core.vocabulary import Cleanup, Codec, Delivery, PushBoundary
from tests.support.sessions import RATE, SAMPLES_PER_CHAR, marks, pcm, segment_in, settings

LIMITS = Limits(
    text_chars_max=400,
    chars_pending_max=600,
    history_chars_max=150,
    audio_ahead_ms=500,
    lookahead=2,
    events_pending_max=6,
    context_idle_ms=20_000,
    context_idle_warning_ms=5_000,
)
TEXTS = st.one_of(
    st.sampled_from(
        [
            "Hello there. ",
            "One, two, three; ",
            "3.14 is ",
            "Dr. ",
            "...",
            "\n\n",
            "😀",
            "**bold** and `code` ",
            "\n- item\n```py\nx = 1\n```\n",
            "on 3/4 for $5.20, ",
            "\ud83d",
            "\ude00",
            " ",
        ]
    ),
    st.text(max_size=30),
    st.text("ab. ", min_size=40, max_size=160),
    st.text("abc ", min_size=380, max_size=420),
)

LEXICON = Lexicon(
    "lx",
    1,
    (
        Rule("en", "a", "an alias that is long enough to fill a segment when it comes often"),
        Rule("en", "one", "1"),
        Rule("en", "Hello there", "hi"),
        Rule("en", "x", "ten times as long"),
        Rule("en", ".", "point"),
    ),
)


class InTheMaking(msgspec.Struct):
    """An order that the model's engine works on."""

    order: Synthesize
    samples_left: int
    marked: bool = False


class SessionMachine(RuleBasedStateMachine):
    """One session and everything that may happen to it."""

    @initialize(
        swarm=st.sets(st.sampled_from(["clear", "flush", "configure", "fail", "time", "cut"])),
        lead_ms=st.sampled_from([None, 100, 400]),
        out=st.sampled_from([RATE, 11_025, 48_000]),
        segmentation=st.sampled_from(
            [
                Segmentation(),
                Segmentation(push_boundary=PushBoundary.RELEASE),
                Segmentation(release_chars=30),
                Segmentation(auto_flush=False),
            ]
        ),
        frame_ms=st.sampled_from([20, 200]),
        cleanup=st.sampled_from([Cleanup.OFF, *Cleanup]),
        lexicon=st.sampled_from([None, None, LEXICON]),
        delivery=st.sampled_from(Delivery),
    )
    def begin(
        self,
        swarm: set[str],
        lead_ms: int | None,
        out: int,
        segmentation: Segmentation,
        frame_ms: int,
        cleanup: Cleanup,
        lexicon: Lexicon | None,
        delivery: Delivery,
    ) -> None:
        self.swarm = swarm
        self.now = 0.0
        self.settings: Settings = settings(
            lead_ms=lead_ms,
            format=Format(Codec.PCM_S16LE, out),
            segmentation=segmentation,
            cleanup=cleanup,
            lexicon=None if lexicon is None else LexiconInUse(lexicon.id, lexicon.version),
            delivery=delivery,
        )
        self.lexicon = lexicon
        self.session = Session(
            self.settings, LIMITS, self.now, frame_ms=frame_ms, lexicon=self.lexicon
        )
        self.making: dict[int, InTheMaking] = {}
        self.ordered: dict[int, Synthesize] = {}
        self.finished: set[int] = set()
        self.failed: set[int] = set()
        self.text = ""
        """Everything accepted, as it will be spoken: halves joined or replaced."""
        self.half = ""
        self.flushes: list[str] = []
        self.flush_count = 0
        self.clears: list[tuple[Clear, int]] = []
        """Each unanswered clear, with the last segment that had been ordered before it."""
        self.open: SegmentStarted | None = None
        self.heard_to = 0
        """Text position up to which segments have begun or were cleared."""
        self.segment_floor = -1
        """Segments up to this one are older than the last acknowledged clear."""
        self.samples = 0
        self.sequence = 0
        self.engine_samples = 0
        self.dry_at = 0.0
        self.closed: Closed | None = None
        self.aborted = False

    # --- commands ----------------------------------------------------------------------------------------------------

    def submit(self, command: Command) -> bool:
        """Submit; a refusal must leave everything that can be seen as it was."""
        before = self.visible()
        try:
            self.session.submit(command, self.now)
        except CallerError:
            reached(f"refused {type(command).__name__}")
            assert self.visible() == before
            return False
        return True

    def visible(self) -> tuple[object, ...]:
        session = self.session
        return (
            session.state,
            session.chars_room,
            session.deadline(),
            session.has_answers,
            session.settings,
        )

    @rule(text=TEXTS)
    def push(self, text: str) -> None:
        room = self.session.chars_room
        open_ = self.session.state in {State.CONFIGURING, State.OPEN}
        fits = 0 < len(text) <= min(room, LIMITS.text_chars_max)
        accepted = self.submit(PushText(text))
        assert accepted == (open_ and fits)
        if accepted:
            self.accept(text)

    def accept(self, text: str) -> None:
        """What the session should make of surrogates, said in another way."""
        whole = self.half + text
        self.half = ""
        if "\ud800" <= whole[-1] <= "\udbff":
            whole, self.half = whole[:-1], whole[-1]
        units = whole.encode("utf-16-le", "surrogatepass")
        self.text += units.decode("utf-16-le", "replace")

    def settle_half(self) -> None:
        if self.half:
            self.text += "\ufffd"
            self.half = ""

    @precondition(lambda self: "flush" in self.swarm)
    @rule()
    def flush(self) -> None:
        self.flush_count += 1
        if self.submit(Flush(f"f{self.flush_count}")):
            self.flushes.append(f"f{self.flush_count}")
            self.settle_half()

    @precondition(lambda self: "clear" in self.swarm)
    @rule(played_ms=st.one_of(st.none(), st.floats(0, 20_000)))
    def clear(self, played_ms: float | None) -> None:
        command = Clear(f"c{len(self.text)}", played_ms)
        if self.submit(command):
            self.clears.append((command, max([-1, *self.ordered])))
            self.half = ""
            self.making.clear()

    @precondition(lambda self: "configure" in self.swarm)
    @rule(voice=st.sampled_from(["anybody", "somebody"]), wide=st.booleans())
    def configure(self, voice: str, wide: bool) -> None:
        codec = Codec.WAV if wide else Codec.PCM_S16LE
        changed = msgspec.structs.replace(
            self.settings, voice=voice, format=Format(codec, self.settings.format.sample_rate)
        )
        before = self.session.settings
        if self.submit(Configure(changed, lexicon=self.lexicon)):
            self.settings = changed
            if changed.voice != before.voice:
                self.settle_half()

    @rule()
    def keep_alive(self) -> None:
        self.submit(KeepAlive())

    @precondition(lambda self: len(self.text) > 300)
    @rule()
    def end(self) -> None:
        if self.submit(EndInput()):
            self.settle_half()

    @precondition(lambda self: "cut" in self.swarm and len(self.text) > 600)
    @rule()
    def abort(self) -> None:
        self.session.submit(Abort(), self.now)
        self.aborted = self.aborted or self.closed is None
        self.making.clear()

    # --- the engine --------------------------------------------------------------------------------------------------

    @rule()
    def take_orders(self) -> None:
        while (order := self.session.next_order(self.now)) is not None:
            match order:
                case Synthesize():
                    assert order.segment not in self.ordered
                    assert any(character.isalnum() for character in order.text)
                    self.ordered[order.segment] = order
                    length = len(order.text) * SAMPLES_PER_CHAR
                    self.making[order.segment] = InTheMaking(order, length)
                case Abandon():
                    self.making.pop(order.segment, None)
        assert len(self.making) <= LIMITS.lookahead

    @precondition(lambda self: self.making)
    @rule(data=st.data(), samples=st.integers(1, 6_000))
    def work(self, data: st.DataObject, samples: int) -> None:
        segment = data.draw(st.sampled_from(sorted(self.making)))
        work = self.making[segment]
        if not work.marked:
            self.session.report(Marked(segment, marks(work.order)), self.now)
            work.marked = True
        samples = min(samples, work.samples_left)
        work.samples_left -= samples
        if samples:
            self.session.report(Produced(segment, pcm(segment, samples)), self.now)
        if not work.samples_left:
            self.session.report(Finished(segment), self.now)
            self.finished.add(segment)
            del self.making[segment]

    @precondition(lambda self: self.making and "fail" in self.swarm)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        segment = data.draw(st.sampled_from(sorted(self.making)))
        del self.making[segment]
        self.failed.add(segment)
        self.session.report(Failed(segment, EngineFailed("no").problem), self.now)

    @rule(segment=st.integers(0, 50), samples=st.integers(1, 100))
    def report_late(self, segment: int, samples: int) -> None:
        """A worker that has not noticed yet: whatever is not in the making must be ignored."""
        if segment not in self.making:
            self.session.report(Produced(segment, pcm(segment, samples)), self.now)
            self.session.report(Finished(segment), self.now)

    # --- time --------------------------------------------------------------------------------------------------------

    @precondition(lambda self: "time" in self.swarm)
    @rule(seconds=st.floats(0.001, 30.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.tick()

    @rule()
    def wait_for_deadline(self) -> None:
        deadline = self.session.deadline()
        if deadline is not None:
            self.now = max(self.now, deadline)
            self.tick()

    def tick(self) -> None:
        self.session.tick(self.now)
        if self.session.state is State.DRAINING:
            self.settle_half()

    # --- pulling -----------------------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 30))
    def pull(self, count: int) -> None:
        for _ in range(count):
            told = self.session.next_event(self.now)
            if told is None:
                return
            self.hear(told)

    def hear(self, told: Event) -> None:
        """Hold one event against everything that must be true of it."""
        assert self.closed is None, "nothing follows Closed"
        reached(type(told).__name__)
        match told:
            case SegmentStarted():
                assert self.open is None
                assert told.text_start == self.heard_to
                assert told.text_end > told.text_start
                assert told.segment > self.segment_floor
                assert told.sample_start == self.samples
                if (order := self.ordered.get(told.segment)) is not None:
                    source = self.text[told.text_start : told.text_end]
                    as_written = self.settings.cleanup is Cleanup.OFF and self.lexicon is None
                    assert order.text == source or not as_written
                    if self.settings.delivery is Delivery.PROGRESSIVE:
                        assert told.segment in self.finished | self.failed
                self.open, self.heard_to = told, told.text_end
            case Words():
                assert self.open is not None
                assert told.segment == self.open.segment
                for word in told.words:
                    assert word.sample >= self.samples
                    assert (
                        self.open.text_start
                        <= word.text_start
                        < word.text_end
                        <= self.open.text_end
                    )
            case Audio():
                self.hear_audio(told)
            case SegmentFinished() | SegmentFailed() | SegmentCancelled():
                assert self.open is not None
                assert told.segment == self.open.segment
                assert told.sample_end == self.samples
                self.open = None
            case Flushed():
                assert self.open is None
                assert told.id == self.flushes.pop(0)
                assert told.sample_end == self.samples
            case Cleared():
                self.hear_cleared(told)
            case Closed():
                assert self.open is None
                assert told.samples == self.samples
                self.closed = told
                if not self.aborted:
                    assert self.heard_to == told.chars == len(self.text)
                    assert not self.flushes
            case _:
                pass

    def hear_audio(self, told: Audio) -> None:
        assert self.open is not None
        assert segment_in(told.data) == {told.segment} == {self.open.segment}
        assert told.segment > self.segment_floor
        if self.settings.delivery is Delivery.PROGRESSIVE:
            assert told.segment in self.finished
        assert told.sequence == self.sequence
        assert told.sample_start == self.samples
        self.sequence += 1
        seconds = len(told.data) / 2 / RATE
        self.engine_samples += len(told.data) // 2
        self.samples = samples_out(self.engine_samples, RATE, self.settings.format.sample_rate)
        assert told.sample_count == self.samples - told.sample_start
        self.dry_at = max(self.dry_at, self.now) + seconds
        if self.settings.lead_ms is not None:
            assert self.dry_at - self.now <= self.settings.lead_ms / 1_000 + 1e-6

    def hear_cleared(self, told: Cleared) -> None:
        command, self.segment_floor = self.clears.pop(0)
        assert (told.id, told.estimated) == (command.id, command.played_ms is None)
        assert told.sample_end == self.samples
        assert told.text_end <= len(self.text)
        assert told.spoken == self.text[told.heard_from : told.heard_to]
        assert told.unspoken == self.text[told.heard_to : told.text_end]
        self.heard_to = told.text_end
        self.dry_at = self.now

    # --- always ------------------------------------------------------------------------------------------------------

    @invariant()
    def bounds_hold(self) -> None:
        session = self.session
        unpulled_ms = session._bytes_unpulled * 1_000 / (2 * RATE)
        segment_ms = 500 * SAMPLES_PER_CHAR * 1_000 / RATE
        assert unpulled_ms <= LIMITS.audio_ahead_ms + LIMITS.lookahead * segment_ms
        assert session._events_pending() <= LIMITS.events_pending_max
        assert 0 <= session.chars_room <= LIMITS.chars_pending_max

    @invariant()
    def time_moves_on(self) -> None:
        """After a tick and pulling nothing is overdue, or the runtime would spin."""
        if self.session.state is State.CLOSED:
            assert self.session.deadline() is None

    def teardown(self) -> None:
        """Everything that was promised comes, if only engine, client and clock go on."""
        if not hasattr(self, "session"):
            return
        if self.session.state in {State.CONFIGURING, State.OPEN}:
            self.session.submit(EndInput(), self.now)
            self.settle_half()
        for _ in range(10_000):
            self.take_orders()
            for segment, work in list(self.making.items()):
                if work.samples_left:
                    self.session.report(
                        Produced(segment, pcm(segment, work.samples_left)), self.now
                    )
                self.session.report(Finished(segment), self.now)
                self.finished.add(segment)
                del self.making[segment]
            self.pull(10_000)
            if self.closed is not None:
                return
            deadline = self.session.deadline()
            if deadline is not None:
                assert deadline > self.now or self.making
                self.now = max(self.now, deadline)
                self.session.tick(self.now)
        raise AssertionError("the session never closed")


TestSession = SessionMachine.TestCase
TestSession.settings = profile(
    max_examples=150,
    stateful_step_count=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
