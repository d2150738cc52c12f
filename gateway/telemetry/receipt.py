"""What became of the text of one context, for who asks later: what was spoken, what was not, and why.

A receipt is shown what a context takes, makes and hands out. The text itself never reaches it, only where in it things
are. Text counts as spoken when all the audio of its segment was handed to the socket, and after a clear when its client
was told that it was heard; whether a client got it, only the client knows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from gateway.core.errors import Problem
from gateway.core.events import (
    Audio,
    Cleared,
    Closed,
    Event,
    SegmentFailed,
    SegmentFinished,
    SegmentStarted,
    SessionStarted,
    Timings,
)
from gateway.core.params import Format, Settings
from gateway.core.synthesis import Finished, Produced, Report
from gateway.core.timeline import samples_out
from gateway.core.vocabulary import Progress

SAMPLE_BYTES = 2
RANGES_MAX = 32
"""Ranges of spoken text that are remembered of a context: one, and one more for each gap that a clear or a failure left."""


class TextRange(msgspec.Struct, frozen=True, gc=False):
    """text[text_start:text_end] of what was pushed into a context."""

    text_start: int
    text_end: int


class ContextReceipt(msgspec.Struct, frozen=True, gc=False):
    """What one context did. `samples_made` came from an engine, `samples_sent` went to the socket, both at the rate of
    `format`; `chars_made` and `chars_spoken` are how much text that is. `applied` is how often rules of a lexicon were, in
    the segments that began. `spoken` and `unspoken` are the text from
    `text_from` to `chars`; what was before that is forgotten. `credits` is what it cost; None = nobody counts."""

    context: str
    state: Progress
    model: str
    voice: str
    format: Format
    chars: int
    chars_made: int
    chars_spoken: int
    samples_made: int
    samples_sent: int
    text_from: int
    spoken: tuple[TextRange, ...]
    unspoken: tuple[TextRange, ...]
    applied: int
    error: Problem | None = None
    timings: Timings | None = None
    credits: float | None = None


class Receipt:
    """Watches the context of this name. `whole`: all of its audio is sent at the end, or none is; `spent` tells what it has
    cost by now, in thousandths of a credit."""

    def __init__(
        self,
        context: str,
        settings: Settings,
        *,
        whole: bool = False,
        spent: Callable[[], int] | None = None,
    ) -> None:
        self._context = context
        self._settings = settings
        self._whole = whole
        self._spent = spent
        self._state = Progress.RUNNING
        self._applied = self._chars = self._samples_made = self._samples_sent = self._text_from = 0
        self._chars_made = self._chars_forgotten = 0
        self._spoken: deque[TextRange] = deque()
        self._segment: TextRange | None = None
        """What is being heard."""
        self._error: Problem | None = None
        self._timings: Timings | None = None

    def taken(self, chars: int) -> None:
        """The context has taken so much text by now."""
        self._chars = chars

    def made(self, report: Report, chars: int = 0) -> None:
        """An engine has reported on a segment of so much text."""
        if isinstance(report, Produced):
            self._samples_made += len(report.pcm) // SAMPLE_BYTES
        elif isinstance(report, Finished):
            self._chars_made += chars

    def handed_out(self, events: Sequence[Event]) -> None:
        """These go to the client."""
        for event in events:
            match event:
                case SessionStarted():
                    self._settings = event.settings
                case SegmentStarted():
                    self._applied += event.applied
                    self._segment = TextRange(event.text_start, event.text_end)
                case Audio():
                    self._samples_sent = event.sample_start + event.sample_count
                case SegmentFinished() if self._segment is not None:
                    self._add(self._segment)
                case SegmentFailed():
                    self._error = event.problem
                case Cleared():
                    self._clear(event)
                case Closed():
                    self._timings = event.timings
                case _:
                    pass

    def finish(
        self, state: Progress, problem: Problem | None = None, timings: Timings | None = None
    ) -> None:
        """The context is over. What failed on the way keeps it from being complete. The last call counts."""
        self._error = problem or self._error
        self._timings = timings or self._timings
        lost = state is Progress.COMPLETE and self._error is not None
        self._state = Progress.FAILED if lost else state

    def now(self) -> ContextReceipt:
        """What is known by now."""
        settings = self._settings
        is_sent = not self._whole or self._state is Progress.COMPLETE
        spoken = tuple(self._spoken) if is_sent else ()
        return ContextReceipt(
            context=self._context,
            state=self._state,
            model=settings.model,
            voice=settings.voice,
            format=settings.format,
            chars=self._chars,
            chars_made=self._chars_made,
            chars_spoken=self._chars_forgotten + sum(map(_length, spoken)) if is_sent else 0,
            samples_made=samples_out(
                self._samples_made, settings.engine_rate, settings.format.sample_rate
            ),
            samples_sent=self._samples_sent if is_sent else 0,
            text_from=self._text_from,
            spoken=spoken,
            unspoken=tuple(_gaps(spoken, self._text_from, self._chars)),
            applied=self._applied,
            error=self._error,
            timings=self._timings,
            credits=None if self._spent is None else self._spent() / 1_000,
        )

    def _add(self, text: TextRange) -> None:
        """More was spoken, behind all that was."""
        if self._spoken and self._spoken[-1].text_end == text.text_start:
            text = TextRange(self._spoken.pop().text_start, text.text_end)
        if text.text_start < text.text_end:
            self._spoken.append(text)
        if len(self._spoken) > RANGES_MAX:
            oldest = self._spoken.popleft()
            self._text_from = oldest.text_end
            self._chars_forgotten += _length(oldest)

    def _clear(self, cleared: Cleared) -> None:
        """What was sent and not heard was not spoken after all."""
        while self._spoken and self._spoken[-1].text_end > cleared.heard_from:
            last = self._spoken.pop()
            if last.text_start < cleared.heard_from:
                self._spoken.append(TextRange(last.text_start, cleared.heard_from))
        self._add(TextRange(cleared.heard_from, cleared.heard_to))


def _length(text: TextRange) -> int:
    return text.text_end - text.text_start


def _gaps(spoken: Sequence[TextRange], start: int, end: int) -> list[TextRange]:
    """What is not in these ranges, from `start` to `end`."""
    starts = [start, *(each.text_end for each in spoken)]
    ends = [*(each.text_start for each in spoken), end]
    return [TextRange(a, b) for a, b in zip(starts, ends, strict=True) if a < b]
