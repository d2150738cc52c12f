"""One text stream becomes one audio stream: the state machine that never waits.

Text goes in by commands, is cut into segments, and each segment becomes an order to an engine. Reports bring the audio
back. Everything that the client will hear stands in one *line*, in playing order: segments and, between them, the
flushes that wait for the audio before them. Events are pulled from the head of the line, so whatever nobody pulled yet
can still be withdrawn by a clear. What must overtake the line (an acknowledged clear, warnings, new settings) stands in
`_ready`, which is pulled first.

    CONFIGURING ──text, flush──► OPEN ──end, idle──► DRAINING ──line empty──► CLOSED
    any state ──abort──► CLOSED

Always true:
- segments are heard in order, one open at a time, and each one that began gets exactly one ending;
- after `Cleared` nothing older comes; each flush is answered once, in order, by its audio's end or by the clear;
- unpulled audio ≤ `audio_ahead_ms` + one segment per lookahead slot; orders in the making ≤ `lookahead`;
- a segment of progressive delivery is heard when it is finished, or not at all; being the oldest, nothing holds it up;
- pacing holds back what is pulled and, through the line filling up, the next order; never a running one;
- a refused command changes nothing; `Closed` comes once and last.

Audio is counted in samples of the engine's rate inside, and announced in samples of the output's rate.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import assert_never

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
    FormatFixed,
    InputEnded,
    Problem,
    TextBacklogFull,
    TextMissing,
    TextTooLong,
    TooManyPending,
)
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
    Warned,
    Word,
    Words,
)
from gateway.core.heard import History, Remains, Spoken
from gateway.core.intake import Cut, Intake
from gateway.core.languages import known_language
from gateway.core.lexicon import Lexicon
from gateway.core.limits import Limits
from gateway.core.params import Settings
from gateway.core.playback import Playback
from gateway.core.replacing import Replacer
from gateway.core.synthesis import (
    Abandon,
    Begun,
    Failed,
    Finished,
    Mark,
    Marked,
    Order,
    Produced,
    Report,
    Synthesize,
    VoiceSettings,
)
from gateway.core.timeline import samples_out
from gateway.core.vocabulary import CloseReason, CutKind, CutReason, Delivery

FRAME_MS_FIRST = 60
"""The frame that ends a listener's silence is no longer than this, so that it leaves early."""
GATHER_MARGIN_S = 0.3
"""A listener with more than this to play waits for a whole frame; with less, what there is leaves at once."""
SPOKEN_CHARS_PER_S = 15.0
"""About what a voice says at its natural pace."""
SAMPLE_BYTES = 2
_NO_PAUSE_KINDS = frozenset({CutKind.WORD, CutKind.GRAPHEME})
_NO_PAUSE_REASONS = frozenset({CutReason.FLUSH, CutReason.END})


class State(Enum):
    """Where a session is in its life."""

    CONFIGURING = auto()
    OPEN = auto()
    DRAINING = auto()
    CLOSED = auto()


_ACCEPTS: dict[State, frozenset[type[Command]]] = {
    State.CONFIGURING: frozenset({Configure, PushText, Flush, Clear, EndInput, KeepAlive, Abort}),
    State.OPEN: frozenset({Configure, PushText, Flush, Clear, EndInput, KeepAlive, Abort}),
    State.DRAINING: frozenset({Clear, KeepAlive, Abort}),
    State.CLOSED: frozenset({KeepAlive, Abort}),
}

_SPOKEN_WITH = (
    "voice",
    "language",
    "speed",
    "pitch",
    "volume",
    "segmentation",
    "cleanup",
    "code_notice",
    "lexicon",
)
"""Settings that text which is still pending has to be spoken with before they change."""

_REPLACED_BY = ("lexicon", "language", "phonemes")
"""Of these, those that say which rules there are: taking in 500 takes milliseconds."""

_EVENTS_COST: dict[type[Command], int] = {Configure: 2, Flush: 1, Clear: 2}
"""Control events that a command may add to those already unpulled."""


