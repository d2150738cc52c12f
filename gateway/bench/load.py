"""Closed loops: each stream asks for the next utterance when it has heard the last one, and a window is laid over them.

A window opens when every stream has ended an utterance, so that the first rush is over, and counts what arrives while it
is open: bytes, not utterances, because with many streams only few would both begin and end in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec

from gateway.bench.instruments.timeline import clock
from gateway.bench.latency import Latency, latency
from gateway.bench.proc import Cpu, cpu_of
from gateway.bench.streams import Refused, Stream, total
from gateway.bench.subjects import Gateway

RAMP_S_MAX = 20.0
PROBE_MS = 10
"""Between two questions of the probe."""


class Window(msgspec.Struct, frozen=True):
    """What happened while it was open. `cpu` is the gateway's, `harness_s` the CPU seconds of this process."""

    seconds: float
    utterances: int
    frames: int
    bytes: int
    first: Latency
    cpu: Cpu
    harness_s: float

    @property
    def foreign_cores(self) -> float:
        """What others took from the machine meanwhile. The system counts this in ticks: small values are noise."""
        cpu = self.cpu
        ours = cpu.loop_s + cpu.threads_s + cpu.workers_s + self.harness_s
        return max(0.0, cpu.machine_s - ours) / self.seconds


async def closed_loops(
    gateway: Gateway,
    streams: Sequence[Stream],
    text: str,
    *,
    ramp_s_min: float,
    window_s: float,
) -> Window:
    """Let the streams ask for the text again and again. They have vanished afterwards.

    Raises Refused when a request fails.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            warm = asyncio.Semaphore(0)
            loops = [tasks.create_task(_repeat(stream, text, warm)) for stream in streams]
            await _ramp(warm, len(streams), ramp_s_min)
            before = total(stream.count() for stream in streams)
            opened, harness, cpu = clock(), time.process_time(), cpu_of(gateway.pid)
            await asyncio.sleep(window_s)
            closed, cpu_after, harness_after = clock(), cpu_of(gateway.pid), time.process_time()
            after = total(stream.count() for stream in streams)
            window = Window(
                closed - opened,
                after.utterances - before.utterances,
                after.frames - before.frames,
                after.bytes - before.bytes,
                latency([first.ms for first in after.firsts if first.at >= opened]),
                cpu_after - cpu,
                harness_after - harness,
            )
            for loop in loops:
                loop.cancel()
            return window
    except* (Refused, TimeoutError) as group:
        raise group.exceptions[0] from None
    finally:
        for stream in streams:
            stream.vanish()


async def _repeat(stream: Stream, text: str, warm: asyncio.Semaphore) -> None:
    await stream.open()
    await stream.speak(text)
    warm.release()
    while True:
        await stream.speak(text)


async def _ramp(warm: asyncio.Semaphore, streams: int, seconds_min: float) -> None:
    """Wait until each stream has ended an utterance, and at least for so long."""
    async with asyncio.timeout(RAMP_S_MAX + seconds_min):
        await asyncio.sleep(seconds_min)
        for _ in range(streams):
            await warm.acquire()


@dataclass(slots=True)
class Probe:
    """How long the gateway's event loop takes to come round to a tiny request, and how late this loop itself is."""

    answers_ms: list[float] = field(default_factory=list)
    harness_ms: list[float] = field(default_factory=list)


@asynccontextmanager
async def probing(gateway: Gateway) -> AsyncIterator[Probe]:
    """Ask GET /healthz on a connection of its own for the length of the block, each time PROBE_MS after the last answer."""
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    probe = Probe()

    async def ask() -> None:
        while True:
            due = time.perf_counter() + PROBE_MS / 1_000
            await asyncio.sleep(PROBE_MS / 1_000)
            asked = time.perf_counter()
            probe.harness_ms.append((asked - due) * 1_000)
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: bench\r\n\r\n")
            await reader.readuntil(b"}")
            probe.answers_ms.append((time.perf_counter() - asked) * 1_000)

    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask())
        try:
            yield probe
        finally:
            asking.cancel()
            writer.close()
