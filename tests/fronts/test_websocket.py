"""The WebSocket on a real socket: handshakes that are refused, messages that are, and what closes a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.typing import Subprotocol

from gateway.engines.tone import ToneEngine
from tests.fronts.peers import CLOSE, PING, TEXT, frame, http_client, raw_peer, use_engine
from tests.support.leaks import until
from tests.support.server import (
    RunningServer,
    SpeechSocket,
    running_server,
    speech_socket,
    tone_config,
)

pytestmark = [pytest.mark.socket, pytest.mark.asyncio(loop_scope="module")]


async def still_speaks(server: RunningServer) -> None:
    """A new connection is served as if nothing had happened."""
    async with speech_socket(server) as socket:
        await socket.send({"type": "text", "text": "I."}, {"type": "end"})
        ended = await socket.receive_until("ended")
        assert ended["samples"] == len(socket.audio()) // 2 > 0


async def answer_to(socket: SpeechSocket, message: str | bytes | dict[str, object]) -> object:
    """What one message is answered with, while the connection lives on."""
    await socket.send(message, {"type": "ping", "id": "after"})
    answer = await socket.receive()
    assert answer != {"type": "pong", "id": "after"}
    await socket.receive_until("pong", id="after")
    return answer


class TestHandshake:
    async def test_our_subprotocol_is_chosen_among_others(self, server: RunningServer) -> None:
        offered = [Subprotocol("chat"), Subprotocol("speech.v1.json")]
        async with connect(server.ws_url, subprotocols=offered, proxy=None) as connection:
            assert connection.subprotocol == "speech.v1.json"

    @pytest.mark.parametrize(
        ("offered", "chosen"),
        [
            (["speech.v1.json", "speech.v1.msgpack"], "speech.v1.json"),
            (["speech.v1.msgpack", "speech.v1.json"], "speech.v1.msgpack"),
            (["chat", "speech.v1.msgpack"], "speech.v1.msgpack"),
        ],
    )
    async def test_the_one_that_the_client_likes_best_is_echoed_alone(
        self, server: RunningServer, offered: list[str], chosen: str
    ) -> None:
        names = [Subprotocol(name) for name in offered]
        async with connect(server.ws_url, subprotocols=names, proxy=None) as connection:
            assert connection.response is not None
            assert connection.response.headers.get_all("sec-websocket-protocol") == [chosen]
            assert isinstance(await connection.recv(), str if chosen == "speech.v1.json" else bytes)

    async def test_none_needs_to_be_offered(self, server: RunningServer) -> None:
        async with connect(server.ws_url, proxy=None) as connection:
            assert connection.subprotocol is None
            assert '"ready"' in str(await connection.recv())

    @pytest.mark.parametrize(
        ("path", "subprotocol", "status", "code"),
        [
            ("/v1/speech", "chat", 422, "invalid_value"),
            ("/v1/speech?audio=opus", "speech.v1.json", 422, "invalid_value"),
            ("/v1/speech?audio=", "speech.v1.json", 422, "invalid_value"),
            ("/v1/speech?audio=base64", "speech.v1.msgpack", 422, "unsupported"),
            ("/v1/nothing", "speech.v1.json", 404, "not_found"),
            ("/v1/speech/", "speech.v1.json", 404, "not_found"),
            ("/healthz", "speech.v1.json", 404, "not_found"),
        ],
    )
    async def test_others_are_refused_before_they_are_accepted(
        self,
        server: RunningServer,
        caplog: pytest.LogCaptureFixture,
        path: str,
        subprotocol: str,
        status: int,
        code: str,
    ) -> None:
        url = f"ws://127.0.0.1:{server.port}{path}"
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, subprotocols=[Subprotocol(subprotocol)], proxy=None):
                pass
        response = refused.value.response
        assert response.status_code == status
        assert response.headers["content-type"] == "application/json"
        assert f'"code":"{code}"'.encode() in (response.body or b"")
        await still_speaks(server)
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []

    async def test_connections_are_bounded_and_given_back(self) -> None:
        async with running_server(tone_config(connections_max=2)) as server:
            async with speech_socket(server), speech_socket(server):
                with pytest.raises(InvalidStatus) as refused:
                    async with speech_socket(server):
                        pass
                assert refused.value.response.status_code == 503
                assert int(refused.value.response.headers["retry-after"]) >= 1
            await until(lambda: server.house.admission.connections == 0)
            await still_speaks(server)


class TestMessages:
    BYTES_MAX = 2_000
    FRAME_BYTES_MAX = 4_000

    @pytest_asyncio.fixture(loop_scope="module")
    async def server(self) -> AsyncIterator[RunningServer]:
        limits = {"message_bytes_max": self.BYTES_MAX, "frame_bytes_max": self.FRAME_BYTES_MAX}
        async with running_server(tone_config(**limits)) as running:
            yield running

    def of_size(self, size: int) -> str:
        head = '{"type":"ping","id":"'
        return head + "a" * 10 + '"' + " " * (size - len(head) - 12) + "}"

    async def test_up_to_the_limit_they_are_obeyed_beyond_it_refused(
        self, server: RunningServer
    ) -> None:
        async with speech_socket(server) as socket:
            await socket.receive_until("ready")
            for size in (self.BYTES_MAX - 1, self.BYTES_MAX):
                answer = await answer_to(socket, self.of_size(size))
                assert answer == {"type": "pong", "id": "a" * 10}
            for message in (self.of_size(self.BYTES_MAX + 1), self.of_size(self.FRAME_BYTES_MAX)):
                answer = await answer_to(socket, message)
                assert isinstance(answer, dict)
                assert (answer["type"], answer["code"]) == ("error", "message_too_large")

    async def test_a_limit_counts_bytes_and_not_characters(self, server: RunningServer) -> None:
        async with speech_socket(server) as socket:
            await socket.receive_until("ready")
            text = '{"type":"text","text":"%s"}' % ("हिन्दी" * 150)
            assert len(text) < self.BYTES_MAX < len(text.encode())
            answer = await answer_to(socket, text)
            assert isinstance(answer, dict)
            assert answer["code"] == "message_too_large"

    async def test_what_is_far_too_large_closes_the_connection(self, server: RunningServer) -> None:
        async with speech_socket(server) as socket:
            await socket.receive_until("ready")
            await socket.send(self.of_size(self.FRAME_BYTES_MAX + 1))
            with pytest.raises(ConnectionClosedError) as closed:
                await socket.receive()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
        await still_speaks(server)

    async def test_so_does_the_same_in_fragments(self, server: RunningServer) -> None:
        async with raw_peer(server) as peer:
            await peer.upgrade()
            await peer.send(frame(TEXT, b" " * 3_000, final=False))
            await peer.send(frame(0x0, b" " * 3_000, final=False))
            assert b"\x88" in await peer.read_to_end()
        await still_speaks(server)

    async def test_binary_ones_are_refused(self, server: RunningServer) -> None:
        async with speech_socket(server) as socket:
            await socket.receive_until("ready")
            answer = await answer_to(socket, b"\x00\x01")
            assert isinstance(answer, dict)
            assert (answer["type"], answer["code"]) == ("error", "invalid_message")


class TestMessagePack:
    @pytest.mark.parametrize(
        "message",
        [
            '{"type":"ping"}',
            b"",
            b"\x00",
            b'{"type":"ping"}',
            b"\x81\xa4type",
            b"\x80\x80",
            b"\x81\x01\x02",
            b"\x81\xa4type\xa1\xff",
            b"\x91" * 1_500,
            b"\xdf\xff\xff\xff\xff",
            b"\xdd\xff\xff\xff\xff",
        ],
        ids=lambda message: repr(message[:12]),
    )
    async def test_what_is_none_is_refused_and_the_connection_lives(
        self, server: RunningServer, message: str | bytes
    ) -> None:
        offered = [Subprotocol("speech.v1.msgpack")]
        async with connect(server.ws_url, subprotocols=offered, proxy=None) as connection:

            async def heard() -> dict[str, object]:
                return msgspec.msgpack.decode(await connection.recv(False), type=dict[str, object])

            assert (await heard())["type"] == "ready"
            await connection.send(message)
            error = await heard()
            assert (error["type"], error["code"]) == ("error", "invalid_message")
            await connection.send(msgspec.msgpack.encode({"type": "ping", "id": "after"}))
            assert await heard() == {"type": "pong", "id": "after"}


async def test_a_burst_that_is_read_is_answered_in_full(server: RunningServer) -> None:
    """More messages in one TCP segment than answers may wait unread: whoever reads them may do that."""
    pings = server.house.limits.replies_pending_max * 4
    async with raw_peer(server) as peer:
        await peer.upgrade()
        await peer.send(frame(TEXT, b'{"type":"ping"}') * pings)
        for _ in range(pings):
            await peer.reader.readuntil(b'{"type":"pong"}')


async def test_protocol_pings_are_answered_while_speaking(server: RunningServer) -> None:
    async with speech_socket(server) as socket:
        await socket.send(
            {"type": "configure", "lead_ms": None},
            {"type": "text", "text": "Hello there. " * 20},
            {"type": "flush"},
        )
        await socket.receive_until("segment")
        assert isinstance(socket.connection, ClientConnection)
        pong = await socket.connection.ping()
        await socket.receive_until("flushed")
        await pong


class TestEnding:
    async def test_a_close_in_the_middle_of_speech_is_answered(self, server: RunningServer) -> None:
        async with speech_socket(server) as socket:
            await socket.send({"type": "text", "text": "Hello there. " * 100}, {"type": "flush"})
            await socket.receive_until("segment")
        await until(lambda: server.house.admission.connections == 0)

    async def test_what_follows_a_close_frame_is_ignored(self, server: RunningServer) -> None:
        async with raw_peer(server) as peer:
            await peer.upgrade()
            close = frame(CLOSE, (1000).to_bytes(2, "big"))
            await peer.send(close + frame(TEXT, b'{"type":"ping"}') + frame(PING, b""))
            received = await peer.read_to_end()
            assert b"pong" not in received
            assert received.endswith(b"\x88\x02\x03\xe8")
        await still_speaks(server)

    async def test_a_half_closed_connection_is_over(self, server: RunningServer) -> None:
        async with raw_peer(server) as peer:
            await peer.upgrade()
            await peer.say({"type": "text", "text": "Hello there. " * 100}, {"type": "flush"})
            await peer.reader.readuntil(b'"segment"')
            peer.half_close()
            await until(lambda: server.house.admission.connections == 0)
            await peer.read_to_end()
        await still_speaks(server)

    async def test_no_error_is_logged_when_a_client_vanishes(
        self, server: RunningServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(20):
            async with raw_peer(server) as peer:
                await peer.upgrade()
                await peer.say(
                    {"type": "configure", "voice": "sine-220", "lead_ms": None},
                    {"type": "text", "text": "Hello there. " * 500},
                    {"type": "flush"},
                )
                await peer.reader.readuntil(b'"segment"')
                peer.reset()
        await until(lambda: server.house.admission.connections == 0)
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_one_connection_speaks_for_all_of_its_contexts(server: RunningServer) -> None:
    """Sixteen contexts at once over one socket: as many samples as each one's ending says."""
    async with speech_socket(server) as socket:
        names = [f"context-{number}" for number in range(16)]
        for name in names:
            await socket.send(
                {"type": "configure", "context": name, "voice": "sine-440", "lead_ms": None},
                {"type": "text", "context": name, "text": "Hello there. " * 10},
                {"type": "end", "context": name},
            )
        while len(socket.messages("ended")) < len(names):
            await socket.receive()
        for ended in socket.messages("ended"):
            assert ended["samples"] == len(socket.audio(str(ended["context"]))) // 2 > 0


async def test_both_protocols_share_one_worker_without_harm(server: RunningServer) -> None:
    use_engine(server, ToneEngine(workers=1))
    text = "Hello there. " * 20

    async def over_http() -> bytes:
        async with http_client(server) as client:
            answer = await client.post(
                "/v1/speech", json={"text": text, "format": {"codec": "pcm_s16le"}}
            )
            return answer.content

    async def over_websocket() -> bytes:
        async with speech_socket(server) as socket:
            await socket.send(
                {"type": "configure", "lead_ms": None},
                {"type": "text", "text": text},
                {"type": "end"},
            )
            await socket.receive_until("ended")
            return socket.audio()

    heard = await asyncio.gather(*(make() for make in (over_http, over_websocket) * 4))
    assert len(set(heard)) == 1