@dataclass(slots=True)
class _Segment:
    """A piece of text on its way through an engine to the listener."""

    id: int
    cut: Cut
    voice: VoiceSettings
    delivery: Delivery
    chunks: deque[bytes] = field(default_factory=deque)
    offset: int = 0
    """Bytes of `chunks[0]` that were pulled."""
    bytes_unpulled: int = 0
    samples_pulled: int = 0
    marks: deque[Mark] = field(default_factory=deque)
    """Words that nobody was told of yet, as ranges of `cut.source`."""
    marked_to: int = 0
    silence: int = 0
    """Samples of a pause in front of it."""
    spoken: Spoken | None = None
    """Set when the listener's part of it began."""
    complete: bool = False
    problem: Problem | None = None

    def mark(self, marks: tuple[Mark, ...]) -> None:
        """Note words of the engine's text as words of the caller's. Several that were written as one are one."""
        for mark in marks:
            start, end = self.cut.word(mark.start, mark.end)
            if self.marked_to <= start < end:
                self.marks.append(Mark(mark.sample, start, end))
                self.marked_to = end

    @property
    def may_begin(self) -> bool:
        """Whether there is something that the listener may be told of."""
        if self.delivery is Delivery.PROGRESSIVE:
            return self.complete
        return self.complete or self.bytes_unpulled > 0

    def drop(self) -> int:
        """Forget what was made; how many bytes of audio that was."""
        dropped, self.bytes_unpulled = self.bytes_unpulled, 0
        self.chunks.clear()
        self.marks.clear()
        return dropped

    def take(self, size: int) -> bytes:
        """Remove up to `size` bytes of audio from the front."""
        taken: list[bytes] = []
        while size > 0 and self.chunks:
            part = self.chunks[0][self.offset : self.offset + size]
            self.offset += len(part)
            size -= len(part)
            taken.append(part)
            if self.offset == len(self.chunks[0]):
                self.chunks.popleft()
                self.offset = 0
        data = taken[0] if len(taken) == 1 else b"".join(taken)
        self.bytes_unpulled -= len(data)
        return data


