"""The play-out model on timelines made by hand, and what must hold for all of them."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given, strategies as st

from gateway.bench.instruments.playout import (
    Arrival,
    cadence_errors,
    leads,
    play,
    regrouped,
    required_delay,
    start_with_prebuffer,
)

# In integer milliseconds, so that nothing is rounded.
STEADY = [Arrival(100, 20), Arrival(120, 20), Arrival(140, 20)]
LATE = [Arrival(100, 20), Arrival(190, 20), Arrival(195, 20), Arrival(300, 40)]
"""The second piece is 70 late, the third in time, the fourth 70 late again."""

arrivals_of_any_kind = st.lists(
    st.tuples(st.integers(0, 300), st.integers(1, 200)), min_size=1, max_size=30
).map(
    lambda steps: [
        Arrival(at, duration)
        for at, (_, duration) in zip(accumulate(gap for gap, _ in steps), steps, strict=True)
    ]
)


def test_audio_in_time_never_stalls() -> None:
    played = play(STEADY, 100)
    assert played.stalls == []
    assert played.piece_starts == [100, 120, 140]
    assert played.end == 160


def test_a_late_piece_stalls_until_it_is_there() -> None:
    played = play(LATE, 100)
    assert played.stalls == [70, 70]
    assert played.piece_starts == [100, 190, 210, 300]
    assert (played.stalled, played.stall_longest) == (140, 70)


def test_a_later_start_takes_the_lateness_away() -> None:
    assert play(LATE, 160).stalls == [10, 70]
    assert play(LATE, 239).stalls == [1]
    assert play(LATE, 240).stalls == []


def test_continuity_allows_a_tenth_of_a_second() -> None:
    assert play([Arrival(0.0, 0.02), Arrival(0.12, 0.02)], 0.0).is_continuous
    assert not play([Arrival(0.0, 0.02), Arrival(0.121, 0.02)], 0.0).is_continuous


@pytest.mark.parametrize(
    ("prebuffer", "start"), [(0, 100), (20, 100), (21, 190), (60, 195), (61, 300), (500, 320)]
)
def test_playback_starts_when_enough_is_there_or_nothing_more_comes(
    prebuffer: int, start: int
) -> None:
    assert start_with_prebuffer(LATE, prebuffer, ended=320) == start


def test_without_a_known_end_the_last_piece_is_it() -> None:
    assert start_with_prebuffer(LATE, 500) == 300


def test_the_required_delay_is_the_worst_lateness() -> None:
    assert required_delay(STEADY) == 0
    assert required_delay(LATE) == 140
    assert required_delay([]) == 0


def test_leads_count_what_is_there_and_not_played() -> None:
    # Piece by piece: 20 to play; 20 after a stall; 35 = 15 of the second and 20; 40 after a stall.
    assert leads(LATE) == [20, 20, 35, 40]
    assert leads([Arrival(0, 1_000), Arrival(10, 1_000)]) == [1_000, 1_990]


def test_a_cadence_error_is_the_gap_less_what_it_had_to_bridge() -> None:
    assert cadence_errors(LATE) == [70, -15, 85]
    assert cadence_errors(STEADY) == [0, 0]


@given(arrivals_of_any_kind)
def test_the_required_delay_is_the_smallest_without_a_stall(arrivals: list[Arrival]) -> None:
    delay = required_delay(arrivals)
    assert play(arrivals, arrivals[0].at + delay).stalls == []
    if delay > 0:
        assert play(arrivals, arrivals[0].at + delay - 1).stalls != []


@given(arrivals_of_any_kind, st.integers(0, 500), st.integers(0, 500))
def test_who_waits_longer_never_stalls_longer(
    arrivals: list[Arrival], delay: int, more: int
) -> None:
    early = play(arrivals, arrivals[0].at + delay)
    late = play(arrivals, arrivals[0].at + delay + more)
    assert late.stalled <= early.stalled
    assert late.stall_longest <= early.stall_longest


@given(arrivals_of_any_kind, st.integers(0, 500))
def test_no_time_is_lost(arrivals: list[Arrival], delay: int) -> None:
    played = play(arrivals, arrivals[0].at + delay)
    assert played.end - played.start == played.stalled + sum(d for _, d in arrivals)
    assert all(begin >= at for begin, (at, _) in zip(played.piece_starts, arrivals, strict=True))


@given(arrivals_of_any_kind, st.integers(0, 500))
def test_a_prebuffer_never_makes_the_start_earlier(arrivals: list[Arrival], prebuffer: int) -> None:
    start = start_with_prebuffer(arrivals, prebuffer)
    assert arrivals[0].at <= start <= arrivals[-1].at
    assert start <= start_with_prebuffer(arrivals, prebuffer + 1)


@given(arrivals_of_any_kind)
def test_a_lead_holds_the_piece_that_came(arrivals: list[Arrival]) -> None:
    for lead, (_, duration) in zip(leads(arrivals), arrivals, strict=True):
        assert lead >= duration


def test_the_same_stream_in_other_pieces() -> None:
    """Each piece is there when its last part is; what is left over is one more."""
    assert regrouped(STEADY, [10, 30]) == [
        Arrival(100, 10),
        Arrival(120, 30),
        Arrival(140, 20),
    ]
    assert regrouped(STEADY, [50, 50]) == [Arrival(140, 50), Arrival(140, 10)]
    assert regrouped([Arrival(100, 60)], [20, 20, 20]) == [Arrival(100, 20)] * 3


@given(arrivals_of_any_kind)
def test_regrouping_into_its_own_pieces_changes_nothing(arrivals: list[Arrival]) -> None:
    assert regrouped(arrivals, [arrival.duration for arrival in arrivals]) == arrivals


@given(arrivals_of_any_kind, st.lists(st.integers(1, 300), max_size=20))
def test_regrouping_loses_no_audio_and_brings_none_forward(
    arrivals: list[Arrival], durations: list[int]
) -> None:
    pieces = regrouped(arrivals, durations)
    assert sum(piece.duration for piece in pieces) == sum(a.duration for a in arrivals)
    for piece, end in zip(pieces, accumulate(piece.duration for piece in pieces), strict=True):
        there = sum(a.duration for a in arrivals if a.at <= piece.at)
        before = sum(a.duration for a in arrivals if a.at < piece.at)
        assert before < end <= there
