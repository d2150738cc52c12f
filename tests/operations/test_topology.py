"""docker-compose.yml run without Docker: its commands, environments, addresses and mounts, each service in a network of its
own, with the programs of Debian's packages. Grafana is not among these; its addresses are compared in repo/test_compose.py.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx
import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol as Offer

from gateway.dialects.native import Subprotocol
from tests.operations.test_alerts import ALERTS
from tests.operations.test_dashboard import DASHBOARD, Dashboard, expressions
from tests.support.checkout import ROOT
from tests.support.compose import Compose, Healthcheck, Service, compose
from tests.support.networks import hosts, inside, join, why_not
from tests.support.server import SpeechSocket

RUN = ("gateway", "gateway-b", "proxy", "prometheus")
"""The services that are started."""
PROGRAMS = {"python": sys.executable, "haproxy": "haproxy", "prometheus": "prometheus"}
LOOK_AGAIN_S, WITHIN_S = 0.05, 30.0
_missing = [name for name in ("haproxy", "prometheus") if shutil.which(name) is None]

pytestmark = [
    pytest.mark.socket,
    pytest.mark.slow,
    pytest.mark.timeout(90),
    pytest.mark.skipif(_missing != [], reason=f"not installed: {', '.join(_missing)}"),
    pytest.mark.skipif(why_not() != "", reason=why_not()),
]


def subnet_address(text: Compose, network: str, address: str) -> str:
    """With the length of the network's prefix behind it."""
    return f"{address}/{text.networks[network].subnet.prefixlen}"


def command_of(name: str, service: Service, home: Path) -> list[str]:
    """The service's command with what is mounted in its place; images start Prometheus by themselves."""
    words = service.command if name != "prometheus" else ["prometheus", *service.command]
    mounted = {
        inner: ROOT / source if source.startswith(".") else home / source
        for source, inner, *_ in (mount.split(":") for mount in service.volumes)
    }
    return [PROGRAMS[words[0]], *(_outside(word, mounted) for word in words[1:])]


def _outside(word: str, mounted: Mapping[str, Path]) -> str:
    """A word of a command with the path in it, behind a `=` or alone, as it is without a container."""
    flag, equals, path = word.rpartition("=")
    for inner, here in mounted.items():
        if path == inner or path.startswith(f"{inner}/"):
            return f"{flag}{equals}{here}{path.removeprefix(inner)}"
    return word


def quick(word: str, home: Path) -> str:
    """A word of Prometheus's command that names a copy of its configuration, with figures once a second instead of every
    ten."""
    source, copy = ROOT / "config" / "prometheus", home / "config"
    if str(source) not in word:
        return word
    shutil.copytree(source, copy)
    file = copy / "prometheus.yml"
    text = file.read_text()
    assert text.count(": 10s") == 2
    file.write_text(text.replace(": 10s", ": 1s").replace(": 5s", ": 1s"))
    return word.replace(str(source), str(copy))


