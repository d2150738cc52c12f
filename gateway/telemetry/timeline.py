"""The life of one context in moments: when text came, when audio left, and how long everybody waited in between.

A timeline is shown what goes into a session and comes out of it (commands, orders, reports, events) with the time of
each, and keeps the figures. It decides nothing, and nothing of the text reaches it but a count of characters.

An *utterance* begins with the first text of the context, or the first after a flush or clear, and is measured until it
is heard: `first payload` is when its first audio is handed to the socket, `first audio` when a player that plays as it
comes has played the silence in front of it. An utterance whose text comes while an earlier flush is unanswered is not
measured: nobody waits for it in silence.

The listener is taken for a player that starts with the first frame and stalls when it runs dry. A *gap* is such a stall
of a segment that had been ordered before; a stall because there was no text is the caller's own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
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
from gateway.core.params import Settings
from gateway.core.playback import Playback
from gateway.core.synthesis import Begun, Failed, Finished, Marked, Produced, Report
from gateway.core.vocabulary import CloseReason, Route
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.onset import SAMPLE_BYTES, Onset

GAP_S_MIN = 0.001
"""Shorter ones nobody hears, and a clock in whole milliseconds makes them up."""


@dataclass(slots=True)
class _Ordered:
    """A segment from its order until all its audio was handed out."""

    at: float
    begun_at: float | None = None
    """When a worker took it; None again once that has ended."""
    made_s: float = 0.0


class _Utterance:
    """An utterance until it is heard."""

    def __init__(self, now: float) -> None:
        self.began_at = now
        self.onset: Onset | None = None
        """The search for speech in the decoded audio, from the first audio on."""
        self.has_payload = False
        self._handed_s = 0.0
        self._dry_at = now

    def hand_out(self, seconds: float, now: float) -> float | None:
        """The next audio goes to the player. Gives when it plays the first audible sample, as soon as that is known."""
        plays_at = max(now, self._dry_at)
        offset_s, self._handed_s = self._handed_s, self._handed_s + seconds
        self._dry_at = plays_at + seconds
        if self.onset is None or self.onset.at_s is None or self.onset.at_s >= self._handed_s:
            return None
        return plays_at + self.onset.at_s - offset_s


class Timeline:
    """Watches one context. `now` is in seconds of one steady clock, fine enough for what it shall tell.

    `whole`: all audio is gathered and goes out at the end, so that there is no listener while it is made. `rest`: only
    the rest of it goes out, so that nobody waits for its beginning.
    """

    def __init__(
        self,
        metrics: Metrics,
        route: Route,
        settings: Settings,
        *,
        whole: bool = False,
        rest: bool = False,
    ) -> None:
        self._metrics = metrics
        self._route = route
        self._whole = whole
        self._rest = rest
        self._use(settings)
        self._opened = self._over = False
        self._chars = 0
        self._orders: dict[int, _Ordered] = {}
        self._heard: int | None = None
        """The segment whose audio has begun and not ended."""
        self._utterance: _Utterance | None = None
        self._is_fresh = True
        """No text since the context began, or since the last flush or clear."""
        self._flushes_unanswered = 0
        self._clears: deque[float] = deque()
        self._is_stale = False
        """A clear has come since the event was pulled that is now being encoded."""
        self._pcm = b""
        """The audio of that event."""
        self._playback = Playback()
        self._position_s = 0.0
        """Audio handed out since the context began."""
        self._handed_s = self._made_s = 0.0
        """Audio handed out, and made, since the last clear."""
        self._first_payload_s: float | None = None
        self._first_audio_s: float | None = None
        self._queue_s = self._synthesis_s = self._audio_s = self._gap_s = 0.0
        self._gaps = 0

    # --- what goes in ------------------------------------------------------------------------------------------------

    def submitted(self, command: Command, chars: int, now: float) -> None:
        """The session has obeyed a command; it has taken `chars` characters by now."""
        if chars > self._chars:
            self._figures.characters.inc(chars - self._chars)
            self._chars = chars
        match command:
            case PushText():
                self._text_came(now)
            case Configure():
                self._use(command.settings)
            case Flush():
                self._is_fresh = True
                self._flushes_unanswered += 1
            case Clear():
                self._cleared(command, now)
            case Abort():
                self._aborted(now)
            case EndInput() | KeepAlive():
                pass
            case _:
                assert_never(command)

    def ordered(self, segment: int, now: float) -> None:
        """A segment was ordered."""
        self._orders[segment] = _Ordered(now)

    def reported(self, report: Report, now: float) -> None:
        """An engine has reported. What concerns a segment that was taken back is ignored."""
        order = self._orders.get(report.segment)
        if order is None:
            return
        match report:
            case Begun():
                order.begun_at = now
                self._queue_s += now - order.at
                self._figures.queue_wait.observe(now - order.at)
            case Produced():
                if not order.made_s and order.begun_at is not None:
                    self._figures.engine_first_audio.observe(now - order.begun_at)
                seconds = len(report.pcm) / (SAMPLE_BYTES * self._rate_made)
                order.made_s += seconds
                self._made_s += seconds
            case Finished():
                if order.begun_at is not None and order.made_s:
                    factor = (now - order.begun_at) / order.made_s
                    self._figures.real_time_factor.observe(factor)
                self._settle(order, now)
            case Failed():
                self._settle(order, now)
            case Marked():
                pass
            case _:
                assert_never(report)

    # --- what comes out ----------------------------------------------------------------------------------------------

    def pulled(self, event: Event) -> None:
        """An event has left the session and is about to be encoded."""
        self._is_stale = False
        self._pcm = event.data if isinstance(event, Audio) else b""

    def handed_out(self, events: Sequence[Event], now: float, delay_s: float = 0.0) -> None:
        """What became of the pulled event goes to the client. `delay_s` is the silence that its codec puts in front."""
        if self._pcm and self._utterance is not None and not self._is_stale:
            if self._utterance.onset is None:
                self._utterance.onset = Onset(self._rate_made, delay_s)
            self._utterance.onset.hear(self._pcm)
        for event in events:
            match event:
                case Audio():
                    self._audio(event, now, delay_s)
                case SegmentStarted():
                    self._heard = event.segment
                case SegmentFinished():
                    self._ended(event.segment, "finished")
                case SegmentFailed():
                    self._ended(event.segment, "failed")
                    self._metrics.refused(self._route, event.problem)
                case SegmentCancelled():
                    self._ended(event.segment, "cancelled")
                case Flushed(cleared=False) if not self._is_stale:
                    self._flushes_unanswered -= 1
                    self._utterance = None
                case Cleared():
                    self._figures.clear.observe(now - self._clears.popleft())
                case SessionStarted(first=True):
                    self._opened = True
                    self._metrics.contexts_opened.labels(self._route).inc()
                case Closed():
                    self._closed(event.reason)
                case _:
                    pass

    def timings(self, now: float) -> Timings:
        """The figures so far, for the caller."""
        return Timings(
            first_payload_ms=_ms(self._first_payload_s),
            first_audio_ms=_ms(self._first_audio_s),
            queue_ms=_in_ms(self._queue_s),
            synthesis_ms=_in_ms(self._synthesis_s),
            audio_ms=_in_ms(self._audio_s),
            gaps=self._gaps,
            gap_ms=_in_ms(self._gap_s),
            lead_ms=_in_ms(self._playback.lead_s(now)),
        )

    # --- inside ------------------------------------------------------------------------------------------------------

    def _use(self, settings: Settings) -> None:
        self._figures = self._metrics.figures(self._route, settings.model, settings.format.codec)
        self._model = settings.model
        self._rate_made = settings.engine_rate
        self._rate_sent = settings.format.sample_rate

    def _text_came(self, now: float) -> None:
        is_heard = not (self._whole or self._rest)
        if self._is_fresh and not self._flushes_unanswered and is_heard:
            self._utterance = _Utterance(now)
        self._is_fresh = False

    def _audio(self, event: Audio, now: float, delay_s: float) -> None:
        seconds = event.sample_count / self._rate_sent
        self._position_s += seconds
        if self._whole:
            return
        self._figures.audio.inc(seconds)
        if self._is_stale or not seconds:
            return
        self._note_gap(event.segment, now)
        self._playback.handed_out(seconds, now)
        self._handed_s += seconds
        self._figures.lead.observe(self._playback.lead_s(now))
        if self._utterance is not None:
            self._hear(self._utterance, seconds, now, delay_s)

    def _note_gap(self, segment: int, now: float) -> None:
        dry_at = self._playback.dry_at
        order = self._orders.get(segment)
        if dry_at is None or order is None or now - dry_at < GAP_S_MIN or order.at > dry_at:
            return
        self._figures.gap.observe(now - dry_at)
        self._gaps += 1
        self._gap_s += now - dry_at

    def _hear(self, utterance: _Utterance, seconds: float, now: float, delay_s: float) -> None:
        if not utterance.has_payload:
            utterance.has_payload = True
            seconds += delay_s
            payload_s = now - utterance.began_at
            self._figures.first_payload.observe(payload_s)
            if self._first_payload_s is None:
                self._first_payload_s = payload_s
        audible_at = utterance.hand_out(seconds, now)
        if audible_at is None:
            return
        self._utterance = None
        audio_s = audible_at - utterance.began_at
        self._figures.first_audio.observe(audio_s)
        if self._first_audio_s is None:
            self._first_audio_s = audio_s

    def _ended(self, segment: int, ending: str) -> None:
        self._heard = None
        self._orders.pop(segment, None)
        self._metrics.segments.labels(self._route, self._model, ending).inc()

    def _settle(self, order: _Ordered, now: float) -> None:
        """A worker has ended, or is no longer wanted."""
        if order.begun_at is None:
            return
        self._figures.synthesis.inc(now - order.begun_at)
        self._figures.audio_made.inc(order.made_s)
        self._synthesis_s += now - order.begun_at
        self._audio_s += order.made_s
        order.begun_at = None

    def _withdraw(self, unplayed_s: float, cause: str, now: float) -> None:
        """Everything older is forgotten, also what was sent and will not be played."""
        for order in self._orders.values():
            self._settle(order, now)
        self._orders.clear()
        unheard_s = max(0.0, self._made_s - self._handed_s) + unplayed_s
        self._metrics.audio_unheard.labels(self._route, self._model, cause).inc(unheard_s)
        self._handed_s = self._made_s = 0.0
        self._playback.reset()

    def _cleared(self, clear: Clear, now: float) -> None:
        unplayed_s = self._playback.lead_s(now)
        if clear.played_ms is not None:
            unplayed_s = max(0.0, self._position_s - clear.played_ms / 1_000)
        self._withdraw(min(unplayed_s, self._handed_s), "clear", now)
        self._is_fresh = self._is_stale = True
        self._flushes_unanswered = 0
        self._clears.append(now)

    def _aborted(self, now: float) -> None:
        if not self._opened or self._over:
            return
        self._withdraw(self._playback.lead_s(now), "abort", now)
        if self._heard is not None:
            self._ended(self._heard, "cancelled")
        self._closed(CloseReason.ABORTED)

    def _closed(self, reason: CloseReason) -> None:
        self._over = True
        if self._whole and reason is not CloseReason.ABORTED:
            self._figures.audio.inc(self._position_s)
        self._metrics.contexts_closed.labels(self._route, reason).inc()


def _in_ms(seconds: float) -> float:
    return round(seconds * 1_000, 2)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else _in_ms(seconds)
