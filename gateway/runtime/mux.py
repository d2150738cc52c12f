"""One connection and the two tasks that serve it: a reader that always reads and a writer that pulls.

The reader never waits for the writer: what it cannot obey it answers with an error, and the answers it may leave
unread are bounded. The writer pulls one event at a time, from the context that has an acknowledgement to give or else
from the one whose listener has the least left to play, so that no context starves another.
"""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.accounts.caller import LOCAL, Caller
from gateway.core.errors import Problem
from gateway.core.events import Audio, Cleared, Closed, Event
from gateway.core.params import Catalog, Parameters
from gateway.core.resolve import resolve
from gateway.dialects.base import Conversation, Frame, Hello, Verdict
from gateway.runtime.comeback import Comeback
from gateway.runtime.contexts import Contexts, Record
from gateway.runtime.hearing import Hearing
from gateway.runtime.house import House
from gateway.runtime.outbox import Outbox
from gateway.runtime.silence import Silence
from gateway.runtime.stall import Stall
from gateway.runtime.wake import Wake
from gateway.runtime.wire import Wire


class Mux:
    """One connection, and those that resume it. `run` serves it, once, until the peer or the server ends it.

    It is `caller`'s, and only his key may resume it. `catalog` is what the dialect offers, if that is not what the native
    protocol does, and `usage` what its contexts are counted under, if not under their route."""

    def __init__(
        self,
        house: House,
        conversation: Conversation,
        session: str,
        *,
        owner: str = "",
        caller: Caller = LOCAL,
        catalog: Catalog | None = None,
        usage: str = "",
    ) -> None:
        self._house = house
        self._catalog = house.catalog if catalog is None else catalog
        self._conversation = conversation
        self._session = session
        self._wake = Wake()
        self._outbox = Outbox(self._wake)
        self._contexts = Contexts(
            *(house, session, conversation, self._catalog, self._wake),
            owner=owner,
            caller=caller,
            usage=usage,
        )
        self._comeback = Comeback(
            *(house, session, conversation, self._contexts, self._outbox, self._leave),
            principal=caller.key,
        )
        self._hearing = Hearing(
            house, conversation, self._contexts, self._comeback, self._outbox, caller
        )
        self._clock = asyncio.get_running_loop().time
        self._drain = house.admission.drain
        self._leaving: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        """Set when the wire is not to be used any longer."""
        self._is_hearing = False
        self._is_sending = False
        self._is_quiet = False
        """Everything that was told has been sent."""
        self._caller = caller
        self.dismissed: Problem | None = None
        """Why its caller may not go on."""

    async def run(self, wire: Wire) -> Verdict:
        """Serve until the peer is gone or a bound is broken, and then whoever resumes, until nobody does in time.

        Gives how `wire` came to its end. When it returns or raises, no task, worker or place of this connection is left.
        """
        with self._house.attendance.here(self._caller, self._dismiss):
            return await self._run(wire)

    async def _run(self, wire: Wire) -> Verdict:
        settings = resolve(Parameters(), self._catalog, self._conversation.defaults)
        hello = Hello(
            self._session,
            settings,
            self._house.limits,
            self._house.admission.contexts_free(),
            self._comeback.open(),
        )
        self._outbox.answer(self._conversation.open(hello))
        try:
            async with asyncio.TaskGroup() as tasks:
                try:
                    with self._drain.watched(self._heed_drain):
                        await self._serve_all(wire, tasks)
                finally:
                    self._comeback.close()
                    self._contexts.abort()
            if self._comeback.is_moving:
                return await self._comeback.move(wire)
            return wire.over.result()
        finally:
            self._comeback.let_down()
            self._contexts.leave_the_house()

    async def _serve_all(self, wire: Wire, tasks: asyncio.TaskGroup) -> None:
        """One wire after the other, as long as somebody comes back."""
        while True:
            try:
                verdict = await self._serve(wire, tasks)
            except BaseException:
                wire.end(Verdict.PEER_GONE)
                raise
            if self._comeback.is_moving:
                return
            wire.end(verdict)
            if verdict is Verdict.RESUMED_ELSEWHERE and wire.hang_up is not None:
                tasks.create_task(wire.hang_up(verdict))
            brought = await self._comeback.somebody(wire, verdict)
            if brought is None:
                break
            wire, resume = brought
            self._comeback.welcome(resume)
        if not wire.said_goodbye():
            self._comeback.remember()

    async def _serve(self, wire: Wire, tasks: asyncio.TaskGroup) -> Verdict:
        """Until this wire is of no more use. Whatever was pulled and not sent by then is in the rings."""
        limits = self._house.limits
        self._leaving = asyncio.get_running_loop().create_future()
        wire.played_by = self._contexts.played_by
        wire.pinged = lambda: self._contexts.pinged(is_sent=self._is_quiet)
        wire.answered = self._contexts.answered
        stall = Stall(limits.send_stall_ms / 1_000, self._contexts.played_by)
        silence = self._new_silence()
        reader = tasks.create_task(self._read(wire, silence, tasks))
        writer = tasks.create_task(self._write(wire, stall))
        silence.begin(
            lambda first: self._leave(Verdict.FIRST_MESSAGE_LATE if first else Verdict.IDLE)
        )
        ending = None
        if wire.ends_at is not None:
            loop = asyncio.get_running_loop()
            ending = loop.call_at(wire.ends_at, self._leave, Verdict.SESSION_OVER)
        if self._drain.is_over:
            self._leave(Verdict.DRAINING)
        if self.dismissed is not None:
            self._leave(Verdict.UNAUTHORIZED)
        try:
            ends: tuple[asyncio.Future[Any], ...] = (reader, writer, self._leaving)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._leave(Verdict.PEER_GONE)
            wire.pinged = wire.answered = _never_mind
            if ending is not None:
                ending.cancel()
            silence.close()
            stall.close()
            # Stopped half-way through a message or an event, it would be lost.
            if not self._is_hearing:
                reader.cancel()
            if self._is_sending:
                writer.cancel()
            self._wake()
        await asyncio.wait({reader, writer})
        self._is_hearing = self._is_sending = self._is_quiet = False
        self._outbox.discard()
        return self._leaving.result()

    def _new_silence(self) -> Silence:
        limits, idle_ms = self._house.limits, self._conversation.idle_ms
        if idle_ms is not None:
            return Silence(idle_ms, idle_ms, lambda: self._contexts.have_speech_to_come)
        return Silence(
            *(limits.first_message_ms, limits.connection_idle_ms),
            lambda: bool(self._contexts.open),
        )

    def _leave(self, verdict: Verdict) -> None:
        """Use the wire no longer. The first call counts."""
        if not self._leaving.done():
            self._leaving.set_result(verdict)

    def _heed_drain(self) -> None:
        if self._drain.is_over:
            self._leave(Verdict.DRAINING)
        else:
            left_ms = self._drain.left_ms(self._clock())
            self._outbox.answer(self._conversation.encode_draining(left_ms))
        self._comeback.give_up()

    def _dismiss(self, problem: Problem) -> None:
        self.dismissed = problem
        self._leave(Verdict.UNAUTHORIZED)
        self._comeback.give_up()

    async def _read(self, wire: Wire, silence: Silence, tasks: asyncio.TaskGroup) -> None:
        while not self._leaving.done() and (message := await wire.receive()) is not None:
            silence.broken()
            self._is_hearing = True
            if not self._conversation.is_over:
                await self._hearing.hear(message, tasks)
            self._is_hearing = False
            # Many messages may have come at once; others must get their turn all the same.
            await asyncio.sleep(0)
            if len(self._outbox) > self._house.limits.replies_pending_max:
                self._leave(Verdict.REPLIES_UNREAD)

    async def _write(self, wire: Wire, stall: Stall) -> None:
        """Send what there is, then wait for more."""
        while not self._leaving.done():
            while (frames := await self._next_frames()) is not None:
                for frame in frames:
                    if not await self._send(wire, stall, frame):
                        return
                if self._conversation.is_over and not self._outbox:
                    self._leave(Verdict.REFUSED)
                    return
                # A send that is taken at once does not suspend; others must get their turn all the same.
                await asyncio.sleep(0)
            if self._drain.has_begun and not self._contexts.is_busy:
                self._leave(Verdict.DRAINING)
                return
            if not self._leaving.done():
                self._is_quiet = True
                await self._wake.wait(self._contexts.deadline(draining=self._drain.has_begun))
                self._is_quiet = False
            self._contexts.tick()

    async def _send(self, wire: Wire, stall: Stall, frame: Frame) -> bool:
        """False when the wire is to be used no longer."""
        if self._leaving.done():
            return False
        self._is_sending = True
        try:
            await stall.bound(wire.send(frame))
        except TimeoutError:
            self._leave(Verdict.SEND_STALLED)
        except OSError:
            return False  # The peer is gone, and the reader has not heard of it yet.
        finally:
            self._is_sending = False
        return not self._leaving.done()

    async def _next_frames(self) -> list[Frame] | None:
        """The next things to send; an empty list is progress without a frame, None is nothing for now."""
        if (frames := self._outbox.next()) is not None:
            return frames
        for context in self._contexts.by_urgency():
            events = await context.speaker.next_events()
            if events is None:
                continue
            frames = [frame for event in events for frame in self._tell(context.record, event)]
            if events and isinstance(events[-1], Closed):
                self._contexts.close(context)
            return frames
        return None

    def _tell(self, record: Record, event: Event) -> list[Frame]:
        """The frames of an event, which are kept for who misses them."""
        frames = self._conversation.encode(record.name, event)
        if isinstance(event, Cleared):
            record.ring.clear()
        for frame in frames:
            if isinstance(event, Audio):
                record.ring.audio(
                    frame, event.sample_start, event.sample_start + event.sample_count
                )
            else:
                record.ring.message(frame)
        return frames


def _never_mind() -> None:
    """The wire is not used any longer."""
