"""What is compared: a gateway of the benchmark's own, or one that runs somewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from gateway.bench.instruments.http import HttpClient
from gateway.bench.instruments.metrics import measure
from gateway.bench.instruments.timeline import clock
from gateway.bench.instruments.utterance import Client, whole
from gateway.bench.instruments.websocket import WebSocketClient
from gateway.bench.subjects import Layout, running_gateway

PATIENCE_S = 5.0
"""A target that says nothing for so long before the comparison has begun hangs."""

CHECK_S_MAX = 15.0
"""And one that goes on and on does not speak."""


class TargetFailed(Exception):
    """The target cannot be compared; the message is one line."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where it listens. `pid` is None where its process cannot be looked at. `key` is shown to it and to nobody else."""

    host: str
    port: int
    pid: int | None = None
    is_tls: bool = False
    key: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"authorization": f"Bearer {self.key}"} if self.key else {}

    @property
    def origin(self) -> str:
        """As a URL without a path."""
        return f"http{'s' * self.is_tls}://{self.host}:{self.port}"

    @property
    def http_url(self) -> str:
        """Where one POSTs a text."""
        return f"{self.origin}/v1/speech"

    @property
    def ws_url(self) -> str:
        """Where one opens a WebSocket."""
        return f"ws{'s' * self.is_tls}://{self.host}:{self.port}/v1/speech"


@contextmanager
def own_target(layout: Layout, settings: Mapping[str, str] | None = None) -> Iterator[Target]:
    """A gateway with its defaults but for `settings` (environment variables), ended with the block.

    Raises SubjectFailed.
    """
    with running_gateway(layout, settings) as gateway:
        yield Target(gateway.host, gateway.port, gateway.pid)


def target_at(url: str, key: str | None = None) -> Target:
    """The target of a URL such as http://host:8080. Raises TargetFailed when it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (KeyError, ValueError):
        raise TargetFailed(f"{url} is no http:// or https:// URL") from None
    if not parts.hostname:
        raise TargetFailed(f"{url} names no host")
    return Target(parts.hostname, port, is_tls=parts.scheme == "https", key=key)


async def check(target: Target, model: str) -> None:
    """Speak a word over both protocols. Raises TargetFailed when that does not go well."""
    try:
        async with asyncio.timeout(CHECK_S_MAX):
            await _check(target, model)
    except TimeoutError:
        raise TargetFailed(f"{target.origin} did not end a word within {CHECK_S_MAX:g} s") from None


async def _check(target: Target, model: str) -> None:
    clients: tuple[Client, ...] = (
        HttpClient(target.http_url, headers=target.headers, patience_s=PATIENCE_S),
        WebSocketClient(target.ws_url, headers=target.headers, patience_s=PATIENCE_S),
    )
    for client in clients:
        trouble = measure(await client.speak(whole("Hello.", model=model), clock())).trouble
        client.close()
        if trouble is not None:
            status = f" {trouble.status}" if trouble.status else ""
            detail = " ".join(trouble.detail.split())[:200]
            raise TargetFailed(
                f"{target.origin} does not speak over {client.wire}: "
                f"{trouble.failure}{status}: {detail}"
            )


async def counter(target: Target, name: str) -> float | None:
    """The sum of a Prometheus counter over its labels; None where the target tells none."""
    return await asyncio.to_thread(_counter, target, name)


def _counter(target: Target, name: str) -> float | None:
    try:
        request = Request(f"{target.origin}/metrics", headers=target.headers)  # noqa: S310 - http(s) only, see target_at
        with urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
            text = answer.read().decode()
            lines = [line for line in text.splitlines() if not line.startswith("#")]
            samples = (line.rpartition(" ") for line in lines)
            found = [float(v) for labelled, _, v in samples if labelled.partition("{")[0] == name]
    except (OSError, HTTPException, ValueError):  # It hangs up, or has something else there.
        return None
    return sum(found) if found else None
