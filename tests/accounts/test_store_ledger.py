"""The contract of a store's ledger. All that is in `STORES` must pass it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from gateway.accounts.model import Balance, Charge, RouteSums, Sum, Usage
from gateway.accounts.store import Store
from gateway.core.errors import CreditsExhausted
from tests.accounts.stores import STORES, OpenStore

NOW = 1_700_000_000_000
CHARGE = Charge("req_1", "acme", "k1", "espeak")

pytestmark = pytest.mark.parametrize("open_store", STORES.values(), ids=STORES)


async def balance(store: Store, account: str = "acme") -> tuple[int, int, int]:
    """Available, posted, pending."""
    found = await store.balance(account)
    return found.available, found.posted, found.pending


async def test_grants_add_up(open_store: OpenStore, tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert await store.balance("acme") == Balance("acme")
        await store.grant("acme", 700, "first", NOW)
        assert await store.grant("acme", 300, "", NOW) == Balance("acme", 1_000)
        await store.grant("other", 5, "", NOW)
        found = sorted(await store.balances(), key=lambda each: each.account)
        assert found == [Balance("acme", 1_000), Balance("other", 5)]


async def test_a_request_from_its_first_block_to_its_end(
    open_store: OpenStore, tmp_path: Path
) -> None:
    async with open_store(tmp_path) as store:
        await store.grant("acme", 1_000, "", NOW)
        assert await store.reserve(CHARGE, 10, 400, NOW) == 400
        assert await balance(store) == (600, 0, 400)
        await store.post("req_1", 150, 100, NOW)
        assert await balance(store) == (600, 150, 250)
        assert await store.reserve(CHARGE, 10, 100, NOW) == 100
        await store.post("req_1", 350, 20, NOW)
        assert await balance(store) == (500, 500, 0)
        assert await store.reserve(CHARGE, 1, 50, NOW) == 50
        for _ in range(2):
            await store.end("req_1", NOW)
            assert await balance(store) == (500, 500, 0)
        assert await store.usage(NOW) == [Usage("acme", "k1", "espeak", 1, 120, 500)]
        assert await store.usage(NOW + 1) == []


async def test_never_below_zero(open_store: OpenStore, tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        with pytest.raises(CreditsExhausted):
            await store.reserve(CHARGE, 1, 1, NOW)
        await store.grant("acme", 100, "", NOW)
        assert await store.reserve(CHARGE, 60, 400, NOW) == 100, "what there is"
        other = Charge("req_2", "acme", "k2", "espeak")
        with pytest.raises(CreditsExhausted):
            await store.reserve(other, 1, 1, NOW)
        await store.end("req_1", NOW)
        with pytest.raises(CreditsExhausted):
            await store.reserve(other, 101, 200, NOW)
        assert await store.reserve(other, 100, 100, NOW) == 100
        assert await balance(store) == (0, 0, 100)


async def test_no_more_is_posted_than_was_set_aside(open_store: OpenStore, tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.grant("acme", 100, "", NOW)
        await store.reserve(CHARGE, 10, 10, NOW)
        with pytest.raises(ValueError, match="less"):
            await store.post("req_1", 11, 1, NOW)
        with pytest.raises(ValueError, match="not open"):
            await store.post("req_2", 1, 1, NOW)
        await store.end("req_1", NOW)
        with pytest.raises(ValueError, match="not open"):
            await store.post("req_1", 1, 1, NOW)
        assert await balance(store) == (100, 0, 0)


async def test_an_id_is_used_once(open_store: OpenStore, tmp_path: Path) -> None:
    async with open_store(tmp_path) as store, open_store(tmp_path) as other:
        for account in ("acme", "evil"):
            await store.grant(account, 100, "", NOW)
        await store.reserve(CHARGE, 10, 10, NOW)
        with pytest.raises(ValueError, match="another"):
            await other.reserve(CHARGE, 10, 10, NOW)
        with pytest.raises(ValueError, match="another"):
            await store.reserve(Charge("req_1", "evil", "k", "espeak"), 10, 10, NOW)
        with pytest.raises(ValueError, match="not open"):
            await other.post("req_1", 10, 1, NOW)
        await store.end("req_1", NOW)
        with pytest.raises(ValueError, match="ended"):
            await store.reserve(CHARGE, 10, 10, NOW)
        with pytest.raises(ValueError, match="already"):
            await store.record(CHARGE, 10, NOW, NOW)
        assert [each.available for each in await store.balances()] == [100, 100]


async def test_what_is_free_is_only_counted(open_store: OpenStore, tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.record(CHARGE, 120, NOW, NOW + 5)
        await store.record(Charge("req_2", "acme", "k1", "espeak"), 30, NOW, NOW + 5)
        assert await store.usage(NOW) == [Usage("acme", "k1", "espeak", 2, 150, 0)]
        assert await store.balances() == []


def at(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}+00:00").timestamp() * 1_000)


async def test_sums_are_of_days_routes_and_models(open_store: OpenStore, tmp_path: Path) -> None:
    now = at("2026-03-05T10:00:00")
    async with open_store(tmp_path) as store:
        for number, (day, key, route) in enumerate(
            [
                ("2026-03-05T00:00:00", "k1", "http"),
                ("2026-03-04T23:59:59.999", "k1", "http"),
                ("2026-03-01T00:00:00", "k1", "websocket"),
                ("2026-02-28T23:59:59.999", "k1", "http"),
                ("2026-03-05T09:00:00", "k2", "http"),
            ]
        ):
            charge = Charge(f"req_{number}", "acme", key, "espeak", route)
            await store.record(charge, 10**number, at(day), now)
        await store.record(Charge("req_o", "other", "k1", "espeak", "http"), 7, now, now)
        assert await store.sums("acme", "k1", now) == [
            RouteSums("http", "espeak", Sum(1, 1), Sum(2, 11), Sum(3, 1_011)),
            RouteSums("websocket", "espeak", Sum(), Sum(1, 100), Sum(1, 100)),
        ]
        of_all, _ = await store.sums("acme", None, now)
        assert of_all.today == Sum(2, 10_001)
        assert await store.sums("acme", "k3", now) == await store.sums("nobody", None, now) == []


async def test_sums_follow_what_is_posted(open_store: OpenStore, tmp_path: Path) -> None:
    """To the day on which the request began, however late."""
    begun, now = at("2026-03-05T23:59:59"), at("2026-03-06T00:00:01")
    async with open_store(tmp_path) as store:
        await store.grant("acme", 1_000, "", begun)
        await store.reserve(CHARGE, 10, 400, begun)
        await store.post("req_1", 30, 20, now)
        await store.post("req_1", 0, 5, now)
        await store.reserve(CHARGE, 10, 10, now)
        await store.end("req_1", now)
        (sums,) = await store.sums("acme", "k1", now)
        assert (sums.today, sums.month, sums.total) == (Sum(), *[Sum(1, 25, 30)] * 2)
        assert await balance(store) == (970, 30, 0)


async def test_what_is_not_awaited_is_done_in_order(open_store: OpenStore, tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.grant("acme", 100, "", NOW)
        store.reserve(CHARGE, 50, 50, NOW)
        store.post("req_1", 20, 20, NOW)
        await store.end("req_1", NOW)
        assert await balance(store) == (80, 20, 0)


async def test_the_living_are_never_recovered(open_store: OpenStore, tmp_path: Path) -> None:
    async with open_store(tmp_path) as one:
        await one.grant("acme", 100, "", NOW)
        await one.reserve(CHARGE, 50, 50, NOW)
        async with open_store(tmp_path) as other:
            assert await other.recover(NOW) == await one.recover(NOW) == 0
            assert await balance(other) == (50, 0, 50)
        await one.post("req_1", 20, 20, NOW)
    # It has ended in good order, and left the request open.
    async with open_store(tmp_path) as later:
        assert await later.recover(NOW) == 1
        assert await later.recover(NOW) == 0
        assert await balance(later) == (80, 20, 0)


async def test_ten_thousand_debits_at_once_are_exact(open_store: OpenStore, tmp_path: Path) -> None:
    """From two processes, for an account that has not enough for all."""
    async with open_store(tmp_path) as one, open_store(tmp_path) as other:
        await one.grant("acme", 17_500, "", NOW)

        async def debit(number: int) -> int:
            store = (one, other)[number % 2]
            charge = Charge(f"req_{number}", "acme", "k", "espeak")
            cost = 1 + number % 3
            try:
                await store.reserve(charge, cost, cost, NOW)
            except CreditsExhausted:
                return 0
            await store.post(charge.request, cost, cost, NOW)
            await store.end(charge.request, NOW)
            return cost

        spent = sum(await asyncio.gather(*(debit(number) for number in range(10_000))))
        # Whoever was refused may be followed by who wants less.
        assert 17_500 - 3 < spent <= 17_500
        assert await balance(one) == (17_500 - spent, spent, 0)
        (used,) = await one.usage(NOW)
        assert used.millicredits == used.chars == spent
