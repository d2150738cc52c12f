"""What was heard: the spoken text of a context against the samples it became.

Kept for a clear, which must say to the word how far the listener came. A word counts as heard once its audio has been
played to its end, that is: once the next word (or the end of the segment) has been reached.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

from gateway.core.synthesis import Mark


@dataclass(slots=True)
class Spoken:
    """A segment whose audio has begun: text[start:end] from `sample_start` on, in engine samples of the context."""

    text: str
    start: int
    sample_start: int
    sample_end: int | None = None
    """Known once all its audio was handed out."""
    marks: list[Mark] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    def heard_to(self, sample: int) -> int:
        """The text position up to which this segment was heard when the player stood at `sample`."""
        if self.sample_end is not None and sample >= self.sample_end:
            return self.end
        heard = self.start
        begun = [mark for mark in self.marks if self.sample_start + mark.sample <= sample]
        for mark, following in pairwise(begun):
            if following.sample > mark.sample:
                heard = self.start + mark.end
        return heard


@dataclass(frozen=True, slots=True)
class Remains:
    """What a session that was given up leaves: enough to say what of its text a listener got, and what nobody did."""

    history: History
    samples: int
    """Handed out since the context began, at the engine's rate."""
    rate_in: int
    rate_out: int
    unsent: str
    """Text behind the history."""
    text_end: int

    @property
    def chars(self) -> int:
        """How much text this holds."""
        return self.history.chars + len(self.unsent)

    def split(self, samples: int) -> tuple[int, str, str]:
        """Where the remembered text begins, and that text as (got, not got) by who got so many samples of output."""
        got = min(samples * self.rate_in // self.rate_out, self.samples)
        spoken, unheard = self.history.split(got)
        return self.history.heard_from, spoken, unheard + self.unsent


class History:
    """The spoken segments since the last clear, as many as fit into `chars_max` characters."""

    def __init__(self, chars_max: int) -> None:
        self._chars_max = chars_max
        self._segments: deque[Spoken] = deque()
        self._chars = 0
        self.heard_from = 0
        """Text before this position is settled: cleared earlier, or forgotten."""

    @property
    def chars(self) -> int:
        """How much is remembered."""
        return self._chars

    def begin(self, spoken: Spoken) -> None:
        """A segment's audio begins. Older segments beyond the bound are forgotten as heard."""
        self._segments.append(spoken)
        self._chars += len(spoken.text)
        while self._chars > self._chars_max and len(self._segments) > 1:
            gone = self._segments.popleft()
            self._chars -= len(gone.text)
            self.heard_from = gone.end

    def reset(self, text_position: int) -> None:
        """A clear settled everything before this position."""
        self._segments.clear()
        self._chars = 0
        self.heard_from = text_position

    def split(self, sample: int) -> tuple[str, str]:
        """The remembered text as (heard, not heard) when the player stood at `sample`."""
        heard: list[str] = []
        unheard: list[str] = []
        for spoken in self._segments:
            at = 0 if unheard else spoken.heard_to(sample) - spoken.start
            heard.append(spoken.text[:at])
            if at < len(spoken.text):
                unheard.append(spoken.text[at:])
        return "".join(heard), "".join(unheard)
