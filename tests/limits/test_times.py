"""Limits of time: a millisecond before it nothing has happened, at it and a millisecond after it all has.

In virtual time, so that a moment is exact. What a timer's moment itself brings is looked at when it has come.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from starlette.types import ASGIApp

from gateway.dialects.base import Verdict
from gateway.engines.chaos import ChaosEngine, Delay
from gateway.engines.tone import ToneEngine
from gateway.fronts.answer import GOODBYE_MS_MAX
from gateway.fronts.http import SpeechOverHttp
from gateway.fronts.websocket import CLOSE_MS_MAX, SpeechOverWebSocket
from gateway.guard.requests import LINGER_S
from gateway.runtime.contexts import FRESH_S
from tests.fronts.peers import HANDSHAKE, RawPeer, raw_peer
from tests.limits.borders import after, border, is_over, now, turns, under_way
from tests.support.memory import memory_house, memory_socket
from tests.support.sarvam import sarvam_in_memory
from tests.support.server import running_server, tone_config

pytestmark = [pytest.mark.virtual_time, pytest.mark.socket]

LIMIT_MS = 2_000
GET = b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n"
PCM = {"format": {"codec": "pcm_s16le"}}


@asynccontextmanager
async def peer_of(**limits: int) -> AsyncIterator[RawPeer]:
    """Somebody who has just connected to a server with these limits."""
    async with running_server(tone_config(**limits)) as server, raw_peer(server) as peer:
        await turns()
        yield peer


@border("context_idle_ms")
async def test_an_idle_context_ends(more: int) -> None:
    limits = {"context_idle_ms": LIMIT_MS, "context_idle_warning_ms": 500}
    async with memory_house(None, **limits) as house, memory_socket(house) as socket:
        await socket.send({"type": "configure"})
        await socket.receive_until("started")
        await after(now(), LIMIT_MS + more)
        assert house.admission.contexts == (1 if more < 0 else 0)


@border("context_idle_warning_ms")
async def test_and_is_warned(more: int) -> None:
    limits = {"context_idle_ms": 3 * LIMIT_MS, "context_idle_warning_ms": LIMIT_MS}
    async with memory_house(None, **limits) as house, memory_socket(house) as socket:
        await socket.send({"type": "configure"})
        await socket.receive_until("started")
        async with under_way(socket.receive_until("warning")) as warned:
            await after(now(), 3 * LIMIT_MS - LIMIT_MS + more)
            assert warned.done() == (more >= 0)


@border("first_message_ms")
async def test_a_first_message_is_waited_for(more: int) -> None:
    async with memory_house(first_message_ms=LIMIT_MS) as house, memory_socket(house) as socket:
        begun = now()
        await after(begun, LIMIT_MS + more)
        assert socket.verdict.done() == (more >= 0)
        if more < 0:
            await socket.send({"type": "ping"})
            await after(begun, 2 * LIMIT_MS)
            assert not socket.verdict.done()
        else:
            assert await socket.verdict is Verdict.FIRST_MESSAGE_LATE


@border("connection_idle_ms")
async def test_and_so_is_another_one(more: int) -> None:
    limits = {"first_message_ms": 100, "connection_idle_ms": LIMIT_MS}
    async with memory_house(None, **limits) as house, memory_socket(house) as socket:
        for _ in range(2):
            await asyncio.sleep(0.05)
            await socket.send({"type": "ping"})
        begun = now()
        await after(begun, LIMIT_MS + more)
        assert socket.verdict.done() == (more >= 0)
        if more >= 0:
            assert await socket.verdict is Verdict.IDLE


@border("sarvam_idle_ms")
async def test_sarvams_clients_are_not_waited_for_long(more: int) -> None:
    async with memory_house(sarvam_idle_ms=LIMIT_MS) as house, sarvam_in_memory(house) as client:
        await client.say("config", output_audio_codec="linear16")
        await client.say("text", text="held")
        await asyncio.sleep(1)
        await client.say("ping")
        begun = now()
        await turns()
        await after(begun, LIMIT_MS + more)
        assert client.verdict.done() == (more >= 0)
        if more >= 0:
            assert await client.verdict is Verdict.IDLE


async def test_an_open_context_is_no_silence() -> None:
    async with (
        memory_house(connection_idle_ms=1_000, context_idle_ms=50_000) as house,
        memory_socket(house) as socket,
    ):
        await socket.send({"type": "configure"})
        await asyncio.sleep(40)
        assert not socket.verdict.done()
        assert await socket.verdict is Verdict.IDLE
        assert now() > 50


@border("ping_interval_ms")
async def test_pings_are_sent(more: int) -> None:
    async with peer_of(ping_interval_ms=LIMIT_MS) as peer:
        await peer.upgrade()
        async with under_way(peer.reader.readuntil(b"\x89\x04")) as ping:
            await after(now(), LIMIT_MS + more)
            assert ping.done() == (more >= 0)


@border("ping_timeout_ms")
async def test_and_pongs_are_waited_for(more: int) -> None:
    async with peer_of(ping_interval_ms=1_000, ping_timeout_ms=LIMIT_MS) as peer:
        await peer.upgrade()
        await peer.reader.readuntil(b"\x89\x04")
        async with under_way(peer.reader.readuntil(b"keepalive ping timeout")) as closed:
            await after(now(), LIMIT_MS + more)
            assert closed.done() == (more >= 0)


@border("head_read_ms")
@pytest.mark.parametrize("head", [GET, HANDSHAKE % b""], ids=["request", "handshake"])
async def test_a_head_is_waited_for(head: bytes, more: int) -> None:
    async with peer_of(head_read_ms=LIMIT_MS) as peer:
        begun = now()
        await peer.send(head[:-1])
        await after(begun, LIMIT_MS + more)
        await peer.send(head[-1:])
        answer = await peer.reader.readuntil(b"\r\n\r\n")
        assert (b" 408 " in answer) == (more >= 0)


@border("head_read_ms")
async def test_also_if_nothing_comes_of_it(more: int) -> None:
    async with peer_of(head_read_ms=LIMIT_MS) as peer:
        await after(now(), LIMIT_MS + more)
        assert await is_over(peer.read_to_end()) == (more >= 0)


@border("next_request_ms")
async def test_a_next_request_is_waited_for(more: int) -> None:
    async with peer_of(next_request_ms=LIMIT_MS) as peer:
        await peer.send(GET)
        await peer.answer()
        await after(now(), LIMIT_MS + more)
        assert await is_over(peer.read_to_end()) == (more >= 0)


@border("body_read_ms")
@pytest.mark.parametrize("read", [True, False])
async def test_a_body_is_waited_for(read: bool, more: int) -> None:
    """Whether anybody reads it or not."""
    async with peer_of(body_read_ms=LIMIT_MS) as peer:
        body = b'{"text": "..."}'
        begun = now()
        if read:
            await peer.post(body[:-1], length=len(body))
        else:
            await peer.send(GET[:-2] + b"Content-Length: %d\r\n\r\n" % len(body) + body[:-1])
            await peer.answer()
        await after(begun, LIMIT_MS + more)
        if read:
            await peer.send(body[-1:])
            head = await peer.reader.readuntil(b"\r\n\r\n")
            assert (b" 408 " in head) == (more >= 0)
        else:
            assert await is_over(peer.read_to_end()) == (more >= 0)


@border("keep_alive_ms")
async def test_silence_among_events_is_broken(more: int) -> None:
    engine = ChaosEngine(ToneEngine(), {"slow": [Delay(delay_ms=10 * LIMIT_MS)]})
    async with memory_house(engine, keep_alive_ms=LIMIT_MS) as house:
        sent: list[bytes] = []
        text = "At once, I say. A slow one."
        begun = now()
        async with under_way(asked(SpeechOverHttp(house), text, b"text/event-stream", sent=sent)):
            await after(begun, LIMIT_MS + more)
            comments = [body for body in sent if body.startswith(b":")]
            assert len(comments) == (1 if more >= 0 else 0)


@border("send_stall_ms")
async def test_a_send_that_is_not_taken(more: int) -> None:
    async with (
        memory_house(send_stall_ms=LIMIT_MS) as house,
        memory_socket(house, unread_max=0) as socket,
    ):
        await after(now(), LIMIT_MS + more)
        assert socket.verdict.done() == (more >= 0)


@border("send_stall_ms")
async def test_over_http_too(more: int) -> None:
    """Nothing was sent before, so there is nothing to play."""
    async with memory_house(send_stall_ms=LIMIT_MS) as house:
        async with under_way(asked(SpeechOverHttp(house), "...", b"*/*", takes=0)) as answering:
            await after(now(), LIMIT_MS + more)
            assert answering.done() == (more >= 0)
        assert house.admission.connections == 0


@border("send_stall_ms")
async def test_a_close_that_is_not_taken(more: int) -> None:
    """After what was sent before has been played, the server closes, and its last words do not leave either."""
    async with running_server(tone_config(send_stall_ms=LIMIT_MS, next_request_ms=100)) as server:
        protocols = server.connections
        async with raw_peer(server) as peer:
            peer.stop_reading()
            await turns()
            (protocol,) = protocols
            protocol.transport.write(bytes(8 << 20))
            begun = now()
            protocol.transport.close()
            await after(begun, LIMIT_MS + more)
            assert len(protocols) == (1 if more < 0 else 0)


class TestWithoutAKey:
    """Times that nobody has a reason to change."""

    @border("guard.requests.LINGER_S")
    async def test_a_refused_peer_is_listened_to(self, more: int) -> None:
        async with running_server() as server, raw_peer(server) as peer:
            await turns()
            await peer.send(b"nonsense\r\n\r\n")
            assert (await peer.answer())[0] == 400
            await after(now(), LINGER_S * 1_000 + more)
            assert len(server.connections) == (1 if more < 0 else 0)

    @border("runtime.contexts.FRESH_S")
    async def test_who_came_before_a_drain_may_begin(self, more: int) -> None:
        async with memory_house() as house, memory_socket(house) as socket:
            await socket.receive_until("ready")
            begun = now()
            house.admission.drain.begin(60)
            await after(begun, FRESH_S * 1_000 + more)
            assert socket.verdict.done() == (more >= 0)

    @border("fronts.websocket.CLOSE_MS_MAX")
    async def test_a_close_frame_may_take(self, more: int) -> None:
        async with (
            memory_house(first_message_ms=1_000) as house,
            under_way(handshake(SpeechOverWebSocket(house), takes=2)) as serving,
        ):
            await after(now(), 1_000 + CLOSE_MS_MAX + more)
            assert serving.done() == (more >= 0)

    @border("fronts.answer.GOODBYE_MS_MAX")
    async def test_a_late_error_may_take(self, more: int) -> None:
        """In a body of events; the server's time is over while the peer takes nothing."""
        engine = ChaosEngine(ToneEngine(), {"slow": [Delay(delay_ms=600_000)]})
        async with memory_house(engine) as house:
            text = "At once, I say. A slow one."
            speaking = asked(SpeechOverHttp(house), text, b"text/event-stream", takes=6)
            async with under_way(speaking) as answering:
                await turns()
                begun = now()
                house.admission.drain.begin(1.0)
                await after(begun, 1_000 + GOODBYE_MS_MAX + more)
                assert answering.done() == (more >= 0)


