"""What a process holds, counted: after all clients have gone it must be what it was before the first one came."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from gateway.runtime.house import House

LOOK_AGAIN_S = 0.01
SETTLED_WITHIN_S = 10.0


class Held(msgspec.Struct, frozen=True):
    """How much of each there is."""

    tasks: int
    threads: int
    files: int
    processes: int
    connections: int
    contexts: int
    parked: int
    ring_bytes: int
    receipts_open: int
    keys_in_use: int


def held(house: House) -> Held:
    """What this process and its children hold now."""
    return Held(
        tasks=len(asyncio.all_tasks()),
        # Those that asyncio begins for what blocks are a few, and stay.
        threads=sum(not each.name.startswith("asyncio_") for each in threading.enumerate()),
        files=len(os.listdir("/proc/self/fd")),
        processes=len(descendants()),
        connections=house.admission.connections,
        contexts=house.admission.contexts,
        parked=house.lobby.parked,
        ring_bytes=house.lobby.rings.bytes,
        receipts_open=house.receipts.open,
        keys_in_use=house.replays.running,
    )


def descendants(process: int | None = None) -> set[int]:
    """The processes below this one (or another), those that have ended and were not waited for excepted."""
    found: set[int] = set()
    todo = [process or os.getpid()]
    while todo:
        todo += [child for child in children(todo.pop()) if is_alive(child)]
        found.update(todo)
    return found


def children(process: int) -> set[int]:
    """The processes that this one has begun itself, also those that have ended and were not waited for."""
    found: set[int] = set()
    with suppress(
        FileNotFoundError, ProcessLookupError
    ):  # It may end meanwhile, or one of its threads.
        for task in Path(f"/proc/{process}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                found.update(map(int, (task / "children").read_text().split()))
    return found


def is_alive(process: int) -> bool:
    """True for a process that has not ended; a zombie has."""
    return state(process) not in ("", "Z")


def state(process: int) -> str:
    """The letter that the kernel has for what it does, as in proc_pid_stat(5); empty when there is none."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    # The state follows the name, which may contain anything but ends at the last parenthesis.
    return status.rpartition(")")[2].split()[0]


async def until(condition: Callable[[], bool]) -> None:
    """Return as soon as a condition holds that nothing announces. Raises TimeoutError when it never does."""
    async with asyncio.timeout(SETTLED_WITHIN_S):
        while not condition():  # noqa: ASYNC110  # nobody sets an event when a file is closed
            await asyncio.sleep(LOOK_AGAIN_S)


async def until_async(condition: Callable[[], Awaitable[bool]], within_s: float) -> None:
    """The same for a condition that is asked of somebody else."""
    async with asyncio.timeout(within_s):
        while not await condition():  # noqa: ASYNC110  # as above
            await asyncio.sleep(LOOK_AGAIN_S)


async def at_rest(house: House) -> Held:
    """What is held once nobody is connected and nothing has changed for ten looks: processes take time to appear."""
    looks = [held(house)]
    async with asyncio.timeout(SETTLED_WITHIN_S):
        while looks[-1].connections or looks[-10:] != [looks[-1]] * 10:
            await asyncio.sleep(LOOK_AGAIN_S)
            looks.append(held(house))
    return looks[-1]


async def settled(house: House, before: Held) -> None:
    """Return once no more is held than `before`; fail with both counts when that does not come.

    Fewer processes than before are right: of what was made before the test a worker may have been about to end.
    """
    with suppress(TimeoutError):
        await until(lambda: _is_as(before, held(house)))
    now = held(house)
    assert _is_as(before, now), f"{now} instead of {before}"


def _is_as(before: Held, now: Held) -> bool:
    return now.processes <= before.processes and before == msgspec.structs.replace(
        now, processes=before.processes
    )
