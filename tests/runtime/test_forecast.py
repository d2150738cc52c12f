"""What is refused because it could not be served well, and what is said of the room there is."""

from __future__ import annotations

import asyncio
import math
from collections import deque

import msgspec
import pytest

from gateway.audio.farm import EncodeFarm
from gateway.core.errors import Overloaded
from gateway.core.limits import Limits
from gateway.engines.tone import ToneEngine
from gateway.runtime.forecast import ACCEPTED_MEMORY_S, Forecast, Guest
from gateway.runtime.turns import Turns
from tests.support.memory import memory_house, memory_socket

pytestmark = pytest.mark.virtual_time


def forecast(turns: dict[str, Turns] | None = None, **limits: int) -> Forecast:
    changed = msgspec.structs.replace(Limits(), **limits)
    clock = asyncio.get_running_loop().time
    return Forecast(changed, turns or {}, EncodeFarm(threads=1), clock)


@pytest.mark.parametrize(("percent", "refused"), [(69, False), (70, True), (71, True)])
async def test_newcomers_are_refused_from_the_limit_on(percent: int, refused: bool) -> None:
    judge = forecast(load_percent_max=70)
    judge.loop_took(percent * 10.0, 0.0, 1_000.0)
    if not refused:
        judge.judge()
        return
    with pytest.raises(Overloaded, match="event loop") as error:
        judge.judge()
    assert error.value.problem.retry_after_ms == 2_000
    assert error.value.problem.status == 503


async def test_the_loop_is_believed_to_be_busy_sooner_than_to_be_free() -> None:
    judge = forecast(load_percent_max=90)
    for _ in range(23):
        judge.judge()
        judge.loop_took(0.05, 0.05, 0.1)
    judge.loop_took(0.05, 0.05, 0.1)
    for _ in range(2):
        with pytest.raises(Overloaded, match="event loop"):
            judge.judge()
        judge.loop_took(0.04, 0.04, 0.1)
    for _ in range(20):
        judge.loop_took(0.0, 0.0, 0.1)
    judge.judge()
    assert judge.loads()["event loop"] > 0.3


async def test_what_downloads_have_of_the_loop_is_free_and_what_it_waits_for_is_not() -> None:
    judge = forecast(load_percent_max=90)
    judge.handed(1.0, can_wait=False)
    judge.handed(3.0, can_wait=True)
    judge.loop_took(1_000.0, 0.0, 1_000.0)
    assert judge.loads()["event loop"] == pytest.approx(0.25)
    judge.loop_took(200.0, 800.0, 1_000.0)
    assert judge.loads()["event loop"] == pytest.approx(0.85)


async def test_all_that_listeners_take_of_the_cores_counts_and_downloads_do_not() -> None:
    """No part is busy by itself; together they have nine tenths of the cores."""
    judge = forecast(load_percent_max=90)
    judge.handed(1.0, can_wait=False)
    for _ in range(100):
        judge.loop_took(0.03, 0.0, 0.1)
        judge.cores_took(0.46, 0.5)
    with pytest.raises(Overloaded, match="cores"):
        judge.judge()
    judge.handed(1.0, can_wait=True)
    judge.judge()
    assert judge.loads()["cores"] == pytest.approx(0.46, rel=0.01)


async def test_a_burst_is_not_yet_a_load() -> None:
    judge = forecast(load_percent_max=90)
    for _ in range(4):
        judge.cores_took(0.5, 0.5)
        judge.judge()
    judge.cores_took(0.5, 0.5)
    with pytest.raises(Overloaded, match="cores"):
        judge.judge()
    judge.cores_took(0.0, 0.5)
    judge.judge()


async def test_one_alone_is_let_in_however_slow_the_engine_was() -> None:
    turns = Turns(2)
    turns.worked(10.0, 1.0, 0.0)
    judge = forecast({"tone": turns})
    judge.judge()
    judge.judge_wait("tone")
    turns.listeners = 1
    for ask in (judge.judge, lambda: judge.judge_wait("tone")):
        with pytest.raises(Overloaded, match="engine tone"):
            ask()


async def test_a_hundred_percent_bounds_nothing() -> None:
    turns = Turns(2)
    turns.worked(10.0, 1.0, 0.0)
    turns.listeners = 1
    judge = forecast({"tone": turns}, load_percent_max=100)
    judge.loop_took(1_000.0, 1_000.0, 1_000.0)
    judge.judge()
    judge.judge_wait("tone")


async def settle(
    judge: Forecast, *, busy: float, audio_s: float, accepted: int, speech_s: float
) -> None:
    """A minute of so much a second, given to everybody as he plays it."""
    here: deque[Guest] = deque()
    for _ in range(60):
        for _ in range(accepted):
            if len(here) >= accepted * speech_s:
                judge.served(here.popleft(), speech_s, eager=False)
            here.append(judge.came())
        judge.handed(audio_s, can_wait=False)
        judge.cores_took(busy, 1.0)
        await asyncio.sleep(1.0)


