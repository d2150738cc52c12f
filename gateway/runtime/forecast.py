"""Whether one more listener can be served well, told from how busy everything has been.

What would make everybody late is refused at the door instead. Two things are asked. Is any part (an engine's places, the
encoders' threads, the event loop) so busy with listeners that there is no room for another, or will an engine be when
those who are there have played what they have? And would speech that begins now have to wait too long for a place?
Downloads count for neither: they take what listeners leave. Lately does not tell of those who have just come, so
they are counted by what they are likely to need, until they have it: whole files do not, and who is given all of
his speech at once is soon as if he had never come.

How many more listeners there is room for is an estimate: they are taken to cost what those of the last seconds did.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.audio.farm import EncodeFarm
from gateway.core.errors import Overloaded
from gateway.core.limits import Limits
from gateway.core.occupancy import MEMORY_S, Rate
from gateway.runtime.turns import Turns

TELLING_LOAD = 0.05
"""Below this share of any part nothing is learnt about the cost of a listener: it would be noise."""

COST_MEMORY_S = 10.0
"""Over so long it is learnt what a second of audio costs."""
COST_KNOWN_FROM = 0.3
"""Below this share of the cores nothing is learnt about that, and nobody is refused for it."""
COST_KNOWN_FROM_AUDIO_S = 20.0
"""Nor while less than this is heard per second: then it may be something else that keeps the cores busy, like a flood of
requests that are refused, and speech would be blamed for it."""
ACCEPTED_MEMORY_S = 2.0
"""Over so long it is counted who came in: as long as a listener is served ahead, who plays while others are served."""
SPEECH_S_MAX = 10.0
"""What one newcomer brings is taken for no more than this at once; the rest of a long speech comes as it is played."""
SPEECH_S_USUAL = 7.0
"""As long as a speech is taken to be while nobody has ended one."""
SPEECHES = 30
"""Of so many, about, the average length is known."""

RISE_S = 1.0
"""The event loop is believed to be busy sooner than to be free again: the newcomers of a second are heard for ten."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who came in to hear something: when, and how much speech he was taken to need."""

    since: float
    speech_s: float


