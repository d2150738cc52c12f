"""Who is next in a line, and what an owner can cost the others."""

from __future__ import annotations

import math
from typing import TypeVar

import pytest
from hypothesis import given, strategies as st

from gateway.core.fairness import AHEAD_S, DUE_S, NEAR_S, NEAR_TURNS, FairLine, can_wait
from gateway.core.occupancy import MEMORY_S, Occupancy, Rate

T = TypeVar("T")


def served(line: FairLine[T], now: float) -> list[T]:
    """Everybody, in the order in which they are next."""
    tickets = iter(lambda: line.pop(now), None)
    return [ticket.item for ticket in tickets]


def test_newcomers_then_listeners_then_downloads() -> None:
    line: FairLine[str] = FairLine(2)
    for name, needed_by in (
        ("download", math.inf),
        ("listener", 5.0),
        ("sooner", 3.0),
        ("newcomer", 0.0),
        ("second", 0.0),
    ):
        line.push(name, needed_by, "", 0.0)
    assert len(line) == 5
    assert served(line, 0.0) == ["newcomer", "second", "sooner", "listener", "download"]
    assert len(line) == 0


def test_a_stream_far_ahead_is_a_download_though_it_may_be_heard() -> None:
    assert not can_wait(10.0, 10.0 - AHEAD_S, eager=True)
    assert can_wait(10.0, 9.9 - AHEAD_S, eager=True)
    assert not can_wait(10.0, 0.0, eager=False)
    assert can_wait(math.inf, 0.0, eager=False)


def test_a_stream_can_wait_until_little_is_ahead_of_it() -> None:
    line: FairLine[str] = FairLine(1)
    for now, expected in ((9.4, ["listener", "stream"]), (9.5, ["stream", "listener"])):
        line.push("stream", 9.5 + NEAR_S, "a", 9.0, eager=True)
        line.push("listener", 60.0, "a", 9.0)
        assert served(line, now) == expected


def test_where_turns_take_long_a_stream_needs_its_own_earlier() -> None:
    line: FairLine[str] = FairLine(1)
    for _ in range(100):
        line.taken("", 0.0)
        line.left("", 0.0, 2.0)
    assert line.turn_s == pytest.approx(2.0, rel=0.01)
    line.push("stream", 11.9 + NEAR_TURNS, "a", 10.0, eager=True)
    line.push("listener", 60.0, "a", 10.0)
    assert served(line, 10.0) == ["stream", "listener"]


def test_a_turn_that_tells_nothing_changes_no_average() -> None:
    line: FairLine[str] = FairLine(1)
    for took_s in (1.0, None):
        line.taken("", 0.0)
        line.left("", 0.0, took_s)
    assert line.turn_s == pytest.approx(0.1)


def test_streams_that_can_wait_are_served_in_the_order_of_arrival() -> None:
    line: FairLine[str] = FairLine(1)
    for name, needed_by, owner in (
        ("first", 30.0, "a"),
        ("file", math.inf, "b"),
        ("second", 20.0, "b"),
        ("third", 10.0, "a"),
        ("dry", 0.1, "a"),
    ):
        line.push(name, needed_by, owner, 0.0, eager=needed_by < math.inf)
    assert served(line, 0.0) == ["dry", "first", "file", "second", "third"]


def test_a_stream_whose_listener_needs_it_soon_is_no_overdue_download() -> None:
    """Else it would come before those who run dry sooner."""
    line: FairLine[str] = FairLine(1)
    line.push("stream", 9.0 + NEAR_S, "a", 0.0, eager=True)
    line.push("sooner", 9.0, "a", 9.0)
    line.push("file", math.inf, "a", 9.0)
    assert served(line, 9.0) == ["sooner", "stream", "file"]


def test_without_downloads_what_can_wait_stays() -> None:
    line: FairLine[str] = FairLine(1)
    line.push("file", math.inf, "a", 0.0)
    line.push("stream", 20.0, "b", 0.0, eager=True)
    line.push("listener", 60.0, "a", 5.0)
    ticket = line.pop(5.0, downloads=False)
    assert ticket is not None
    assert ticket.item == "listener"
    assert line.pop(5.0, downloads=False) is None
    assert line.pop(20.0, downloads=False).item == "stream"  # type: ignore[union-attr]  # it runs dry
    assert len(line) == 1


def test_by_arrival_nothing_else_counts() -> None:
    line: FairLine[str] = FairLine(2, by_arrival=True)
    line.taken("greedy", 0.0)
    wishes = (("download", math.inf, "a"), ("greedy", 9.0, "greedy"), ("newcomer", 0.0, "b"))
    for name, needed_by, owner in wishes:
        line.push(name, needed_by, owner, 1.0)
    assert served(line, 1.0) == ["download", "greedy", "newcomer"]


def test_a_crowd_of_one_owner_costs_anothers_newcomer_nothing() -> None:
    line: FairLine[str] = FairLine(2)
    for _ in range(2):
        line.taken("crowd", 0.0)
    for number in range(100):
        line.push(f"crowd {number}", 1.0, "crowd", 1.0)
    line.push("alone", 5.0, "other", 5.0)
    assert served(line, 5.0)[0] == "alone"


def test_nor_do_its_downloads_delay_anothers_but_they_delay_no_listener() -> None:
    line: FairLine[str] = FairLine(1)
    line.taken("crowd", 0.0, can_wait=True)
    for number in range(10):
        line.push(f"file {number}", math.inf, "crowd", 1.0)
    line.push("listener", 60.0, "crowd", 2.0)
    line.push("other's file", math.inf, "other", 5.0)
    assert served(line, 5.0)[:3] == ["listener", "other's file", "file 0"]


