"""The pool alone, with workers that do as they are told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from gateway.core.errors import (
    EngineFailed,
    EngineLost,
    EngineTimeout,
    GatewayError,
    SegmentRejected,
)
from gateway.engines.pool import Pool
from gateway.engines.worker import Batch
from tests.support.checkout import ROOT
from tests.support.leaks import descendants, state, until

COMMAND = [sys.executable, "-S", str(Path(__file__).with_name("odd_nursery.py"))]
ENV = {"PYTHONPATH": str(ROOT)}


async def running(workers: int) -> AsyncIterator[Pool]:
    """For a fixture."""
    pool = Pool(COMMAND, ENV, workers=workers, stall_ms_max=200)
    await pool.start()
    yield pool
    await pool.aclose()


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    async for pool in running(workers=2):
        yield pool


async def answer(
    pool: Pool, order: bytes, pcm_bytes_max: int = 10_000, *, can_wait: bool = False
) -> Batch:
    notes = pcm = b""
    async with aclosing(
        pool.make(order, pcm_bytes_max=pcm_bytes_max, can_wait=can_wait)
    ) as batches:
        async for batch in batches:
            notes, pcm = notes + batch.notes, pcm + batch.pcm
    return Batch(notes, pcm)


async def test_an_answer_is_notes_and_audio(pool: Pool) -> None:
    assert await answer(pool, b"two notes") == Batch(b"\0\1", bytes(10) + b"\1" * 10)
    assert await answer(pool, b"hello") == Batch(b"", b"hello")


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (b"die", SegmentRejected),
        (b"speak and die", SegmentRejected),
        (b"raise", SegmentRejected),
        (b"half a frame", SegmentRejected),
        (b"unknown kind", SegmentRejected),
        (b"endless frame", SegmentRejected),
        (b"hang", EngineTimeout),
        (b"a byte at a time", EngineTimeout),
        (b"a sample at a time", EngineTimeout),
        (b"refuse", EngineFailed),
        (b"no end", EngineFailed),
    ],
)
async def test_trouble_has_a_type_and_does_not_spread(
    pool: Pool, order: bytes, error: type[GatewayError]
) -> None:
    async with asyncio.TaskGroup() as group:
        others = [group.create_task(answer(pool, b"%d" % number)) for number in range(8)]
        with pytest.raises(error):
            await answer(pool, order)
    assert [other.result().pcm for other in others] == [b"%d" % number for number in range(8)]
    assert (await answer(pool, b"after")).pcm == b"after"


async def test_a_worker_that_keeps_pace_with_its_listener_may_take_its_time(pool: Pool) -> None:
    """Three times as long as one may say nothing."""
    assert (await answer(pool, b"slowly", 100_000)).pcm == bytes(12 * 1_600)


def stand_still() -> set[int]:
    """The processes below this one that are stopped."""
    return {process for process in descendants() if state(process) == "T"}


@pytest.fixture
async def one_worker() -> AsyncIterator[Pool]:
    async for pool in running(workers=1):
        yield pool


async def test_a_download_stands_still_while_a_listener_is_served(one_worker: Pool) -> None:
    """For longer than a worker may say nothing. It says what it would have said."""
    async with asyncio.TaskGroup() as tasks:
        download = tasks.create_task(answer(one_worker, b"slowly", 100_000, can_wait=True))
        await until(lambda: bool(one_worker._at_work))
        listener = tasks.create_task(answer(one_worker, b"slowly", 100_000))
        await until(lambda: bool(stand_still()))
        await asyncio.wait([listener])
        assert not download.done()
    assert stand_still() == set()
    assert download.result() == listener.result()
    assert one_worker.restarts == 0


@pytest.mark.parametrize("how", ["killed", "closed", "unwanted"])
async def test_a_download_that_stands_still_may_end(one_worker: Pool, how: str) -> None:
    async with asyncio.TaskGroup() as tasks:
        download = tasks.create_task(answer(one_worker, b"slowly", 100_000, can_wait=True))
        await until(lambda: bool(one_worker._at_work))
        listener = tasks.create_task(answer(one_worker, b"slowly", 100_000))
        await until(lambda: bool(stand_still()))
        if how == "killed":
            for process in stand_still():
                os.kill(process, signal.SIGKILL)
            assert len((await download).pcm) == len((await listener).pcm) > 0
            assert one_worker.restarts == 1
        else:
            download.cancel()
            if how == "closed":
                listener.cancel()
                await one_worker.aclose()
            else:
                assert (await answer(one_worker, b"another")).pcm == b"another"
        await until(lambda: not stand_still())


async def test_what_a_lost_worker_said_is_not_said_again(pool: Pool) -> None:
    heard: list[Batch] = []

    async def listen() -> None:
        async with aclosing(pool.make(b"speak and die", pcm_bytes_max=100)) as batches:
            async for batch in batches:
                heard.append(batch)

    with pytest.raises(SegmentRejected):
        await listen()
    assert heard == [Batch(b"", b""), Batch(b"n", bytes(20))]
    assert pool.restarts == 2


async def test_workers_that_die_at_once_are_not_waited_for() -> None:
    """Nor is their nursery taken for one that hangs."""
    pool = Pool([*COMMAND, "doomed"], ENV, workers=2, stall_ms_max=60_000)
    await pool.start()
    try:
        # Two for each nursery are asked for at first.
        await until(lambda: not any(nursery.owed for nursery in pool._nurseries))
        waiting = [worker for nursery in pool._nurseries for worker in nursery.waiting]
        await until(lambda: not any(worker.is_waiting for worker in waiting))
        for number in range(12):
            assert (await answer(pool, b"%d" % number)).pcm == b"%d" % number
        assert pool.restarts == 0
    finally:
        await pool.aclose()


async def test_an_answer_nobody_pulls_does_not_hold_its_worker(pool: Pool) -> None:
    """Eight answers are begun and left alone; the two places serve others all the while."""
    size = 4_000_000  # Much more than a socket holds.
    held = [pool.make(b"four megabytes", pcm_bytes_max=size) for _ in range(8)]
    assert [await anext(batches) for batches in held] == [Batch(b"", b"")] * 8
    begun = [await anext(batches) for batches in held]
    assert (await answer(pool, b"another")).pcm == b"another"
    for first, batches in zip(begun, held, strict=True):
        assert len(first.pcm) + sum([len(batch.pcm) async for batch in batches]) == size


async def test_a_nursery_that_never_starts_is_an_error_at_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pool = Pool([sys.executable, "-S", "-c", "raise SystemExit(3)"], {}, workers=2)
    with pytest.raises(EngineFailed):
        await pool.start()
    await pool.aclose()
    assert "engine nursery restarts" in caplog.messages


async def test_a_server_short_of_file_descriptors_recovers(pool: Pool) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        for nursery in pool._nurseries:
            os.killpg(nursery.process.pid, signal.SIGKILL)
        while pool._failures < 2:
            await pool._change()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (await answer(pool, b"hello")).pcm == b"hello"


async def test_a_closed_pool_says_so(pool: Pool) -> None:
    await pool.aclose()
    with pytest.raises(EngineLost):
        await answer(pool, b"hello")


async def test_nothing_is_left_open() -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    pool = Pool(COMMAND, ENV, workers=2, stall_ms_max=200)
    await pool.start()
    async with asyncio.TaskGroup() as group:
        for order in [b"hello", b"die", b"refuse", b"hang", b"no end"] * 3:
            group.create_task(answer_or_fail(pool, order))
    await pool.aclose()
    assert sorted(os.listdir("/proc/self/fd")) == before


async def answer_or_fail(pool: Pool, order: bytes) -> None:
    with contextlib.suppress(GatewayError):
        await answer(pool, order)
