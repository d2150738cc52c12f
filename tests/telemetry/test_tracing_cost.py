"""What traces cost: nothing where nobody asked for them, and little where somebody did."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import msgspec
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Scope

from gateway.config import TracingConfig
from gateway.fronts.http import SpeechOverHttp
from gateway.fronts.traced import Traced
from gateway.telemetry import tracing
from tests.support.server import RunningServer, running_server, tone_config

REQUESTS, ROUNDS = 50, 8
OFF_RATIO_MAX, ON_RATIO_MAX = 1.1, 2.0


class Nobody(SpanExporter):
    """Takes spans and forgets them."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def speech(server: RunningServer) -> ASGIApp:
    """What is at POST /v1/speech."""
    routes = (route for route in server.routes if isinstance(route, Route))
    return next(route.app for route in routes if route.path == "/v1/speech")


async def ask(app: ASGIApp) -> None:
    """One short request, without a socket."""
    body = b'{"text":"Hello there, this is one sentence.","format":{"codec":"pcm_s16le"}}'
    arriving = iter([{"type": "http.request", "body": body}])
    samples = 0

    async def receive() -> Message:
        for message in arriving:
            return message
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def send(message: Message) -> None:
        nonlocal samples
        samples += len(message.get("body", b"")) // 2

    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/speech",
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
    }
    await app(scope, receive, send)
    assert samples > 10_000


async def cpu_s(app: ASGIApp) -> float:
    begun = time.process_time()
    for _ in range(REQUESTS):
        await ask(app)
    return time.process_time() - begun


async def test_off_there_is_nothing_around_a_front() -> None:
    async with running_server() as server:
        assert type(speech(server)) is SpeechOverHttp


@pytest.mark.wall_clock
async def test_what_a_request_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "OTLPSpanExporter", lambda **_: Nobody())
    asked_for = TracingConfig(endpoint="http://127.0.0.1:9/")
    config = msgspec.structs.replace(tone_config(), tracing=asked_for)
    async with running_server() as plain, running_server(config) as traced:
        apps = (SpeechOverHttp(plain.house), speech(plain), speech(traced))
        assert isinstance(apps[2], Traced)
        rounds = [[await cpu_s(app) for app in apps] for _ in range(ROUNDS)]
    bare, off, on = (min(times) for times in zip(*rounds, strict=True))
    print(f"off {off / bare:.2f}, on {on / bare:.2f} times")  # noqa: T201  # The figures of docs/operating.md.
    assert off / bare < OFF_RATIO_MAX
    assert on / bare < ON_RATIO_MAX
