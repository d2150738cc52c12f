"""Who is next, where there are fewer places than people: the order in which listeners need it, and no owner at the
expense of the others.

Three classes, one after the other: those who are about to run dry or hear nothing yet, those who have something left to
play, and what can wait. In the first two the earliest need is first. But an owner who lately had clearly more than an
equal part of the places comes after all others of the class, so that a hundred newcomers of one owner cost another's
newcomer nothing.

Whole files can wait. Who takes audio as fast as it is made may be a file or a player; nobody can see which. Such a stream
(`eager`) has a listener, too, once little is ahead of him: so it never gets less than it takes to play. Until then it can
wait, and those who can are served in the order in which they came. By need, a crowd of them would all be equally far
ahead, so that all end at once and begin at once, and each newcomer would stand among many. How much is little depends on
how long a turn takes: whoever is served at the last moment has run dry before the place is free.

What can wait is last, but not never: when listeners take everything, what has waited longest comes first as long
as all of that had less than a small part of the places.

Engines' places, encoders' threads and frames that leave stand behind such lines. Pure: `now` is an argument, in seconds of one clock.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.core.occupancy import Occupancy

T = TypeVar("T")

DUE_S = 0.25
"""Whose listener runs dry within this time is as urgent as a newcomer."""
UNFAIR_SHARE = 0.1
"""By so much of all places may an owner exceed an equal part before others of the same urgency go first."""
NEAR_S = 0.5
"""An eager stream with less than this to play is served as one who follows a clock is,"""
NEAR_TURNS = 3.0
"""or with less than so many turns take."""
AHEAD_S = 2.0
"""What an eager stream has made for it with more than this to play counts as a download."""
DOWNLOAD_SHARE = 0.03
"""So much of all places those who can wait get in any case,"""
DOWNLOAD_WAIT_S = 1.0
"""once one has waited for so long: clients hang up on a body that stands still."""
TURN_WEIGHT = 0.1
"""What the newest turn counts in the average length of turns."""


@dataclass(order=True, slots=True)
class Ticket(Generic[T]):
    """A wish for a place. The earliest `needed_by` is least, equal ones in the order of arrival."""

    needed_by: float
    arrival: int
    owner: str = field(compare=False)
    item: T = field(compare=False)
    since: float = field(compare=False)
    eager: bool = field(compare=False, default=False)
    waits: bool = field(compare=False, default=True)
    """False once it has left the line."""

    def can_wait(self, now: float) -> bool:
        """Whether this is a download."""
        return can_wait(self.needed_by, now, eager=self.eager)


class _ByNeed(Generic[T]):
    """Tickets, the earliest need first. Those that leave from within are skipped later, so that leaving costs little."""

    def __init__(self) -> None:
        self._heap: list[Ticket[T]] = []
        self._gone = 0
        """Of these, how many have left."""

    def push(self, ticket: Ticket[T]) -> None:
        heapq.heappush(self._heap, ticket)

    def first(self) -> Ticket[T] | None:
        while self._heap and not self._heap[0].waits:
            heapq.heappop(self._heap)
            self._gone -= 1
        return self._heap[0] if self._heap else None

    def note_gone(self) -> None:
        """One of them has left."""
        self._gone += 1
        if 2 * self._gone > len(self._heap):
            self._heap = [ticket for ticket in self._heap if ticket.waits]
            heapq.heapify(self._heap)
            self._gone = 0

    def due(self, by: float) -> int:
        """How many are needed by then."""
        return sum(ticket.waits and ticket.needed_by <= by for ticket in self._heap)


class _Owner(Generic[T]):
    """Whom one owner has in the line, and how much of the places it had lately."""

    def __init__(self, places: int) -> None:
        self.used = Occupancy(places)
        self.waiting = 0
        self._followers: _ByNeed[T] = _ByNeed()
        """Who follows a clock, as does whoever has heard nothing yet."""
        self._eager: _ByNeed[T] = _ByNeed()
        self._patient: dict[int, Ticket[T]] = {}
        """Eager streams and whole files, by arrival, and so in its order."""
        self._downloads: dict[int, Ticket[T]] = {}
        """Those of them that were downloads when they came, and have not been asked since."""

    def push(self, ticket: Ticket[T]) -> None:
        self.waiting += 1
        if ticket.eager or ticket.needed_by == math.inf:
            self._patient[ticket.arrival] = ticket
        if ticket.can_wait(ticket.since):
            self._downloads[ticket.arrival] = ticket
        if ticket.needed_by < math.inf:
            self._line_of(ticket).push(ticket)

    def remove(self, ticket: Ticket[T]) -> None:
        self.waiting -= 1
        ticket.waits = False
        self._patient.pop(ticket.arrival, None)
        self._downloads.pop(ticket.arrival, None)
        if ticket.needed_by < math.inf:
            self._line_of(ticket).note_gone()

    def first(self, now: float, near_s: float) -> tuple[int, Ticket[T]]:
        """Who is next of those who wait here, after how urgent that is: 0, 1, or 2 for what can wait."""
        first, stream = self._followers.first(), self._eager.first()
        if stream is not None and stream.needed_by <= now + near_s:
            first = stream if first is None else min(first, stream)
        if first is not None:
            return (0 if first.needed_by <= now + DUE_S else 1), first
        return 2, next(iter(self._patient.values()))

    def oldest_download(self, now: float) -> Ticket[T] | None:
        """Which has waited longest."""
        while self._downloads:
            oldest = next(iter(self._downloads.values()))
            if oldest.can_wait(now):
                return oldest
            # Its listener is served before he runs dry, and needs no favour.
            del self._downloads[oldest.arrival]
        return None

    def due(self, by: float) -> int:
        """How many are needed by then."""
        return self._followers.due(by) + self._eager.due(by)

    def _line_of(self, ticket: Ticket[T]) -> _ByNeed[T]:
        return self._eager if ticket.eager else self._followers


class FairLine(Generic[T]):
    """Those who wait for one of `places`, and how much of these everybody had lately.

    How many wait is the caller's to bound. Owners are remembered while they wait, hold a place, or had one lately.
    `by_arrival`: nothing but the order of arrival counts, so that what the other order is worth can be measured.
    """

    def __init__(self, places: int, *, by_arrival: bool = False) -> None:
        assert places >= 1
        self.turn_s = 0.0
        """How long a place is held, on the average of the last times."""
        self._by_arrival = by_arrival
        self._places = places
        self._arrivals = itertools.count()
        self._owners: dict[str, _Owner[T]] = {}
        self._remembered_max = 64
        self._waiting = 0
        self._listeners = Occupancy(places)
        self._downloads = Occupancy(places)

    def __len__(self) -> int:
        """How many wait."""
        return self._waiting

    def push(
        self, item: T, needed_by: float, owner: str, now: float, *, eager: bool = False
    ) -> Ticket[T]:
        """Join the line. `needed_by` is when it will be too late, `math.inf` that it never is."""
        if self._by_arrival:
            needed_by, owner, eager = 0.0, "", False
        ticket = Ticket(needed_by, next(self._arrivals), owner, item, now, eager)
        self._owner(owner, now).push(ticket)
        self._waiting += 1
        return ticket

    def withdraw(self, ticket: Ticket[T]) -> bool:
        """Leave the line; false for whoever is not in it any more."""
        if not ticket.waits:
            return False
        self._owners[ticket.owner].remove(ticket)
        self._waiting -= 1
        return True

    def hasten(self, ticket: Ticket[T], now: float) -> Ticket[T]:
        """Make it the next one of its owner, and more urgent than a newcomer. Gives the ticket that stands in the line for it
        from now on; who is not in the line any more stays out."""
        if not self.withdraw(ticket):
            return ticket
        hastened = Ticket(-math.inf, ticket.arrival, ticket.owner, ticket.item, now)
        self._owner(ticket.owner, now).push(hastened)
        self._waiting += 1
        return hastened

    def pop(self, now: float, *, downloads: bool = True) -> Ticket[T] | None:
        """Whoever is next leaves the line; None when nobody waits. Without `downloads`, nor does what can wait."""
        owners = [owner for owner in self._owners.values() if owner.waiting]
        if not owners:
            return None
        ticket = self._overdue(owners, now) if downloads else None
        if ticket is None:
            urgency, ticket = self._first(owners, now)
            if urgency == 2 and not downloads:
                return None
        self.withdraw(ticket)
        return ticket

    def taken(self, owner: str, now: float, *, can_wait: bool = False) -> None:
        """Somebody got a place, from the line or past it."""
        self._owner(owner, now).used.change(+1, now)
        self._class_of(can_wait).change(+1, now)

    def left(self, owner: str, now: float, took_s: float | None, *, can_wait: bool = False) -> None:
        """Somebody gave a place back after so long, of whom `taken` was told the same. None = how long it took tells nothing."""
        self._owners[owner].used.change(-1, now)
        self._class_of(can_wait).change(-1, now)
        if took_s is not None:
            self.turn_s += (took_s - self.turn_s) * TURN_WEIGHT

    def load(self, now: float) -> float:
        """The share of all places that listeners had lately, 0 to 1. Downloads take what is left and do not count."""
        return self._listeners.share(now)

    def due(self, now: float) -> int:
        """How many wait who are as urgent as a newcomer."""
        return sum(owner.due(now + DUE_S) for owner in self._owners.values())

    @property
    def _near_s(self) -> float:
        return max(NEAR_S, NEAR_TURNS * self.turn_s)

    def _class_of(self, can_wait: bool) -> Occupancy:
        return self._downloads if can_wait else self._listeners

    def _first(self, owners: Sequence[_Owner[T]], now: float) -> tuple[int, Ticket[T]]:
        """Whose turn it is, after how urgent that is."""
        near_s = self._near_s
        if len(owners) == 1:
            return owners[0].first(now, near_s)
        fair = 1 / len(owners) + UNFAIR_SHARE

        def rank(owner: _Owner[T]) -> tuple[int, bool, float, int]:
            urgency, first = owner.first(now, near_s)
            needed_by = first.needed_by if urgency < 2 else math.inf
            return urgency, owner.used.share(now) > fair, needed_by, first.arrival

        return min(owners, key=rank).first(now, near_s)

    def _overdue(self, owners: Sequence[_Owner[T]], now: float) -> Ticket[T] | None:
        """The download whose turn it is before any listener's."""
        if self._downloads.share(now) >= DOWNLOAD_SHARE:
            return None
        oldest = [owner.oldest_download(now) for owner in owners]
        late = (ticket for ticket in oldest if ticket and now - ticket.since >= DOWNLOAD_WAIT_S)
        return min(late, key=lambda ticket: ticket.arrival, default=None)

    def _owner(self, name: str, now: float) -> _Owner[T]:
        owner = self._owners.get(name)
        if owner is None:
            if len(self._owners) >= self._remembered_max:
                self._forget(now)
            owner = self._owners[name] = _Owner(self._places)
        return owner

    def _forget(self, now: float) -> None:
        """Forget owners who neither wait nor had a place lately; again when twice as many have come."""
        self._owners = {
            name: owner
            for name, owner in self._owners.items()
            if owner.waiting or not owner.used.idle(now)
        }
        self._remembered_max = 64 + 2 * len(self._owners)


def can_wait(needed_by: float, now: float, *, eager: bool) -> bool:
    """Whether work that is needed by then is a download's."""
    return needed_by == math.inf or (eager and needed_by > now + AHEAD_S)
