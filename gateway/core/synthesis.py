"""What a session asks of an engine (orders) and hears from it (reports). Two directions, plain data.

A segment is named by an integer that is unique within its session. PCM is always mono s16le at the engine's own rate.
"""

from __future__ import annotations

import msgspec

from gateway.core.errors import Problem


class VoiceSettings(msgspec.Struct, frozen=True):
    """How a segment is to sound.

    `voice` is the engine's own name for it, `speed` a factor (1.0 = the voice's natural pace), `pitch` in semitones
    (0.0 = natural), `volume` a factor (1.0 = natural, 0.0 = silence). Ranges were judged before; engines trust them.
    """

    voice: str
    language: str
    speed: float = 1.0
    pitch: float = 0.0
    volume: float = 1.0


class Synthesize(msgspec.Struct, frozen=True):
    """Make this segment. `text` is plain text, never markup. With `pause_after` the engine closes with the pause that
        belongs between two sentences; without it the audio ends with the last sound, as at the end of an utterance. `chars`
        counts the characters of the caller's text that it is for, which is what is charged. At the ranges `phonemes` of the text
        stand phonemes in [[ and ]], for engines that take them; such marks anywhere else are text. What `can_wait` is for a download, as
    far as is known when it is given to the engine: no listener's clock runs."""

    segment: int
    text: str
    voice: VoiceSettings
    pause_after: bool = False
    chars: int = 0
    can_wait: bool = False
    phonemes: tuple[tuple[int, int], ...] = ()


class Abandon(msgspec.Struct, frozen=True):
    """Stop making this segment; reports that still arrive for it are dropped."""

    segment: int


Order = Synthesize | Abandon


class Mark(msgspec.Struct, frozen=True):
    """A word begins: at `sample` of the segment's audio, being text[start:end] of the segment's own text (code points).

    Within a segment samples never decrease and ranges increase without overlap.
    """

    sample: int
    start: int
    end: int


class Begun(msgspec.Struct, frozen=True):
    """A worker has this segment in hand: the wait for one is over. The first report of a segment, if it gets a worker."""

    segment: int


class Produced(msgspec.Struct, frozen=True):
    """More audio of a segment: a whole number of mono s16le samples, in order, at least one."""

    segment: int
    pcm: bytes


class Marked(msgspec.Struct, frozen=True):
    """Words that begin at or after the samples produced before the previous `Marked`; never later than `Finished`."""

    segment: int
    marks: tuple[Mark, ...]


class Finished(msgspec.Struct, frozen=True):
    """The segment is complete: nothing follows for it."""

    segment: int


class Failed(msgspec.Struct, frozen=True):
    """The segment will not be completed: nothing follows for it."""

    segment: int
    problem: Problem


Report = Begun | Produced | Marked | Finished | Failed
