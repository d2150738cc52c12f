"""When a context sets credits aside, and for how much."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.accounts.caller import Caller
from gateway.accounts.ledger import Ledger, Meter
from gateway.accounts.model import Charge
from gateway.accounts.pricing import Price
from gateway.accounts.sqlite import SqliteStore, open_sqlite
from tests.limits.borders import border

NOW = 1_700_000_000_000
BLOCK = 100
PRICE = 2
PER_CHAR = Price(PRICE)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_sqlite(tmp_path / "accounts.db")
    await store.grant("acme", 1_000, "", NOW)
    yield store
    await store.aclose()


def meter(
    store: SqliteStore, chars: int | None = None, *, paid: int = 0, price: Price = PER_CHAR
) -> Meter:
    ledger = Ledger(store, {"espeak": price}, BLOCK)
    return ledger.open("req_1", Caller("k", "acme", ()), chars, paid, "http")


async def cover(meter: Meter, segment: int, chars: int) -> bool:
    """Whether it is covered; True also when that had to be waited for."""
    answer = meter.cover(segment, chars, "espeak")
    return answer is None or await answer is None


async def pending(store: SqliteStore) -> int:
    await store.revoke_key("nobody", 0)  # Behind all that was asked.
    return (await store.balance("acme")).pending


@border("credit_block_chars")
async def test_a_block_lasts_as_long_as_it_is_said_to(store: SqliteStore, more: int) -> None:
    counting = meter(store)
    assert await cover(counting, 1, 1)
    assert await pending(store) == BLOCK * PRICE
    answer = counting.cover(2, BLOCK - 1 + more, "espeak")
    assert (answer is None) == (more <= 0)
    if answer is not None:
        assert await answer is None
    assert await pending(store) == (BLOCK + max(more, 0)) * PRICE


@pytest.mark.parametrize(
    ("chars", "first", "reserved"), [(30, 10, 30), (30, 30, 30), (300, 150, 150)]
)
async def test_no_more_is_set_aside_than_the_text_costs(
    store: SqliteStore, chars: int, first: int, reserved: int
) -> None:
    assert await cover(meter(store, chars), 1, first)
    assert await pending(store) == reserved * PRICE


async def test_what_was_not_made_covers_what_comes_next(store: SqliteStore) -> None:
    counting = meter(store)
    assert await cover(counting, 1, 60)
    counting.abandoned(1)
    assert counting.cover(2, BLOCK, "espeak") is None
    counting.finished(2)
    counting.abandoned(2)
    counting.abandoned(2)
    assert counting.cover(3, 1, "espeak") is not None


async def test_several_pieces_wait_for_one_answer(store: SqliteStore) -> None:
    counting = meter(store)
    answers = [counting.cover(number, 20, "espeak") for number in range(8)]
    assert [answer is not None and await answer is None for answer in answers] == [True] * 8
    assert await pending(store) == 2 * BLOCK * PRICE
    counting.close()
    counting.close()
    assert await pending(store) == 0


async def test_who_was_refused_once_gets_no_more(store: SqliteStore) -> None:
    """So that no piece is heard behind one that was left out."""
    counting = meter(store)
    large = counting.cover(1, 501, "espeak")
    small = counting.cover(2, 1, "espeak")
    for number, answer in enumerate((large, small, None)):
        asked = answer or counting.cover(number + 1, 1, "espeak")
        assert asked is not None
        problem = await asked
        assert problem is not None
        assert problem.code == "credits_exhausted"
        assert problem.allowed == "1 credits are left, 1.002 are needed"
    assert await pending(store) == 0


async def test_a_piece_that_nobody_waits_for_any_more_costs_nothing(store: SqliteStore) -> None:
    counting = meter(store)
    gone = counting.cover(1, 90, "espeak")
    assert gone is not None
    gone.cancel()
    assert await pending(store) == BLOCK * PRICE
    assert counting.cover(2, BLOCK, "espeak") is None


async def test_nor_what_would_still_be_covered(store: SqliteStore) -> None:
    counting = meter(store)
    assert await cover(counting, 1, 480)
    assert not await cover(counting, 2, 21)
    counting.abandoned(1)
    assert not await cover(counting, 3, 1)


def make(counting: Meter, *segments: int) -> None:
    for segment in segments:
        counting.finished(segment)
        counting.abandoned(segment)


async def spent(store: SqliteStore) -> tuple[int, int]:
    """Characters and thousandths, in the books."""
    await pending(store)
    (sums,) = await store.sums("acme", "k", NOW)
    return sums.total.chars, sums.total.millicredits


async def test_what_was_spent_is_known_here_as_in_the_books(store: SqliteStore) -> None:
    counting = meter(store)
    assert [await cover(counting, number, 30) for number in range(3)] == [True] * 3
    assert counting.millicredits == 0
    make(counting, 0, 2)
    assert counting.millicredits == 60 * PRICE
    counting.abandoned(1)
    counting.close()
    assert await spent(store) == (60, 60 * PRICE)
    assert (await store.balance("acme")).available == 1_000 - 60 * PRICE


STEPS = Price(1, step_chars=300)


@pytest.mark.parametrize(
    ("made", "millicredits"), [((), 0), ((0,), 300), ((1,), 300), ((0, 1), 300), ((0, 1, 2), 600)]
)
async def test_steps_are_begun_once_whatever_was_made_of_them(
    store: SqliteStore, made: tuple[int, ...], millicredits: int
) -> None:
    counting = meter(store, 900, price=STEPS)
    assert [await cover(counting, number, 150) for number in range(3)] == [True] * 3
    make(counting, *made)
    counting.close()
    assert counting.millicredits == millicredits
    assert await pending(store) == 0
    if made:
        assert await spent(store) == (150 * len(made), millicredits)


async def test_a_step_that_was_begun_is_paid_though_the_next_one_cannot_be(
    store: SqliteStore,
) -> None:
    counting = meter(store, 2_000, price=Price(1, step_chars=600))
    assert await cover(counting, 1, 500)
    assert not await cover(counting, 2, 101)
    make(counting, 1)
    counting.close()
    assert await spent(store) == (500, 600)


@pytest.mark.parametrize(
    ("paid", "millicredits"), [(0, 600), (200, 300), (300, 300), (301, 0), (600, 0)]
)
async def test_what_was_paid_before_is_made_again_for_nothing_and_counted(
    store: SqliteStore, paid: int, millicredits: int
) -> None:
    counting = meter(store, 600, paid=paid, price=STEPS)
    assert [await cover(counting, number, 150) for number in range(4)] == [True] * 4
    make(counting, 0, 1, 2, 3)
    counting.close()
    assert counting.millicredits == millicredits
    assert await spent(store) == (600, millicredits)


async def test_what_is_made_for_nothing_is_counted_though_the_rest_is_refused(
    store: SqliteStore,
) -> None:
    counting = meter(store, 2_000, paid=100)
    assert await cover(counting, 1, 100)
    make(counting, 1)
    assert not await cover(counting, 2, 1_000)
    counting.close()
    assert await spent(store) == (100, 0)


async def test_a_text_can_be_quoted_and_accounts_asked_for(store: SqliteStore) -> None:
    ledger = Ledger(store, {"espeak": STEPS}, BLOCK)
    asker = Caller("k", "acme", ())
    assert [ledger.quote("espeak", chars) for chars in (300, 301)] == [300, 600]
    assert Ledger(store, None, BLOCK).quote("espeak", 301) == 0
    assert (await ledger.balance(asker)).available == 1_000
    for number, key in enumerate(("k", "k", "other")):
        await store.record(Charge(f"req_{number}", "acme", key, "espeak", "http"), 7, NOW, NOW)
    sums = [await ledger.usage(asker, of_account=whole) for whole in (False, True)]
    assert [each.total.requests for (each,) in sums] == [2, 3]
