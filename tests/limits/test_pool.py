"""Bounds of the pool of worker processes, as far as they can be tried to the byte and the millisecond.

How long a worker may hang is tried with real processes in real time, where a millisecond says nothing: `engines/`.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable
from contextlib import aclosing
from pathlib import Path

import pytest

from gateway.core.errors import EngineFailed, EngineLost, GatewayError, SegmentRejected
from gateway.engines.espeak import EspeakEngine
from gateway.engines.nursery import ADDRESS_SPACE_BYTES_MAX, CPU_SECONDS_MAX
from gateway.engines.pool import (
    ATTEMPTS_MAX,
    RESTART_MS_MAX,
    START_MS_MAX,
    WORKER_WAIT_MS_MAX,
    Pool,
)
from tests.engines import odd_nursery
from tests.limits.borders import after, border, now, under_way
from tests.support.checkout import ROOT
from tests.support.leaks import descendants

ODD = [sys.executable, "-S", str(Path(odd_nursery.__file__))]
SILENT = ["sleep", "60"]
ENV = {"PYTHONPATH": str(ROOT)}
ORDER = b"answered as it is"


async def answer(pool: Pool, pcm_bytes_max: int = 1_000) -> bytes:
    async with aclosing(pool.make(ORDER, pcm_bytes_max=pcm_bytes_max)) as batches:
        return b"".join([batch.pcm async for batch in batches])


async def fails(doing: Awaitable[object], error: type[GatewayError]) -> None:
    with pytest.raises(error):
        await doing


@border("engines.espeak.AUDIO_MS_MAX")
async def test_audio_of_a_segment(more: int) -> None:
    pool = Pool(ODD, ENV, workers=1)
    await pool.start()
    try:
        if more > 0:
            with pytest.raises(EngineFailed):
                await answer(pool, len(ORDER) - more)
        else:
            assert await answer(pool, len(ORDER) - more) == ORDER
    finally:
        await pool.aclose()


@border("engines.pool.START_MS_MAX")
@pytest.mark.virtual_time
async def test_the_first_worker(more: int) -> None:
    pool = Pool(SILENT, {}, workers=1, stall_ms_max=60_000)
    async with under_way(fails(pool.start(), EngineFailed)) as starting:
        await after(now(), START_MS_MAX + more)
        assert starting.done() == (more >= 0)
    for nursery in pool._nurseries:
        nursery.kill()
    await pool.aclose()


@border("engines.pool.WORKER_WAIT_MS_MAX")
@pytest.mark.virtual_time
async def test_a_worker_is_waited_for(more: int) -> None:
    pool = Pool(SILENT, {}, workers=1)
    async with under_way(fails(answer(pool), EngineLost)) as waiting:
        await after(now(), WORKER_WAIT_MS_MAX + more)
        assert waiting.done() == (more >= 0)
    await pool.aclose()


@border("engines.pool.RESTART_MS_MAX")
@pytest.mark.virtual_time
async def test_the_pause_before_another_nursery(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many were lost in a row."""
    pool = Pool(SILENT, {}, workers=1)
    added: list[float] = []
    monkeypatch.setattr(pool, "_add_nursery", lambda: added.append(now()))
    pool._failures = 1_000
    begun = now()
    pool._add_nursery_later("lost")
    await after(begun, RESTART_MS_MAX + more)
    assert len(added) == (1 if more >= 0 else 0)
    await pool.aclose()


@border("engines.pool.ATTEMPTS_MAX")
async def test_workers_that_an_order_may_lose(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is to blame when they are so many."""
    losses = ATTEMPTS_MAX + more
    pool = Pool(ODD, ENV, workers=1)
    honest = pool._begin

    async def losing(order: bytes, pcm_bytes_max: int, *, can_wait: bool) -> object:
        nonlocal losses
        losses -= 1
        return await honest(b"die" if losses >= 0 else order, pcm_bytes_max, can_wait=can_wait)

    monkeypatch.setattr(pool, "_begin", losing)
    await pool.start()
    try:
        if more >= 0:
            with pytest.raises(SegmentRejected):
                await answer(pool)
        else:
            assert await answer(pool) == ORDER
    finally:
        await pool.aclose()


async def test_the_kernel_bounds_a_worker() -> None:
    """To the byte and the second, as it was told."""
    engine = EspeakEngine(workers=1)
    await engine.start()
    try:
        told = [_limits(process) for process in descendants()]
    finally:
        await engine.aclose()
    bounds = {"Max address space": ADDRESS_SPACE_BYTES_MAX, "Max cpu time": CPU_SECONDS_MAX}
    assert any(limits.items() >= bounds.items() for limits in told)


def _limits(process: int) -> dict[str, int]:
    """None are left of a process that ends meanwhile: the worker that told the voices is about to."""
    try:
        lines = Path(f"/proc/{process}/limits").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    words = [(line[:25].strip(), line[25:].split()[0]) for line in lines[1:]]
    return {name: int(soft) for name, soft in words if soft.isdigit()}
