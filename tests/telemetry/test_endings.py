"""Every way in which a connection can end is counted and logged once, without a word of what was said."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.core.errors import EngineLost
from gateway.core.events import Timings
from gateway.core.synthesis import Report, Synthesize
from gateway.engines.chaos import ChaosEngine, Fail, Fault, Hang
from gateway.engines.tone import ToneEngine
from gateway.telemetry.log import JsonFormatter
from tests.fronts.peers import http_client, raw_peer, use_engine
from tests.support.leaks import until
from tests.support.scraped import Scraped, scraped
from tests.support.server import RunningServer, running_server, speech_socket, tone_config

pytestmark = pytest.mark.socket

SECRET = "Nobody else may read this."


class Planned(ChaosEngine):
    """Also an engine with a bug."""

    def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        if "bug" in order.text:
            raise ZeroDivisionError
        return super().synthesize(order)


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    async with running_server(tone_config(connections_max=1)) as running:
        plan: dict[str, list[Fault | None]] = {
            "early": [Fail(0, EngineLost)],
            "late": [Fail(20_000, EngineLost)],
            "endless": [Hang(40_000)],
        }
        use_engine(running, Planned(ToneEngine(), plan))
        yield running


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(server) as client:
        yield client


async def ended(server: RunningServer, cause: str, route: str = "http") -> Scraped:
    """The metrics, once one connection of this route has ended so, and no other has ended at all."""
    metrics = server.house.metrics
    await until(lambda: scraped(metrics).value("connections_ended_total", route=route) > 0)
    told = scraped(metrics)
    assert told.value("connections_ended_total", route=route, cause=cause) == 1
    assert told.value("connections_ended_total", route=route) == 1
    return told


async def test_a_complete_one(
    server: RunningServer, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert (await client.post("/v1/speech?a=secret", json={"text": SECRET})).status_code == 200
    told = await ended(server, "complete")
    assert told.value("contexts_closed_total", route="http", reason="finished") == 1
    assert told.value("text_characters_total") == len(SECRET)
    (record,) = (record for record in caplog.records if record.message == "speech_http")
    fields = vars(record)
    assert fields["ending"] == "complete"
    assert isinstance(fields["timings"], Timings)
    assert fields["timings"].first_audio_ms is not None
    line = JsonFormatter().format(record)
    assert '"timings":{"queue_ms":' in line
    assert "secret" not in line
    assert "Nobody" not in line


@pytest.mark.parametrize(
    ("body", "code"), [({}, "text_missing"), ({"text": "early"}, "engine_lost")]
)
async def test_a_refused_one(
    server: RunningServer, client: httpx.AsyncClient, body: dict[str, str], code: str
) -> None:
    answer = await client.post("/v1/speech", json=body)
    assert answer.json()["error"]["code"] == code
    told = await ended(server, "refused")
    assert told.value("errors_total") == told.value("errors_total", route="http", code=code) == 1


async def test_one_that_failed_too_late_to_say_so(
    server: RunningServer, client: httpx.AsyncClient
) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await client.post("/v1/speech", json={"text": "This one fails rather late, as it happens."})
    told = await ended(server, "failed")
    assert told.value("errors_total", code="engine_lost") == told.value("errors_total") == 1
    assert told.value("contexts_closed_total", reason="aborted") == 1
    assert told.value("segments_total", ending="failed") == 1


async def test_a_bug(server: RunningServer, client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/speech", json={"text": "A bug."})).status_code == 500
    told = await ended(server, "refused")
    assert told.value("errors_total", code="internal") == told.value("errors_total") == 1


async def test_one_whose_client_left(server: RunningServer) -> None:
    async with raw_peer(server) as peer:
        await peer.post(b'{"text": "This one is endless, and nobody waits for the end of it."}')
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.reset()
    told = await ended(server, "peer_gone")
    assert told.value("contexts_closed_total", reason="aborted") == 1
    assert told.value("audio_unheard_seconds_total", cause="abort") > 1


async def test_a_full_house(server: RunningServer, client: httpx.AsyncClient) -> None:
    async with speech_socket(server) as socket:
        await socket.receive_until("ready")
        assert scraped(server.house.metrics).value("connections") == 1
        assert (await client.post("/v1/speech", json={"text": "Hello."})).status_code == 503
        told = await ended(server, "refused")
        assert told.value("errors_total", route="http", code="overloaded") == 1
    await ended(server, "peer_gone", "websocket")


async def test_a_refused_handshake(server: RunningServer) -> None:
    with pytest.raises(InvalidStatus):
        async with speech_socket(server, subprotocols=["other"]):
            pass
    told = await ended(server, "refused", "websocket")
    assert told.value("errors_total", route="websocket", code="invalid_value") == 1


async def test_a_bug_in_the_middle_of_a_conversation(server: RunningServer) -> None:
    async with speech_socket(server) as socket:
        await socket.send({"type": "configure"})
        await socket.receive_until("started")
        await socket.send({"type": "text", "text": "A bug."}, {"type": "flush"})
        with suppress(ConnectionClosed):
            await socket.receive_until("error", code="internal")
    told = await ended(server, "failed", "websocket")
    assert told.value("errors_total", route="websocket", code="internal") == 1
    assert told.value("contexts_closed_total", reason="aborted") == 1
    assert told.value("contexts") == 0
