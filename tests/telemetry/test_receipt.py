"""A receipt says of each character whether it was spoken, whatever happened to it."""

from __future__ import annotations

import pytest

from gateway.core.errors import EngineLost
from gateway.core.events import (
    Audio,
    Cleared,
    Event,
    SegmentCancelled,
    SegmentFailed,
    SegmentFinished,
    SegmentStarted,
)
from gateway.core.synthesis import Produced
from gateway.core.vocabulary import CutKind, CutReason, Progress
from gateway.telemetry.receipt import RANGES_MAX, Receipt
from tests.support.sessions import settings

Ranges = list[tuple[int, int]]


def new_receipt(*, whole: bool = False) -> Receipt:
    return Receipt("a", settings(), whole=whole)


def segment(number: int, start: int, end: int) -> list[Event]:
    """A segment with ten samples, heard to its end."""
    return [
        SegmentStarted(number, start, end, CutReason.SENTENCE, CutKind.SENTENCE, 10 * number),
        Audio(number, number, 10 * number, 10, bytes(20)),
        SegmentFinished(number, 10 * number + 10),
    ]


def cleared(heard_from: int, heard_to: int, text_end: int) -> Cleared:
    return Cleared(None, 0, heard_from, heard_to, text_end, "", "", estimated=False)


def ranges(receipt: Receipt) -> tuple[Ranges, Ranges]:
    now = receipt.now()
    spoken, unspoken = (
        [(each.text_start, each.text_end) for each in found] for found in (now.spoken, now.unspoken)
    )
    both = sorted(spoken + unspoken)
    assert [start for start, _ in both] == [now.text_from, *(end for _, end in both[:-1])]
    assert both[-1][1] == now.chars
    return spoken, unspoken


def test_what_is_on_its_way_is_not_spoken_yet() -> None:
    receipt = new_receipt()
    receipt.taken(30)
    receipt.made(Produced(0, bytes(2_000)))
    receipt.handed_out(segment(0, 0, 12))
    receipt.handed_out(segment(1, 12, 20)[:2])
    assert ranges(receipt) == ([(0, 12)], [(12, 30)])
    now = receipt.now()
    assert (now.samples_made, now.samples_sent, now.state) == (1_000, 20, Progress.RUNNING)


def test_segments_that_meet_are_one_range() -> None:
    receipt = new_receipt()
    receipt.taken(20)
    receipt.handed_out([*segment(0, 0, 12), *segment(1, 12, 20)])
    receipt.finish(Progress.COMPLETE)
    assert ranges(receipt) == ([(0, 20)], [])
    assert receipt.now().state is Progress.COMPLETE


def test_what_failed_was_not_spoken() -> None:
    receipt = new_receipt()
    receipt.taken(30)
    problem = EngineLost("gone").problem
    failed = SegmentFailed(1, 20, 12, 20, problem)
    receipt.handed_out([*segment(0, 0, 12), *segment(1, 12, 20)[:2], failed, *segment(2, 20, 30)])
    receipt.finish(Progress.COMPLETE)
    assert ranges(receipt) == ([(0, 12), (20, 30)], [(12, 20)])
    assert (receipt.now().state, receipt.now().error) == (Progress.FAILED, problem)


@pytest.mark.parametrize("heard_to", [0, 5, 12, 15, 20])
def test_a_clear_says_how_far_it_was_heard(heard_to: int) -> None:
    receipt = new_receipt()
    receipt.taken(30)
    receipt.handed_out([*segment(0, 0, 12), *segment(1, 12, 20)[:2], SegmentCancelled(1, 20)])
    receipt.handed_out([cleared(0, heard_to, 30)])
    receipt.taken(40)
    receipt.handed_out(segment(2, 30, 40))
    heard = [(0, heard_to)] if heard_to else []
    assert ranges(receipt) == ([*heard, (30, 40)], [(heard_to, 30)])


def test_a_clear_does_not_touch_what_was_settled_before() -> None:
    receipt = new_receipt()
    receipt.taken(40)
    receipt.handed_out([*segment(0, 0, 10), *segment(1, 10, 40), cleared(15, 20, 40)])
    assert ranges(receipt) == ([(0, 20)], [(20, 40)])


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_the_oldest_ranges_are_forgotten(more: int) -> None:
    receipt = new_receipt()
    for number in range(RANGES_MAX + more):
        receipt.handed_out(segment(number, 10 * number, 10 * number + 5))
    receipt.taken(10_000)
    spoken, _ = ranges(receipt)
    assert len(spoken) == min(RANGES_MAX, RANGES_MAX + more)
    assert receipt.now().text_from == (5 if more > 0 else 0)


def test_of_a_whole_file_all_is_sent_or_nothing() -> None:
    receipt = new_receipt(whole=True)
    receipt.taken(12)
    receipt.handed_out(segment(0, 0, 12))
    assert ranges(receipt) == ([], [(0, 12)])
    receipt.finish(Progress.CANCELLED)
    assert (receipt.now().samples_sent, receipt.now().spoken) == (0, ())
    receipt.finish(Progress.COMPLETE)
    assert ranges(receipt) == ([(0, 12)], [])
    assert receipt.now().samples_sent == 10
