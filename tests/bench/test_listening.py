"""The instruments on the gateway itself, directly and over a bad network."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from gateway.bench.instruments.http import HttpClient
from gateway.bench.instruments.metrics import measure
from gateway.bench.instruments.timeline import (
    NATIVE_WIRES,
    Codec,
    Failure,
    Form,
    Timeline,
    Wire,
    clock,
)
from gateway.bench.instruments.utterance import Client, Piece, Utterance, whole
from gateway.bench.instruments.websocket import WebSocketClient
from gateway.bench.link import Conditions, Link
from gateway.bench.workload import drive
from gateway.bench.workload.corpus import load
from gateway.bench.workload.schedule import Mix, Session, Turn, open_loop
from tests.support.server import RunningServer, running_server

pytestmark = pytest.mark.socket

TEXT = "The ferry leaves at seven. It is back before midnight, and nobody expects you."


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    async with running_server() as running:
        yield running


def clients(port: int) -> dict[str, Client]:
    socket = f"ws://127.0.0.1:{port}/v1/speech"
    return {
        "http": HttpClient(f"http://127.0.0.1:{port}/v1/speech"),
        "websocket": WebSocketClient(socket),
        "base64": WebSocketClient(f"{socket}?audio=base64"),
    }


def audio(timeline: Timeline) -> bytes:
    return b"".join(payload.data for payload in timeline.payloads)


async def test_a_flush_is_sent_where_the_text_says_so(server: RunningServer) -> None:
    """Over HTTP there is no such word, and the text is the same."""
    utterance = Utterance((Piece(0.0, "The ferry leaves ", flush=True), Piece(0.0, "at seven.")))
    for wire, client in clients(server.port).items():
        timeline = await client.speak(utterance, clock())
        client.close()
        assert timeline.trouble is None
        assert "".join(sent.text for sent in timeline.sent) == utterance.text
        assert len(timeline.messages("flushed")) == (wire != "http")


@pytest.mark.parametrize(
    "form", [Form(), Form(Codec.MP3, 24_000, 64_000)], ids=lambda form: form.codec
)
async def test_the_same_text_is_the_same_audio_over_all_wires(
    server: RunningServer, form: Form
) -> None:
    heard = {}
    for wire, client in clients(server.port).items():
        heard[wire] = await client.speak(whole(TEXT, form, lead_ms=None), clock())
        client.close()
    announced = heard["websocket"].announced
    assert announced
    for timeline in heard.values():
        metrics = measure(timeline, announced)
        assert metrics.trouble is None
        assert metrics.completeness is not None
        assert metrics.completeness.is_complete
    assert audio(heard["websocket"]) == audio(heard["base64"])
    if form.codec is Codec.PCM_S16LE:
        assert audio(heard["http"]) == audio(heard["websocket"])


@pytest.mark.parametrize("wire", ["websocket", "base64"])
async def test_a_barge_in_is_acknowledged_and_nothing_leaks(
    server: RunningServer, wire: str
) -> None:
    client = clients(server.port)[wire]
    # A lead of a tenth of a second, so that there is something left to interrupt.
    utterance = msgspec.structs.replace(whole(TEXT, lead_ms=100), barge_in_s=0.1)
    for _ in range(3):
        metrics = measure(await client.speak(utterance, clock()))
        assert metrics.trouble is None
        assert metrics.cancel is not None
        assert metrics.cancel.acknowledged_s is not None
        assert metrics.cancel.leaked == 0
        assert metrics.completeness is not None
        assert metrics.completeness.chars_lost == 0
    client.close()


@pytest.mark.parametrize("wire", ["http", "websocket"])
async def test_latency_on_the_way_is_in_the_figures(server: RunningServer, wire: str) -> None:
    bad = Conditions(latency_s=0.03, jitter_s=0.005)
    async with Link("127.0.0.1", server.port, up=bad, down=bad) as link:
        client = clients(link.port)[wire]
        cold = measure(await client.speak(whole(TEXT, lead_ms=None), clock()))
        warm = measure(await client.speak(whole(TEXT, lead_ms=None), clock()))
        client.close()
    assert cold.trouble is None
    assert warm.trouble is None
    assert cold.ttfb_s is not None
    assert cold.ttfb_s >= 0.06
    assert warm.ttfb_s is not None
    assert warm.ttfb_s >= 0.06
    if wire == "websocket":  # The link answers a TCP handshake at once, but not an upgrade.
        assert cold.connect_s is not None
        assert cold.connect_s >= 0.06


@pytest.mark.parametrize("wire", ["http", "websocket"])
@pytest.mark.parametrize(
    "broken", [Conditions(reset_after_bytes=9_000), Conditions(half_close_after_bytes=9_000)]
)
async def test_a_line_that_breaks_is_truncation(
    server: RunningServer, wire: str, broken: Conditions
) -> None:
    async with Link("127.0.0.1", server.port, down=broken) as link:
        client = clients(link.port)[wire]
        metrics = measure(await client.speak(whole(TEXT, lead_ms=None), clock()))
        client.close()
    assert metrics.trouble is not None
    assert metrics.trouble.failure is Failure.TRUNCATED
    assert metrics.audio_s > 0


async def test_what_the_gateway_refuses_is_refused(server: RunningServer) -> None:
    for client in clients(server.port).values():
        trouble = measure(await client.speak(whole(TEXT, model="none such"), clock())).trouble
        client.close()
        assert trouble is not None
        assert trouble.failure is Failure.REFUSED
        assert "unknown_model" in trouble.detail


@pytest.mark.parametrize("wire", NATIVE_WIRES)
async def test_sessions_come_speak_and_go(server: RunningServer, wire: Wire) -> None:
    mix = Mix(
        turns=(2, 2),
        think_s_mean=0.02,
        tokens_per_s=(150.0,),
        pause_share=0.0,
        barge_in_share=1.0,
        barge_in_s=(0.05, 0.2),
        vanish_share=0.3,
        parameters={"model": "tone"},
    )
    mix = msgspec.structs.replace(mix, vanish_s=(0.0, 0.04))
    sessions = open_loop(mix, load(["en"]), sessions_per_s=10.0, duration_s=0.8, seed=3)
    timelines: list[Timeline] = []

    def on_turn(turn: Turn, timeline: Timeline) -> None:
        timelines.append(timeline)

    async def run(session: Session, intended: float) -> None:
        await drive.converse(clients(server.port)[wire], session, intended, on_turn)

    lost: list[Session] = []
    await drive.open_loop(sessions, run, in_flight_max=100, on_lost=lost.append)
    assert lost == []
    assert len(timelines) == sum(len(session.turns) for session in sessions)
    assert [timeline.trouble for timeline in timelines if measure(timeline).trouble] == []
    assert any(timeline.interrupted for timeline in timelines)
    assert any(timeline.vanished for timeline in timelines)
