"""The gateway behind each proxy of config/: what a proxy may hold back, change or hide is none of it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from statistics import median

import httpx
import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol as Offer

from gateway.config import Config
from gateway.core.vocabulary import Codec
from gateway.dialects.native import Subprotocol
from gateway.engines.chaos import ChaosEngine, Hang
from gateway.engines.tone import ToneEngine
from tests.fronts.peers import http_client, raw_peer, use_engine
from tests.support.leaks import LOOK_AGAIN_S, SETTLED_WITHIN_S, until
from tests.support.proxies import PROXIES, missing, proxy
from tests.support.scraped import scraped
from tests.support.server import (
    AudioFrame,
    RunningServer,
    SpeechSocket,
    running_server,
    speech_socket,
    tone_config,
)

pytestmark = [pytest.mark.socket, pytest.mark.slow]

each_proxy = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.skipif(missing(name) != "", reason=missing(name)))
        for name in PROXIES
    ],
)

UNENDED = "This is heard. And this never ends."
"""The engine hangs in the middle of the second sentence."""
PCM = {"format": {"codec": Codec.PCM_S16LE}}


def trusting(**limits: int) -> Config:
    """As the configurations of the proxies ask for it."""
    config = tone_config(**limits)
    server = msgspec.structs.replace(config.server, trusted_proxies=("127.0.0.1",))
    return msgspec.structs.replace(config, server=server)


@asynccontextmanager
async def behind(name: str, **limits: int) -> AsyncIterator[tuple[RunningServer, RunningServer]]:
    """A gateway, and the same one as it looks through the proxy."""
    async with running_server(trusting(**limits)) as server, proxy(name, server.port) as port:
        seen = replace(server, port=port)
        await ready(seen)
        yield server, seen


async def ready(server: RunningServer) -> None:
    """HAProxy listens before it has asked its servers whether they are ready."""
    async with http_client(server) as client, asyncio.timeout(SETTLED_WITHIN_S):
        while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110  # nothing announces it
            await asyncio.sleep(LOOK_AGAIN_S)


def hang(server: RunningServer) -> None:
    use_engine(server, ChaosEngine(ToneEngine(), {"never": [Hang(at_sample=2_205)]}))


@each_proxy
async def test_audio_comes_before_all_of_it_is_made_and_who_leaves_is_gone(name: str) -> None:
    async with behind(name) as (server, seen), http_client(seen) as client:
        hang(server)
        async with client.stream("POST", "/v1/speech", json={"text": UNENDED, **PCM}) as answer:
            assert answer.status_code == 200
            assert answer.headers["x-request-id"].startswith("req_")
            assert answer.headers["x-sample-rate"] == "22050"
            assert await anext(answer.aiter_raw())
            assert server.house.admission.contexts == 1
        await until(lambda: server.house.admission.contexts == 0)


BYTES_HIDDEN_MAX = {"nginx": 2_000_000, "haproxy": 2_000_000, "caddy": 16_000_000}
"""Audio that was sent and that nobody reads, in buffers of the kernel mostly: half of it, and less, was seen."""
UNREAD = "One two three four five. " * 3_500
LOOKS, LOOK_S = 10, 0.05


@each_proxy
async def test_what_nobody_reads_is_hardly_made(name: str) -> None:
    """A proxy that took all of it in, onto a disk perhaps, would take half a gigabyte."""
    body = msgspec.json.encode(
        {"text": UNREAD, "format": {"codec": Codec.PCM_S16LE, "sample_rate": 48_000}}
    )
    head = b"POST /v1/speech HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: %d\r\n\r\n"
    async with behind(name) as (server, seen), raw_peer(seen, read_ahead_bytes=8_192) as peer:
        peer.stop_reading()
        await peer.send(head % (seen.port, len(body)) + body)

        def sent() -> float:
            return 96_000 * scraped(server.house.metrics).value("audio_seconds_total")

        await until(lambda: sent() > 0)
        taken, unchanged = 0.0, 0
        # Silence has no event: it is there when nothing more was taken for half a second.
        while unchanged < LOOKS and taken <= BYTES_HIDDEN_MAX[name]:
            await asyncio.sleep(LOOK_S)
            unchanged = unchanged + 1 if sent() == taken else 0
            taken = sent()
        assert taken <= BYTES_HIDDEN_MAX[name]


@each_proxy
async def test_events_come_one_by_one_and_so_do_comments(name: str) -> None:
    """The engine hangs; what follows the audio then can only be the comments against silence."""
    async with behind(name, keep_alive_ms=1_000) as (server, seen), http_client(seen) as client:
        hang(server)
        async with client.stream(
            "POST", "/v1/speech", json={"text": UNENDED}, headers={"accept": "text/event-stream"}
        ) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.aiter_lines()
            heard = [line async for line in _up_to(lines, "event: audio")]
            assert "event: started" in heard
            assert [line async for line in _up_to(lines, ":")][-1].startswith(":")


async def _up_to(lines: AsyncIterator[str], start: str) -> AsyncIterator[str]:
    async for line in lines:
        yield line
        if line.startswith(start):
            return


@each_proxy
async def test_a_whole_conversation_in_json(name: str) -> None:
    async with behind(name) as (server, seen), speech_socket(seen) as socket:
        assert socket_headers(socket.connection)["x-request-id"].startswith("req_")
        await socket.send({"type": "text", "text": "One, two."}, {"type": "end"})
        ended = await socket.receive_until("ended")
        assert len(socket.audio()) == 2 * int(str(ended["samples"]))
        async with speech_socket(server) as direct:
            await direct.send({"type": "text", "text": "One, two."}, {"type": "end"})
            await direct.receive_until("ended")
        assert socket.audio() == direct.audio()


def socket_headers(connection: object) -> httpx.Headers:
    """The headers of the answer to a handshake."""
    response = getattr(connection, "response", None)
    assert response is not None
    return httpx.Headers(list(response.headers.raw_items()))


@each_proxy
async def test_a_whole_conversation_in_messagepack(name: str) -> None:
    async with (
        behind(name) as (_, seen),
        connect(seen.ws_url, subprotocols=[Offer(Subprotocol.MSGPACK)], proxy=None) as connection,
    ):
        assert connection.subprotocol == Offer(Subprotocol.MSGPACK)
        for message in ({"type": "text", "text": "One, two."}, {"type": "end"}):
            await connection.send(msgspec.msgpack.encode(message))
        types: list[str] = []
        while "ended" not in types:
            raw = await connection.recv()
            assert isinstance(raw, bytes)
            types.append(msgspec.msgpack.decode(raw, type=dict[str, object])["type"])  # type: ignore[arg-type]  # a string, as every message's
        assert {"ready", "started", "audio"} <= set(types)


@each_proxy
async def test_a_websocket_hears_at_once_too_and_who_vanishes_is_gone(name: str) -> None:
    async with behind(name) as (server, seen):
        hang(server)
        async with speech_socket(seen) as socket:
            await socket.send({"type": "text", "text": UNENDED}, {"type": "flush"})
            await socket.receive_until("segment")
            while not socket.audio():
                await socket.receive()
            assert server.house.admission.contexts == 1
            transport = getattr(socket.connection, "transport", None)
            assert isinstance(transport, asyncio.Transport)
            transport.abort()
            await until(lambda: server.house.admission.contexts == 0)


@each_proxy
async def test_refusals_and_close_codes_are_the_gateways(name: str) -> None:
    """HAProxy repeats a request that gets 503, and gives the last answer on when all are like that."""
    async with (
        behind(name, connections_max=1) as (server, seen),
        http_client(seen) as client,
        speech_socket(seen) as socket,
    ):
        await socket.receive_until("ready")
        full = await client.post("/v1/speech", json={"text": "One."})
        assert (full.status_code, full.json()["error"]["code"]) == (503, "overloaded")
        assert int(full.headers["retry-after"]) > 0
        with pytest.raises(InvalidStatus) as refused:
            async with speech_socket(seen):
                pass
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["x-request-id"].startswith("req_")
        assert (await client.get("/metrics")).status_code == 403, "not for others"
        server.house.admission.drain.begin(0)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.receive_until("a message that does not come")
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1012, "draining")


@each_proxy
async def test_a_proxy_is_believed_about_the_scheme_and_host(name: str) -> None:
    """Pages of the proxy's own host are not foreign: the gateway gets the host with its port."""
    async with behind(name) as (_, seen), http_client(seen) as client:
        own = await client.post(
            "/v1/speech", json={"text": "One."}, headers={"origin": seen.base_url}
        )
        foreign = await client.post(
            "/v1/speech", json={"text": "One."}, headers={"origin": "https://example.com"}
        )
        assert (own.status_code, foreign.status_code) == (200, 403)


