"""What a message does: it is obeyed, or it is answered with why not. Nothing here waits for anybody, but for the database
where a lexicon is named."""

from __future__ import annotations

import asyncio

from msgspec import UNSET

from gateway.accounts.caller import Caller
from gateway.core.commands import Clear, Command, Configure, Flush, KeepAlive, PushText
from gateway.core.errors import (
    ContextUnknown,
    GatewayError,
    InputEnded,
    MessageTooLarge,
    Problem,
)
from gateway.core.lexicon import Lexicon
from gateway.core.params import Parameters
from gateway.core.resolve import merge
from gateway.core.session import State
from gateway.dialects.base import (
    Adjust,
    Conversation,
    Frame,
    NotUnderstood,
    Ping,
    Renew,
    Resume,
    Said,
)
from gateway.runtime.comeback import Comeback
from gateway.runtime.contexts import Context, Contexts, Record
from gateway.runtime.house import House
from gateway.runtime.outbox import Outbox


class Hearing:
    """Of one connection, which is `caller`'s."""

    def __init__(
        self,
        house: House,
        conversation: Conversation,
        contexts: Contexts,
        comeback: Comeback,
        outbox: Outbox,
        caller: Caller,
    ) -> None:
        self._house = house
        self._conversation = conversation
        self._contexts = contexts
        self._comeback = comeback
        self._outbox = outbox
        self._caller = caller
        self._clock = asyncio.get_running_loop().time

    async def hear(self, message: Frame, tasks: asyncio.TaskGroup) -> None:
        """Obey one message, or say why not. A context that it begins works in `tasks`."""
        conversation = self._conversation
        try:
            self._measure(message)
            said = conversation.decode(message)
        except NotUnderstood as error:
            self._refuse(error.problem, error.context, error.id)
            self._count(error.context)
            return
        for warning in said.warnings:
            self._answer(conversation.encode(said.context, warning), said.context)
        try:
            await self._obey(said, tasks)
        except GatewayError as error:
            self._refuse(error.problem, said.context, said.id)
        self._count(said.context)

    def _measure(self, message: Frame) -> None:
        bytes_max = self._house.limits.message_bytes_max
        if len(message) * 4 <= bytes_max:
            return
        size = len(message if isinstance(message, bytes) else message.encode())
        if size > bytes_max:
            raise NotUnderstood(
                MessageTooLarge(f"the message has {size} bytes", allowed=f"at most {bytes_max}")
            )

    def _count(self, context: str | None) -> None:
        """A message for this context was heard."""
        if (record := self._contexts.record(context)) is not None:
            record.heard += 1

    def _refuse(self, problem: Problem, context: str | None, id: str | None) -> None:
        self._house.metrics.refused(self._conversation.defaults.route, problem)
        self._answer(self._conversation.encode_error(problem, context, id), context)

    def _answer(self, frames: list[Frame], context: str | None) -> None:
        self._outbox.answer(frames, self._contexts.record(context))

    async def _obey(self, said: Said, tasks: asyncio.TaskGroup) -> None:
        intent = said.intent
        lexicon = None
        if isinstance(intent, Adjust | Renew):
            # While it is read contexts may end: they are looked for afterwards.
            lexicon = await self._house.lexicon(self._caller, intent.parameters.lexicon)
        context = self._contexts.open.get(said.context)
        if isinstance(intent, Resume):
            self._comeback.resume(intent)
            return
        if isinstance(intent, Clear):
            self._outbox.clear(said.context)
        if isinstance(intent, Ping):
            if context is not None:
                context.speaker.submit(KeepAlive())
            self._outbox.answer(self._conversation.encode_pong(intent))
        elif context is None:
            await self._begin_or_recall(said, lexicon, tasks)
        elif isinstance(intent, Adjust):
            merged = merge(context.parameters, intent.parameters)
            if intent.parameters.lexicon is UNSET:
                lexicon = context.lexicon
            self._configure(context, merged, lexicon, intent.id)
        elif isinstance(intent, Renew) and context.speaker.session.state is State.CONFIGURING:
            self._configure(context, intent.parameters, lexicon, None)
        elif isinstance(intent, Renew):
            self._contexts.renew(context, intent.parameters, lexicon, tasks)
        elif isinstance(intent, Clear) and context.speaker.session.state is State.CLOSED:
            # Its last audio is being encoded: too late to take anything back, not too late to ask what was heard.
            self._recall(context.record, intent)
        else:
            await self._pass_on(context, intent)

    async def _begin_or_recall(
        self, said: Said, lexicon: Lexicon | None, tasks: asyncio.TaskGroup
    ) -> None:
        """Settings, text and a flush begin a context; a clear may still ask what was heard of one that has ended."""
        intent = said.intent
        ended = self._contexts.ended.get(said.context)
        if isinstance(intent, Adjust | Renew):
            self._contexts.begin(said.context, intent.parameters, lexicon, said.id, tasks)
            self._contexts.forget_ended(said.context)
        elif isinstance(intent, PushText | Flush):
            context = self._contexts.begin(said.context, Parameters(), None, None, tasks)
            try:
                await self._pass_on(context, intent)
            except GatewayError:
                self._contexts.withdraw(context)
                raise
            self._contexts.forget_ended(said.context)
        elif isinstance(intent, Clear) and ended is not None:
            self._recall(ended, intent)
        elif ended is not None:
            raise InputEnded(f"context {said.context!r} has ended", field="context")
        else:
            raise ContextUnknown(
                f"there is no context {said.context!r}", field="context", allowed="an open context"
            )

    def _configure(
        self, context: Context, parameters: Parameters, lexicon: Lexicon | None, id: str | None
    ) -> None:
        settings = self._contexts.resolve(parameters, lexicon)
        context.speaker.submit(Configure(settings, id, lexicon))
        context.parameters, context.lexicon = parameters, lexicon
        self._contexts.share()

    async def _pass_on(self, context: Context, intent: Command) -> None:
        if isinstance(intent, PushText):
            # What is refused for another reason costs nothing.
            context.speaker.session.judge_text(len(intent.text))
            self._house.quotas.chars(self._caller, len(intent.text))
            await context.speaker.push(intent.text)
        else:
            context.speaker.submit(intent)

    def _recall(self, record: Record, clear: Clear) -> None:
        cleared = record.session.recall(clear, self._clock())
        record.ring.clear()
        self._answer(self._conversation.encode(record.name, cleared), record.name)