@asynccontextmanager
async def started(words: list[str], environment: Mapping[str, str]) -> AsyncIterator[Process]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    process = await asyncio.create_subprocess_exec(
        *words, cwd=ROOT, env=kept | dict(environment), stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def healthy(check: Healthcheck) -> None:
    """What Docker asks before it starts what depends on a service."""
    kind, program, *words = check.test
    assert kind == "CMD"
    async with asyncio.timeout(WITHIN_S):
        while True:
            async with started([PROGRAMS[program], *words], {}) as asking:
                if await asking.wait() == 0:
                    return
            await asyncio.sleep(LOOK_AGAIN_S)


@asynccontextmanager
async def topology(home: Path) -> AsyncIterator[tuple[Compose, dict[str, int]]]:
    """All of it, until the end of the block; gives the hosts by the names of their services, and `outside`, which is
    where Docker's published ports come from: the first address of each network."""
    text = compose()
    async with AsyncExitStack() as stack:
        made = stack.enter_context(hosts(*RUN, "outside", "middle"))
        for network, about in text.networks.items():
            addresses = {
                made[name]: subnet_address(
                    text, network, text.services[name].networks[network].ipv4_address
                )
                for name in RUN
                if network in text.services[name].networks
            }
            addresses[made["outside"]] = f"{about.subnet[1]}/{about.subnet.prefixlen}"
            join(network, made["middle"], addresses)
        for name in RUN:
            service = text.services[name]
            words = command_of(name, service, home)
            if name == "prometheus":
                words = [quick(word, home) for word in words]
            with inside(made[name]):
                await stack.enter_async_context(started(words, service.environment))
                if service.healthcheck is not None:
                    await healthy(service.healthcheck)
        yield text, made


async def eventually(client: httpx.AsyncClient, url: str, enough: str) -> None:
    """Ask until the answer has these words."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            with suppress(httpx.TransportError):
                if enough in (await client.get(url)).text:
                    return
            await asyncio.sleep(LOOK_AGAIN_S)


def new_client() -> httpx.AsyncClient:
    return httpx.AsyncClient(trust_env=False, verify=False, timeout=WITHIN_S)


async def test_the_compose_file_as_it_stands(tmp_path: Path) -> None:
    async with topology(tmp_path) as (text, made):
        at = {name: f"http://{service.address}:8080" for name, service in text.services.items()}
        prometheus = f"http://{text.services['prometheus'].address}:9090"
        with inside(made["outside"]):
            async with new_client() as client:
                await eventually(client, f"{at['proxy']}/readyz", "ready")
                await speaks(client, at["proxy"])
                await the_proxy_alone_is_believed(client, at)
                await figures_are_for_prometheus_alone(client, at)
                await prometheus_has_them(client, prometheus)


async def speaks(client: httpx.AsyncClient, proxy: str) -> None:
    """Over both protocols."""
    answer = await client.post(f"{proxy}/v1/speech", json={"text": "One, two."})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/mpeg")
    url = proxy.replace("http", "ws") + "/v1/speech"
    async with connect(url, subprotocols=[Offer(Subprotocol.JSON)], proxy=None) as connection:
        socket = SpeechSocket(connection)
        await socket.send({"type": "text", "text": "One, two."}, {"type": "end"})
        await socket.receive_until("ended")
        assert socket.audio()


async def the_proxy_alone_is_believed(client: httpx.AsyncClient, at: Mapping[str, str]) -> None:
    """About the scheme of the page that asks."""
    statuses = {}
    for name in ("proxy", "gateway", "gateway-b"):
        page = {"origin": at[name].replace("http:", "https:"), "x-forwarded-proto": "https"}
        statuses[name] = (await client.get(f"{at[name]}/healthz", headers=page)).status_code
    assert statuses == {"proxy": 200, "gateway": 403, "gateway-b": 403}


async def figures_are_for_prometheus_alone(
    client: httpx.AsyncClient, at: Mapping[str, str]
) -> None:
    for name in ("proxy", "gateway", "gateway-b"):
        refused = await client.get(f"{at[name]}/metrics")
        assert refused.status_code == 403
        assert refused.json()["error"]["code"] == "metrics_forbidden"


async def prometheus_has_them(client: httpx.AsyncClient, prometheus: str) -> None:
    """Both replicas are up, every panel can be drawn, every alert is loaded, and none fires."""
    await eventually(client, f"{prometheus}/api/v1/query?query=sum(up)", '"2"]')
    told = msgspec.json.decode(DASHBOARD.read_bytes(), type=Dashboard)
    for name, expression in expressions(told).items():
        answer = await client.get(f"{prometheus}/api/v1/query", params={"query": expression})
        assert answer.json()["status"] == "success", name
    answer = await client.get(
        f"{prometheus}/api/v1/query", params={"query": "sum(gateway_contexts_opened_total)"}
    )
    assert answer.json()["data"]["result"][0]["value"][1] == "2", "what we have said"
    groups = (await client.get(f"{prometheus}/api/v1/rules")).json()["data"]["groups"]
    states = {rule["name"]: rule["state"] for group in groups for rule in group["rules"]}
    assert states.keys() == ALERTS.keys()
    assert "firing" not in states.values()
