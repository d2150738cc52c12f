"""The server and its clients, over real sockets, tell the same story: counts and sums exactly, times nearly so.

The clients are the benchmark's, which know nothing of the server but its wire.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from statistics import fmean

import httpx
import msgspec
import pytest

from gateway.bench.instruments.http import HttpClient
from gateway.bench.instruments.metrics import Metrics, measure
from gateway.bench.instruments.timeline import NATIVE_WIRES, Codec, Form, Timeline, Wire
from gateway.bench.instruments.utterance import Client, whole
from gateway.bench.instruments.websocket import WebSocketClient
from gateway.config import EnginesConfig, ToneConfig
from tests.fronts.peers import http_client
from tests.support.scraped import Scraped, read
from tests.support.server import RunningServer, running_server, tone_config

pytestmark = pytest.mark.socket

RATE = 24_000
FIRST_DELAY_MS = 100
"""So long that the time between two tasks of a busy machine is small beside it."""
FORMS = [Form(codec, RATE, 64_000 if codec is Codec.MP3 else 0) for codec in Codec]
TEXTS = [
    "Your flight leaves at nine. ",
    "I have looked at your booking, and there is time for dinner before that. Shall I reserve a table?",
    "A word, an \U0001f642 and a 2nd line.\nAll of them count.",
]


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    tone = ToneConfig(sample_rate=RATE, realtime_factor=0.05, first_delay_ms=FIRST_DELAY_MS)
    config = msgspec.structs.replace(tone_config(), engines=EnginesConfig(tone=tone))
    async with running_server(config) as running:
        yield running


@pytest.fixture
async def probe(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(server) as client:
        yield client


async def scrape(probe: httpx.AsyncClient) -> Scraped:
    return read((await probe.get("/metrics")).content)


async def speak(client: Client, form: Form, repeats: int) -> list[Timeline]:
    told = []
    for text in TEXTS * repeats:
        told.append(await client.speak(whole(text, form, lead_ms=None), time.perf_counter()))
    client.close()
    return told


def clients(server: RunningServer) -> list[Client]:
    return [HttpClient(f"{server.base_url}/v1/speech"), WebSocketClient(server.ws_url)]


async def test_counts_and_sums_are_equal(server: RunningServer, probe: httpx.AsyncClient) -> None:
    segments = dict.fromkeys(NATIVE_WIRES, 0)
    samples: dict[tuple[Wire, Codec], int] = {}
    for form in FORMS:
        for client in clients(server):
            heard = await speak(client, form, repeats=1)
            assert [told.trouble for told in heard] == [None] * len(TEXTS)
            samples[client.wire, form.codec] = sum(map(samples_heard, heard))
            segments[client.wire] += sum(len(told.messages("segment_end")) for told in heard)
    told = await scrape(probe)
    for (wire, codec), count in samples.items():
        labels = {"route": wire.value, "model": "tone", "codec": codec.value}
        assert told.value("first_audio_seconds_count", **labels) == len(TEXTS)
        assert told.value("first_payload_seconds_count", **labels) == len(TEXTS)
        # Over HTTP an MP3 does not tell how many of its samples are the codec's own.
        if (wire, codec) != (Wire.HTTP, Codec.MP3):
            seconds = told.value("audio_seconds_total", **labels)
            assert round(seconds * RATE, 3) == count
    contexts = len(TEXTS) * len(FORMS)
    for route in NATIVE_WIRES:
        assert told.value("contexts_opened_total", route=route) == contexts
        assert told.value("contexts_closed_total", route=route, reason="finished") == contexts
        assert told.value("connections_ended_total", route=route, cause="complete") == (
            contexts if route is Wire.HTTP else 0
        )
        characters = told.value("text_characters_total", route=route)
        assert characters == sum(map(len, TEXTS)) * len(FORMS)
        finished = told.value("segments_total", route=route, ending="finished")
        assert finished == segments[Wire.WEBSOCKET]
    assert told.value("errors_total") == told.value("gap_seconds_count") == 0
    assert told.value("contexts") == 0


@pytest.mark.wall_clock
@pytest.mark.parametrize("wire", NATIVE_WIRES)
@pytest.mark.parametrize("form", [FORMS[0], FORMS[-1]], ids=lambda form: form.codec.value)
async def test_the_mean_time_to_first_audio_is_the_same(
    server: RunningServer, probe: httpx.AsyncClient, wire: Wire, form: Form
) -> None:
    """Within 5 % or 2 ms, whatever is more."""
    (client,) = (client for client in clients(server) if client.wire == wire)
    figures = [measure(told) for told in await speak(client, form, repeats=5)]
    told = await scrape(probe)
    for name, theirs in (
        ("first_audio_seconds", [seconds(figure, "ftts_s") for figure in figures]),
        ("first_payload_seconds", [seconds(figure, "ttfc_s") for figure in figures]),
    ):
        assert told.value(f"{name}_count") == len(theirs)
        assert told.mean(name) == pytest.approx(fmean(theirs), rel=0.05, abs=0.002)


def samples_heard(told: Timeline) -> int:
    """What the frames say, or without frames what a decoder makes of them."""
    completeness = measure(told).completeness
    assert completeness is not None
    received = completeness.received
    return completeness.decoded if received is None else received


def seconds(figures: Metrics, name: str) -> float:
    value = getattr(figures, name)
    assert isinstance(value, float)
    return value
