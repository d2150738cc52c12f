"""Two replicas behind HAProxy with the configuration that is delivered, restarted one after the other under load."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol as Offer

from gateway.dialects.native import Subprotocol
from tests.support.leaks import LOOK_AGAIN_S, until
from tests.support.process import ENDS_WITHIN_S, GatewayProcess, gateway_process
from tests.support.proxies import free_port, missing, running
from tests.support.server import SpeechSocket

pytestmark = [
    pytest.mark.socket,
    pytest.mark.slow,
    # Four servers start in it, on machines that are busy with other tests.
    pytest.mark.timeout(120),
    pytest.mark.skipif(missing("haproxy") != "", reason=missing("haproxy")),
]

HAPROXY = ("haproxy", "-db", "-f", "config/haproxy.cfg")
TEXT = "Whoever hears this to its end has lost nothing."
HTTP_CLIENTS, WEBSOCKET_CLIENTS = 4, 4
ROUNDS_BETWEEN = 8
"""Answers that each kind of client gets between two restarts, at least."""


class Load:
    """Clients that ask again and again, and what became of it."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.downloads: list[bytes] = []
        self.conversations: list[bytes] = []
        self.failures: list[str] = []

    async def download(self) -> None:
        """One request over HTTP after the other, each on a connection of its own or not, as the client likes."""
        body = {"text": TEXT, "format": {"codec": "pcm_s16le"}}
        async with httpx.AsyncClient(
            base_url=self.base_url, trust_env=False, verify=False, timeout=ENDS_WITHIN_S
        ) as client:
            while True:
                try:
                    answer = await client.post("/v1/speech", json=body)
                except httpx.HTTPError as error:
                    self.failures.append(f"HTTP: {error!r}")
                    continue
                if answer.status_code == 200:
                    self.downloads.append(answer.content)
                else:
                    self.failures.append(f"HTTP: {answer.status_code} {answer.text}")

    async def converse(self) -> None:
        """One WebSocket after the other, each with two utterances."""
        url = self.base_url.replace("http", "ws") + "/v1/speech"
        while True:
            try:
                async with connect(
                    url, subprotocols=[Offer(Subprotocol.JSON)], proxy=None
                ) as connection:
                    client = SpeechSocket(connection)
                    await client.send({"type": "text", "text": TEXT}, {"type": "end"})
                    await client.receive_until("ended")
                    self.conversations.append(client.audio())
            except Exception as error:  # noqa: BLE001  # whatever it is, somebody lost something
                self.failures.append(f"WebSocket: {error!r}")

    def more(self) -> Callable[[], bool]:
        """Whether both kinds of client have got some answers since now."""
        downloads, conversations = len(self.downloads), len(self.conversations)
        return lambda: (
            len(self.downloads) >= downloads + ROUNDS_BETWEEN
            and len(self.conversations) >= conversations + ROUNDS_BETWEEN
        )


async def test_no_request_is_lost() -> None:
    ports = {"GATEWAY_A": free_port(), "GATEWAY_B": free_port()}
    front = free_port()
    addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items()}

    def start(name: str) -> AbstractAsyncContextManager[GatewayProcess]:
        # Who is refused because the machine is busy is not lost by a restart.
        return gateway_process(
            *("--port", str(ports[name])),
            ENGINES__TONE__REALTIME_FACTOR="0.02",
            LIMITS__LOAD_PERCENT_MAX="100",
        )

    async with AsyncExitStack() as stack:
        replicas = {name: await stack.enter_async_context(start(name)) for name in ports}
        addresses["LISTEN"] = f"127.0.0.1:{front}"
        await stack.enter_async_context(running(HAPROXY, addresses))
        load = Load(f"http://127.0.0.1:{front}")
        await reachable(load.base_url)
        async with asyncio.TaskGroup() as tasks:
            clients = [tasks.create_task(load.download()) for _ in range(HTTP_CLIENTS)]
            clients += [tasks.create_task(load.converse()) for _ in range(WEBSOCKET_CLIENTS)]
            for name in ports:
                await until(load.more())
                replicas[name].signal(signal.SIGTERM)
                assert await replicas[name].ended() == 0
                await until(load.more())
                replicas[name] = await stack.enter_async_context(start(name))
                # Before the next one goes, the proxy must have seen that this one is back.
                await in_use(replicas[name])
            await until(load.more())
            for client in clients:
                client.cancel()
    assert load.failures == []
    assert len(set(load.downloads) | set(load.conversations)) == 1, "all of it, each time"


async def reachable(base_url: str) -> None:
    """Wait until the proxy answers for a replica that is ready."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        async with asyncio.timeout(ENDS_WITHIN_S):
            while True:
                with suppress(httpx.ConnectError):
                    if (await client.get(f"{base_url}/readyz")).status_code == 200:
                        return
                await asyncio.sleep(LOOK_AGAIN_S)


async def in_use(replica: GatewayProcess) -> None:
    """Wait until a replica has answered somebody."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        async with asyncio.timeout(ENDS_WITHIN_S):
            while (  # noqa: ASYNC110  # nothing announces it
                "gateway_connections_ended_total{"
                not in (await client.get(f"{replica.base_url}/metrics")).text
            ):
                await asyncio.sleep(LOOK_AGAIN_S)
