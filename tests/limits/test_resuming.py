"""Limits of what is kept for clients that may come back.

How large a dialogue is depends on its frames, so it is measured once where there is room enough, and then the limit is
put at that size.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.runtime.house import House
from gateway.runtime.lobby import RECORD_CHARS
from tests.limits.borders import after, border, now, turns
from tests.support.memory import MemorySocket, memory_house, memory_socket
from tests.support.server import Message

pytestmark = pytest.mark.virtual_time

WINDOW_MS = 5_000
TEXT = "One two three. "
SAID: list[Message] = [
    {"type": "configure", "lead_ms": None},
    {"type": "text", "text": TEXT},
    {"type": "flush"},
]


@asynccontextmanager
async def house_of(**limits: int) -> AsyncIterator[House]:
    async with memory_house(None, **{"resume_window_ms": WINDOW_MS, **limits}) as house:
        yield house


async def broken_off(house: House, tasks: asyncio.TaskGroup) -> str:
    """A client that has said and heard everything, broke off and may come back by this token."""
    token: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def talk(socket: MemorySocket) -> None:
        ready = await socket.receive_until("ready")
        await socket.send(*SAID)
        await socket.receive_until("flushed")
        token.set_result(str(ready["resume_token"]))

    async def connect() -> None:
        async with memory_socket(house) as socket:
            await talk(socket)
            socket.break_off()
            # Until nobody waits for it any more.
            await asyncio.wait([socket.verdict])

    tasks.create_task(connect())
    await token
    await turns()
    return token.result()


async def answer(house: House, token: str) -> str:
    """How somebody is answered who wants to hear everything again."""
    async with memory_socket(house) as socket:
        await socket.receive_until("ready")
        position = {"samples": 0, "messages": 0}
        await socket.send({"type": "resume", "token": token, "contexts": [position]})
        said = await socket.receive()
        assert isinstance(said, dict)
        return str(said.get("code", said["type"]))


async def bytes_kept() -> int:
    """Of one such dialogue."""
    async with house_of() as house, asyncio.TaskGroup() as tasks:
        await broken_off(house, tasks)
        return house.lobby.rings.bytes


@border("resume_window_ms")
async def test_a_client_is_waited_for(more: int) -> None:
    async with house_of() as house, asyncio.TaskGroup() as tasks:
        token = await broken_off(house, tasks)
        await after(now(), WINDOW_MS + more)
        assert house.lobby.parked == (1 if more < 0 else 0)
        assert await answer(house, token) == ("resumed" if more < 0 else "resume_expired")


@border("resume_ring_bytes")
async def test_what_one_context_was_told(more: int) -> None:
    size = await bytes_kept()
    async with house_of(resume_ring_bytes=size - more) as house, asyncio.TaskGroup() as tasks:
        token = await broken_off(house, tasks)
        assert await answer(house, token) == ("resume_gone" if more > 0 else "resumed")


@border("resume_rings_bytes_max")
async def test_what_all_were_told(more: int) -> None:
    """The last one forgets its own, and not another's."""
    size = await bytes_kept()
    limits = {"resume_rings_bytes_max": 2 * size - more}
    async with house_of(**limits) as house, asyncio.TaskGroup() as tasks:
        tokens = [await broken_off(house, tasks) for _ in range(2)]
        answers = [await answer(house, token) for token in tokens]
        assert answers == ["resumed", "resume_gone" if more > 0 else "resumed"]


@border("sessions_parked_max")
async def test_sessions_that_wait(more: int) -> None:
    async with house_of(sessions_parked_max=3) as house, asyncio.TaskGroup() as tasks:
        first, *_ = [await broken_off(house, tasks) for _ in range(3 + more)]
        await turns()
        assert house.lobby.parked == min(3, 3 + more)
        assert await answer(house, first) == ("resume_expired" if more > 0 else "resumed")


@border("lost_text_ms")
async def test_how_long_lost_text_is_remembered(more: int) -> None:
    async with house_of(lost_text_ms=4_000) as house, asyncio.TaskGroup() as tasks:
        token = await broken_off(house, tasks)
        await after(now(), WINDOW_MS + 4_000 + more)
        assert await answer(house, token) == ("resume_expired" if more < 0 else "not_found")


@border("lost_text_chars_max")
async def test_how_much_of_it(more: int) -> None:
    limit = len(TEXT) + RECORD_CHARS - more
    async with house_of(lost_text_chars_max=limit) as house, asyncio.TaskGroup() as tasks:
        token = await broken_off(house, tasks)
        await after(now(), WINDOW_MS)
        assert await answer(house, token) == ("not_found" if more > 0 else "resume_expired")