ROUNDS = 200
ADDED_MS_MAX = 5.0


@pytest.mark.wall_clock
@pytest.mark.timeout(180)
async def test_a_proxy_adds_little_to_the_first_audio() -> None:
    """Direct and through each proxy in turn, so that all get the same weather. Prints the figures: -s shows them."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_server(trusting()))
        ways: dict[tuple[str, str], Callable[[], Awaitable[float]]] = {}
        for name in ("direct", *(name for name in PROXIES if not missing(name))):
            seen = server
            if name != "direct":
                port = await stack.enter_async_context(proxy(name, server.port))
                await ready(seen := replace(server, port=port))
            client = await stack.enter_async_context(http_client(seen))
            socket = await stack.enter_async_context(speech_socket(seen))
            ways["HTTP", name] = partial(first_byte_ms, client)
            ways["WebSocket", name] = partial(first_frame_ms, socket)
        waits: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, wait in ways.items():
                waits[way].append(await wait())
    added = {way: median(ms) - median(waits[way[0], "direct"]) for way, ms in waits.items()}
    for way, ms in waits.items():
        p95 = sorted(ms)[len(ms) * 95 // 100]
        sys.stdout.write(
            f"{way[0]:9} {way[1]:8} p50 {median(ms):6.2f} ms  p95 {p95:6.2f} ms  added {added[way]:5.2f} ms\n"
        )
    assert max(added.values()) <= ADDED_MS_MAX


async def first_byte_ms(client: httpx.AsyncClient) -> float:
    """From the request to the first byte of its audio."""
    begun = time.perf_counter()
    body = {"text": "One, two, three.", **PCM}
    async with client.stream("POST", "/v1/speech", json=body) as answer:
        parts = answer.aiter_raw()
        await anext(parts)
        waited = time.perf_counter() - begun
        async for _ in parts:
            pass
    return 1_000 * waited


async def first_frame_ms(socket: SpeechSocket) -> float:
    """From the text and its flush to the first frame of audio, in a new context of an open connection."""
    begun = time.perf_counter()
    named = {"context": str(len(socket.messages("ended")))}
    await socket.send(
        {"type": "configure", **named, "lead_ms": None},
        {"type": "text", **named, "text": "One, two, three."},
        {"type": "end", **named},
    )
    while not isinstance(await socket.receive(), AudioFrame):
        pass
    waited = time.perf_counter() - begun
    await socket.receive_until("ended", **named)
    return 1_000 * waited