def test_an_owner_alone_is_served_as_if_there_were_no_owners() -> None:
    line: FairLine[str] = FairLine(1)
    line.taken("one", 0.0)
    for name, needed_by in (("late", 100.4), ("soon", 100.0), ("dry", 99.0)):
        line.push(name, needed_by, "one", 100.0)
    assert served(line, 100.0) == ["dry", "soon", "late"]


def test_what_was_taken_long_ago_is_forgiven() -> None:
    line: FairLine[str] = FairLine(1)
    line.taken("once", 0.0)
    line.left("once", 60.0, 60.0)
    line.push("other", 200.0, "other", 200.0)
    line.push("once", 199.9, "once", 200.0)
    assert served(line, 200.0) == ["once", "other"]


def test_whoever_withdraws_is_not_served_and_cannot_twice() -> None:
    line: FairLine[str] = FairLine(1)
    tickets = [line.push(name, 0.0, "", 0.0) for name in "abc"]
    assert line.withdraw(tickets[1])
    assert not line.withdraw(tickets[1])
    assert served(line, 0.0) == ["a", "c"]
    assert not line.withdraw(tickets[0])


@pytest.mark.parametrize("by_arrival", [False, True])
def test_who_is_hastened_goes_first_of_all_and_once(by_arrival: bool) -> None:
    line: FairLine[str] = FairLine(1, by_arrival=by_arrival)
    line.push("newcomer", -9.0, "", 0.0)
    far, file = line.push("far ahead", 30.0, "", 0.0), line.push("file", math.inf, "", 0.0)
    file = line.hasten(line.hasten(file, 0.0), 0.0)
    assert line.hasten(file, 0.0).item == "file"
    assert len(line) == 3
    assert served(line, 0.0) == ["file", "newcomer", "far ahead"]
    assert line.hasten(far, 0.0) is far
    assert len(line) == 0


def test_only_listeners_are_load() -> None:
    line: FairLine[str] = FairLine(2)
    line.taken("", 0.0, can_wait=True)
    assert line.load(100.0) == 0.0
    line.taken("", 100.0)
    assert line.load(200.0) == pytest.approx(0.5)


def test_due_are_those_as_urgent_as_a_newcomer() -> None:
    line: FairLine[str] = FairLine(1)
    for needed_by in (0.0, 10.0 + DUE_S, 10.01 + DUE_S, math.inf):
        line.push("", needed_by, "", 0.0)
    assert line.due(10.0) == 2


def test_owners_who_are_gone_are_forgotten() -> None:
    line: FairLine[str] = FairLine(1)
    for number in range(10_000):
        now = number * 1.0
        line.taken(str(number), now)
        line.left(str(number), now + 0.1, 0.1)
    assert len(line._owners) < 200


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.floats(0, 10) | st.just(math.inf), st.booleans()),
        max_size=40,
    ),
    st.lists(st.sampled_from(["pop", "withdraw", "hasten", "turn"]), max_size=20),
)
def test_everybody_leaves_once_whatever_happens(
    wishes: list[tuple[str, float, bool]], deeds: list[str]
) -> None:
    line: FairLine[int] = FairLine(1)
    there = {
        number: line.push(number, needed_by, owner, 0.0, eager=eager)
        for number, (owner, needed_by, eager) in enumerate(wishes)
    }
    for now, deed in enumerate(deeds):
        if deed == "turn":
            line.taken("a", float(now))
            line.left("a", float(now), float(now % 5))
        elif there and deed == "withdraw":
            assert line.withdraw(there.pop(max(there)))
        elif there and deed == "hasten":
            there[min(there)] = line.hasten(there[min(there)], float(now))
        elif there and deed == "pop":
            assert (ticket := line.pop(float(now))) is not None
            assert there.pop(ticket.item) is ticket
        assert len(line) == len(there)
        assert line.due(float(now)) == sum(t.needed_by <= now + DUE_S for t in there.values())
    assert sorted(served(line, 5.0)) == sorted(there)


def test_those_who_have_left_are_not_kept() -> None:
    """One who is needed first stays in front of very many who come and go."""
    line: FairLine[int] = FairLine(1)
    line.push(0, 1.0, "", 0.0)
    for eager in (False, True):
        for number in range(10_000):
            line.withdraw(line.push(number, 2.0, "", 0.0, eager=eager))
    owner = line._owners[""]
    assert len(owner._followers._heap) + len(owner._eager._heap) + len(owner._patient) < 10


def test_occupancy_is_what_was_taken_lately() -> None:
    places = Occupancy(4)
    places.change(+2, 0.0)
    assert places.share(0.0) == 0.0
    assert places.share(MEMORY_S) == pytest.approx(0.5 * (1 - math.exp(-1)))
    places.change(-2, MEMORY_S)
    assert places.share(2 * MEMORY_S) == pytest.approx(0.5 * (1 - math.exp(-1)) * math.exp(-1))
    assert places.idle(100.0)


def test_a_rate_is_what_there_was_per_second_lately() -> None:
    rate = Rate()
    for step in range(1_000):
        rate.add(0.1, step * 0.02)
    assert rate.per_s(20.0) == pytest.approx(5.0, rel=0.02)
    assert rate.per_s(100.0) == pytest.approx(0.0, abs=1e-6)
