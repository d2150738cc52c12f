"""A real gateway in a process of its own, seen from outside: what it holds, and which processes speak for it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec

from tests.engines.making import pids_of_groups
from tests.support.leaks import children, descendants, until, until_async
from tests.support.process import COMMAND, ESPEAK_TOO, GatewayProcess, gateway_process
from tests.support.scraped import Scraped, read

WORKERS = 2
NURSERIES = 2
SETTLED_WITHIN_S = 30.0


class Vitals(msgspec.Struct, frozen=True):
    """What a server holds; `places` are those that the engines would give at once, `ring_bytes` is kept for resuming."""

    connections: int
    contexts: int
    parked: int
    ring_bytes: int
    tasks: int
    threads: int
    files: int
    processes: int
    places: int


@asynccontextmanager
async def espeak_gateway(
    *arguments: str, command: Sequence[str] = COMMAND, **settings: str
) -> AsyncIterator[GatewayProcess]:
    """`gateway serve` with espeak-ng in `WORKERS` workers, and tones as a second model."""
    own = {**ESPEAK_TOO, "ENGINES__ESPEAK__WORKERS": str(WORKERS), **settings}
    async with gateway_process(*arguments, command=command, **own) as gateway:
        await at_rest(gateway)
        yield gateway


async def scrape(gateway: GatewayProcess) -> Scraped:
    """Its metrics now. When this returns, the connection that asked is closed at the server's end, too."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=2**20)
    try:
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    assert head.startswith(b"HTTP/1.1 200 "), head
    return read(body)


async def vitals(gateway: GatewayProcess) -> Vitals:
    """What it holds now."""
    told = await scrape(gateway)
    pid = gateway.process.pid
    return Vitals(
        connections=round(told.value("connections")),
        contexts=round(told.value("contexts")),
        parked=round(told.value("parked")),
        ring_bytes=round(told.value("resume_rings_bytes")),
        tasks=round(told.value("tasks")),
        threads=len(os.listdir(f"/proc/{pid}/task")),
        files=len(os.listdir(f"/proc/{pid}/fd")),
        processes=len(descendants(pid)),
        places=round(told.value("engine_places_free")),
    )


async def at_rest(gateway: GatewayProcess) -> Vitals:
    """What it holds once all workers wait for orders and nothing has changed for five looks."""
    looks: list[Vitals] = []

    async def unchanged() -> bool:
        looks.append(await vitals(gateway))
        now = looks[-1]
        is_empty = not (now.connections or now.contexts or now.parked)
        return is_empty and len(looks) >= 5 and looks[-5:] == [now] * 5

    with suppress(TimeoutError):
        await until_async(unchanged, SETTLED_WITHIN_S)
        return looks[-1]
    raise AssertionError(f"it does not come to rest: {looks[-5:]}")


async def settled(gateway: GatewayProcess, before: Vitals) -> None:
    """Return once it holds what it held before; fail with both when that does not come."""

    async def same() -> bool:
        return await vitals(gateway) == before

    with suppress(TimeoutError):
        await until_async(same, SETTLED_WITHIN_S)
    now = await vitals(gateway)
    assert now == before, f"{now} instead of {before}"


def nurseries(gateway: GatewayProcess) -> set[int]:
    """The processes that fork workers."""
    pid = gateway.process.pid
    return descendants(pid) & children(pid)


def workers(gateway: GatewayProcess) -> set[int]:
    """Those that speak, or wait for their text."""
    return descendants(gateway.process.pid) - nurseries(gateway)


def slay(processes: Collection[int], number: int = signal.SIGKILL) -> None:
    """Send a signal to processes; some may have ended by now."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def one_of(processes: Collection[int], chance: random.Random) -> set[int]:
    """One at random, as long as there is one."""
    return {chance.choice(sorted(processes))} if processes else set()


async def all_end(groups: Collection[int]) -> None:
    """Return when no process is left in the process groups of these nurseries. Raises TimeoutError when one stays."""
    await until(lambda: not pids_of_groups(list(groups)))
