"""Workers and nurseries are killed and stopped while they speak. The listener hears nothing of it."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest

from gateway.engines.espeak import EspeakEngine
from gateway.engines.worker import Worker
from tests.engines.making import (
    Made,
    gather,
    make,
    nursery_pids,
    order,
    pid_of,
    pids_of_groups,
    workers_at_work,
    workers_waiting,
)
from tests.support.checkout import ROOT

pytestmark = pytest.mark.chaos

TEXT = ("Some words before the comma, and then 17 more of them. " * 9).strip()
"""Half a minute: more than the sockets hold, so its worker is still at work when the first audio is heard."""


@pytest.fixture
async def engine() -> AsyncIterator[EspeakEngine]:
    engine = EspeakEngine(workers=2, stall_ms_max=300)
    await engine.start()
    yield engine
    await engine.aclose()


@pytest.fixture
async def undisturbed(engine: EspeakEngine) -> Made:
    return await make(engine, order(TEXT, "en-us"))


async def make_with(engine: EspeakEngine, disturb: Callable[[], None]) -> Made:
    """Make the text and disturb once, when the first words or audio have come."""
    async with aclosing(engine.synthesize(order(TEXT, "en-us"))) as reports:
        begun = [await anext(reports), await anext(reports)]
        disturb()
        return gather(begun + [report async for report in reports])


def signal_workers(engine: EspeakEngine, number: int) -> None:
    workers = workers_at_work(engine)
    assert workers
    for worker in workers:
        os.kill(pid_of(worker), number)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
async def test_a_worker_lost_in_the_middle_is_not_heard(
    engine: EspeakEngine, undisturbed: Made, number: int
) -> None:
    made = await make_with(engine, lambda: signal_workers(engine, number))
    assert made == undisturbed
    assert engine.worker_restarts == 1


async def test_nurseries_killed_in_the_middle_are_not_heard(
    engine: EspeakEngine, undisturbed: Made
) -> None:
    """Both at once, with all their workers; new ones are started for the segment that waits."""

    def disturb() -> None:
        for pid in nursery_pids(engine):
            os.killpg(pid, signal.SIGKILL)

    assert await make_with(engine, disturb) == undisturbed
    assert await make(engine, order(TEXT, "en-us")) == undisturbed
    assert len(nursery_pids(engine)) == 2


async def test_a_killed_nursery_takes_its_workers_with_it(engine: EspeakEngine) -> None:
    groups = nursery_pids(engine)
    gone = [os.pidfd_open(pid) for pid in pids_of_groups(groups)]
    assert len(gone) >= 4
    for pid in groups:
        os.kill(pid, signal.SIGKILL)
    for pidfd in gone:
        assert await asyncio.to_thread(select.select, [pidfd], [], [], 10) == ([pidfd], [], [])
        os.close(pidfd)


async def test_stopped_nurseries_are_replaced(engine: EspeakEngine, undisturbed: Made) -> None:
    for pid in nursery_pids(engine):
        os.kill(pid, signal.SIGSTOP)
    stopped = set(nursery_pids(engine))
    for _ in range(len(workers_waiting(engine)) + 1):
        assert await make(engine, order(TEXT, "en-us")) == undisturbed
    async with asyncio.timeout(15):
        # Processes have no event: neither the new ones' being there nor the old ones' being gone.
        while stopped & set(nursery_pids(engine)) or pids_of_groups(list(stopped)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_worker_that_dies_waiting_is_nobodys_loss(
    engine: EspeakEngine, undisturbed: Made
) -> None:
    waiting = workers_waiting(engine)
    gone = [os.pidfd_open(pid_of(worker)) for worker in waiting]
    for worker in waiting:
        os.kill(pid_of(worker), signal.SIGKILL)
    for pidfd in gone:
        await asyncio.to_thread(select.select, [pidfd], [], [], 10)
        os.close(pidfd)
    assert await make(engine, order(TEXT, "en-us")) == undisturbed


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, "segment_rejected"), (signal.SIGSTOP, "engine_timeout")],
)
async def test_a_segment_that_loses_two_workers_fails(
    engine: EspeakEngine, undisturbed: Made, number: int, code: str
) -> None:
    met: set[Worker] = set()
    reports = []
    async with aclosing(engine.synthesize(order(TEXT, "en-us"))) as stream:
        async for report in stream:
            reports.append(report)
            for worker in set(workers_at_work(engine)) - met:
                met.add(worker)
                os.kill(pid_of(worker), number)
    made = gather(reports)
    assert len(met) == 2
    assert made.code == code
    assert undisturbed.pcm.startswith(made.pcm)
    assert await make(engine, order(TEXT, "en-us")) == undisturbed


async def test_a_segment_given_up_ends_its_worker(engine: EspeakEngine) -> None:
    async with aclosing(engine.synthesize(order(TEXT, "en-us"))) as reports:
        await anext(reports)
        (worker,) = workers_at_work(engine)
        gone = os.pidfd_open(pid_of(worker))
    assert workers_at_work(engine) == []
    assert await asyncio.to_thread(select.select, [gone], [], [], 10) == ([gone], [], [])
    os.close(gone)


async def test_no_process_is_left_after_closing(engine: EspeakEngine) -> None:
    groups = nursery_pids(engine)
    async with aclosing(engine.synthesize(order(TEXT, "en-us"))) as reports:
        await anext(reports)
        assert len(pids_of_groups(groups)) >= 3
        await engine.aclose()
        assert pids_of_groups(groups) == []


async def test_no_process_is_left_when_one_will_not_end(engine: EspeakEngine) -> None:
    groups = nursery_pids(engine)
    os.kill(groups[0], signal.SIGSTOP)
    await engine.aclose()
    assert pids_of_groups(groups) == []


SERVER = """
import asyncio, sys
from gateway.engines.espeak import EspeakEngine
from gateway.engines.worker import Worker

