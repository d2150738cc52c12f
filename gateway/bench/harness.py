"""One run, from the plan to the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec

from gateway.bench import measure
from gateway.bench.goals import judge
from gateway.bench.machine import this_machine
from gateway.bench.plan import CODECS, Plan
from gateway.bench.results import Cost, FirstByte, Lag, Result, Throughput, Vanished
from gateway.bench.streams import WARM
from gateway.bench.subjects import (
    EVERYBODY,
    Gateway,
    Layout,
    harness_on,
    layouts,
    running_gateway,
)

FIRST_BYTE_TEXTS = ("short", "medium")
TONE = "tone"
ONE_WORKER = {"GATEWAY_ENGINES__ESPEAK__WORKERS": "1"}

OnStep = Callable[[str], None]
"""Told the name of each step when it begins."""


def steps(plan: Plan) -> int:
    """How many steps a run of this plan has."""
    models = len({plan.model, TONE})
    per_codec = len(FIRST_BYTE_TEXTS) + len(plan.streams) + len(plan.lag_streams)
    return len(CODECS) * per_codec + 2 * models + 2 + 1


async def run(plan: Plan, on_step: OnStep) -> Result:
    """Measure everything. Raises SubjectFailed when nothing can be measured and Refused when the gateway fails."""
    begun = time.monotonic()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    apart, together = layouts()
    first_bytes: list[FirstByte] = []
    rows: list[Throughput] = []
    costs: list[Cost] = []
    lag: list[Lag] = []
    gone: list[Vanished] = []
    with _running(apart) as gateway:
        for codec in CODECS:
            for text in FIRST_BYTE_TEXTS:
                on_step(f"first byte, {codec}, {text} text")
                first_bytes += await measure.first_bytes(gateway, apart, plan, codec, text)
        for model in dict.fromkeys((plan.model, TONE)):
            for way in WARM:
                on_step(f"event loop cost, {model}, {way}")
                costs.append(await measure.cost(gateway, apart, plan, model, way))
        for codec in CODECS:
            for streams in plan.lag_streams:
                on_step(f"lag, {codec}, {streams} streams")
                lag.append(await measure.lag(gateway, plan, codec, streams))
    with _running(together) as gateway:
        for codec in CODECS:
            for streams in plan.streams:
                on_step(f"throughput, {codec}, {streams} streams")
                rows += await measure.throughput(gateway, together, plan, codec, streams)
    with _running(apart, ONE_WORKER) as gateway:
        for way in WARM:
            on_step(f"client gone, {way}")
            gone.append(await measure.vanished(gateway, plan, way))
    with _running(apart) as gateway:
        on_step("memory")
        memory = await measure.memory(gateway, plan)
    result = Result(
        started=started,
        seconds=time.monotonic() - begun,
        plan=plan,
        machine=this_machine(),
        is_pinned=apart.is_pinned,
        first_bytes=first_bytes,
        throughput=rows,
        costs=costs,
        lag=lag,
        memory=memory,
        vanished=gone,
        goals=[],
    )
    return msgspec.structs.replace(result, goals=judge(result))


@contextmanager
def _running(layout: Layout, settings: dict[str, str] | None = None) -> Iterator[Gateway]:
    """A gateway that refuses nobody, and this harness, on their cores."""
    with harness_on(layout), running_gateway(layout, EVERYBODY | (settings or {})) as gateway:
        yield gateway
