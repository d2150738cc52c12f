"""Who is next, where there are fewer places than people: the order in which listeners need it, and no owner at the
expense of the others.

Three classes, one after the other: those who are about to run dry or hear nothing yet, those who have something left to
play, and downloads, which can wait. Within a class the earliest need is first. But an owner who lately had
clearly more than an equal part of the places comes after all others of the class, so that a hundred newcomers of one
owner cost another's newcomer nothing.

Who takes audio as fast as it is made may be a file or a player; nobody can see which. Such a stream (`eager`) has a
listener, too, until so much is ahead of him that it can wait as a file can. So it never gets less than it takes to play.

Downloads are last, but not never: when listeners take everything, the download that has waited longest comes first as long
as all of them together had less than a small part of the places.

Engines' places and encoders' threads both stand behind such a line. Pure: `now` is an argument, in seconds of one clock.
"""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.core.occupancy import Occupancy

T = TypeVar("T")

DUE_S = 0.25
"""Whose listener runs dry within this time is as urgent as a newcomer."""
UNFAIR_SHARE = 0.1
"""By so much of all places may an owner exceed an equal part before others of the same urgency go first."""
AHEAD_S = 2.0
"""An eager stream with more than this to play can wait."""
DOWNLOAD_SHARE = 0.03
"""So much of all places downloads get in any case,"""
DOWNLOAD_WAIT_S = 1.0
"""once one has waited for so long: clients hang up on a body that stands still."""


@dataclass(order=True, slots=True)
class Ticket(Generic[T]):
    """A wish for a place. The earliest `needed_by` is least, equal ones in the order of arrival."""

    needed_by: float
    arrival: int
    owner: str = field(compare=False)
    item: T = field(compare=False)
    since: float = field(compare=False)
    eager: bool = field(compare=False, default=False)

    def can_wait(self, now: float) -> bool:
        """Whether this is a download."""
        return can_wait(self.needed_by, now, eager=self.eager)


@dataclass(slots=True)
class _Owner(Generic[T]):
    used: Occupancy
    waiting: list[Ticket[T]] = field(default_factory=list)


class FairLine(Generic[T]):
    """Those who wait for one of `places`, and how much of these everybody had lately.

    How many wait is the caller's to bound. Owners are remembered while they wait, hold a place, or had one lately.
    `by_arrival`: nothing but the order of arrival counts, so that what the other order is worth can be measured.
    """

    def __init__(self, places: int, *, by_arrival: bool = False) -> None:
        assert places >= 1
        self._by_arrival = by_arrival
        self._places = places
        self._arrivals = itertools.count()
        self._owners: dict[str, _Owner[T]] = {}
        self._remembered_max = 64
        self._waiting = 0
        self._listeners = Occupancy(places)
        self._downloads = Occupancy(places)
        self._downloads_waiting: dict[int, Ticket[T]] = {}
        """By arrival, and so in its order."""

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
        heapq.heappush(self._owner(owner, now).waiting, ticket)
        if ticket.can_wait(now):
            self._downloads_waiting[ticket.arrival] = ticket
        self._waiting += 1
        return ticket

    def withdraw(self, ticket: Ticket[T]) -> bool:
        """Leave the line; false for whoever is not in it any more."""
        owner = self._owners.get(ticket.owner)
        if owner is None or ticket not in owner.waiting:
            return False
        owner.waiting.remove(ticket)
        heapq.heapify(owner.waiting)
        self._downloads_waiting.pop(ticket.arrival, None)
        self._waiting -= 1
        return True

    def pop(self, now: float) -> Ticket[T] | None:
        """Whoever is next leaves the line; None when nobody waits."""
        ahead = [owner for owner in self._owners.values() if owner.waiting]
        if not ahead:
            return None
        if (overdue := self._overdue(now)) is not None:
            self.withdraw(overdue)
            return overdue
        if len(ahead) == 1:
            chosen = ahead[0]
        else:
            fair = 1 / len(ahead) + UNFAIR_SHARE
            chosen = min(ahead, key=lambda owner: _rank(owner, now, fair))
        self._waiting -= 1
        ticket = heapq.heappop(chosen.waiting)
        self._downloads_waiting.pop(ticket.arrival, None)
        return ticket

    def taken(self, owner: str, now: float, *, can_wait: bool = False) -> None:
        """Somebody got a place, from the line or past it."""
        self._owner(owner, now).used.change(+1, now)
        self._class_of(can_wait).change(+1, now)

    def left(self, owner: str, now: float, *, can_wait: bool = False) -> None:
        """Somebody gave a place back, of whom `taken` was told the same."""
        self._owners[owner].used.change(-1, now)
        self._class_of(can_wait).change(-1, now)

    def load(self, now: float) -> float:
        """The share of all places that listeners had lately, 0 to 1. Downloads take what is left and do not count."""
        return self._listeners.share(now)

    def due(self, now: float) -> int:
        """How many wait who are as urgent as a newcomer."""
        return sum(
            ticket.needed_by <= now + DUE_S
            for owner in self._owners.values()
            for ticket in owner.waiting
        )

    def _class_of(self, can_wait: bool) -> Occupancy:
        return self._downloads if can_wait else self._listeners

    def _overdue(self, now: float) -> Ticket[T] | None:
        """The download whose turn it is before any listener's."""
        oldest = next(iter(self._downloads_waiting.values()), None)
        while oldest is not None and not oldest.can_wait(now):
            # Its listener is served before he runs dry, and needs no favour.
            del self._downloads_waiting[oldest.arrival]
            oldest = next(iter(self._downloads_waiting.values()), None)
        if oldest is None or now - oldest.since < DOWNLOAD_WAIT_S:
            return None
        return oldest if self._downloads.share(now) < DOWNLOAD_SHARE else None

    def _owner(self, name: str, now: float) -> _Owner[T]:
        owner = self._owners.get(name)
        if owner is None:
            if len(self._owners) >= self._remembered_max:
                self._forget(now)
            owner = self._owners[name] = _Owner(Occupancy(self._places))
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


def _rank(owner: _Owner[T], now: float, fair: float) -> tuple[int, bool, Ticket[T]]:
    first = owner.waiting[0]
    if first.needed_by <= now + DUE_S:
        urgency = 0
    elif first.can_wait(now):
        urgency = 2
    else:
        urgency = 1
    return urgency, owner.used.share(now) > fair, first
