"""How a session outlives its socket: whoever comes back with its token brings another one.

    lost ──► waits in the lobby ──claim──► the newcomer's tasks end ──bring──► the session goes on over its socket

Two connections take part. The one that is resumed is claimed at once, so that it stops using its old socket; the one that
came back first brings its own tasks to their end, because a socket has one reader, and then lends its socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from gateway.core.errors import InvalidMessage, InvalidValue, ResumeExpired
from gateway.core.heard import Remains
from gateway.core.vocabulary import Codec
from gateway.dialects.base import (
    Conversation,
    LostContext,
    Position,
    Resume,
    ResumedContext,
    Resuming,
    Verdict,
)
from gateway.runtime.contexts import Contexts, Record
from gateway.runtime.house import House
from gateway.runtime.outbox import Outbox
from gateway.runtime.ring import Told
from gateway.runtime.wire import Wire


class Comeback:
    """Of one connection, both ways: it may be resumed by another, and it may resume one. Only `principal` may.

    `leave` says that the socket it has is to be used no longer."""

    def __init__(
        self,
        house: House,
        session: str,
        conversation: Conversation,
        contexts: Contexts,
        outbox: Outbox,
        leave: Callable[[Verdict], None],
        *,
        principal: str,
    ) -> None:
        self._house = house
        self._lobby = house.lobby
        self._session = session
        self._conversation = conversation
        self._contexts = contexts
        self._outbox = outbox
        self._leave = leave
        self._principal = principal
        self._tokens: list[str] = []
        """Those that are good: the last one given, and the one by which it was got until that is used in its turn, because
        the message that gave it may be lost with its connection."""
        self._waiting: asyncio.Future[None] | None = None
        self._claim: asyncio.Future[tuple[Wire, Resume] | None] | None = None
        """Somebody has come back, and brings another wire as soon as it is free:"""
        self._claimant: Comeback | None = None
        """this one."""
        self._moving_to: tuple[Comeback, Resume] | None = None

    def open(self) -> str | None:
        """The first token; None where sessions cannot be resumed."""
        if not self._lobby.is_open or self._conversation.resuming is None:
            return None
        self._tokens.append(self._lobby.admit(self, self._principal))
        return self._tokens[-1]

    @property
    def _words(self) -> Resuming:
        """Of a dialect that has some: tokens are given and resumed in no other."""
        assert self._conversation.resuming is not None
        return self._conversation.resuming

    def close(self) -> None:
        """Nobody may resume this session any longer."""
        self._claimant = None
        for token in self._tokens:
            self._lobby.withdraw(token)

    # --- as the one that is resumed ----------------------------------------------------------------------------------

    async def somebody(self, wire: Wire, verdict: Verdict) -> tuple[Wire, Resume] | None:
        """Who comes back after this wire came to this end; None = nobody does."""
        if self._claim is None and self._is_worth_waiting(wire, verdict):
            await self._wait()
        while (claim := self._claim) is not None:
            brought = await claim
            if self._claim is claim:
                self._claim = None
                return brought
            if brought is not None:
                # Somebody else has come before this one was served.
                brought[0].end(Verdict.PEER_GONE)
        return None

    def _is_worth_waiting(self, wire: Wire, verdict: Verdict) -> bool:
        return (
            bool(self._tokens)
            and verdict in {Verdict.PEER_GONE, Verdict.SEND_STALLED}
            and not wire.said_goodbye()
            and not self._house.admission.drain.has_begun
            and any(record.ring.has_told for record in self._contexts.records())
        )

    async def _wait(self) -> None:
        """Until somebody comes back, or nobody has in time. Meanwhile nothing is pulled, so that what is being made comes
        to its bounds and stops."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._lobby.park(self)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._house.limits.resume_window_ms / 1_000):
                    await self._waiting
        finally:
            self._lobby.unpark(self)
            self._waiting = None

    def give_up(self) -> None:
        """Wait for nobody any longer."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def claim(self, by: Comeback, resume: Resume, kind: str) -> None:
        """Somebody comes back, having come so far; `bring` must follow. Raises InvalidValue or ResumeGone.

        Of several who come at once the last one is meant."""
        if kind != self._words.kind:
            raise InvalidValue(
                "the session was begun in another form",
                field="audio",
                allowed=self._words.kind,
            )
        records = self._wanted(resume)
        for record in records:
            record.ring.judge(resume.positions.get(record.name, Position()))
        for record in records:
            record.ring.is_held = True
        for token in self._tokens:
            if token != resume.token:
                self._lobby.withdraw(token)
        self._tokens = [resume.token]
        self._claimant = by
        if self._claim is None or self._claim.done():
            self._claim = asyncio.get_running_loop().create_future()
        self._leave(Verdict.RESUMED_ELSEWHERE)
        self.give_up()

    def bring(self, by: Comeback, wire: Wire | None, resume: Resume) -> None:
        """Here is the wire of whoever claimed this session; None = it broke meanwhile. Of no use from anybody but who claimed
        it last, and once."""
        if by is self._claimant and self._claim is not None and not self._claim.done():
            self._claim.set_result(None if wire is None else (wire, resume))
        elif wire is not None:
            wire.end(Verdict.PEER_GONE)

    def welcome(self, resume: Resume) -> None:
        """Say that it goes on, and tell again what was missed."""
        contexts: list[ResumedContext] = []
        missed: list[Told] = []
        for record in self._wanted(resume):
            position = resume.positions.get(record.name, Position())
            missed += self._missed(record, position)
            contexts.append(
                ResumedContext(
                    record.name,
                    position.samples,
                    record.ring.messages_told_from(position),
                    record.heard,
                    record.session.chars_accepted,
                    ended=record.name not in self._contexts.open,
                )
            )
        token = self._lobby.admit(self, self._principal)
        self._tokens.append(token)
        hello = self._words.encode_resumed(self._session, token, contexts, resume.id)
        self._outbox.retell(Told("", frame, 0, None) for frame in hello)
        self._outbox.retell(missed)

    def _wanted(self, resume: Resume) -> list[Record]:
        """The contexts that are told of: not those that have ended, as their client is known to have heard to the end, and
        that it does not name."""
        return [
            record
            for record in self._contexts.records()
            if record.name in resume.positions
            or record.name in self._contexts.open
            or not record.ring.is_forgotten
        ]

    def _missed(self, record: Record, position: Position) -> list[Told]:
        is_pcm = record.session.settings.format.codec is Codec.PCM_S16LE
        cut = self._words.from_sample if is_pcm else None
        return record.ring.since(position, cut)

    def remember(self) -> None:
        """Nobody has come back; what was not spoken can be asked for, for a while."""
        if self._tokens:
            remains = {r.name: r.session.bequeath() for r in self._contexts.records()}
            self._lobby.remember(self._tokens, self._principal, remains)

    # --- as the one that comes back ----------------------------------------------------------------------------------

    @property
    def is_moving(self) -> bool:
        """True when the wire of this connection is promised to the session it resumes."""
        return self._moving_to is not None

    def resume(self, resume: Resume) -> None:
        """The client wants another session than this one. Raises what `Lobby.find` and `claim` raise, or InvalidMessage."""
        if self._contexts.records():
            raise InvalidMessage("resume is the first message of a connection", field="type")
        found = self._lobby.find(resume.token, self._principal, but=self)
        if isinstance(found, Mapping):
            self._answer_lost(found, resume)
            return
        assert isinstance(found, Comeback)
        found.claim(self, resume, self._words.kind)
        self._moving_to = found, resume
        self._leave(Verdict.RESUMED_ELSEWHERE)

    def _answer_lost(self, remains: Mapping[str, Remains], resume: Resume) -> None:
        problem = ResumeExpired("the session is over; `lost` says what was not spoken").problem
        self._house.metrics.refused(self._conversation.defaults.route, problem)
        lost = []
        for name, left in remains.items():
            got = resume.positions.get(name, Position()).samples
            lost.append(LostContext(name, *left.split(got)))
        self._outbox.answer(self._words.encode_lost(problem, lost, resume.id))

    async def move(self, wire: Wire) -> Verdict:
        """Lend the wire to the session that is resumed, until that has no more use for it. Gives how it came to its end."""
        assert self._moving_to is not None
        (other, resume), self._moving_to = self._moving_to, None
        with self._house.admission.without_connection():
            other.bring(self, wire, resume)
            return await wire.over

    def let_down(self) -> None:
        """There is no wire to lend after all, if one was promised. The last that is done; the connection, which holds
        this, is let go, so that it needs no garbage collector to be freed."""
        if self._moving_to is not None:
            self._moving_to[0].bring(self, None, self._moving_to[1])
        self._leave = _is_gone


def _is_gone(verdict: Verdict) -> None:
    """There is no socket any more that could be used no longer."""