class Forecast:
    """`clock` is the loop's. Everything happens on the event loop."""

    def __init__(
        self,
        limits: Limits,
        turns: Mapping[str, Turns],
        farm: EncodeFarm,
        clock: Callable[[], float],
    ) -> None:
        self._limits = limits
        self._turns = turns
        self._farm = farm
        self._clock = clock
        self._bounds_load = limits.load_percent_max < 100
        self._worked = self._waited = 0.0
        """Shares of the event loop's time."""
        self._busy = 0.0
        """Share of the cores."""
        self._handed = Rate()
        self._downloaded = Rate()
        self._spent = Rate(COST_MEMORY_S)
        self._heard = Rate(COST_MEMORY_S)
        self._came = Rate(ACCEPTED_MEMORY_S)
        """Seconds of speech that those need who came and do not have it yet."""
        self._speech_s = SPEECH_S_USUAL
        self._cost = 0.0
        """Share of the cores that a second of audio takes per second; 0 = not known."""
        self._listener_cost: float | None = None
        """The share of the busiest part that one listener takes: who hears a second of audio per second."""

    def handed(self, audio_s: float, *, can_wait: bool) -> None:
        """So much audio went to a listener who follows a clock, or to a download, which can wait."""
        now = self._clock()
        (self._downloaded if can_wait else self._handed).add(audio_s, now)
        self._heard.add(audio_s, now)

    def came(self) -> Guest:
        """Somebody came in to hear something."""
        guest = Guest(self._clock(), self._speech_s)
        self._came.add(guest.speech_s, guest.since)
        return guest

    def served(self, guest: Guest, audio_s: float, *, eager: bool) -> None:
        """He has been told all that he will be: so much audio. An `eager` one, as fast as it was made, needs nothing more
        while he plays it. Those who follow a clock stay counted: as many more are likely to come."""
        if eager or not audio_s:
            self._came.take_back(guest.speech_s, guest.since, self._clock())
        if not audio_s:
            return
        self._speech_s += (min(audio_s, SPEECH_S_MAX) - self._speech_s) / SPEECHES

    def loop_took(self, worked_s: float, waited_s: float, elapsed_s: float) -> None:
        """Of the last `elapsed_s` the event loop's thread worked for `worked_s`, and waited for a core or was late for `waited_s`."""
        self._worked = _following(self._worked, worked_s, elapsed_s)
        self._waited = _following(self._waited, waited_s, elapsed_s)

    def cores_took(self, busy_s: float, elapsed_s: float) -> None:
        """In the last `elapsed_s` everything together took as much as would keep all cores busy for `busy_s`."""
        self._busy = _following(self._busy, busy_s, elapsed_s)
        now = self._clock()
        self._spent.add(busy_s, now)
        heard = self._heard.per_s(now)
        if self._busy >= COST_KNOWN_FROM and heard >= COST_KNOWN_FROM_AUDIO_S:
            self._cost = self._spent.per_s(now) / heard

    def loads(self) -> dict[str, float]:
        """The share of each part, from 0 on, that listeners had lately, or of an engine that those who are there need."""
        now = self._clock()
        engines = {
            f"engine {name}": max(turns.load(now), turns.promised(now))
            for name, turns in self._turns.items()
        }
        return engines | {
            "encoders": self._farm.load(),
            "event loop": self._loop(now),
            "cores": self._busy * self._listened(now),
            "newcomers": self._newcomers(now),
        }

    def listeners_free(self) -> int | None:
        """For about how many more listeners there is room; None while there were too few to tell."""
        load = max(self.loads().values())
        rate = self._handed.per_s(self._clock())
        if load >= TELLING_LOAD and rate > 0:
            self._listener_cost = load / rate
        if self._listener_cost is None:
            return None
        return max(0, int((self._limits.load_percent_max / 100 - load) / self._listener_cost))

    def judge(self) -> None:
        """May somebody new come in? Raises Overloaded."""
        load, part = max((load, part) for part, load in self.loads().items())
        if self._bounds_load and load * 100 >= self._limits.load_percent_max:
            raise self._full(part)
        for name in self._turns:
            self._judge_promise(name)

    def judge_wait(self, engine: str) -> None:
        """May speech begin now? Raises Overloaded."""
        if (
            self._bounds_load
            and self._newcomers(self._clock()) * 100 > self._limits.load_percent_max
        ):
            raise self._full("newcomers")
        self._judge_promise(engine)
        wait_ms = round(self._turns[engine].wait_s(self._clock()) * 1_000)
        if wait_ms > self._limits.wait_ms_max:
            raise Overloaded(
                f"speech would begin after {wait_ms} ms",
                allowed=f"a wait of {self._limits.wait_ms_max} ms",
                retry_after_ms=wait_ms,
            )

    def _loop(self, now: float) -> float:
        """What listeners have of the event loop: of its work as much as of the audio. What it waits for and by how much it is
        late counts in full: downloads keep it from no core, for their workers are the last to get one, and make it hardly late."""
        return min(1.0, self._waited + self._worked * self._listened(now))

    def _newcomers(self, now: float) -> float:
        """The share of the cores that those need who came in lately and do not have their speech, as far as can be told:
        before anybody is late, and before the cores are as busy as that."""
        if self._busy < COST_KNOWN_FROM:
            return 0.0
        return max(0.0, self._came.per_s(now)) * self._cost

    def _listened(self, now: float) -> float:
        """The share of the audio that listeners had."""
        listeners, downloads = self._handed.per_s(now), self._downloaded.per_s(now)
        audio = listeners + downloads
        return listeners / audio if audio else 1.0

    def _judge_promise(self, engine: str) -> None:
        """Could one more listener still be served when nobody has anything left to play? One alone is let in, for how else
        would be found out that an engine has become quicker."""
        turns = self._turns[engine]
        if not self._bounds_load or not turns.listeners:
            return
        promised = turns.promised(self._clock(), newcomers=1)
        if promised * 100 > self._limits.load_percent_max:
            raise self._full(f"engine {engine}")

    def _full(self, part: str) -> Overloaded:
        return Overloaded(
            f"all listeners that can be served well are here ({part})",
            allowed=f"a load below {self._limits.load_percent_max} %",
            retry_after_ms=round(MEMORY_S * 1_000),
        )


def _following(share: float, busy_s: float, elapsed_s: float) -> float:
    """The average share that now takes this in."""
    newest = min(1.0, busy_s / elapsed_s)
    memory_s = RISE_S if newest > share else MEMORY_S
    return share + (newest - share) * -math.expm1(-elapsed_s / memory_s)
