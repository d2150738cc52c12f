"""When a context sets credits aside, and for how much."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.accounts.caller import Caller
from gateway.accounts.ledger import Ledger, Meter
from gateway.accounts.sqlite import SqliteStore, open_sqlite
from tests.limits.borders import border

NOW = 1_700_000_000_000
BLOCK = 100
PRICE = 2


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_sqlite(tmp_path / "accounts.db")
    await store.grant("acme", 1_000, "", NOW)
    yield store
    await store.aclose()


def meter(store: SqliteStore, chars: int | None = None) -> Meter:
    ledger = Ledger(store, {"espeak": PRICE}, BLOCK)
    return ledger.open("req_1", Caller("k", "acme", ()), chars)


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
