"""SIGTERM as a real process gets it: nobody new comes in, those who are in finish, and then it ends with 0."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol as Offer

from gateway.dialects.native import Subprotocol
from tests.support.process import ENDS_WITHIN_S, GatewayProcess, gateway_process
from tests.support.server import SpeechSocket

pytestmark = pytest.mark.socket

SLOW = {"ENGINES__TONE__REALTIME_FACTOR": "0.2"}
"""Speech takes a fifth of its length to make: a second or so for the texts here."""
UTTERANCE = "This sentence takes a while to be made, and so does its second half. " * 2
PATIENT = {"SERVER__SHUTDOWN_MS": "15000"}


@asynccontextmanager
async def speaking(gateway: GatewayProcess) -> AsyncIterator[SpeechSocket]:
    """A WebSocket."""
    async with connect(
        gateway.ws_url, subprotocols=[Offer(Subprotocol.JSON)], proxy=None
    ) as connection:
        yield SpeechSocket(connection)


@asynccontextmanager
async def client(gateway: GatewayProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=gateway.base_url, trust_env=False, verify=False, timeout=ENDS_WITHIN_S
    ) as client:
        yield client


async def the_close(socket: SpeechSocket) -> tuple[int | None, str | None]:
    """Receive to the end; gives its code and reason."""
    while True:
        try:
            await socket.receive()
        except ConnectionClosed as closed:
            received = closed.rcvd
            return (received.code, received.reason) if received else (None, None)


async def test_idle_it_ends_at_once_with_0() -> None:
    async with gateway_process(**PATIENT) as gateway, speaking(gateway) as socket:
        await socket.receive_until("ready")
        gateway.signal(signal.SIGTERM)
        draining = await socket.receive_until("draining")
        deadline_ms = draining["deadline_ms"]
        assert isinstance(deadline_ms, int)
        assert 0 < deadline_ms <= 15_000
        assert await the_close(socket) == (1012, "draining")
        assert await gateway.ended() == 0


async def test_what_is_being_said_is_said_to_its_end() -> None:
    async with gateway_process(**PATIENT, **SLOW) as gateway, speaking(gateway) as socket:
        await socket.send({"type": "text", "text": UTTERANCE}, {"type": "flush", "id": "f"})
        await socket.receive_until("segment")
        gateway.signal(signal.SIGINT)
        await socket.receive_until("draining")
        # More text of an open context is fine as long as it speaks; so are commands.
        await socket.send({"type": "text", "text": "The end."}, {"type": "end", "id": "e"})
        await socket.receive_until("flushed", id="f")
        ended = await socket.receive_until("ended", id="e")
        assert ended["chars"] == len(UTTERANCE + "The end.")
        assert await the_close(socket) == (1012, "draining")
        assert len(socket.audio()) == 2 * int(str(ended["samples"]))
        assert await gateway.ended() == 0


async def test_nobody_new_is_let_in() -> None:
    async with (
        gateway_process(**PATIENT, **SLOW) as gateway,
        client(gateway) as http,
        speaking(gateway) as socket,
    ):
        assert (await http.get("/readyz")).status_code == 200
        await socket.send({"type": "text", "text": UTTERANCE}, {"type": "flush"})
        await socket.receive_until("segment")
        gateway.signal(signal.SIGTERM)
        await socket.receive_until("draining")
        for answer in (
            await http.post("/v1/speech", json={"text": "Hello."}),
            await http.get("/readyz"),
        ):
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "draining"
            assert answer.headers["retry-after"] == "1"
            assert answer.headers["connection"] == "close"
        assert (await http.get("/healthz")).status_code == 200
        assert "gateway_draining 1.0" in (await http.get("/metrics")).text
        with pytest.raises(InvalidStatus) as refused:
            async with speaking(gateway):
                pass
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["retry-after"] == "1"
        await socket.send({"type": "text", "context": "new", "text": "Hello."})
        error = await socket.receive_until("error", context="new")
        assert (error["code"], error["retryable"]) == ("draining", True)
        await socket.receive_until("flushed")
        assert await gateway.ended() == 0


async def test_a_download_runs_to_its_end() -> None:
    body = {"text": UTTERANCE, "format": {"codec": "pcm_s16le"}}
    async with gateway_process(**PATIENT, **SLOW) as gateway, client(gateway) as http:
        whole = (await http.post("/v1/speech", json=body)).content
        async with http.stream("POST", "/v1/speech", json=body) as answer:
            parts = answer.aiter_bytes()
            received = await anext(parts)
            gateway.signal(signal.SIGTERM)
            async for part in parts:
                received += part
        assert received == whole
        assert await gateway.ended() == 0


async def test_at_the_deadline_it_is_over() -> None:
    async with (
        gateway_process(SERVER__SHUTDOWN_MS="2500", ENGINES__TONE__REALTIME_FACTOR="50") as gateway,
        client(gateway) as http,
        speaking(gateway) as socket,
    ):
        await socket.send({"type": "text", "text": UTTERANCE})
        await socket.receive_until("segment")
        request = http.build_request(
            "POST", "/v1/speech", json={"text": UTTERANCE, "format": {"codec": "pcm_s16le"}}
        )
        download = await http.send(request, stream=True)
        gateway.signal(signal.SIGTERM)
        assert await the_close(socket) == (1012, "draining")
        with pytest.raises(httpx.RemoteProtocolError):
            await download.aread()
        assert await gateway.ended() == 0


async def test_a_second_signal_ends_at_once() -> None:
    async with (
        gateway_process(
            SERVER__SHUTDOWN_MS="600000", ENGINES__TONE__REALTIME_FACTOR="50"
        ) as gateway,
        speaking(gateway) as socket,
    ):
        await socket.send({"type": "text", "text": UTTERANCE})
        await socket.receive_until("segment")
        gateway.signal(signal.SIGTERM)
        await socket.receive_until("draining")
        gateway.signal(signal.SIGTERM)
        assert await gateway.ended() == -signal.SIGTERM
