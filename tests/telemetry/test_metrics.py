"""The metrics as a whole: their format, their documents, their bounds, and who may read them."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import msgspec
import pytest
from starlette.types import Message as AsgiMessage, Scope

from gateway.core.events import Timings
from gateway.core.vocabulary import Codec, Route
from gateway.fronts.proxies import read_networks
from gateway.fronts.system import MetricsOverHttp
from gateway.telemetry.metrics import MEDIA_TYPE, Metrics
from tests.fronts.peers import http_client
from tests.support.checkout import ROOT
from tests.support.documents import in_words, named, table
from tests.support.promtool import needs_promtool, not_promql, promtool
from tests.support.scraped import families, read, whole
from tests.support.server import running_server, speech_socket, tone_config

PROTOCOL = ROOT / "docs" / "protocol.md"
DOCUMENT = ROOT / "docs" / "operating.md"
TABLES = ("Contexts and connections", "Waiting", "Work", "The server")


def test_every_metric_is_described_as_it_is() -> None:
    described = {
        named(row): (row["type"], set(row["labels"].replace("`", "").split(", ")) - {""})
        for heading in TABLES
        for row in table(DOCUMENT, heading)
    }
    expected = families()
    process = {name for name in expected if name.startswith("process_")}
    assert described == {name: expected[name] for name in expected.keys() - process}
    text = DOCUMENT.read_text(encoding="utf-8")
    assert process
    assert all(f"`{name}`" in text for name in process)


def test_the_timings_of_ended_are_described_as_they_are() -> None:
    described = [(named(row), row["type"]) for row in table(PROTOCOL, "ended: timings")]
    fields = msgspec.structs.fields(Timings)
    assert described == [(field.name, in_words(field.type)) for field in fields]


def test_names_say_what_they_count_in() -> None:
    units = ("_seconds", "_ratio", "_characters", "_bytes")
    for name, (kind, _) in families().items():
        if kind == "histogram":
            assert name.endswith(units)
        if kind == "counter":
            assert name.endswith("_total")


def test_every_question_asks_for_a_metric_there_is() -> None:
    known = [name.removesuffix("_total") for name in families()]
    for row in table(DOCUMENT, "What to ask"):
        assert any(name in row["expression"] for name in known)


def test_the_text_is_prometheus_s() -> None:
    metrics = whole()
    metrics.figures(Route.HTTP, 'a "model"\n', Codec.MP3).first_audio.observe(0.25)
    told = read(metrics.exposition())
    assert told.value("first_audio_seconds_sum", model='a "model"\n') == 0.25
    assert told.value("worker_restarts_total", engine="tone") == 1
    assert b"_created" not in metrics.exposition()


@needs_promtool
def test_promtool_finds_nothing_to_say() -> None:
    metrics = whole()
    metrics.figures(Route.HTTP, "tone", Codec.MP3)
    assert promtool("check", "metrics", given=metrics.exposition()) == (0, "")


@needs_promtool
def test_promtool_understands_every_question(tmp_path: Path) -> None:
    questions = [row["expression"].strip("`") for row in table(DOCUMENT, "What to ask")]
    assert not_promql(questions, tmp_path) == ""


def test_figures_are_shared() -> None:
    metrics = Metrics()
    keys = list(product(Route, ("a", "b"), Codec))
    assert len({id(metrics.figures(*key)) for key in keys * 2}) == len(keys)


@pytest.mark.socket
async def test_nothing_that_callers_write_becomes_a_label() -> None:
    """Names and texts of all kinds, refused or spoken: the labels stay those of the configuration."""
    canary = "canary"
    async with running_server() as server, http_client(server) as client:
        for number in range(20):
            name = f"{canary}-{number}"
            await client.post("/v1/speech", json={"text": name, "model": name})
            await client.post("/v1/speech", json={"text": name, "voice": name, name: name})
            await client.post(f"/v1/speech?{name}", json={"text": name})
            await client.get(f"/v1/{name}")
        async with speech_socket(server, f"?{canary}={canary}") as socket:
            for number in range(20):
                context = f"{canary}-{number}"
                await socket.send(
                    {"type": "text", "context": context, "text": canary, "id": canary}
                )
                await socket.send({"type": "end", "context": context, "id": canary})
                await socket.send({"type": canary, "context": context})
                await socket.receive_until("ended")
        exposition = (await client.get("/metrics")).content
    assert canary.encode() not in exposition
    told = read(exposition)
    assert told.labels("first_payload_seconds_count", "model") == {"tone"}
    assert told.labels("errors_total", "code") == {
        "unknown_model",
        "unknown_voice",
        "invalid_message",
    }
    assert len(told.samples) < 300


async def asked(
    metrics: MetricsOverHttp, client: tuple[str, int] | None, *headers: tuple[bytes, bytes]
) -> int:
    """The status that a request from there gets."""
    scope: Scope = {"type": "http", "method": "GET", "client": client, "headers": list(headers)}
    statuses: list[int] = []

    async def receive() -> AsgiMessage:
        raise AssertionError

    async def send(message: AsgiMessage) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await metrics(scope, receive, send)
    (status,) = statuses
    return status


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("127.0.0.1", 200),
        ("127.8.9.10", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("10.0.0.7", 403),
        ("::ffff:10.0.0.7", 403),
        ("2001:db8::1", 403),
        (None, 403),
    ],
)
async def test_only_this_machine_is_told(address: str | None, status: int) -> None:
    client = None if address is None else (address, 50_000)
    assert await asked(MetricsOverHttp(whole(), open_to_all=False), client) == status
    assert await asked(MetricsOverHttp(whole(), open_to_all=True), client) == 200


@pytest.mark.parametrize("header", [b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"])
async def test_a_proxy_on_this_machine_asks_for_others(header: bytes) -> None:
    told_to = read_networks(["10.0.0.0/8"])
    metrics = MetricsOverHttp(whole(), open_to_all=False, told_to=told_to)
    for address in ("127.0.0.1", "10.0.0.7"):
        assert await asked(metrics, (address, 1), (header, b"10.0.0.7")) == 403


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("10.1.255.255", 200),
        ("::ffff:10.1.0.0", 200),
        ("10.2.0.0", 403),
        ("2001:db8::7", 200),
        ("2001:db8::8", 403),
        ("127.0.0.1", 200),
    ],
)
async def test_who_is_named_is_told(address: str, status: int) -> None:
    told_to = read_networks(["10.1.0.0/16", "2001:db8::7"])
    metrics = MetricsOverHttp(whole(), open_to_all=False, told_to=told_to)
    assert await asked(metrics, (address, 1)) == status


@pytest.mark.socket
async def test_what_the_server_answers() -> None:
    async with running_server() as server, http_client(server) as client:
        answer = await client.get("/metrics")
        assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA_TYPE)
        assert answer.headers["cache-control"].startswith("no-store")
        assert read(answer.content).value("connections") == 0
        assert (await client.post("/metrics")).status_code == 405
        refused = await client.get("/metrics", headers={"via": "a proxy"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "metrics_forbidden")
        assert "server.metrics_from" in refused.json()["error"]["allowed"]


@pytest.mark.socket
@pytest.mark.parametrize(("seen_by", "status"), [("all", 200), ("off", 404)])
async def test_the_configuration_decides(seen_by: str, status: int) -> None:
    config = tone_config()
    server_config = msgspec.structs.replace(config.server, metrics=seen_by)
    config = msgspec.structs.replace(config, server=server_config)
    async with running_server(config) as server, http_client(server) as client:
        answer = await client.get("/metrics", headers={"x-forwarded-for": "10.0.0.7"})
        assert answer.status_code == status
