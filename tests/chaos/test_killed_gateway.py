"""kill -9 of the gateway under load: nobody takes what they have for whole, no process is left, the port is free."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.chaos.serving import (
    NURSERIES,
    WORKERS,
    all_end,
    at_rest,
    espeak_gateway,
    nurseries,
    slay,
    workers,
)
from tests.chaos.talking import PCM, ask, conversation, download
from tests.support.process import GatewayProcess
from tests.support.proxies import free_port
from tests.support.server import AudioFrame, Message

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.socket,
    pytest.mark.slow,
    pytest.mark.timeout(180),
]

TEXT = "Somebody listens to this sentence while the server is killed, and hears no end of it. "
LONG = TEXT * 200
"""More than all buffers between the two hold: whoever does not read is not sent the end."""
WHOLE = TEXT * 60

Listening = Callable[[GatewayProcess, asyncio.Event], Awaitable[None]]
"""Begins to listen, says so, and fails unless the end of the server is seen for what it is."""


async def streams(gateway: GatewayProcess, has_begun: asyncio.Event, accept: str = "*/*") -> None:
    async with asking({"text": LONG, "format": PCM}, gateway, accept) as response:
        body = response.aiter_raw()
        assert await anext(body)
        has_begun.set()
        await gateway.ended()
        with pytest.raises(httpx.TransportError):
            async for _ in body:
                pass


async def streams_events(gateway: GatewayProcess, has_begun: asyncio.Event) -> None:
    await streams(gateway, has_begun, "application/x-ndjson")


async def waits_for_a_whole_file(gateway: GatewayProcess, has_begun: asyncio.Event) -> None:
    """There is no answer yet, or not all of the length that it named."""
    body: Message = {"text": WHOLE[:9_000], "format": {"codec": "flac"}, "stream": False}
    has_begun.set()
    try:
        async with asking(body, gateway) as response:
            await gateway.ended()
            await response.aread()
    except httpx.TransportError:
        return
    pytest.fail("it took a part for the whole")


async def converses(gateway: GatewayProcess, has_begun: asyncio.Event) -> None:
    async with conversation(gateway.ws_url) as socket:
        await ask(socket, "paced", LONG, lead_ms=200)
        await ask(socket, "unpaced", LONG)
        while not isinstance(await socket.receive(), AudioFrame):
            pass
        has_begun.set()
        with pytest.raises(ConnectionClosed) as closed:
            await socket.receive_until("never")
        assert closed.value.rcvd is None, "a close frame came: a client sees 1006 without one"
        assert not socket.messages("ended")


async def says_nothing(gateway: GatewayProcess, has_begun: asyncio.Event) -> None:
    async with conversation(gateway.ws_url) as socket:
        has_begun.set()
        with pytest.raises(ConnectionClosed) as closed:
            await socket.receive_until("never")
        assert closed.value.rcvd is None


@asynccontextmanager
async def asking(
    body: Message, gateway: GatewayProcess, accept: str = "*/*"
) -> AsyncIterator[httpx.Response]:
    async with (
        httpx.AsyncClient(trust_env=False, verify=False, timeout=20) as client,
        client.stream(
            "POST", f"{gateway.base_url}/v1/speech", json=body, headers={"accept": accept}
        ) as response,
    ):
        assert response.status_code == 200
        yield response


LISTENING: list[Listening] = [
    streams,
    streams_events,
    waits_for_a_whole_file,
    converses,
    says_nothing,
]


async def test_all_see_that_it_was_not_the_end_and_the_next_one_serves_at_once() -> None:
    port = str(free_port())
    short: Message = {"text": TEXT, "format": PCM}
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(espeak_gateway("--port", port))
        whole = await download(gateway.base_url, short)
        async with asyncio.TaskGroup() as tasks:
            begun = [asyncio.Event() for _ in LISTENING]
            for listen, event in zip(LISTENING, begun, strict=True):
                tasks.create_task(listen(gateway, event))  # type: ignore[arg-type]  # they are coroutine functions
            for event in begun:
                await event.wait()
            sessions = nurseries(gateway)
            assert len(sessions) == NURSERIES
            gateway.signal(signal.SIGKILL)
            assert await gateway.ended() == -signal.SIGKILL
        await all_end(sessions)
        successor = await stack.enter_async_context(espeak_gateway("--port", port))
        assert successor.base_url == gateway.base_url
        assert (await download(successor.base_url, short)).audio == whole.audio


async def test_not_even_stopped_processes_outlive_it() -> None:
    """Those that can notice nothing: a nursery and its workers in SIGSTOP, while others speak."""
    async with espeak_gateway() as gateway:
        await at_rest(gateway)
        everybody = workers(gateway) | nurseries(gateway)
        assert len(everybody) > WORKERS
        sessions = nurseries(gateway)
        slay(sorted(everybody)[::2], signal.SIGSTOP)
        async with asyncio.TaskGroup() as tasks:
            begun = asyncio.Event()
            tasks.create_task(says_nothing(gateway, begun))
            await begun.wait()
            gateway.signal(signal.SIGKILL)
        await all_end(sessions)
