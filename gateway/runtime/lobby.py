"""Where sessions wait whose connection broke, and where those are remembered that waited in vain.

    attached ──connection lost──► parked ──resume──► attached
                                    └──window over──► lost (what was not spoken) ──► forgotten

Each session has one token, and the one before it until that is used: nobody knows whether it has arrived. Tokens are kept as digests, so that neither memory nor the
time of a look-up tells them; whoever asks with a wrong one, a used one or somebody else's gets the same answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.core.errors import NotFound
from gateway.core.heard import Remains
from gateway.core.limits import Limits
from gateway.runtime.ring import RingsTotal

TOKEN_BYTES = 32
RECORD_CHARS = 200
"""What a record costs beside its text, in characters."""


class Waiting(Protocol):
    """A session that can be told that its time is over."""

    def give_up(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Lost:
    principal: str
    until: float
    remains: Mapping[str, Remains]
    chars: int


class Lobby:
    """The sessions of one server that may be resumed, by their tokens."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.rings = RingsTotal(limits.resume_rings_bytes_max)
        self._sessions: dict[bytes, tuple[str, Waiting]] = {}
        self._parked: OrderedDict[int, Waiting] = OrderedDict()
        self._lost: OrderedDict[bytes, _Lost] = OrderedDict()
        self._lost_chars = 0

    @property
    def is_open(self) -> bool:
        """Whether sessions may be resumed here at all."""
        return self._limits.resume_window_ms > 0

    @property
    def parked(self) -> int:
        """How many sessions wait."""
        return len(self._parked)

    def admit(self, session: Waiting, principal: str) -> str:
        """A token by which `principal` may resume this session, once."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._sessions[_digest(token)] = (principal, session)
        return token

    def withdraw(self, token: str) -> None:
        """The token is good for nothing any more. Twice is fine."""
        self._sessions.pop(_digest(token), None)

    def find(self, token: str, principal: str, *, but: Waiting) -> Waiting | Mapping[str, Remains]:
        """The session of a token, or what is left of it. Raises NotFound, also for `but`, who asks."""
        digest = _digest(token)
        session = self._sessions.get(digest)
        if session is not None and _same(session[0], principal) and session[1] is not but:
            return session[1]
        self._forget()
        lost = self._lost.get(digest)
        if lost is not None and _same(lost.principal, principal):
            return lost.remains
        raise NotFound("there is nothing to resume by this token", field="token")

    def park(self, session: Waiting) -> None:
        """A session waits from now on. Where too many do, the one that has waited longest gives up."""
        while len(self._parked) >= self._limits.sessions_parked_max:
            _, oldest = self._parked.popitem(last=False)
            oldest.give_up()
        self._parked[id(session)] = session

    def unpark(self, session: Waiting) -> None:
        """It waits no more. Twice is fine."""
        self._parked.pop(id(session), None)

    def remember(
        self, tokens: Sequence[str], principal: str, remains: Mapping[str, Remains]
    ) -> None:
        """The session of these tokens is over; what was not spoken can be asked for, for a while."""
        chars = RECORD_CHARS + sum(left.chars for left in remains.values())
        until = asyncio.get_running_loop().time() + self._limits.lost_text_ms / 1_000
        for token in tokens:
            self.withdraw(token)
            self._lost[_digest(token)] = _Lost(principal, until, remains, chars)
            self._lost_chars += chars
            chars = RECORD_CHARS  # The text is there once.
        self._forget()

    def _forget(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._lost:
            oldest = next(iter(self._lost.values()))
            if oldest.until > now and self._lost_chars <= self._limits.lost_text_chars_max:
                return
            self._lost.popitem(last=False)
            self._lost_chars -= oldest.chars


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
