"""How an utterance would have sounded: audio that arrives in pieces, played by a player that waits before it starts.

A player that starts at `start` plays piece after piece; where the next piece has not come when the last one ends, it
stalls until it has come, and then goes on at once. That is all there is to the model, and everything else follows:

- A *prebuffer* B decides the start: playback begins as soon as B seconds of audio are there, or all of it.
- The *required delay* B* = max_i((t_i - t_1) - sum_{j<i} d_j), at least 0, is the smallest time after the first piece
  at which playback can start and never stall. It needs no choice of B, so it compares streams of any piece size.
- The *lead* after an arrival is the audio that is there and not yet played: too little stalls, too much is thrown away
  by a barge-in.
- The *cadence error* of a piece is the gap before it less the duration of the piece before it: positive = late.

Times and durations are in one unit, seconds elsewhere in the harness; integers stay exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import msgspec

PREBUFFERS_S = (0.0, 0.06, 0.1, 0.2, 0.5)
CONTINUITY_STALL_S = 0.1
"""A stream sounds continuous when its longest stall is no longer than this."""


class Arrival(NamedTuple):
    """A piece of audio: when it came and how long it plays."""

    at: float
    duration: float


class Played(msgspec.Struct, frozen=True):
    """A play-out: when it started, when each piece began to play, and how long each stall was."""

    start: float
    piece_starts: list[float]
    stalls: list[float]
    end: float

    @property
    def stalled(self) -> float:
        """The total of all stalls."""
        return sum(self.stalls)

    @property
    def stall_longest(self) -> float:
        """The longest stall, 0 without one."""
        return max(self.stalls, default=0)

    @property
    def is_continuous(self) -> bool:
        """Whether no stall is longer than `CONTINUITY_STALL_S`."""
        return self.stall_longest <= CONTINUITY_STALL_S


def play(arrivals: Sequence[Arrival], start: float) -> Played:
    """Play pieces in order of arrival, beginning at `start`, which is not before the first one came."""
    assert not arrivals or start >= arrivals[0].at
    piece_starts: list[float] = []
    stalls: list[float] = []
    playhead = start
    for at, duration in arrivals:
        if at > playhead:
            stalls.append(at - playhead)
            playhead = at
        piece_starts.append(playhead)
        playhead += duration
    return Played(start, piece_starts, stalls, playhead)


def start_with_prebuffer(
    arrivals: Sequence[Arrival], prebuffer: float, ended: float | None = None
) -> float:
    """When a player starts that waits for `prebuffer` of audio, or for the end of the stream where that comes first.

    `ended` is when the client learnt that nothing more would come; without it, that is the last arrival. Needs at
    least one arrival.
    """
    last = arrivals[-1].at if ended is None else ended
    buffered = accumulate(arrival.duration for arrival in arrivals)
    return next(
        (
            arrival.at
            for arrival, there in zip(arrivals, buffered, strict=True)
            if there >= prebuffer
        ),
        last,
    )


def regrouped(arrivals: Sequence[Arrival], durations: Sequence[float]) -> list[Arrival]:
    """The same stream in pieces of other durations: each is there when the last of it is.

    What the durations leave over makes a last piece; pieces beyond the end of the stream are left out. Durations should
    be integers (bytes, samples): sums of fractions miss the borders.
    """
    found: list[Arrival] = []
    ends = list(accumulate(durations))
    there = begun = 0.0
    for at, duration in arrivals:
        there += duration
        while len(found) < len(ends) and ends[len(found)] <= there:
            end = ends[len(found)]
            found.append(Arrival(at, end - begun))
            begun = end
    return [*found, Arrival(arrivals[-1].at, there - begun)] if there > begun else found


def required_delay(arrivals: Sequence[Arrival]) -> float:
    """B*: the smallest delay after the first arrival with which playback never stalls; 0 for no arrivals."""
    delay = played = 0.0
    for at, duration in arrivals:
        delay = max(delay, at - arrivals[0].at - played)
        played += duration
    return delay


def leads(arrivals: Sequence[Arrival]) -> list[float]:
    """After each arrival, the audio that is there and not yet played by a player without prebuffer."""
    found: list[float] = []
    playhead = arrivals[0].at if arrivals else 0
    for at, duration in arrivals:
        playhead = max(playhead, at) + duration
        found.append(playhead - at)
    return found


def cadence_errors(arrivals: Sequence[Arrival]) -> list[float]:
    """For each piece but the first: the gap before it less the duration of the piece before it."""
    return [second.at - first.at - first.duration for first, second in pairwise(arrivals)]
