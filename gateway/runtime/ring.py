"""What a context was told last, kept for a client that comes back and has not got all of it.

Entries are the frames themselves, so that what is told again is the same to the byte. Messages are numbered, audio has
sample positions; a message stands at the position that the audio before it had reached.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gateway.core.errors import InvalidValue, ResumeGone
from gateway.dialects.base import Frame, Position

FRAME_BYTES = 200
"""What a frame costs beside its bytes, roughly."""


@dataclass(slots=True)
class RingsTotal:
    """The bytes of all rings of a server, and how many they may be."""

    bytes_max: int
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """A frame that was sent, or was about to be. `end` is None for a message; `number` counts audio."""

    context: str
    frame: Frame
    start: int
    end: int | None
    number: int = 0

    @property
    def cost(self) -> int:
        return len(self.frame) + FRAME_BYTES


class Ring:
    """The newest frames of one context, at most `bytes_max` of them and fewer when the server has too many: then a
    ring that grows forgets its own oldest. `close` gives its bytes back."""

    def __init__(self, context: str, bytes_max: int, total: RingsTotal) -> None:
        self._context = context
        self._bytes_max = bytes_max
        self._total = total
        self._told: deque[Told] = deque()
        self._bytes = 0
        self.samples = 0
        """Where the audio stands that was told."""
        self.messages = 0
        """How many messages were told."""
        self.frames = 0
        """And how many frames of audio."""
        self._samples_kept = 0
        """The oldest sample that can be told again, but for what a clear took."""
        self._messages_kept = 0
        """How many messages can no longer be told again."""
        self._closed = False
        self._marked: Told | None = None
        """The newest that the client has for certain once it answers."""
        self.is_held = False
        """Nothing is forgotten until the next `since`: somebody was promised all that there is."""

    @property
    def has_told(self) -> bool:
        """Whether the client was told anything."""
        return self.messages > 0 or self.frames > 0

    @property
    def is_forgotten(self) -> bool:
        """Whether the client was told something and nothing of it is kept."""
        return self.has_told and not self._told

    def message(self, frame: Frame) -> None:
        """A message is told."""
        self._keep(Told(self._context, frame, self.samples, None))
        self.messages += 1

    def audio(self, frame: Frame, start: int, end: int) -> None:
        """Audio is told: samples from `start` to before `end`."""
        self.frames += 1
        self._keep(Told(self._context, frame, start, end, self.frames))
        self.samples = end

    def clear(self) -> None:
        """Older audio is not to be told again: its listener does not want it."""
        kept = deque(told for told in self._told if told.end is None)
        self._account(sum(told.cost for told in kept) - self._bytes)
        self._told = kept
        self._marked = None
        self._samples_kept = 0

    def close(self) -> None:
        """Nobody will ask any more. Twice is fine."""
        self._account(-self._bytes)
        self._told.clear()
        self._marked = None
        self._closed = True

    def mark(self, *, is_sent: bool) -> None:
        """The client is asked whether it is there. `is_sent`: everything that was told had been sent before that."""
        self._marked = self._told[-1] if is_sent and self._told else None

    def forget_marked(self) -> None:
        """It has answered, and so has got what came before. It will not ask for that again."""
        while self._marked is not None and not self.is_held:
            self._forget_oldest()

    def judge(self, position: Position) -> None:
        """Whether a client that has come so far can be told the rest. Raises InvalidValue, or ResumeGone which names
        the oldest that can be told."""
        if position.samples > self.samples:
            raise InvalidValue(
                f"context {self._context!r} never had so many samples",
                field="contexts.samples",
                allowed=f"at most {self.samples}",
            )
        if (position.messages or 0) > self.messages:
            raise InvalidValue(
                f"context {self._context!r} never had so many messages",
                field="contexts.messages",
                allowed=f"at most {self.messages}",
            )
        if (position.frames or 0) > self.frames:
            raise InvalidValue(
                f"context {self._context!r} never had so many frames of audio",
                field="contexts.frames",
                allowed=f"at most {self.frames}",
            )
        if position.samples < self._samples_kept:
            raise ResumeGone(
                f"this audio of context {self._context!r} is no longer kept",
                field="contexts.samples",
                allowed=f"at least {self._samples_kept}",
            )
        if position.messages is not None and position.messages < self._messages_kept:
            raise ResumeGone(
                f"these messages of context {self._context!r} are no longer kept",
                field="contexts.messages",
                allowed=f"at least {self._messages_kept}",
            )

    def messages_told_from(self, position: Position) -> int:
        """How many messages that client has got, or is taken to have got."""
        if position.messages is not None:
            return position.messages
        earlier = sum(told.end is None and told.start < position.samples for told in self._told)
        return self._messages_kept + earlier

    def since(
        self, position: Position, cut: Callable[[Frame, int], Frame] | None = None
    ) -> list[Told]:
        """What a client that has come so far has not got, in order. `cut(frame, sample)` gives a frame from a sample
        on; without it, one that was got in part is told as a whole. Without a number of messages those count as unread that stand at the position or after it."""
        self.is_held = False
        number = self._messages_kept
        missed: list[Told] = []
        for told in self._told:
            if told.end is None:
                number += 1
                unread = (
                    told.start >= position.samples
                    if position.messages is None
                    else number > position.messages
                )
                if unread:
                    missed.append(told)
            elif _is_unheard(told, told.end, position):
                frame = told.frame
                if cut is not None and told.start < position.samples and position.frames is None:
                    frame = cut(frame, position.samples)
                missed.append(Told(told.context, frame, told.start, told.end))
        return missed

    def _keep(self, told: Told) -> None:
        if self._closed:
            return
        self._told.append(told)
        self._account(told.cost)
        while (
            self._told
            and not self.is_held
            and (self._bytes > self._bytes_max or self._total.bytes > self._total.bytes_max)
        ):
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        gone = self._told.popleft()
        self._account(-gone.cost)
        if gone.end is None:
            self._messages_kept += 1
        else:
            self._samples_kept = gone.end
        if gone is self._marked:
            self._marked = None

    def _account(self, more: int) -> None:
        self._bytes += more
        self._total.bytes += more


def _is_unheard(told: Told, end: int, position: Position) -> bool:
    return end > position.samples if position.frames is None else told.number > position.frames
