"""What a session tells its client. Past tense or nouns, plain data, pulled one by one.

Sample positions count the samples of the context's output (at `Settings.format.sample_rate`) from its first one.
Text positions count code points of the text that was pushed into the context, from its first one.
"""

from __future__ import annotations

import msgspec

from gateway.core.errors import Problem
from gateway.core.params import Settings
from gateway.core.vocabulary import CloseReason, CutKind, CutReason


class SessionStarted(msgspec.Struct, frozen=True):
    """These settings are in force: the `first` event of a context, and again after each `Configure`."""

    settings: Settings
    id: str | None = None
    first: bool = False


class SegmentStarted(msgspec.Struct, frozen=True):
    """The audio from `sample_start` on speaks text[text_start:text_end], which was cut there for `reason`, with so many rules
    of a lexicon `applied`."""

    segment: int
    text_start: int
    text_end: int
    reason: CutReason
    kind: CutKind
    sample_start: int
    applied: int = 0


class Audio(msgspec.Struct, frozen=True):
    """Speech. `data` is s16le PCM when it leaves the session and codec bytes once the encoder had it.

    `sequence` counts the audio events of the context from 0; `sample_start` and `sample_count` say which samples of
    the context this is about, gap-free.
    """

    segment: int
    sequence: int
    sample_start: int
    sample_count: int
    data: bytes


class Word(msgspec.Struct, frozen=True):
    """A word begins at `sample` and is text[text_start:text_end] of the caller's text."""

    sample: int
    text_start: int
    text_end: int


class Words(msgspec.Struct, frozen=True):
    """Words that begin in the audio that follows."""

    segment: int
    words: tuple[Word, ...]


class SegmentFinished(msgspec.Struct, frozen=True):
    """All audio of the segment has been handed out."""

    segment: int
    sample_end: int


class SegmentFailed(msgspec.Struct, frozen=True):
    """The segment's audio ends here, incomplete; what was not spoken is text[text_start:text_end] or a part of it."""

    segment: int
    sample_end: int
    text_start: int
    text_end: int
    problem: Problem


class SegmentCancelled(msgspec.Struct, frozen=True):
    """The segment's audio ends here because a clear or an abort took the rest."""

    segment: int
    sample_end: int


class Flushed(msgspec.Struct, frozen=True):
    """All audio of the text before this flush has been handed out; `cleared` says that a clear took it instead."""

    id: str | None
    sample_end: int
    cleared: bool = False


class Cleared(msgspec.Struct, frozen=True):
    """Nothing older follows. `sample_end` is where the audio stopped.

    text[heard_from:heard_to] was heard and is repeated in `spoken`; text[heard_to:text_end] was not: `unspoken`.
    `heard_from` is the end of the previous clear, or later where history has been forgotten.
    `estimated` = the client named no `played_ms`, so its playhead is the session's guess.
    """

    id: str | None
    sample_end: int
    heard_from: int
    heard_to: int
    text_end: int
    spoken: str
    unspoken: str
    estimated: bool


class Warned(msgspec.Struct, frozen=True):
    """Something the caller should know and need not act on. Codes are listed in docs/protocol.md."""

    code: str
    message: str
    field: str | None = None


class Timings(msgspec.Struct, frozen=True, omit_defaults=True):
    """How long a context took, by the server's clock, in ms.

    `first_payload_ms` and `first_audio_ms`: from the first text of its first utterance to its first audio and to its
    first audible sample; None = there was none. The others are of the whole context. `queue_ms`: what its orders waited
    for a worker. `synthesis_ms` made `audio_ms` of audio, heard or not. `gaps` times the listener ran dry although the
    segment had been ordered, for `gap_ms` in all. `lead_ms`: audio sent and not played yet.
    """

    queue_ms: float
    synthesis_ms: float
    audio_ms: float
    gaps: int
    gap_ms: float
    lead_ms: float
    first_payload_ms: float | None = None
    first_audio_ms: float | None = None


class Closed(msgspec.Struct, frozen=True):
    """The session is over: the last event. `samples` were handed out for `chars` characters of accepted text. Rules of a
    lexicon were `applied` so often in what began to be heard; None = there was no lexicon.

    `timings` and what it cost, in thousandths of a credit, are not the session's to know: who watches it adds them."""

    reason: CloseReason
    samples: int
    chars: int
    id: str | None = None
    timings: Timings | None = None
    millicredits: int | None = None
    applied: int | None = None


Event = (
    SessionStarted
    | SegmentStarted
    | Audio
    | Words
    | SegmentFinished
    | SegmentFailed
    | SegmentCancelled
    | Flushed
    | Cleared
    | Warned
    | Closed
)
