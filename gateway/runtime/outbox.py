"""What goes to a client before any audio that is new: what it has missed, then the answers to what it said."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from gateway.dialects.base import Frame
from gateway.runtime.contexts import Record
from gateway.runtime.ring import Told


class Outbox:
    """`wake` is called when there is something new. How many answers wait is for the reader to bound."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._answers: deque[Frame] = deque()
        self._retold: deque[Told] = deque()
        """What a client that came back has missed, as far as it was not sent yet."""

    def __len__(self) -> int:
        """How many answers wait."""
        return len(self._answers)

    def answer(self, frames: list[Frame], record: Record | None = None) -> None:
        """Answer before any audio. What is about a context is told again to who has missed it."""
        if record is not None:
            for frame in frames:
                record.ring.message(frame)
        self._answers.extend(frames)
        self._wake()

    def retell(self, missed: Iterable[Told]) -> None:
        """Tell what was missed, before any answer."""
        self._retold.extend(missed)
        self._wake()

    def clear(self, context: str) -> None:
        """Audio of this context is not to be told again: its listener does not want it."""
        self._retold = deque(
            told for told in self._retold if told.end is None or told.context != context
        )

    def next(self) -> list[Frame] | None:
        """What to send now; None = nothing."""
        if self._retold:
            return [self._retold.popleft().frame]
        if self._answers:
            frames = list(self._answers)
            self._answers.clear()
            return frames
        return None

    def discard(self) -> None:
        """The client is gone. Whatever was to be told about a context is in its ring."""
        self._answers.clear()
        self._retold.clear()