async def test_newcomers_are_told_by_what_they_will_need_before_the_cores_are_busy() -> None:
    judge = forecast({"tone": Turns(2)}, load_percent_max=90)
    await settle(judge, busy=0.6, audio_s=60.0, accepted=10, speech_s=6.0)
    # In the second since the last ones came, two fifths of them were forgotten.
    assert 0.4 < judge.loads()["newcomers"] < 0.7
    judge.judge_wait("tone")
    # Twice as many in the next second: there is no telling it from the cores yet.
    came = 0
    while judge.loads()["newcomers"] <= 0.9:
        judge.judge_wait("tone")
        judge.came()
        came += 1
    with pytest.raises(Overloaded, match="newcomers"):
        judge.judge_wait("tone")
    assert 10 <= came < 30
    assert judge.loads()["cores"] < 0.7
    await asyncio.sleep(4.0)
    judge.judge_wait("tone")


async def test_nobody_is_refused_for_others_who_came_while_little_is_done() -> None:
    judge = forecast({"tone": Turns(2)}, load_percent_max=90)
    await settle(judge, busy=0.6, audio_s=60.0, accepted=10, speech_s=6.0)
    for _ in range(60):
        judge.cores_took(0.0, 1.0)
    for _ in range(1_000):
        judge.came()
    judge.judge_wait("tone")


@pytest.mark.parametrize(("heard_s", "is_blamed"), [(19.0, False), (21.0, True)])
async def test_speech_is_not_blamed_for_what_others_ask(heard_s: float, is_blamed: bool) -> None:
    """A flood that is refused keeps the cores busy while hardly anybody speaks; whoever comes is let in all the same."""
    judge = forecast({"tone": Turns(2)}, load_percent_max=90)
    for _ in range(60):
        judge.handed(heard_s, can_wait=True)
        judge.cores_took(0.8, 1.0)
        await asyncio.sleep(1.0)
    judge.handed(heard_s, can_wait=True)
    for _ in range(10):
        judge.came()
    assert (judge.loads()["newcomers"] > 0.9) is is_blamed


async def test_a_long_speech_counts_as_much_as_is_made_of_it_at_once() -> None:
    judge = forecast({"tone": Turns(2)}, load_percent_max=90)
    await settle(judge, busy=0.6, audio_s=60.0, accepted=1, speech_s=3_600.0)
    assert 0.04 < judge.loads()["newcomers"] < 0.14


async def test_who_took_all_his_speech_as_fast_as_it_was_made_counts_no_longer() -> None:
    """Else a few who ask for one file after the other would fill the house."""
    judge = forecast({"tone": Turns(2)}, load_percent_max=90)
    await settle(judge, busy=0.6, audio_s=60.0, accepted=10, speech_s=6.0)
    before = judge.loads()["newcomers"]
    for _ in range(1_000):
        judge.served(judge.came(), 6.0, eager=True)
        judge.served(judge.came(), 0.0, eager=False)  # He could not pay, or changed his mind.
    assert judge.loads()["newcomers"] == pytest.approx(before)
    guest = judge.came()
    await asyncio.sleep(1.0)
    judge.served(guest, 6.0, eager=True)
    assert judge.loads()["newcomers"] == pytest.approx(before * math.exp(-1 / ACCEPTED_MEMORY_S))


async def hold(turns: Turns, holders: int, seconds: float) -> None:
    async def visit() -> None:
        async with turns.turn(0.0):
            await asyncio.sleep(seconds)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(holders):
            tasks.create_task(visit())


@pytest.mark.parametrize(("limit_ms", "refused"), [(999, True), (1_000, False), (1_001, False)])
async def test_speech_that_would_begin_too_late_is_refused(limit_ms: int, refused: bool) -> None:
    """A place is taken for a second at a time, and nobody waits yet."""
    turns = Turns(1)
    turns._line.turn_s = 1.0
    judge = forecast({"tone": turns}, wait_ms_max=limit_ms)
    judge.judge_wait("tone")
    async with asyncio.TaskGroup() as tasks:
        holding = tasks.create_task(hold(turns, 1, 60.0))
        await asyncio.sleep(0.1)
        if refused:
            with pytest.raises(Overloaded) as error:
                judge.judge_wait("tone")
            assert error.value.problem.retry_after_ms == 1_000
        else:
            judge.judge_wait("tone")
        holding.cancel()


async def test_room_is_what_the_listeners_of_the_last_seconds_left() -> None:
    """Four listeners take two of five places, that is a tenth each: up to 90 % there is room for five more."""
    turns = Turns(5)
    judge = forecast({"tone": turns})
    assert judge.listeners_free() is None
    async with asyncio.TaskGroup() as tasks:
        holding = tasks.create_task(hold(turns, 2, 1_000.0))
        for _ in range(1_000):
            await asyncio.sleep(0.1)
            judge.handed(0.4, can_wait=False)
        assert judge.listeners_free() in {4, 5}
        holding.cancel()


async def test_a_full_server_refuses_who_would_begin_and_serves_who_is_there() -> None:
    engine = ToneEngine(workers=1, realtime_factor=1.0)
    async with memory_house(engine, wait_ms_max=1) as house:
        house.turns["tone"]._line.turn_s = 1.0
        async with memory_socket(house) as there, memory_socket(house) as newcomer:
            await there.send({"type": "text", "text": "One sentence. And another one. And more."})
            await there.send({"type": "flush"}, {"type": "end"})
            await there.receive_until("segment")
            await newcomer.send({"type": "text", "text": "Me too."})
            error = await newcomer.receive_until("error")
            assert (error["code"], error["retryable"]) == ("overloaded", True)
            await there.receive_until("ended", reason="finished")
            await newcomer.send({"type": "text", "text": "Me too."}, {"type": "end"})
            await newcomer.receive_until("ended", reason="finished")