async def asked(
    app: ASGIApp,
    text: str,
    accept: bytes,
    *,
    takes: int | None = None,
    sent: list[bytes] | None = None,
) -> None:
    """A request; `sent` has the bodies of what was sent for it. By `takes` messages the client has taken its last."""
    body = msgspec.json.encode({"text": text, **PCM})
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/speech",
        "headers": [(b"accept", accept)],
    }
    await _serve(app, scope, [{"type": "http.request", "body": body}], takes, sent)


async def handshake(app: ASGIApp, *, takes: int) -> None:
    """A WebSocket whose client says nothing, and takes so many messages."""
    scope: dict[str, Any] = {"type": "websocket", "path": "/v1/speech", "headers": []}
    scope |= {"query_string": b"", "subprotocols": []}
    await _serve(app, scope, [{"type": "websocket.connect"}], takes, None)


async def _serve(
    app: ASGIApp,
    scope: MutableMapping[str, Any],
    messages: list[MutableMapping[str, Any]],
    takes: int | None,
    sent: list[bytes] | None,
) -> None:
    sent = [] if sent is None else sent
    never = asyncio.Event()

    async def receive() -> MutableMapping[str, Any]:
        if not messages:
            await never.wait()
        return messages.pop()

    async def send(message: MutableMapping[str, Any]) -> None:
        if takes is not None and len(sent) >= takes:
            await never.wait()
        sent.append(message.get("body", b""))

    await app(scope, receive, send)
