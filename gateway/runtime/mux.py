"""The contexts of one connection, and the two tasks that serve them: a reader that always reads and a writer that pulls.

The reader never waits for the writer: what it cannot obey it answers with an error, and the answers it may leave
unread are bounded. The writer pulls one event at a time, from the context that has an acknowledgement to give or else
from the one whose listener has the least left to play, so that no context starves another.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

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
    MessageTooLarge,
    Problem,
    TooManyContexts,
)
from gateway.core.events import Closed
from gateway.core.params import Parameters
from gateway.core.resolve import merge, resolve
from gateway.core.session import Session, State
from gateway.dialects.base import Adjust, Conversation, Frame, Hello, NotUnderstood, Ping, Said
from gateway.runtime.house import House
from gateway.runtime.silence import Silence
from gateway.runtime.speaker import Speaker
from gateway.runtime.stall import Stall
from gateway.runtime.wake import Wake

FRAME_MS = 200
"""Audio per frame while one context speaks."""
FRAME_MS_UNPACED = 500
"""Audio per frame while one context speaks that takes it as fast as it is made."""
FRAME_MS_SHARED = 40
"""Audio per frame while several do, so that each comes round soon."""

FRESH_S = 1.0
"""A connection that was accepted so short ago may begin its first context even while the server goes away: its client
could not know, and would have to come again."""


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
    """The client has said nothing for long, and no context is open."""
    DRAINING = auto()
    """The server is going away."""


@dataclass(slots=True)
class _Context:
    name: str
    parameters: Parameters
    speaker: Speaker


class Mux:
    """One connection. `run` serves it, once, until the peer or the server ends it."""

    def __init__(
        self, house: House, conversation: Conversation, session: str, *, owner: str = ""
    ) -> None:
        self._house = house
        self._owner = owner
        self._conversation = conversation
        self._session = session
        self._contexts: dict[str, _Context] = {}
        self._ended: OrderedDict[str, Session] = OrderedDict()
        self._replies: deque[Frame] = deque()
        self._wake = Wake()
        self._stall = Stall(house.limits.send_stall_ms / 1_000, self._played_by)
        self._ended_played_by: float | None = None
        self._silence = Silence(house.limits, lambda: bool(self._contexts))
        self._clock = asyncio.get_running_loop().time
        self._drain = house.admission.drain
        self._fresh_until: float | None = self._clock() + FRESH_S
        """None once it has had a context."""
        self._verdict = Verdict.PEER_GONE

    async def run(
        self,
        receive: Callable[[], Awaitable[Frame | None]],
        send: Callable[[Frame], Awaitable[None]],
    ) -> Verdict:
        """Serve until `receive` gives None or `send` raises OSError (the peer is gone) or a bound is broken.

        When it returns or raises, no task, worker or place of this connection is left.
        """
        settings = resolve(Parameters(), self._house.catalog, self._conversation.defaults)
        hello = Hello(
            self._session, settings, self._house.limits, self._house.admission.contexts_free()
        )
        self._replies.extend(self._conversation.open(hello))
        try:
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(self._read(receive, tasks))
                writer = tasks.create_task(self._write(send))

                def give_up(first: bool) -> None:
                    self._verdict = Verdict.FIRST_MESSAGE_LATE if first else Verdict.IDLE
                    reader.cancel()

                self._silence.begin(give_up)

                def heed_drain() -> None:
                    if self._drain.is_over:
                        self._verdict = Verdict.DRAINING
                        reader.cancel()
                    else:
                        left_ms = self._drain.left_ms(self._clock())
                        self._reply(self._conversation.encode_draining(left_ms))

                try:
                    with self._drain.watched(heed_drain):
                        await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    self._silence.close()
                    reader.cancel()
                    writer.cancel()
                    for context in self._contexts.values():
                        context.speaker.submit(Abort())
        finally:
            self._stall.close()
            for _ in self._contexts:
                self._house.admission.close_context()
        return self._verdict

    # --- reading -----------------------------------------------------------------------------------------------------

    async def _read(
        self, receive: Callable[[], Awaitable[Frame | None]], tasks: asyncio.TaskGroup
    ) -> None:
        while (message := await receive()) is not None:
            self._silence.broken()
            await self._hear(message, tasks)
            # Many messages may have come at once; others must get their turn all the same.
            await asyncio.sleep(0)
            if len(self._replies) > self._house.limits.replies_pending_max:
                self._verdict = Verdict.REPLIES_UNREAD
                return

    async def _hear(self, message: Frame, tasks: asyncio.TaskGroup) -> None:
        """Obey one message, or say why not. Never waits for anybody."""
        conversation = self._conversation
        try:
            self._measure(message)
            said = conversation.decode(message)
        except NotUnderstood as error:
            self._refuse(error.problem, error.context, error.id)
            return
        for warning in said.warnings:
            self._reply(conversation.encode(said.context, warning))
        try:
            await self._obey(said, tasks)
        except GatewayError as error:
            self._refuse(error.problem, said.context, said.id)

    def _refuse(self, problem: Problem, context: str | None, id: str | None) -> None:
        self._house.metrics.refused(self._conversation.defaults.route, problem)
        self._reply(self._conversation.encode_error(problem, context, id))

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
            self._reply_recalled(context.speaker.session, said.context, intent)
        else:
            await self._pass_on(context, intent)

    async def _begin_or_recall(self, said: Said, tasks: asyncio.TaskGroup) -> None:
        """Settings, text and a flush begin a context; a clear may still ask what was heard of one that has ended."""
        intent = said.intent
        ended = self._ended.get(said.context)
        if isinstance(intent, Adjust):
            self._open(said.context, intent.parameters, intent.id, tasks)
        elif isinstance(intent, PushText | Flush):
            context = self._open(said.context, Parameters(), None, tasks)
            try:
                await self._pass_on(context, intent)
            except GatewayError:
                self._forget(context)
                raise
        elif isinstance(intent, Clear) and ended is not None:
            self._reply_recalled(ended, said.context, intent)
        elif ended is not None:
            raise InputEnded(f"context {said.context!r} has ended", field="context")
        else:
            raise ContextUnknown(
                f"there is no context {said.context!r}", field="context", allowed="an open context"
            )

    async def _pass_on(self, context: _Context, intent: Command) -> None:
        if isinstance(intent, PushText):
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
        self._house.admission.open_context(settings.engine, promised=self._is_fresh())
        self._fresh_until = None
        route = self._conversation.defaults.route
        speaker = self._house.new_speaker(
            settings, tasks, self._wake, frame_ms=FRAME_MS, route=route, id=id, owner=self._owner
        )
        self._contexts[name] = _Context(name, parameters, speaker)
        self._share()
        self._wake()
        return self._contexts[name]

    def _forget(self, context: _Context) -> None:
        del self._contexts[context.name]
        self._house.admission.close_context()
        self._share()

    def _close(self, context: _Context) -> None:
        self._forget(context)
        self._ended.pop(context.name, None)
        self._ended[context.name] = context.speaker.session
        played_by = context.speaker.session.played_by
        if played_by is not None:
            self._ended_played_by = max(played_by, self._ended_played_by or played_by)
        while len(self._ended) > self._house.limits.contexts_ended_kept:
            self._ended.popitem(last=False)

    def _share(self) -> None:
        """Several contexts take shorter turns than one, and a download longer ones than a listener."""
        alone = len(self._contexts) <= 1
        for context in self._contexts.values():
            session = context.speaker.session
            frame_ms = FRAME_MS_UNPACED if session.settings.lead_ms is None else FRAME_MS
            session.frame_ms = frame_ms if alone else FRAME_MS_SHARED

    def _reply_recalled(self, session: Session, context: str, clear: Clear) -> None:
        cleared = session.recall(clear, self._clock())
        self._reply(self._conversation.encode(context, cleared))

    def _reply(self, frames: list[Frame]) -> None:
        self._replies.extend(frames)
        self._wake()

    # --- writing -----------------------------------------------------------------------------------------------------

    async def _write(self, send: Callable[[Frame], Awaitable[None]]) -> None:
        """Send what there is, then wait for more."""
        while True:
            while (frames := await self._next_frames()) is not None:
                for frame in frames:
                    try:
                        await self._stall.bound(send(frame))
                    except TimeoutError:
                        self._verdict = Verdict.SEND_STALLED
                        return
                    except OSError:
                        return  # The peer is gone, and the reader has not heard of it yet.
                # A send that is taken at once does not suspend; others must get their turn all the same.
                await asyncio.sleep(0)
            if self._drain.has_begun and not self._is_busy():
                self._verdict = Verdict.DRAINING
                return
            await self._wake.wait(self._deadline())
            for context in self._contexts.values():
                context.speaker.tick()

    async def _next_frames(self) -> list[Frame] | None:
        """The next things to send; an empty list is progress without a frame, None is nothing for now."""
        if self._replies:
            frames = list(self._replies)
            self._replies.clear()
            return frames
        for context in self._by_urgency():
            events = await context.speaker.next_events()
            if events is None:
                continue
            if events and isinstance(events[-1], Closed):
                self._close(context)
            return [
                frame
                for event in events
                for frame in self._conversation.encode(context.name, event)
            ]
        return None

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