class Session:
    """The machine. Feed it with `submit`, `report` and `tick`; then pull `next_order` and `next_event` until None.

    `now` is in seconds of any steady clock, the same for all calls. `frame_ms` bounds the audio of one event and may
    be changed at any time. `id` is that of the command that opened the context; the first event repeats it. `lexicon` is the
    one that the settings name.
    """

    def __init__(
        self,
        settings: Settings,
        limits: Limits,
        now: float,
        *,
        frame_ms: int = 200,
        id: str | None = None,
        lexicon: Lexicon | None = None,
    ) -> None:
        self.frame_ms = frame_ms
        self.settings = settings
        self.state = State.CONFIGURING
        self._limits = limits
        self._replacer = replacer_of(settings, lexicon)
        self._intake = Intake(settings, self._replacer)
        self._applied: int | None = None if lexicon is None else 0
        """How often rules were applied in what began to be heard."""
        self._line: deque[_Segment | Flush] = deque()
        self._ready: deque[Event] = deque()
        self._waiting: deque[_Segment] = deque()
        self._live: dict[int, _Segment] = {}
        self._abandoned: deque[Abandon] = deque()
        self._flushes_in_line = 0
        self._segments = 0
        self._sequence = 0
        self._chars_waiting = 0
        self._bytes_unpulled = 0
        self._pulled = 0
        """Samples handed out since the context began, at the engine's rate."""
        self._pause_due = False
        """Whether something was spoken since the context began or was cleared."""
        self._playback = Playback()
        self._history = History(limits.history_chars_max)
        self._touched = now
        self._idle_warned = False
        self._in_utterance = False
        """Text came since the last flush or clear."""
        self._close_reason = CloseReason.FINISHED
        self._end_id: str | None = None
        self._announce(id, first=True)

    # --- commands ----------------------------------------------------------------------------------------------------

    def submit(self, command: Command, now: float) -> None:
        """Obey a command. Raises a CallerError and changes nothing when it cannot be obeyed in this state or within
        the limits. `Abort` is never refused."""
        if type(command) not in _ACCEPTS[self.state]:
            raise InputEnded("the input of this context has ended")
        cost = _EVENTS_COST.get(type(command), 0)
        if cost and self._events_pending() + cost > self._limits.events_pending_max:
            raise TooManyPending(
                "too many commands are unanswered; read their answers first",
                allowed=f"at most {self._limits.events_pending_max}",
                retry_after_ms=1_000,
            )
        match command:
            case Configure():
                self._configure(command, now)
            case PushText():
                self._push(command, now)
            case Flush():
                self._open()
                self._release_all(CutReason.FLUSH, now)
                self._line.append(command)
                self._flushes_in_line += 1
                self._in_utterance = False
            case Clear():
                self._clear(command, now)
            case EndInput():
                self._end_id = command.id
                self._end(CloseReason.FINISHED, now)
            case KeepAlive():
                pass
            case Abort():
                self._abort()
            case _:
                assert_never(command)
        self._touch(now)

    def _configure(self, command: Configure, now: float) -> None:
        settings, old = command.settings, self.settings
        if self.state is not State.CONFIGURING:
            for name in ("format", "model", "engine", "engine_rate"):
                if getattr(settings, name) != getattr(old, name):
                    raise FormatFixed(
                        f"{name} is fixed once a context has text; open another context",
                        field="model" if name.startswith("engine") else name,
                        allowed=str(getattr(old, name)),
                    )
        if any(getattr(settings, name) != getattr(old, name) for name in _SPOKEN_WITH):
            self._release_all(CutReason.FLUSH, now)
            if any(getattr(settings, name) != getattr(old, name) for name in _REPLACED_BY):
                self._replacer = replacer_of(settings, command.lexicon)
            self._intake.reconfigure(settings, self._replacer)
            if self._replacer is not None:
                self._applied = self._applied or 0
        self.settings = settings
        self._announce(command.id)

    def _push(self, command: PushText, now: float) -> None:
        self.judge_text(len(command.text))
        self._open()
        self._in_utterance = True
        self._enqueue(self._intake.push(command.text, now, more=command.more))

    def judge_text(self, chars: int) -> None:
        """Whether so much text may be pushed now. Raises InputEnded, TextMissing, TextTooLong or TextBacklogFull."""
        if PushText not in _ACCEPTS[self.state]:
            raise InputEnded("the input of this context has ended")
        if not chars:
            raise TextMissing("text is empty", field="text", allowed="at least one character")
        limits = self._limits
        if chars > limits.text_chars_max:
            raise TextTooLong(
                f"text has {chars} characters",
                field="text",
                allowed=f"at most {limits.text_chars_max} characters",
            )
        if chars > self.chars_room:
            raise TextBacklogFull(
                "too much text is waiting to be spoken",
                field="text",
                allowed=f"{self.chars_room} characters now",
                retry_after_ms=1_000,
            )

    def _clear(self, command: Clear, now: float) -> None:
        cleared = self._heard(command, now, self._intake.clear())
        self._withdraw()
        self._ready.append(cleared)
        self._in_utterance = self._pause_due = False
        self._history.reset(self._intake.chars_accepted)
        self._playback.reset()

    def recall(self, command: Clear, now: float) -> Cleared:
        """What a session that has closed answers to a late clear: how far its listener came."""
        assert self.state is State.CLOSED
        return self._heard(command, now, "")

    def _heard(self, command: Clear, now: float, pending: str) -> Cleared:
        rate = self.settings.engine_rate
        if command.played_ms is None:
            played = self._pulled - self._playback.lead_s(now) * rate
        else:
            played = command.played_ms * rate / 1_000
        spoken, unheard = self._history.split(int(min(max(played, 0), self._pulled)))
        return Cleared(
            id=command.id,
            sample_end=self._position(),
            heard_from=self._history.heard_from,
            heard_to=self._history.heard_from + len(spoken),
            text_end=self._intake.chars_accepted,
            spoken=spoken,
            unspoken=unheard + self._silent() + pending,
            estimated=command.played_ms is None,
        )

    def bequeath(self) -> Remains:
        """What can be told of this session when it is over. Only an abort may follow."""
        return Remains(
            self._history,
            self._pulled,
            self.settings.engine_rate,
            self.settings.format.sample_rate,
            self._silent() + self._intake.clear(),
            self._intake.chars_accepted,
        )

    def _silent(self) -> str:
        """The text of the segments that nothing was heard of."""
        return "".join(
            entry.cut.source
            for entry in self._line
            if isinstance(entry, _Segment) and entry.spoken is None
        )

    def _end(self, reason: CloseReason, now: float) -> None:
        self._release_all(CutReason.END, now)
        self._close_reason = reason
        self.state = State.DRAINING

    def _abort(self) -> None:
        if self.state is State.CLOSED:
            return
        self._withdraw()
        self._ready = deque(event for event in self._ready if isinstance(event, SegmentCancelled))
        self._ready.append(self._closed(CloseReason.ABORTED))
        self.state = State.CLOSED

    # --- reports -----------------------------------------------------------------------------------------------------

    def report(self, report: Report, now: float) -> None:
        """Hear from an engine. Never raises; what concerns a segment that is no longer in the making is dropped."""
        segment = self._live.get(report.segment)
        if segment is None:
            return
        match report:
            case Begun():
                pass  # Of interest to those who measure.
            case Produced():
                segment.chunks.append(report.pcm)
                segment.bytes_unpulled += len(report.pcm)
                self._bytes_unpulled += len(report.pcm)
            case Marked():
                segment.mark(report.marks)
            case Finished():
                segment.complete = True
                del self._live[segment.id]
            case Failed():
                segment.complete = True
                segment.problem = report.problem
                if segment.delivery is Delivery.PROGRESSIVE:
                    self._bytes_unpulled -= segment.drop()
                del self._live[segment.id]
            case _:
                assert_never(report)

    # --- time --------------------------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """The next time at which `tick` and pulling may bring something without any further input; None = never."""
        times = [self._idle_at(), self.held_until]
        if self.state is State.OPEN:
            times.append(self._intake.deadline(self._dry_at()))
        return min((time for time in times if time is not None), default=None)

    def tick(self, now: float) -> None:
        """Let time pass. Early or repeated calls do nothing."""
        if self.state is State.OPEN:
            self._enqueue(self._intake.tick(now, self._dry_at()))
        idle_at = self._idle_at()
        if idle_at is not None and now >= idle_at:
            if self._idle_warned:
                self._end(CloseReason.IDLE, now)
            else:
                self._idle_warned = True
                self._ready.append(
                    Warned(
                        "context_idle",
                        f"nothing was said for a long time; the context ends in "
                        f"{self._limits.context_idle_warning_ms} ms without a further message",
                    )
                )

    def _idle_at(self) -> float | None:
        """When the next step towards an idle end is due. Audio to come and answers unread stop that clock."""
        if self.state not in {State.CONFIGURING, State.OPEN} or self._line or self._ready:
            return None
        patience_ms = self._limits.context_idle_ms
        if not self._idle_warned:
            patience_ms -= min(self._limits.context_idle_warning_ms, patience_ms)
        return self._touched + patience_ms / 1_000

    @property
    def held_until(self) -> float | None:
        """When the next frame may go, if it is held back: by pacing, or to become whole, because each frame has its price."""
        head = self._line[0] if self._line else None
        if not isinstance(head, _Segment) or head.spoken is None or not head.bytes_unpulled:
            return None
        if self.settings.lead_ms is not None:
            return self._playback.release_at(self._frame_ms_paced(), self.settings.lead_ms)
        if head.complete or head.bytes_unpulled >= self._bytes(self.frame_ms):
            return None
        dry_at = self._playback.dry_at
        return None if dry_at is None else dry_at - GATHER_MARGIN_S

    def _dry_at(self) -> float | None:
        """When the listener runs out of audio, if that can be said: nothing is made, waiting or unpulled."""
        return None if self._line else self._playback.dry_at

    # --- orders ------------------------------------------------------------------------------------------------------

    def next_order(self, now: float) -> Order | None:
        """What an engine should do next; None = nothing now."""
        if self._abandoned:
            return self._abandoned.popleft()
        if (
            not self._waiting
            or len(self._live) >= self._limits.lookahead
            or self._unpulled_ms() >= self._limits.audio_ahead_ms
        ):
            return None
        segment = self._waiting.popleft()
        self._live[segment.id] = segment
        cut = segment.cut
        self._chars_waiting -= len(cut.source)
        return Synthesize(
            segment=segment.id,
            text=cut.text,
            voice=segment.voice,
            pause_after=(
                not self.settings.pause_ms
                and cut.kind not in _NO_PAUSE_KINDS
                and cut.reason not in _NO_PAUSE_REASONS
            ),
            chars=cut.end - cut.start,
            phonemes=cut.phonemes,
        )

    # --- events ------------------------------------------------------------------------------------------------------

    def next_event(self, now: float) -> Event | None:
        """The next thing the client is told; None = nothing now, perhaps because pacing holds it: see `deadline`."""
        if self._ready:
            return self._ready.popleft()
        event = self._next_in_line(now)
        if event is not None:
            self._touch(now)
        return event

    def _next_in_line(self, now: float) -> Event | None:
        if not self._line:
            if self.state is not State.DRAINING:
                return None
            self.state = State.CLOSED
            return self._closed(self._close_reason)
        head = self._line[0]
        if isinstance(head, Flush):
            self._line.popleft()
            self._flushes_in_line -= 1
            return Flushed(head.id, self._position())
        if head.spoken is None:
            return self._begin(head) if head.may_begin else None
        if head.bytes_unpulled:
            release_at = self.held_until
            if release_at is not None and now < release_at:
                return None
            return self._audio(head, now)
        return self._finish(head) if head.complete else None

    def _begin(self, segment: _Segment) -> Event:
        cut = segment.cut
        if self._pause_due and segment.bytes_unpulled:
            self._pause_before(segment)
        segment.spoken = Spoken(cut.source, cut.start, self._pulled)
        self._history.begin(segment.spoken)
        if self._applied is not None:
            self._applied += cut.applied
        if not cut.speakable:
            self._ready.append(
                Warned("nothing_speakable", "this text has no letter or digit to speak")
            )
        return SegmentStarted(
            segment=segment.id,
            text_start=cut.start,
            text_end=cut.end,
            reason=cut.reason,
            kind=cut.kind,
            sample_start=self._position(),
            applied=cut.applied,
        )

    def _pause_before(self, segment: _Segment) -> None:
        """Let a segment that has something to say begin with the pause that there is between two of them."""
        segment.silence = self.settings.pause_ms * self.settings.engine_rate // 1_000
        if segment.silence:
            size = segment.silence * SAMPLE_BYTES
            segment.chunks.appendleft(bytes(size))
            segment.bytes_unpulled += size
            self._bytes_unpulled += size

    def _audio(self, segment: _Segment, now: float) -> Event:
        """The next frame of a segment, or first the words that begin in it."""
        assert segment.spoken is not None
        rate = self.settings.engine_rate
        size = min(self._bytes(self._frame_ms(now)), segment.bytes_unpulled)
        samples = size // SAMPLE_BYTES
        words = self._words(segment, segment.samples_pulled + samples)
        if words is not None:
            return words
        data = segment.take(size)
        self._bytes_unpulled -= size
        segment.samples_pulled += samples
        start = self._position()
        self._pulled += samples
        self._pause_due = True
        self._playback.handed_out(samples / rate, now)
        self._sequence += 1
        return Audio(
            segment=segment.id,
            sequence=self._sequence - 1,
            sample_start=start,
            sample_count=self._position() - start,
            data=data,
        )

    def _words(self, segment: _Segment, before: int) -> Words | None:
        """The words that begin before this sample of the segment; None where there are none or nobody asked."""
        assert segment.spoken is not None
        origin = segment.spoken.sample_start
        words: list[Word] = []
        while segment.marks and segment.marks[0].sample + segment.silence < before:
            made = segment.marks.popleft()
            mark = Mark(made.sample + segment.silence, made.start, made.end)
            segment.spoken.marks.append(mark)
            start = segment.cut.start
            words.append(
                Word(self._out(origin + mark.sample), start + mark.start, start + mark.end)
            )
        return Words(segment.id, tuple(words)) if words and self.settings.timestamps else None

    def _finish(self, segment: _Segment) -> Event:
        assert segment.spoken is not None
        words = self._words(segment, segment.samples_pulled + 1)
        if words is not None:
            return words
        self._line.popleft()
        segment.cut.forget()
        if segment.problem is not None:
            return SegmentFailed(
                segment=segment.id,
                sample_end=self._position(),
                text_start=segment.cut.start,
                text_end=segment.cut.end,
                problem=segment.problem,
            )
        segment.spoken.sample_end = self._pulled
        return SegmentFinished(segment.id, self._position())

    # --- what others may know ----------------------------------------------------------------------------------------

    @property
    def chars_room(self) -> int:
        """Characters that may be pushed now."""
        pending = self._chars_waiting + self._intake.chars_pending
        return max(0, self._limits.chars_pending_max - pending)

    @property
    def chars_accepted(self) -> int:
        """Characters of text taken so far."""
        return self._intake.chars_accepted

    @property
    def is_busy(self) -> bool:
        """True while an utterance is under way or something was not pulled yet."""
        if self.state in {State.CONFIGURING, State.OPEN}:
            return bool(self._in_utterance or self._line or self._ready)
        return self.state is State.DRAINING or bool(self._ready)

    @property
    def has_speech_to_come(self) -> bool:
        """True while text waits for an engine, is being spoken, or was spoken and not pulled yet."""
        return bool(self._waiting or self._live or self._bytes_unpulled)

    @property
    def is_eager(self) -> bool:
        """True for a stream that is sent as fast as it is made."""
        return self.settings.lead_ms is None

    @property
    def has_answers(self) -> bool:
        """True when something waits that overtakes audio."""
        return bool(self._ready)

    def lead_s(self, now: float) -> float:
        """Seconds of audio that were handed out and not played yet, by the session's own clock."""
        return self._playback.lead_s(now)

    def ahead_s(self, now: float) -> float:
        """Seconds of audio that will be heard before the segment ordered next: sent, made, or (guessed) in the making."""
        chars = sum(len(s.cut.text) / s.voice.speed for s in self._live.values() if not s.complete)
        return self.lead_s(now) + self._unpulled_ms() / 1_000 + chars / SPOKEN_CHARS_PER_S

    @property
    def played_by(self) -> float | None:
        """When everything handed out will have been played, by the session's own clock; None = nothing was."""
        return self._playback.dry_at

    # --- inside ------------------------------------------------------------------------------------------------------

    def _announce(self, id: str | None, *, first: bool = False) -> None:
        """Say which settings are in force, and what is odd about them."""
        self._ready.append(SessionStarted(self.settings, id, first))
        if not known_language(self.settings.language):
            self._ready.append(
                Warned(
                    "language_unknown",
                    f"no sentence rules for {self.settings.language}; English ones are used",
                    field="language",
                )
            )

        if self._replacer is not None and not self._replacer.rules:
            self._ready.append(
                Warned(
                    "lexicon_unused",
                    f"the lexicon has no rule for {self.settings.language}",
                    field="lexicon",
                )
            )

    def _open(self) -> None:
        if self.state is State.CONFIGURING:
            self.state = State.OPEN

    def _touch(self, now: float) -> None:
        self._touched = now
        self._idle_warned = False

    def _release_all(self, reason: CutReason, now: float) -> None:
        """Everything pending becomes segments."""
        self._enqueue(self._intake.flush(reason, now))

    def _enqueue(self, cuts: list[Cut]) -> None:
        voice = _voice(self.settings)
        for cut in cuts:
            segment = _Segment(self._segments, cut, voice, self.settings.delivery)
            self._segments += 1
            self._line.append(segment)
            if cut.speakable:
                self._waiting.append(segment)
                self._chars_waiting += len(cut.source)
            else:
                segment.complete = True

    def _withdraw(self) -> None:
        """Take back everything in the line; the open segment and the flushes get their endings."""
        head = self._line[0] if self._line else None
        if isinstance(head, _Segment) and head.spoken is not None:
            self._ready.append(SegmentCancelled(head.id, self._position()))
        self._ready.extend(
            Flushed(entry.id, self._position(), cleared=True)
            for entry in self._line
            if isinstance(entry, Flush)
        )
        self._abandoned.extend(Abandon(segment) for segment in self._live)
        self._live.clear()
        self._line.clear()
        self._waiting.clear()
        self._flushes_in_line = self._chars_waiting = self._bytes_unpulled = 0

    def _closed(self, reason: CloseReason) -> Closed:
        return Closed(
            *(reason, self._position(), self._intake.chars_accepted, self._end_id),
            applied=self._applied,
        )

    def _events_pending(self) -> int:
        return len(self._ready) + self._flushes_in_line

    def _unpulled_ms(self) -> float:
        return self._bytes_unpulled * 1_000 / (SAMPLE_BYTES * self.settings.engine_rate)

    def _frame_ms(self, now: float) -> int:
        """The longest frame now: short while the listener has nothing to play."""
        frame_ms = self._frame_ms_paced()
        return frame_ms if self._playback.lead_s(now) > 0 else min(frame_ms, FRAME_MS_FIRST)

    def _frame_ms_paced(self) -> int:
        """The longest frame of all, never more than pacing allows."""
        return min(self.frame_ms, self.settings.lead_ms or self.frame_ms)

    def _bytes(self, ms: int) -> int:
        """The size of so much audio as an engine makes it."""
        return max(1, ms * self.settings.engine_rate // 1_000) * SAMPLE_BYTES

    def _out(self, sample: int) -> int:
        return samples_out(sample, self.settings.engine_rate, self.settings.format.sample_rate)

    def _position(self) -> int:
        """Where the context's audio stands, in output samples."""
        return self._out(self._pulled)


def replacer_of(settings: Settings, lexicon: Lexicon | None) -> Replacer | None:
    """The rules for text with these settings, which name this lexicon."""
    if lexicon is None:
        return None
    return Replacer(lexicon, settings.language, phonemes=settings.phonemes is not None)


def _voice(settings: Settings) -> VoiceSettings:
    return VoiceSettings(
        voice=settings.voice,
        language=settings.language,
        speed=settings.speed,
        pitch=settings.pitch,
        volume=settings.volume,
    )
