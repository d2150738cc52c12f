"""What a client is to say, and how it is to listen: the same for every protocol."""

from __future__ import annotations

from typing import Protocol

import msgspec

from gateway.bench.instruments.timeline import Form, Timeline, Trouble, Wire

PATIENCE_S = 10.0
"""Nothing sent and nothing received for so long is a timeout; longer than any pause within a text."""


class Piece(msgspec.Struct, frozen=True):
    """Text that is there `at_s` after the intended start. With `flush` the client says that it shall be spoken now, where
    its protocol has a word for that."""

    at_s: float
    text: str
    flush: bool = False


class Consumer(msgspec.Struct, frozen=True):
    """How a client takes its audio: at `rate` times real time and at most `ahead_s` ahead of that, None = greedily.

    1.0 is somebody who listens; below that, a reader who is too slow.
    """

    rate: float | None = None
    ahead_s: float = 0.5


class Utterance(msgspec.Struct, frozen=True):
    """One text. `parameters` are speech parameters of the native protocol beside the format.

    `barge_in_s` after its first audio the listener interrupts; `vanish_s` after it, the client is gone without a word.
    """

    pieces: tuple[Piece, ...]
    form: Form = Form()
    parameters: dict[str, object] = {}
    consumer: Consumer = Consumer()
    barge_in_s: float | None = None
    vanish_s: float | None = None

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(piece.text for piece in self.pieces)


def whole(text: str, form: Form | None = None, **parameters: object) -> Utterance:
    """A text that is known from the start."""
    return Utterance((Piece(0.0, text),), form or Form(), parameters)


class Client(Protocol):
    """One client with at most one connection, which speaks one utterance at a time."""

    wire: Wire
    timeline: Timeline | None
    """Of the latest utterance, also while it goes on; None before the first."""

    async def speak(self, utterance: Utterance, intended: float, *, cold: bool = False) -> Timeline:
        """Say it at the moment `intended` of `clock`, listen to the end, and tell what happened.

        The connection is kept for the next utterance; `cold` makes a new one. Whatever a peer or a network can do is in
        the timeline's `trouble`, and nothing is raised; after trouble the connection is dropped.
        """
        ...

    async def open(self) -> Trouble | None:
        """Connect, where there is no connection, and tell what stands in the way, if anything. `speak` does it itself."""
        ...

    def close(self) -> None:
        """Drop the connection, if there is one. Calling twice is fine."""
        ...
