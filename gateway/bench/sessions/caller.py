"""One session as its client goes through it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from gateway.bench.instruments.timeline import Timeline, clock
from gateway.bench.instruments.utterance import Utterance
from gateway.bench.instruments.websocket import WebSocketClient
from gateway.bench.sessions.access import Access
from gateway.bench.sessions.heard import Place
from gateway.bench.workload.drive import converse
from gateway.bench.workload.schedule import Session, Turn

Take = Callable[[Timeline, Utterance, Place], None]


class Caller:
    """One session with a client of its own; `take` gets each of its turns when it is over. `begin` is that of the load."""

    def __init__(self, access: Access, session: Session, begin: float, take: Take) -> None:
        self._session = session
        self._client = access.client(session.wire)
        self._begin = begin
        self._tell = take
        self._turns = 0
        self._strays = 0
        self._last: Timeline | None = None

    async def call(self, intended: float) -> None:
        """All turns. When it is cancelled, the turn that goes on counts as far as it came."""
        try:
            await converse(self._client, self._session, intended, self._take)
        except asyncio.CancelledError:
            timeline = self._client.timeline
            if timeline is not None and timeline is not self._last and timeline.begun is not None:
                # As it is now: that we hang up is no failure of the server's.
                cut = msgspec.structs.replace(timeline)
                self._take(self._session.turns[self._turns], cut, is_cut=True)
            raise

    def _take(self, turn: Turn, timeline: Timeline, *, is_cut: bool = False) -> None:
        strays = self._client.strays if isinstance(self._client, WebSocketClient) else 0
        place = Place(
            session=self._session.number,
            turn=self._turns,
            wire=self._session.wire,
            due_s=timeline.intended - self._begin,
            over_s=clock() - self._begin,
            is_cut=is_cut,
            strays=strays - self._strays,
        )
        self._last = timeline
        self._turns += 1
        self._strays = strays
        self._tell(timeline, turn.utterance, place)
