"""One context in motion: a session, the engine tasks it ordered, and its outlet."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import aclosing

import msgspec

from gateway.accounts.ledger import Meter
from gateway.core.commands import Clear, Command, PushText
from gateway.core.errors import Problem
from gateway.core.events import Audio, Closed, Event, Timings
from gateway.core.fairness import can_wait
from gateway.core.session import SAMPLE_BYTES, Session, State
from gateway.core.synthesis import (
    Abandon,
    Begun,
    Failed,
    Finished,
    Produced,
    Report,
    Synthesize,
)
from gateway.engines.base import Engine
from gateway.runtime.forecast import Forecast, Guest
from gateway.runtime.outlet import Outlet
from gateway.runtime.turns import Turns
from gateway.runtime.turnstile import Turnstile
from gateway.telemetry.receipt import Receipt
from gateway.telemetry.timeline import Timeline

SLICE_CHARS = 256
"""Characters that are cleaned and cut in one go: a quarter of a millisecond of prose, three of the worst there is."""


class Speaker:
    """Carries between a session and its engine. `wake` is called whenever there may be something new to pull; all contexts of a
    connection have the same, as one task pulls from all of them.
    `timeline` and `receipt` are shown all that happens, in times of `watch`; `forecast` is told
    who comes to hear something, and what was handed out; `owner` is whose share of the engines this is, and `meter` what it costs;
    None = nothing.

    Engine work runs in `tasks`, the task group of the connection, and ends with it.
    """

    def __init__(
        self,
        session: Session,
        engines: Mapping[str, Engine],
        turns: Mapping[str, Turns],
        turnstile: Turnstile,
        outlet: Outlet,
        tasks: asyncio.TaskGroup,
        wake: Callable[[], None],
        timeline: Timeline,
        receipt: Receipt,
        watch: Callable[[], float],
        forecast: Forecast,
        owner: str,
        meter: Meter | None = None,
    ) -> None:
        self.session = session
        self._engines = engines
        self._turns = turns
        self._turnstile = turnstile
        self._outlet = outlet
        self._tasks = tasks
        self._wake = wake
        self._timeline = timeline
        self.receipt = receipt
        self._watch = watch
        self._forecast = forecast
        self._guest: Guest | None = None if outlet.is_whole else forecast.came()
        """None = he has been served, or waits for a whole file."""
        self._audio_s = 0.0
        """What was handed out."""
        self._owner = owner
        self._meter = meter
        self._clock = asyncio.get_running_loop().time
        self._working: dict[int, asyncio.Task[None]] = {}
        self._listens_to: Turns | None = None
        """The engine's places, while this is one of its listeners."""

    def submit(self, command: Command) -> None:
        """Hand a command to the session. Raises what the session raises."""
        self.session.submit(command, self._clock())
        self._timeline.submitted(command, self.session.chars_accepted, self._watch())
        self.receipt.taken(self.session.chars_accepted)
        self._place_orders()
        self._heed_the_end()
        if isinstance(command, Clear):
            self._turnstile.hurry(self._wake)
            self._outlet.hurry()
        self._wake()

    async def push(self, text: str) -> None:
        """Hand text to the session in slices, so that a long one does not hold up the loop; the first of them is being
        spoken while the last is cut. Raises what the session raises, and then none of it was taken."""
        self.session.judge_text(len(text))
        for start in range(0, len(text), SLICE_CHARS):
            end = start + SLICE_CHARS
            self.submit(PushText(text[start:end], more=end < len(text)))
            if end < len(text):
                await asyncio.sleep(0)

    def tick(self) -> None:
        """Let the session's timers act."""
        self.session.tick(self._clock())
        self._place_orders()

    async def next_events(self) -> list[Event] | None:
        """The events that go to the wire next, in order. None when there is nothing now; an empty list is progress
        that gave nothing for the wire yet."""
        now = self._clock()
        # Asked before pulling, which counts as handed out what is not even encoded.
        deadline = self._deadline(now)
        event = self.session.next_event(now)
        if event is None:
            return None
        self._place_orders()
        self._heed_the_end()
        self._timeline.pulled(event)
        if isinstance(event, Audio):
            audio_s = len(event.data) / SAMPLE_BYTES / self.session.settings.engine_rate
            self._forecast.handed(audio_s, can_wait=self._can_wait(deadline, now))
            self._audio_s += audio_s
            await self._turnstile.through(
                deadline, self._owner, eager=self.session.is_eager, writer=self._wake
            )
        events = await self._outlet.pass_on(event, deadline)
        self._timeline.handed_out(events, self._watch(), self._outlet.delay_s)
        if isinstance(event, Closed):
            events[-1] = msgspec.structs.replace(
                event, timings=self.timings(), millicredits=self._spent()
            )
        self.receipt.handed_out(events)
        return events

    def timings(self) -> Timings:
        """How long everything took so far."""
        return self._timeline.timings(self._watch())

    def _spent(self) -> int | None:
        return None if self._meter is None else self._meter.millicredits

    def _deadline(self, now: float) -> float:
        """When what is pulled next must be encoded."""
        return self._dry_at(self.session.lead_s(now), now)

    def _dry_at(self, ahead_s: float, now: float) -> float:
        """When a listener with so much audio ahead runs dry: now if there is none, never of a whole file that has begun."""
        return math.inf if ahead_s > 0 and self._outlet.is_whole else now + ahead_s

    def _can_wait(self, needed_by: float, now: float) -> bool:
        return can_wait(needed_by, now, eager=self.session.is_eager)

    def _place_orders(self) -> None:
        now = self._clock()
        needed_by = self._dry_at(self.session.ahead_s(now), now)
        while (order := self.session.next_order(now)) is not None:
            match order:
                case Synthesize():
                    self._timeline.ordered(order.segment, self._watch())
                    paid = self._cover(order)
                    task = self._tasks.create_task(self._perform(order, needed_by, paid))
                    self._working[order.segment] = task
                case Abandon():
                    task_ = self._working.pop(order.segment, None)
                    if task_ is not None:
                        task_.cancel()
            needed_by = self._dry_at(self.session.ahead_s(now), now)
        self._listen_or_leave()

    def _listen_or_leave(self) -> None:
        """Be counted among the engine's listeners while there is speech to come. A stream that is far ahead counts, too: what
        it is ahead will be played one day."""
        listens = self.session.has_speech_to_come and not self._outlet.is_whole
        if listens and self._listens_to is None:
            self._listens_to = self._turns[self.session.settings.engine]
            self._listens_to.listeners += 1
        elif not listens and self._listens_to is not None:
            self._listens_to.listeners -= 1
            self._listens_to = None

    def _cover(self, order: Synthesize) -> asyncio.Future[Problem | None] | None:
        if self._meter is None:
            return None
        return self._meter.cover(order.segment, order.chars, self.session.settings.model)

    def _heed_the_end(self) -> None:
        if self.session.state is not State.CLOSED:
            return
        if self._meter is not None:
            self._meter.close()
        if self._guest is not None:
            self._forecast.served(self._guest, self._audio_s, eager=self.session.is_eager)
            self._guest = None

    async def _perform(
        self, order: Synthesize, needed_by: float, paid: asyncio.Future[Problem | None] | None
    ) -> None:
        # Looked up now: until there is text a context may be given another model.
        name, rate = self.session.settings.engine, self.session.settings.engine_rate
        turns = self._turns[name]
        begun: float | None = None
        samples = 0
        waits = False
        try:
            async with (
                turns.turn(needed_by, self._owner, eager=self.session.is_eager) as waits,
                aclosing(
                    self._engines[name].synthesize(msgspec.structs.replace(order, can_wait=waits))
                ) as reports,
            ):
                async for report in reports:
                    if paid is not None and not isinstance(report, Begun):
                        asked = self._clock()
                        problem, paid = await paid, None
                        if problem is not None:
                            begun = None
                            self._report(Failed(order.segment, problem), order)
                            break
                        if begun is not None:
                            # It was not the engine that took so long.
                            begun += self._clock() - asked
                    if isinstance(report, Begun):
                        begun = self._clock()
                    elif isinstance(report, Produced):
                        samples += len(report.pcm) // SAMPLE_BYTES
                    elif isinstance(report, Finished) and self._meter is not None:
                        self._meter.finished(order.segment)
                    self._report(report, order)
        finally:
            if self._meter is not None:
                self._meter.abandoned(order.segment)
            if begun is not None:
                now = self._clock()
                turns.worked(now - begun, samples / rate, now, can_wait=waits)
            if self._working.get(order.segment) is asyncio.current_task():
                del self._working[order.segment]
        self._place_orders()

    def _report(self, report: Report, order: Synthesize) -> None:
        held_until = self.session.held_until
        self.session.report(report, self._clock())
        self._timeline.reported(report, self._watch())
        self.receipt.made(report, order.chars)
        if held_until is None or self.session.held_until != held_until:
            self._wake()
