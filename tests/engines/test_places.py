"""Who is at work and who stands still, with work that only notes what it is told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.engines.places import PATIENCE_MS_MAX, Place, Places
from tests.limits.borders import after, border, now, turns

pytestmark = pytest.mark.virtual_time

PATIENCE_S = PATIENCE_MS_MAX / 1_000


class Work:
    """Takes `s` of the time in which it does not stand still."""

    def __init__(self, floor: Floor, s: float) -> None:
        self._floor = floor
        self._left_s = s
        self.is_halted = False
        self.done = asyncio.get_running_loop().create_future()
        self._since = now()
        self._timer = asyncio.get_running_loop().call_later(s, self.done.set_result, None)
        self._floor.enter()

    def halt(self) -> None:
        assert not self.is_halted
        self.is_halted = True
        self._left_s -= now() - self._since
        self._timer.cancel()
        self._floor.leave()

    def go_on(self) -> None:
        assert self.is_halted
        self.is_halted = False
        self._since = now()
        self._timer = asyncio.get_running_loop().call_later(
            self._left_s, self.done.set_result, None
        )
        self._floor.enter()

    def end(self) -> None:
        self._timer.cancel()
        if not self.is_halted:
            self._floor.leave()
        self.is_halted = False


class Floor:
    """How many are at work, and were at most."""

    def __init__(self) -> None:
        self.at_work = self.most = 0

    def enter(self) -> None:
        self.at_work += 1
        self.most = max(self.most, self.at_work)

    def leave(self) -> None:
        self.at_work -= 1


class Shop:
    """Orders on places. `works` by name, in the order in which they began; `finished` likewise."""

    def __init__(self, count: int, tasks: asyncio.TaskGroup) -> None:
        self.places = Places(count)
        self.floor = Floor()
        self.works: dict[str, Work] = {}
        self.finished: list[str] = []
        self._tasks = tasks

    async def order(
        self, name: str, s: float = 0.1, *, can_wait: bool = False
    ) -> asyncio.Task[None]:
        """Begin, or wait."""
        task = self._tasks.create_task(self._make(name, s, can_wait))
        await turns()
        return task

    async def _make(self, name: str, s: float, can_wait: bool) -> None:
        place = await self.places.take(can_wait=can_wait)
        with self._at_work(place, name, s) as work:
            await work.done
        self.finished.append(name)

    @contextmanager
    def _at_work(self, place: Place, name: str, s: float) -> Iterator[Work]:
        work = self.works[name] = Work(self.floor, s)
        self.places.begin(place, work)
        try:
            yield work
        finally:
            work.end()
            self.places.leave(place)

    @property
    def halted(self) -> list[str]:
        return [name for name, work in self.works.items() if work.is_halted]


async def test_as_many_as_there_are_places_in_the_order_of_arrival() -> None:
    async with asyncio.TaskGroup() as tasks:
        shop = Shop(2, tasks)
        for number in range(5):
            await shop.order(str(number), 1.0)
        assert list(shop.works) == ["0", "1"]
    assert shop.finished == ["0", "1", "2", "3", "4"]
    assert shop.floor.most == 2
    assert now() == pytest.approx(3.0)


async def test_what_can_wait_stands_still_for_what_cannot() -> None:
    """Whoever began last, so that what has come far is soon done; and goes on before anything else that can wait."""
    async with asyncio.TaskGroup() as tasks:
        shop = Shop(2, tasks)
        for name in ("older", "newer", "waiting"):
            await shop.order(name, can_wait=True)
        await shop.order("listener", 0.05)
        assert shop.halted == ["newer"]
        await shop.order("another", 0.05)
        assert shop.halted == ["older", "newer"]
        await shop.order("third", 0.05)  # Nobody is left to stand still.
        assert "third" not in shop.works
        await after(now(), 75)
        assert (list(shop.works)[-1], shop.halted) == ("third", ["newer"])
    assert shop.finished == ["listener", "another", "third", "older", "newer", "waiting"]
    assert shop.floor.most == 2


async def test_downloads_and_listeners_do_not_stand_still_for_downloads() -> None:
    async with asyncio.TaskGroup() as tasks:
        shop = Shop(2, tasks)
        await shop.order("download", can_wait=True)
        await shop.order("listener")
        await shop.order("another", can_wait=True)
        assert shop.halted == []
        assert list(shop.works) == ["download", "listener"]


async def test_nor_does_what_has_not_begun() -> None:
    """It has a place and no worker yet; with a worker it stands still at once."""
    async with asyncio.TaskGroup() as tasks:
        shop = Shop(1, tasks)
        place = await shop.places.take(can_wait=True)
        await shop.order("listener")
        assert "listener" not in shop.works
        work = Work(shop.floor, 1.0)
        shop.places.begin(place, work)
        await turns()
        assert work.is_halted
        assert "listener" in shop.works
        work.end()
        shop.places.leave(place)


@border("engines.places.PATIENCE_MS_MAX")
async def test_patience_ends(more: int) -> None:
    """Then it is next after those who came before, and does not stand still again."""
    async with asyncio.TaskGroup() as tasks:
        shop = Shop(1, tasks)
        begun = now()
        await shop.order("download", 0.1, can_wait=True)
        await shop.order("long", PATIENCE_S + 0.1)
        await after(begun, PATIENCE_MS_MAX + more)
        await shop.order("late", 0.1)
        assert shop.halted == ["download"]
        await after(begun, PATIENCE_MS_MAX + 110)
        assert shop.halted == ([] if more >= 0 else ["download"])
        await shop.order("last", 0.1)
        assert shop.halted == ([] if more >= 0 else ["download"])


async def test_downloads_go_on_however_many_listen() -> None:
    async with asyncio.TaskGroup() as tasks:
        shop = Shop(2, tasks)
        crowd = [await shop.order(f"listener {number}", 0.02) for number in range(100)]
        await shop.order("download", 0.02, can_wait=True)
        while "download" not in shop.finished:
            await asyncio.sleep(0.01)
            crowd.append(await shop.order(f"listener {len(crowd)}", 0.02))
        assert now() < PATIENCE_S + 2.0
        for task in crowd:
            task.cancel()


async def test_a_halted_one_may_leave() -> None:
    async with asyncio.TaskGroup() as tasks:
        shop = Shop(1, tasks)
        download = await shop.order("download", can_wait=True)
        await shop.order("listener")
        assert shop.halted == ["download"]
        download.cancel()
        await shop.order("another")
    assert shop.finished == ["listener", "another"]


async def test_a_place_given_to_one_who_leaves_at_that_moment_goes_on() -> None:
    async with asyncio.TaskGroup() as tasks:
        shop = Shop(1, tasks)
        await shop.order("first", 0.1)
        leaving = await shop.order("leaving")
        await shop.order("staying")
        first = shop.works["first"].done
        # Called once the first one's task has been told, and so in the turn in which that gives its place away.
        first.add_done_callback(lambda _: leaving.cancel())
    assert shop.finished == ["first", "staying"]


@pytest.mark.parametrize("seed", range(30))
async def test_no_place_is_lost_or_doubled_whoever_goes_when(seed: int) -> None:
    chance = random.Random(seed)
    async with asyncio.TaskGroup() as tasks:
        shop = Shop(3, tasks)
        orders = []
        for number in range(60):
            await asyncio.sleep(chance.expovariate(40))
            name, s = str(number), chance.expovariate(10)
            orders.append(await shop.order(name, s, can_wait=chance.random() < 0.5))
            if chance.random() < 0.3:
                chance.choice(orders).cancel()
    assert (shop.floor.at_work, shop.floor.most, shop.halted) == (0, 3, [])
    assert len(shop.finished) == sum(not order.cancelled() for order in orders) >= 25
    async with asyncio.timeout(0.1):
        for place in [await shop.places.take() for _ in range(3)]:
            shop.places.leave(place)
