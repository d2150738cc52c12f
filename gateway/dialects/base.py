"""What a dialect is to the fronts and the runtime: a pure translator with as little memory as its wire allows."""

from __future__ import annotations

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


Intent = Adjust | PushText | Flush | Clear | EndInput | KeepAlive | Ping


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


class SpeechRequest(msgspec.Struct, frozen=True):
    """A one-shot request understood. `whole` asks for a complete file with exact sizes instead of a stream."""

    text: str
    parameters: Parameters
    whole: bool = False
    ignored: tuple[str, ...] = ()


class Conversation(Protocol):
    """One WebSocket connection in a dialect. Frames depend on the handshake, ids and events only."""

    defaults: Defaults

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
