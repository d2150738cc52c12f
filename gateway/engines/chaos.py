"""An engine that misbehaves as planned: for tests of what stands around engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

import msgspec

from gateway.core.errors import EngineFailed, GatewayError
from gateway.core.synthesis import Failed, Produced, Report, Synthesize
from gateway.engines.base import Engine, EngineInfo


class Fail(msgspec.Struct, frozen=True):
    """The segment fails after `at_sample` samples. EngineLost is what a lost worker looks like."""

    at_sample: int = 0
    error: type[GatewayError] = EngineFailed


class Hang(msgspec.Struct, frozen=True):
    """Nothing comes after `at_sample` samples, until the segment is abandoned."""

    at_sample: int = 0


class Delay(msgspec.Struct, frozen=True):
    """What follows `at_sample` samples comes `delay_ms` later, on the loop's clock."""

    at_sample: int = 0
    delay_ms: int = 1_000


Fault = Fail | Hang | Delay


class ChaosEngine:
    """`inner`, with faults. `plan` says for a part of a text what befalls the first, second, … segment that contains it;
    None stands for an undisturbed one, and so does the end of the sequence."""

    def __init__(self, inner: Engine, plan: Mapping[str, Sequence[Fault | None]]) -> None:
        self._inner = inner
        self._left = {part: list(faults) for part, faults in plan.items()}

    @property
    def info(self) -> EngineInfo:
        return self._inner.info

    @property
    def worker_restarts(self) -> int:
        return self._inner.worker_restarts

    async def start(self) -> None:
        await self._inner.start()

    async def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        fault = self._next_fault(order.text)
        samples = 0
        async with aclosing(self._inner.synthesize(order)) as reports:
            async for report in reports:
                if isinstance(report, Produced) and fault is not None:
                    cut = 2 * (fault.at_sample - samples)
                    samples += len(report.pcm) // 2
                    if cut < len(report.pcm):
                        if cut > 0:
                            yield Produced(order.segment, report.pcm[:cut])
                        if isinstance(fault, Fail):
                            yield Failed(order.segment, fault.error("as planned").problem)
                            return
                        await _wait(fault)
                        fault = None
                        yield Produced(order.segment, report.pcm[cut:])
                        continue
                yield report

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _next_fault(self, text: str) -> Fault | None:
        for part, faults in self._left.items():
            if part in text and faults:
                return faults.pop(0)
        return None


async def _wait(fault: Hang | Delay) -> None:
    if isinstance(fault, Hang):
        await asyncio.get_running_loop().create_future()
    else:
        await asyncio.sleep(fault.delay_ms / 1_000)
