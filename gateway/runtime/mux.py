"""The contexts of one connection, and the two tasks that serve them: a reader that always reads and a writer that pulls.

The reader never waits for the writer: what it cannot obey it answers with an error, and the answers it may leave
unread are bounded. The writer pulls one event at a time, from the context that has an acknowledgement to give or else
from the one whose listener has the least left to play, so that no context starves another.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.accounts.caller import LOCAL, Caller
from gateway.core.commands import (
    Abort,
    Clear,
    Command,
    Configure,
    Flush,
    KeepAlive,
    PushText,
)
from gateway.core.errors import (
    ContextUnknown,
    GatewayError,
    InputEnded,
    InvalidMessage,
    InvalidValue,
    MessageTooLarge,
    Problem,
    ResumeExpired,
    TooManyContexts,
)
from gateway.core.events import Audio, Cleared, Closed, Event
from gateway.core.heard import Remains
from gateway.core.params import Parameters
from gateway.core.resolve import merge, resolve
from gateway.core.session import Session, State
from gateway.core.vocabulary import Codec, Progress
from gateway.dialects.base import (
    Adjust,
    Conversation,
    Frame,
    Hello,
    LostContext,
    NotUnderstood,
    Ping,
    Position,
    Resume,
    ResumedContext,
    Said,
)
from gateway.runtime.house import House
from gateway.runtime.ring import Ring, Told
from gateway.runtime.silence import Silence
from gateway.runtime.speaker import Speaker
from gateway.runtime.stall import Stall
from gateway.runtime.wake import Wake
from gateway.runtime.wire import Verdict, Wire

FRAME_MS = 200
"""Audio per frame while one context speaks."""
FRAME_MS_UNPACED = 500
"""Audio per frame while one context speaks that takes it as fast as it is made."""
FRAME_MS_SHARED = 40
"""Audio per frame while several do, so that each comes round soon."""

FRESH_S = 1.0
"""A connection that was accepted so short ago may begin its first context even while the server goes away: its client
could not know, and would have to come again."""


@dataclass(slots=True)
class _Record:
    """What stays of a context when it has ended: its past."""

    name: str
    session: Session
    ring: Ring
    heard: int = 0
    """Messages for it that were obeyed or refused."""


@dataclass(slots=True)
class _Context:
    record: _Record
    parameters: Parameters
    speaker: Speaker

    @property
    def name(self) -> str:
        return self.record.name


class Mux:
    """One connection, and those that resume it. `run` serves it, once, until the peer or the server ends it.

    It is `caller`'s, and only his key may resume it."""

    def __init__(
        self,
        house: House,
        conversation: Conversation,
        session: str,
        *,
        owner: str = "",
        caller: Caller = LOCAL,
    ) -> None:
        self._house = house
        self._owner = owner
        self._conversation = conversation
        self._session = session
        self._caller = caller
        self._principal = caller.key
        self._contexts: dict[str, _Context] = {}
        self._begun = 0
        """Contexts that have begun so far."""
        self._ended: OrderedDict[str, _Record] = OrderedDict()
        self._replies: deque[Frame] = deque()
        self._retold: deque[Told] = deque()
        """What a client that came back has missed, as far as it was not sent yet."""
        self._wake = Wake()
        self._ended_played_by: float | None = None
        self._clock = asyncio.get_running_loop().time
        self._drain = house.admission.drain
        self._fresh_until: float | None = self._clock() + FRESH_S
        """None once it has had a context."""
        self._leaving: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        """Set when the wire is not to be used any longer."""
        self._is_hearing = False
        self._is_sending = False
        self._tokens: list[str] = []
        """Those that are good: the last one given, and the one by which it was got until that is used in its turn, because
        the message that gave it may be lost with its connection."""
        self._waiting: asyncio.Future[None] | None = None
        self._claim: asyncio.Future[tuple[Wire, Resume] | None] | None = None
        """Somebody has come back, and brings another wire as soon as it is free:"""
        self._claimant: Mux | None = None
        """this one."""
        self._moving_to: tuple[Mux, Resume] | None = None

    async def run(self, wire: Wire) -> Verdict:
        """Serve until the peer is gone or a bound is broken, and then whoever resumes, until nobody does in time.

        Gives how `wire` came to its end. When it returns or raises, no task, worker or place of this connection is left.
        """
        settings = resolve(Parameters(), self._house.catalog, self._conversation.defaults)
        if self._house.lobby.is_open:
            self._tokens.append(self._house.lobby.admit(self, self._principal))
        hello = Hello(
            self._session,
            settings,
            self._house.limits,
            self._house.admission.contexts_free(),
            self._tokens[-1] if self._tokens else None,
        )
        self._replies.extend(self._conversation.open(hello))
        try:
            async with asyncio.TaskGroup() as tasks:
                try:
                    with self._drain.watched(self._heed_drain):
                        await self._serve_all(wire, tasks)
                finally:
                    self._claimant = None
                    for token in self._tokens:
                        self._house.lobby.withdraw(token)
                    for context in self._contexts.values():
                        context.speaker.submit(Abort())
            if self._moving_to is None:
                return wire.over.result()
            other, resume = self._moving_to
            self._moving_to = None
            with self._house.admission.without_connection():
                other.bring(self, wire, resume)
                return await wire.over
        finally:
            self._leave_the_house()

    async def _serve_all(self, wire: Wire, tasks: asyncio.TaskGroup) -> None:
        """One wire after the other, as long as somebody comes back."""
        while True:
            try:
                verdict = await self._serve(wire, tasks)
            except BaseException:
                wire.end(Verdict.PEER_GONE)
                raise
            if self._moving_to is not None:
                return
            wire.end(verdict)
            if verdict is Verdict.RESUMED_ELSEWHERE and wire.hang_up is not None:
                tasks.create_task(wire.hang_up(verdict))
            brought = await self._somebody(wire, verdict)
            if brought is None:
                break
            wire, resume = brought
            self._welcome(resume)
        if self._tokens and not wire.said_goodbye():
            remains = {record.name: record.session.bequeath() for record in self._records()}
            self._house.lobby.remember(self._tokens, self._principal, remains)

    async def _serve(self, wire: Wire, tasks: asyncio.TaskGroup) -> Verdict:
        """Until this wire is of no more use. Whatever was pulled and not sent by then is in the rings."""
        limits = self._house.limits
        self._leaving = asyncio.get_running_loop().create_future()
        wire.played_by = self._played_by
        stall = Stall(limits.send_stall_ms / 1_000, self._played_by)
        silence = Silence(limits, lambda: bool(self._contexts))
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
        try:
            ends: tuple[asyncio.Future[Any], ...] = (reader, writer, self._leaving)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._leave(Verdict.PEER_GONE)
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
        self._is_hearing = self._is_sending = False
        self._replies.clear()
        self._retold.clear()
        return self._leaving.result()

    def _leave(self, verdict: Verdict) -> None:
        """Use the wire no longer. The first call counts."""
        if not self._leaving.done():
            self._leaving.set_result(verdict)

    def _leave_the_house(self) -> None:
        if self._moving_to is not None:
            self._moving_to[0].bring(self, None, self._moving_to[1])
        for record in self._records():
            record.ring.close()
        for context in self._contexts.values():
            self._house.close_context(self._caller)
            timings = context.speaker.timings()
            context.speaker.receipt.finish(Progress.CANCELLED, timings=timings)
            self._house.receipts.end(self._session, context.speaker.receipt)

    def _heed_drain(self) -> None:
        if self._drain.is_over:
            self._leave(Verdict.DRAINING)
        else:
            left_ms = self._drain.left_ms(self._clock())
            self._reply(self._conversation.encode_draining(left_ms))
        self.give_up()

    # --- coming back -------------------------------------------------------------------------------------------------

    def _records(self) -> list[_Record]:
        """Of all contexts that can still be told of; an open one goes before one that has ended."""
        of_all = {**self._ended, **{name: c.record for name, c in self._contexts.items()}}
        return list(of_all.values())

    def _is_worth_waiting(self, wire: Wire, verdict: Verdict) -> bool:
        return (
            bool(self._tokens)
            and verdict in {Verdict.PEER_GONE, Verdict.SEND_STALLED}
            and not wire.said_goodbye()
            and not self._drain.has_begun
            and any(not record.ring.is_empty for record in self._records())
        )

    async def _somebody(self, wire: Wire, verdict: Verdict) -> tuple[Wire, Resume] | None:
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

    async def _wait(self) -> None:
        """Until somebody comes back, or nobody has in time. Meanwhile nothing is pulled, so that what is being made comes
        to its bounds and stops."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._house.lobby.park(self)
        try:
            async with asyncio.timeout(self._house.limits.resume_window_ms / 1_000):
                await self._waiting
        except TimeoutError:
            pass
        finally:
            self._house.lobby.unpark(self)
            self._waiting = None

    def give_up(self) -> None:
        """Wait for nobody any longer."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _resume(self, resume: Resume) -> None:
        """The client wants another session than this one. Raises what `find` and `claim` raise, or InvalidMessage."""
        if self._contexts or self._ended:
            raise InvalidMessage("resume is the first message of a connection", field="type")
        found = self._house.lobby.find(resume.token, self._principal, but=self)
        if isinstance(found, Mapping):
            self._reply_lost(found, resume)
            return
        assert isinstance(found, Mux)
        found.claim(self, resume, self._conversation.kind)
        self._moving_to = found, resume
        self._leave(Verdict.RESUMED_ELSEWHERE)

    def _reply_lost(self, remains: Mapping[str, Remains], resume: Resume) -> None:
        problem = ResumeExpired("the session is over; `lost` says what was not spoken").problem
        self._house.metrics.refused(self._conversation.defaults.route, problem)
        lost = []
        for name, left in remains.items():
            got = resume.positions.get(name, Position()).samples
            lost.append(LostContext(name, *left.split(got)))
        self._reply(self._conversation.encode_lost(problem, lost, resume.id))

    def claim(self, by: Mux, resume: Resume, kind: str) -> None:
        """Somebody comes back, having come so far; `bring` must follow. Raises InvalidValue or ResumeGone.

        Of several who come at once the last one is meant."""
        if kind != self._conversation.kind:
            raise InvalidValue(
                "the session was begun in another form",
                field="audio",
                allowed=self._conversation.kind,
            )
        records = self._records()
        for record in records:
            record.ring.judge(resume.positions.get(record.name, Position()))
        for record in records:
            record.ring.is_held = True
        for token in self._tokens:
            if token != resume.token:
                self._house.lobby.withdraw(token)
        self._tokens = [resume.token]
        self._claimant = by
        if self._claim is None or self._claim.done():
            self._claim = asyncio.get_running_loop().create_future()
        self._leave(Verdict.RESUMED_ELSEWHERE)
        self.give_up()

    def bring(self, by: Mux, wire: Wire | None, resume: Resume) -> None:
        """Here is the wire of whoever claimed this session; None = it broke meanwhile. Of no use from anybody but who claimed
        it last, and once."""
        if by is self._claimant and self._claim is not None and not self._claim.done():
            self._claim.set_result(None if wire is None else (wire, resume))
        elif wire is not None:
            wire.end(Verdict.PEER_GONE)

    def _welcome(self, resume: Resume) -> None:
        """Say that it goes on, and tell again what was missed."""
        contexts: list[ResumedContext] = []
        missed: list[Told] = []
        for record in self._records():
            session, ring = record.session, record.ring
            position = resume.positions.get(record.name, Position())
            is_pcm = session.settings.format.codec is Codec.PCM_S16LE
            cut = self._conversation.from_sample if is_pcm else None
            missed += ring.since(position, cut)
            contexts.append(
                ResumedContext(
                    record.name,
                    position.samples,
                    ring.messages_told_from(position),
                    record.heard,
                    session.chars_accepted,
                    ended=record.name not in self._contexts,
                )
            )
        token = self._house.lobby.admit(self, self._principal)
        self._tokens.append(token)
        hello = self._conversation.encode_resumed(self._session, token, contexts, resume.id)
        self._retold.extend(Told("", frame, 0, None) for frame in hello)
        self._retold.extend(missed)

    # --- reading -----------------------------------------------------------------------------------------------------

    async def _read(self, wire: Wire, silence: Silence, tasks: asyncio.TaskGroup) -> None:
        while not self._leaving.done() and (message := await wire.receive()) is not None:
            silence.broken()
            self._is_hearing = True
            await self._hear(message, tasks)
            self._is_hearing = False
            # Many messages may have come at once; others must get their turn all the same.
            await asyncio.sleep(0)
            if len(self._replies) > self._house.limits.replies_pending_max:
                self._leave(Verdict.REPLIES_UNREAD)

    async def _hear(self, message: Frame, tasks: asyncio.TaskGroup) -> None:
        """Obey one message, or say why not. Never waits for anybody."""
        conversation = self._conversation
        try:
            self._measure(message)
            said = conversation.decode(message)
        except NotUnderstood as error:
            self._refuse(error.problem, error.context, error.id)
            self._count(error.context)
            return
        for warning in said.warnings:
            self._reply(conversation.encode(said.context, warning), said.context)
        try:
            await self._obey(said, tasks)
        except GatewayError as error:
            self._refuse(error.problem, said.context, said.id)
        self._count(said.context)

    def _count(self, context: str | None) -> None:
        """A message for this context was heard."""
        if (record := self._record(context)) is not None:
            record.heard += 1

    def _record(self, context: str | None) -> _Record | None:
        if context is None:
            return None
        is_open = self._contexts.get(context)
        return self._ended.get(context) if is_open is None else is_open.record

    def _refuse(self, problem: Problem, context: str | None, id: str | None) -> None:
        self._house.metrics.refused(self._conversation.defaults.route, problem)
        self._reply(self._conversation.encode_error(problem, context, id), context)

    def _measure(self, message: Frame) -> None:
        bytes_max = self._house.limits.message_bytes_max
        if len(message) * 4 <= bytes_max:
            return
        size = len(message if isinstance(message, bytes) else message.encode())
        if size > bytes_max:
            raise NotUnderstood(
                MessageTooLarge(f"the message has {size} bytes", allowed=f"at most {bytes_max}")
            )

    async def _obey(self, said: Said, tasks: asyncio.TaskGroup) -> None:
        intent = said.intent
        context = self._contexts.get(said.context)
        if isinstance(intent, Resume):
            self._resume(intent)
            return
        if isinstance(intent, Clear):
            self._retold = deque(
                told for told in self._retold if told.end is None or told.context != said.context
            )
        if isinstance(intent, Ping):
            if context is not None:
                context.speaker.submit(KeepAlive())
            self._reply(self._conversation.encode_pong(intent))
        elif context is None:
            await self._begin_or_recall(said, tasks)
        elif isinstance(intent, Adjust):
            merged = merge(context.parameters, intent.parameters)
            settings = resolve(merged, self._house.catalog, self._conversation.defaults)
            context.speaker.submit(Configure(settings, intent.id))
            context.parameters = merged
            self._share()
        elif isinstance(intent, Clear) and context.speaker.session.state is State.CLOSED:
            # Its last audio is being encoded: too late to take anything back, not too late to ask what was heard.
            self._reply_recalled(context.record, intent)
        else:
            await self._pass_on(context, intent)

    async def _begin_or_recall(self, said: Said, tasks: asyncio.TaskGroup) -> None:
        """Settings, text and a flush begin a context; a clear may still ask what was heard of one that has ended."""
        intent = said.intent
        ended = self._ended.get(said.context)
        if isinstance(intent, Adjust):
            self._open(said.context, intent.parameters, intent.id, tasks)
            self._forget_ended(said.context)
        elif isinstance(intent, PushText | Flush):
            context = self._open(said.context, Parameters(), None, tasks)
            try:
                await self._pass_on(context, intent)
            except GatewayError:
                self._forget(context)
                context.record.ring.close()
                self._house.receipts.withdraw(self._session, context.speaker.receipt)
                raise
            self._forget_ended(said.context)
        elif isinstance(intent, Clear) and ended is not None:
            self._reply_recalled(ended, intent)
        elif ended is not None:
            raise InputEnded(f"context {said.context!r} has ended", field="context")
        else:
            raise ContextUnknown(
                f"there is no context {said.context!r}", field="context", allowed="an open context"
            )

    async def _pass_on(self, context: _Context, intent: Command) -> None:
        if isinstance(intent, PushText):
            # What is refused for another reason costs nothing.
            context.speaker.session.judge_text(len(intent.text))
            self._house.quotas.chars(self._caller, len(intent.text))
            await context.speaker.push(intent.text)
        else:
            context.speaker.submit(intent)

    def _open(
        self, name: str, parameters: Parameters, id: str | None, tasks: asyncio.TaskGroup
    ) -> _Context:
        if len(self._contexts) >= self._house.limits.contexts_max:
            raise TooManyContexts(
                "too many contexts are open on this connection",
                field="context",
                allowed=f"at most {self._house.limits.contexts_max}",
            )
        settings = resolve(parameters, self._house.catalog, self._conversation.defaults)
        self._house.open_context(self._caller, settings.engine, promised=self._is_fresh())
        self._fresh_until = None
        route = self._conversation.defaults.route
        self._begun += 1
        speaker = self._house.new_speaker(
            *(settings, tasks, self._wake),
            frame_ms=FRAME_MS,
            route=route,
            id=id,
            owner=self._owner,
            name=name,
            meter=self._house.new_meter(f"{self._session}.{self._begun}", self._caller),
        )
        self._house.receipts.begin(self._session, self._principal, route, speaker.receipt)
        limits = self._house.limits
        ring = Ring(name, limits.resume_ring_bytes, self._house.lobby.rings)
        if not self._tokens:
            ring.close()
        self._contexts[name] = _Context(_Record(name, speaker.session, ring), parameters, speaker)
        self._share()
        self._wake()
        return self._contexts[name]

    def _forget(self, context: _Context) -> None:
        del self._contexts[context.name]
        self._house.close_context(self._caller)
        self._share()

    def _forget_ended(self, name: str) -> None:
        """The name has a new context, and its past is not told of any longer."""
        if (record := self._ended.pop(name, None)) is not None:
            record.ring.close()

    def _close(self, context: _Context) -> None:
        self._forget(context)
        context.speaker.receipt.finish(Progress.COMPLETE)
        self._house.receipts.end(self._session, context.speaker.receipt)
        self._ended[context.name] = context.record
        played_by = context.speaker.session.played_by
        if played_by is not None:
            self._ended_played_by = max(played_by, self._ended_played_by or played_by)
        while len(self._ended) > self._house.limits.contexts_ended_kept:
            self._ended.popitem(last=False)[1].ring.close()

    def _share(self) -> None:
        """Several contexts take shorter turns than one, and a download longer ones than a listener."""
        alone = len(self._contexts) <= 1
        for context in self._contexts.values():
            session = context.speaker.session
            frame_ms = FRAME_MS_UNPACED if session.settings.lead_ms is None else FRAME_MS
            session.frame_ms = frame_ms if alone else FRAME_MS_SHARED

    def _reply_recalled(self, record: _Record, clear: Clear) -> None:
        cleared = record.session.recall(clear, self._clock())
        record.ring.clear()
        self._reply(self._conversation.encode(record.name, cleared), record.name)

    def _reply(self, frames: list[Frame], context: str | None = None) -> None:
        """Answer before any audio. What is about a context is told again to who has missed it."""
        if (record := self._record(context)) is not None:
            for frame in frames:
                record.ring.message(frame)
        self._replies.extend(frames)
        self._wake()

    # --- writing -----------------------------------------------------------------------------------------------------

    async def _write(self, wire: Wire, stall: Stall) -> None:
        """Send what there is, then wait for more."""
        while not self._leaving.done():
            while (frames := await self._next_frames()) is not None:
                for frame in frames:
                    if not await self._send(wire, stall, frame):
                        return
                # A send that is taken at once does not suspend; others must get their turn all the same.
                await asyncio.sleep(0)
            if self._drain.has_begun and not self._is_busy():
                self._leave(Verdict.DRAINING)
                return
            if not self._leaving.done():
                await self._wake.wait(self._deadline())
            for context in self._contexts.values():
                context.speaker.tick()

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
        if self._retold:
            return [self._retold.popleft().frame]
        if self._replies:
            frames = list(self._replies)
            self._replies.clear()
            return frames
        for context in self._by_urgency():
            events = await context.speaker.next_events()
            if events is None:
                continue
            frames = [frame for event in events for frame in self._tell(context.record, event)]
            if events and isinstance(events[-1], Closed):
                self._close(context)
            return frames
        return None

    def _tell(self, record: _Record, event: Event) -> list[Frame]:
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

    def _is_busy(self) -> bool:
        """True while an utterance is under way: nothing is lost when a connection ends that has none."""
        return self._is_fresh() or any(
            context.speaker.session.is_busy for context in self._contexts.values()
        )

    def _is_fresh(self) -> bool:
        return self._fresh_until is not None and self._clock() < self._fresh_until

    def _by_urgency(self) -> list[_Context]:
        """Acknowledgements first, then whose listener has the least left to play."""
        contexts = list(self._contexts.values())
        if len(contexts) > 1:
            now = self._clock()
            contexts.sort(
                key=lambda context: (
                    not context.speaker.session.has_answers,
                    context.speaker.session.lead_s(now),
                )
            )
        return contexts

    def _deadline(self) -> float | None:
        times = [context.speaker.session.deadline() for context in self._contexts.values()]
        if self._drain.has_begun:
            times.append(self._fresh_until)
        return min((time for time in times if time is not None), default=None)

    def _played_by(self) -> float | None:
        """When the last listener will have played what was sent, in contexts that have ended since, too."""
        open_ones = (context.speaker.session.played_by for context in self._contexts.values())
        times = (self._ended_played_by, *open_ones)
        return max((time for time in times if time is not None), default=None)
