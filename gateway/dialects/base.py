"""What a dialect is to the fronts and the runtime: a pure translator with as little memory as its wire allows."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

import msgspec

from gateway.core.commands import Clear, EndInput, Flush, KeepAlive, PushText
from gateway.core.errors import GatewayError, Problem
from gateway.core.events import Event, Warned
from gateway.core.limits import Limits
from gateway.core.params import Defaults, Parameters, Settings

Frame = str | bytes
"""One WebSocket message: text or binary."""


class Ping(msgspec.Struct, frozen=True):
    """The client asks whether anybody is there."""

    id: str | None = None


class Adjust(msgspec.Struct, frozen=True):
    """The client sets parameters; they are resolved against those it set before."""

    parameters: Parameters
    id: str | None = None


class Renew(msgspec.Struct, frozen=True):
    """The client says all parameters anew, and another format or model if it likes. What it said before is spoken as it was
    asked for, to its end; a flush of it is answered after that."""

    parameters: Parameters


class Position(msgspec.Struct, frozen=True):
    """How far a client has come in what it was told of a context: the end of the last audio, and how many messages
    that were not audio (None = it did not count). `frames` counts the audio; at one sample there may stand several."""

    samples: int = 0
    messages: int | None = None
    frames: int | None = None


class Resume(msgspec.Struct, frozen=True):
    """The client comes back to a session whose connection broke. Contexts that it does not name it never heard of."""

    token: str
    positions: dict[str, Position]
    id: str | None = None


class ResumedContext(msgspec.Struct, frozen=True):
    """From where a context is told on, and what the server has heard of it: `heard` messages, `chars` of text."""

    context: str
    samples: int
    messages: int
    heard: int
    chars: int
    ended: bool = False


class LostContext(msgspec.Struct, frozen=True):
    """A context that is over: text[text_start:] as what the client got as audio, and what it did not."""

    context: str
    text_start: int
    spoken: str
    unspoken: str


Intent = Adjust | Renew | PushText | Flush | Clear | EndInput | KeepAlive | Ping | Resume


class Said(msgspec.Struct, frozen=True):
    """One message understood: what the client wants, for which context, and what was odd about the message."""

    context: str
    intent: Intent
    id: str | None = None
    warnings: tuple[Warned, ...] = ()


class NotUnderstood(Exception):
    """A message that cannot be obeyed as it is. Carries as much of its address as could be read."""

    def __init__(self, error: GatewayError, context: str | None = None, id: str | None = None):
        super().__init__(str(error))
        self.problem = error.problem
        self.context = context
        self.id = id


class Hello(msgspec.Struct, frozen=True):
    """What the server announces when a connection opens."""

    session: str
    settings: Settings
    limits: Limits
    contexts_free: int
    """About how many more contexts could be served well."""
    resume_token: str | None = None


class SpeechRequest(msgspec.Struct, frozen=True):
    """A one-shot request understood. `whole` asks for a complete file with exact sizes instead of a stream; a client that
    names `sample_start` has had the audio before it."""

    text: str
    parameters: Parameters
    whole: bool = False
    sample_start: int | None = None
    ignored: tuple[str, ...] = ()


class Verdict(Enum):
    """How a connection came to its end."""

    PEER_GONE = auto()
    REPLIES_UNREAD = auto()
    """The client sends but does not read the answers."""
    SEND_STALLED = auto()
    """The client takes no bytes."""
    FIRST_MESSAGE_LATE = auto()
    """The client has said nothing since it came."""
    IDLE = auto()
    """The client has said nothing for long, and there is nothing to be spoken."""
    REFUSED = auto()
    """The client has said what ends a conversation of its dialect, and was told so."""
    RESUMED_ELSEWHERE = auto()
    """The client has come back over another connection."""
    SESSION_OVER = auto()
    """It has lasted as long as it may."""
    UNAUTHORIZED = auto()
    """Its key was revoked, or has expired."""
    DRAINING = auto()
    """The server is going away."""


class Resuming(Protocol):
    """How a dialect speaks of connections that break and come back."""

    kind: str
    """What was agreed at the handshake: frames of one kind mean nothing to clients of another."""

    def encode_resumed(
        self, session: str, token: str, contexts: list[ResumedContext], id: str | None
    ) -> list[Frame]:
        """The session goes on; `token` is for the next time."""
        ...

    def encode_lost(self, problem: Problem, lost: list[LostContext], id: str | None) -> list[Frame]:
        """The session does not go on."""
        ...

    def from_sample(self, frame: Frame, sample: int) -> Frame:
        """An audio frame of this conversation without what is before `sample`, as far as its codec can be cut there."""
        ...


class Conversation(Protocol):
    """One WebSocket connection in a dialect. Frames depend on the handshake, ids and events only."""

    defaults: Defaults
    in_order: bool
    """Whether one context is told to its end before anything is told of the next, as frames do not say whose they are."""
    idle_ms: int | None
    """So long after the client's last message, and the end of what it has asked for, the connection ends, with what it holds;
    None = as the limits have it for connections without an open context."""
    is_over: bool
    """Nothing is heard any more: the connection ends as soon as the answers have left."""

    @property
    def resuming(self) -> Resuming | None:
        """None = a connection that breaks is over, with all that is on it."""
        ...

    def open(self, hello: Hello) -> list[Frame]:
        """The first frames of the connection."""
        ...

    def decode(self, message: Frame) -> Said:
        """Understand one message. Raises NotUnderstood."""
        ...

    def encode(self, context: str, event: Event) -> list[Frame]:
        """An event in the wire's words; empty where the wire has none."""
        ...

    def encode_pong(self, ping: Ping) -> list[Frame]:
        """The answer to a ping."""
        ...

    def encode_draining(self, deadline_ms: int) -> list[Frame]:
        """The server is going away: no new context, and what is not finished then is cut off."""
        ...

    def encode_error(self, problem: Problem, context: str | None, id: str | None) -> list[Frame]:
        """A refused or failed message; the connection stays open."""
        ...

    def close_code(self, verdict: Verdict) -> int:
        """With which code the server closes the connection."""
        ...
