"""How a conversation over a WebSocket begins, as a dialect sees it: who may, and what is agreed before the first message.

A `Handshake` is to a WebSocket what an `Exchange` is to a request: it translates, and has no memory. The front does the same
for all of them: it finds out who asks, accepts or refuses, and carries the messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from gateway.core.limits import Limits
from gateway.core.params import Catalog
from gateway.dialects.base import Conversation
from gateway.dialects.http import HttpRequest, Words


class Agreement(msgspec.Struct, frozen=True):
    """What a handshake came to. `subprotocol` is the one of those offered that is echoed; None = none."""

    conversation: Conversation
    subprotocol: str | None = None


class Handshake(Words, Protocol):
    """Of one route in a dialect. Pure, and shared by all connections. `offered` are the subprotocols that the client names."""

    name: str
    """For logs, and what usage is counted under: the dialect and its route."""

    def credentials(self, request: HttpRequest, offered: Sequence[str]) -> Iterable[str] | None:
        """Every key or token that is shown; None = they are where the native protocol has them. Raises Unauthorized for one
        that is shown in a way that is not taken."""
        ...

    def agree(
        self, request: HttpRequest, offered: Sequence[str], catalog: Catalog, limits: Limits
    ) -> Agreement:
        """A new conversation, as the handshake asks for it. Raises GatewayError."""
        ...