async def main():
    engine = EspeakEngine(workers=2)
    await engine.start()
    while any(nursery.owed for nursery in engine._pool._nurseries):
        await asyncio.sleep(0.01)
    print(*(nursery.process.pid for nursery in engine._pool._nurseries), flush=True)
    await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""


def test_no_process_outlives_a_killed_server() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        groups = [int(pid) for pid in server.stdout.readline().split()]
        pidfds = [os.pidfd_open(pid) for pid in pids_of_groups(groups)]
        assert len(pidfds) >= 6
        # One of each kind is in no state to notice that nobody is there any more.
        for pid in (groups[0], max(set(pids_of_groups(groups)) - set(groups))):
            os.kill(pid, signal.SIGSTOP)
        server.kill()
    for pidfd in pidfds:
        assert select.select([pidfd], [], [], 10) == ([pidfd], [], [])
        os.close(pidfd)


@pytest.mark.slow
async def test_listeners_hear_nothing_of_a_massacre(
    engine: EspeakEngine, undisturbed: Made
) -> None:
    """Forty segments, four at a time, while a worker at work is killed at every sixtieth report that anyone gets.

    A segment may be unlucky twice and then is rejected; what it gave is still the beginning of the truth."""
    reports_seen = 0
    made: list[Made] = []

    async def listen() -> None:
        nonlocal reports_seen
        for _ in range(10):
            reports = []
            async with aclosing(engine.synthesize(order(TEXT, "en-us"))) as stream:
                async for report in stream:
                    reports.append(report)
                    reports_seen += 1
                    if reports_seen % 60 == 0 and (workers := workers_at_work(engine)):
                        os.kill(pid_of(workers[0]), signal.SIGKILL)
            made.append(gather(reports))

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(listen())
    assert sum(one == undisturbed for one in made) > 10
    assert all(undisturbed.pcm.startswith(one.pcm) for one in made)
    assert {one.code for one in made} <= {None, "segment_rejected"}
