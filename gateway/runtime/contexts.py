"""The contexts of one connection: those that are open, whose turn it is, and the past of the last that have ended."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.accounts.caller import Caller
from gateway.core.commands import Abort, EndInput
from gateway.core.errors import TooManyContexts
from gateway.core.lexicon import Lexicon
from gateway.core.params import Catalog, Parameters, Settings
from gateway.core.resolve import resolve, spoken_by
from gateway.core.session import Session, State
from gateway.core.vocabulary import Progress
from gateway.dialects.base import Conversation
from gateway.runtime.house import House
from gateway.runtime.ring import Ring
from gateway.runtime.speaker import Speaker

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
class Record:
    """What stays of a context when it has ended: its past."""

    name: str
    session: Session
    ring: Ring
    heard: int = 0
    """Messages for it that were obeyed or refused."""


@dataclass(slots=True)
class Context:
    """One that is open. `parameters` are those that its client has set so far, `lexicon` is the one they name as it was then."""

    record: Record
    parameters: Parameters
    lexicon: Lexicon | None
    speaker: Speaker

    @property
    def name(self) -> str:
        return self.record.name


class Contexts:
    """Those of the connection `session`, which is `caller`'s. `wake` is called when there may be something new to pull."""

    def __init__(
        self,
        house: House,
        session: str,
        conversation: Conversation,
        catalog: Catalog,
        wake: Callable[[], None],
        *,
        owner: str,
        caller: Caller,
        usage: str = "",
    ) -> None:
        self._house = house
        self._session = session
        self._defaults = conversation.defaults
        self._in_order = conversation.in_order
        self._can_resume = conversation.resuming is not None
        self._catalog = catalog
        self._wake = wake
        self._owner = owner
        self._caller = caller
        self._usage = usage or conversation.defaults.route
        self._clock = asyncio.get_running_loop().time
        self.open: dict[str, Context] = {}
        self.ended: OrderedDict[str, Record] = OrderedDict()
        self._begun = 0
        """How many have begun so far."""
        self._ended_played_by: float | None = None
        self._fresh_until: float | None = self._clock() + FRESH_S
        """None once there has been one."""

    # --- from their beginning to their end ---------------------------------------------------------------------------

    def begin(
        self,
        name: str,
        parameters: Parameters,
        lexicon: Lexicon | None,
        id: str | None,
        tasks: asyncio.TaskGroup,
    ) -> Context:
        """Open a context. Raises TooManyContexts, what `resolve` raises and what `House.open_context` raises."""
        limits = self._house.limits
        if len(self.open) >= limits.contexts_max:
            raise TooManyContexts(
                "too many contexts are open on this connection",
                field="context",
                allowed=f"at most {limits.contexts_max}",
            )
        settings = self.resolve(parameters, lexicon)
        self._house.open_context(self._caller, settings.engine, promised=self.is_fresh)
        self._fresh_until = None
        route = self._defaults.route
        self._begun += 1
        speaker = self._house.new_speaker(
            *(settings, tasks, self._wake),
            frame_ms=FRAME_MS,
            route=route,
            id=id,
            owner=self._owner,
            name=name,
            lexicon=lexicon,
            meter=self._house.new_meter(
                f"{self._session}.{self._begun}", self._caller, route=self._usage
            ),
        )
        self._house.receipts.begin(self._session, self._caller.key, route, speaker.receipt)
        ring = Ring(name, limits.resume_ring_bytes, self._house.lobby.rings)
        if not self._house.lobby.is_open or not self._can_resume:
            ring.close()
        context = Context(Record(name, speaker.session, ring), parameters, lexicon, speaker)
        self.open[name] = context
        self.share()
        self._wake()
        return context

    def renew(
        self,
        old: Context,
        parameters: Parameters,
        lexicon: Lexicon | None,
        tasks: asyncio.TaskGroup,
    ) -> None:
        """Begin another by the name of `old`, whose text is spoken to its end. Raises what `begin` raises, and then nothing
        has changed."""
        name = old.name
        self.begin(name, parameters, lexicon, None, tasks)
        new = self.open.pop(name)
        old.record.name = f"{name} until {self._begun}"
        self.open[old.name] = old
        self.open[name] = new
        self.share()
        if old.speaker.session.state is State.OPEN:
            old.speaker.submit(EndInput())

    def resolve(self, parameters: Parameters, lexicon: Lexicon | None) -> Settings:
        """What these come to on this connection, with the lexicon that they name. Raises what `core.resolve` raises."""
        return spoken_by(lexicon, resolve(parameters, self._catalog, self._defaults))

    def withdraw(self, context: Context) -> None:
        """It has not begun after all: what it was to begin with was refused."""
        self._forget(context)
        context.record.ring.close()
        self._house.receipts.withdraw(self._session, context.speaker.receipt)

    def close(self, context: Context) -> None:
        """It has told all that it had to tell."""
        self._forget(context)
        context.speaker.receipt.finish(Progress.COMPLETE)
        self._house.receipts.end(self._session, context.speaker.receipt)
        self.ended[context.name] = context.record
        played_by = context.speaker.session.played_by
        if played_by is not None:
            self._ended_played_by = max(played_by, self._ended_played_by or played_by)
        while len(self.ended) > self._house.limits.contexts_ended_kept:
            self.ended.popitem(last=False)[1].ring.close()

    def forget_ended(self, name: str) -> None:
        """The name has a new context, and its past is not told of any longer."""
        if (record := self.ended.pop(name, None)) is not None:
            record.ring.close()

    def abort(self) -> None:
        """Nobody will hear them: make nothing more."""
        for context in self.open.values():
            context.speaker.submit(Abort())

    def leave_the_house(self) -> None:
        """Give back what they hold. They are not used after that."""
        for record in self.records():
            record.ring.close()
        for context in self.open.values():
            self._house.close_context(self._caller)
            timings = context.speaker.timings()
            context.speaker.receipt.finish(Progress.CANCELLED, timings=timings)
            self._house.receipts.end(self._session, context.speaker.receipt)

    def _forget(self, context: Context) -> None:
        del self.open[context.name]
        self._house.close_context(self._caller)
        self.share()

    # --- what is known of them ---------------------------------------------------------------------------------------

    def records(self) -> list[Record]:
        """Of all that can still be told of; an open one goes before one that has ended."""
        of_all = {**self.ended, **{name: c.record for name, c in self.open.items()}}
        return list(of_all.values())

    def record(self, name: str | None) -> Record | None:
        """What `records` has of this name."""
        if name is None:
            return None
        is_open = self.open.get(name)
        return self.ended.get(name) if is_open is None else is_open.record

    @property
    def is_fresh(self) -> bool:
        """True while the first may begin although the server goes away."""
        return self._fresh_until is not None and self._clock() < self._fresh_until

    @property
    def is_busy(self) -> bool:
        """True while an utterance is under way: nothing is lost when a connection ends that has none."""
        return self.is_fresh or any(
            context.speaker.session.is_busy for context in self.open.values()
        )

    @property
    def have_speech_to_come(self) -> bool:
        """True while anything that leaves without a further message has not been told yet."""
        return any(c.speaker.session.has_speech_to_come for c in self.open.values())

    def pinged(self, *, is_sent: bool) -> None:
        """The client is asked whether it is there; `is_sent`: behind all that it was told. What it has not played yet it may
        still want once more."""
        played_by = self.played_by()
        is_played = played_by is None or played_by <= self._clock()
        for record in self.records():
            record.ring.mark(is_sent=is_sent and is_played)

    def answered(self) -> None:
        """It is, and needs nothing again of what it was told before."""
        for record in self.records():
            record.ring.forget_marked()

    def played_by(self) -> float | None:
        """When the last listener will have played what was sent, in contexts that have ended since, too."""
        open_ones = (context.speaker.session.played_by for context in self.open.values())
        times = (self._ended_played_by, *open_ones)
        return max((time for time in times if time is not None), default=None)

    # --- whose turn it is --------------------------------------------------------------------------------------------

    def by_urgency(self) -> list[Context]:
        """Acknowledgements first, then whose listener has the least left to play; or the oldest alone."""
        contexts = list(self.open.values())
        if self._in_order:
            return contexts[:1]
        if len(contexts) > 1:
            now = self._clock()
            contexts.sort(
                key=lambda context: (
                    not context.speaker.session.has_answers,
                    context.speaker.session.lead_s(now),
                )
            )
        return contexts

    def share(self) -> None:
        """Several contexts take shorter turns than one, and a download longer ones than a listener."""
        alone = len(self.open) <= 1 or self._in_order
        for context in self.open.values():
            session = context.speaker.session
            frame_ms = FRAME_MS_UNPACED if session.settings.lead_ms is None else FRAME_MS
            session.frame_ms = frame_ms if alone else FRAME_MS_SHARED

    def deadline(self, *, draining: bool) -> float | None:
        """When the next timer of one is due, in loop time. While the server goes away the time counts, too, until which
        a first one is waited for."""
        times = [context.speaker.session.deadline() for context in self.open.values()]
        if draining:
            times.append(self._fresh_until)
        return min((time for time in times if time is not None), default=None)

    def tick(self) -> None:
        """Let their timers act."""
        for context in self.open.values():
            context.speaker.tick()
