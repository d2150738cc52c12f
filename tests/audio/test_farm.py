"""The order of jobs, with the only thread held still while they arrive."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import threading
import time
import weakref
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

import pytest

from gateway.audio.farm import NICENESS, EncodeFarm
from gateway.core.errors import Overloaded
from tests.support.gates import Gate


@asynccontextmanager
async def held_farm(
    *, jobs_pending_max: int = 100, by_arrival: bool = False
) -> AsyncIterator[tuple[EncodeFarm, Gate, asyncio.TaskGroup]]:
    """A farm of one thread that is busy with a gate, and a task group to wait in; the gate opens at the end at last."""
    made = EncodeFarm(1, jobs_pending_max=jobs_pending_max, by_arrival=by_arrival)
    async with aclosing(made) as farm, asyncio.TaskGroup() as tasks:
        farm.start()
        gate = Gate()
        tasks.create_task(farm.run(0.0, gate))
        await gate.begun.wait()
        try:
            yield farm, gate, tasks
        finally:
            gate.open()


async def settled() -> None:
    """Let tasks that were just created run up to their first wait."""
    await asyncio.sleep(0)


async def test_the_earliest_deadline_goes_first_and_equal_ones_in_order_of_arrival() -> None:
    done: list[str] = []
    jobs = [("file 1", math.inf), ("late", 9.0), ("soon 1", 1.0), ("file 2", math.inf)]
    jobs += [("soon 2", 1.0), ("now", -3.0)]
    async with held_farm() as (farm, gate, tasks):
        for name, deadline in jobs:
            tasks.create_task(farm.run(deadline, partial(done.append, name)))
        await settled()
        gate.open()
    assert done == ["now", "soon 1", "soon 2", "late", "file 1", "file 2"]


async def test_who_interrupts_does_not_wait_behind_others() -> None:
    done: list[str] = []
    async with held_farm() as (farm, gate, tasks):
        for name, deadline in [("soon", 1.0), ("later", 9.0), ("file", math.inf)]:
            job = partial(done.append, name)
            tasks.create_task(farm.run(deadline, job, eager=name == "file", writer=name))
        await settled()
        for writer in ("file", "file", "somebody else"):
            farm.hurry(writer)
        gate.open()
    assert done == ["file", "soon", "later"]
    farm.hurry("file")
    assert not farm._waiting


async def test_who_has_been_hurried_can_be_cancelled() -> None:
    async with held_farm() as (farm, _, tasks):
        task = tasks.create_task(farm.run(9.0, lambda: None, writer="a"))
        await settled()
        farm.hurry("a")
        task.cancel()
        await asyncio.wait([task])
        assert farm.jobs_waiting == 0


async def test_a_download_that_is_hurried_gets_the_thread_that_is_kept_from_downloads() -> None:
    async with aclosing(EncodeFarm(2)) as farm, asyncio.TaskGroup() as tasks:
        listen(farm)
        farm.start()
        gate = Gate()
        tasks.create_task(farm.run(math.inf, gate))
        await gate.begun.wait()
        waiting = tasks.create_task(farm.run(math.inf, lambda: "answered", writer="a"))
        await settled()
        farm.hurry("a")
        assert await waiting == "answered"
        gate.open()


async def test_threads_are_nicer_than_the_loop() -> None:
    async with aclosing(EncodeFarm(1)) as farm:
        farm.start()
        there = await farm.run(0.0, lambda: os.getpriority(os.PRIO_PROCESS, 0))
        assert there == min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)


async def test_results_and_errors_come_back_from_another_thread() -> None:
    async with aclosing(EncodeFarm(2)) as farm:
        farm.start()
        thread = await farm.run(0.0, threading.current_thread)
        assert thread is not threading.current_thread()
        with pytest.raises(ZeroDivisionError):
            await farm.run(0.0, lambda: 1 // 0)
        assert await farm.run(0.0, lambda: "still at work") == "still at work"


async def test_two_threads_run_two_jobs_at_once() -> None:
    async with aclosing(EncodeFarm(2)) as farm, asyncio.TaskGroup() as tasks:
        farm.start()
        barrier = threading.Barrier(2)
        for _ in range(2):
            tasks.create_task(farm.run(0.0, lambda: barrier.wait(10)))


def listen(farm: EncodeFarm) -> None:
    """Have had a listener at work for a second. Before the farm starts, whose clock only goes forward."""
    clock = time.monotonic()
    farm._line.taken("", clock - 1.0)
    farm._line.left("", clock, 1.0)


async def test_downloads_leave_a_thread_alone_while_anybody_listens() -> None:
    async with aclosing(EncodeFarm(2)) as farm, asyncio.TaskGroup() as tasks:
        listen(farm)
        farm.start()
        gates = [Gate(), Gate()]
        downloads = [tasks.create_task(farm.run(math.inf, gate)) for gate in gates]
        await gates[0].begun.wait()
        for _ in range(3):
            assert await farm.run(0.0, lambda: "heard") == "heard"
        assert farm.jobs_waiting == 1
        gates[0].open()
        await gates[1].begun.wait()
        assert downloads[0].done()
        gates[1].open()


async def test_and_have_all_of_them_when_nobody_does() -> None:
    async with aclosing(EncodeFarm(2)) as farm, asyncio.TaskGroup() as tasks:
        farm.start()
        barrier = threading.Barrier(2)
        for _ in range(2):
            tasks.create_task(farm.run(math.inf, lambda: barrier.wait(10)))


async def test_the_only_thread_is_everybodys() -> None:
    async with aclosing(EncodeFarm(1)) as farm:
        listen(farm)
        farm.start()
        assert await farm.run(math.inf, lambda: "file") == "file"


async def test_a_farm_is_closed_while_a_download_is_kept_waiting() -> None:
    async with asyncio.TaskGroup() as tasks:
        farm = EncodeFarm(2)
        listen(farm)
        farm.start()
        gates = [Gate(), Gate()]
        running, waiting = [tasks.create_task(farm.run(math.inf, gate)) for gate in gates]
        await gates[0].begun.wait()
        closing = tasks.create_task(farm.aclose())
        await asyncio.wait([waiting])
        gates[0].open()
        await closing
        assert waiting.cancelled()
        assert await running == "gate"


async def test_a_cancelled_job_that_has_not_begun_never_does() -> None:
    done: list[int] = []
    async with held_farm(jobs_pending_max=10) as (farm, gate, tasks):
        waiting = [
            tasks.create_task(farm.run(float(number), partial(done.append, number)))
            for number in (0, 5, 1, 8, 6, 2, 3, 9, 7, 4)
        ]
        await settled()
        for task in waiting[::2]:
            task.cancel()
        await asyncio.wait(waiting[::2])
        # The places of those that were taken back are free again.
        for number in range(5):
            tasks.create_task(farm.run(math.inf, partial(done.append, number)))
        await settled()
        gate.open()
    assert done == [2, 4, 5, 8, 9, 0, 1, 2, 3, 4]


async def test_the_error_of_a_job_that_was_abandoned_while_it_ran_is_reported() -> None:
    reports: list[dict[str, Any]] = []
    reported = asyncio.Event()

    def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        reports.append(context)
        reported.set()

    asyncio.get_running_loop().set_exception_handler(report)
    async with aclosing(EncodeFarm(1)) as farm, asyncio.TaskGroup() as tasks:
        farm.start()
        gate = Gate()

        def fail() -> None:
            gate()
            raise ValueError("nobody listens")

        task = tasks.create_task(farm.run(0.0, fail))
        await gate.begun.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        gate.open()
        await reported.wait()
    assert [str(context["exception"]) for context in reports] == ["nobody listens"]


async def test_more_jobs_than_may_wait_are_refused() -> None:
    async with held_farm(jobs_pending_max=2) as (farm, _, tasks):
        accepted = [tasks.create_task(farm.run(0.0, int)) for _ in range(2)]
        await settled()
        with pytest.raises(Overloaded):
            await farm.run(-1.0, int)
    assert [task.result() for task in accepted] == [0, 0]


async def test_closing_cancels_what_waits_lets_finish_what_runs_and_ends_the_threads() -> None:
    before = threading.active_count()
    async with held_farm() as (farm, gate, tasks):
        running = tasks.create_task(farm.run(1.0, int))
        await settled()
        closing = tasks.create_task(farm.aclose())
        await asyncio.wait([running])
        assert running.cancelled()
        assert not closing.done()
        gate.open()
        await closing
        assert threading.active_count() == before
        await farm.aclose()


async def test_closing_before_the_start_is_fine() -> None:
    await EncodeFarm(3).aclose()


async def test_a_finished_job_is_not_kept_alive() -> None:
    class Work:
        def __call__(self) -> None: ...

    async with aclosing(EncodeFarm(1)) as farm:
        farm.start()
        work = Work()
        alive = weakref.ref(work)
        await farm.run(0.0, work)
        await farm.run(0.0, int)
        del work
        gc.collect()
        assert alive() is None
