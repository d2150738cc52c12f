"""Requests that come late, in pieces, malformed or in excess, on real sockets; where time matters, in virtual time.

On the loopback what one side has sent the other can read at once, so the clock never jumps over bytes on their way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httptools
import msgspec
import pytest

from gateway.engines.tone import ToneEngine
from gateway.guard.requests import AHEAD_MAX, CHUNKING_FACTOR
from gateway.guard.slices import SLICE_BYTES
from tests.fronts.peers import RawPeer, dechunked, raw_peer, use_engine
from tests.support.leaks import held, settled, until
from tests.support.server import RunningServer, running_server, tone_config

pytestmark = pytest.mark.socket

GET = b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n"
POST = b"POST /v1/speech HTTP/1.1\r\nHost: gateway\r\n"
LONG = "This sentence goes on for some time, and then there is another one. " * 40
HEAD_S, BODY_S, KEEP_ALIVE_S = 10.0, 20.0, 15.0


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def patient_peer() -> AsyncIterator[tuple[RunningServer, RawPeer, float]]:
    """A server, a peer, and when it connected."""
    config = tone_config(
        head_read_ms=int(HEAD_S * 1_000),
        body_read_ms=int(BODY_S * 1_000),
        next_request_ms=int(KEEP_ALIVE_S * 1_000),
    )
    async with running_server(config) as server, raw_peer(server) as peer:
        yield server, peer, now()


async def trickle(peer: RawPeer, data: bytes) -> None:
    """A byte a second, as long as anybody takes them."""
    for byte in data:
        await peer.send(bytes([byte]))
        await asyncio.sleep(1)


@asynccontextmanager
async def trickling(peer: RawPeer, data: bytes) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(trickle(peer, data))
        try:
            yield
        finally:
            task.cancel()


def code(body: bytes) -> object:
    return msgspec.json.decode(body)["error"]["code"]


@pytest.mark.virtual_time
class TestTime:
    async def test_a_silent_connection_is_closed_without_a_word(self) -> None:
        async with patient_peer() as (_, peer, connected):
            assert await peer.read_to_end() == b""
            assert now() - connected == pytest.approx(HEAD_S, abs=0.01)

    async def test_a_head_in_drops_is_refused_when_its_time_is_over(self) -> None:
        async with patient_peer() as (_, peer, connected), trickling(peer, POST * 10):
            status, body = await peer.answer()
            assert (status, code(body)) == (408, "request_timeout")
            assert now() - connected == pytest.approx(HEAD_S, abs=0.01)
            assert await peer.read_to_end() == b""

    async def test_so_is_a_body(self) -> None:
        async with patient_peer() as (_, peer, connected):
            await peer.send(POST + b"Content-Length: 1000\r\n\r\n")
            async with trickling(peer, b'{"text": "' + b"a" * 500):
                status, body = await peer.answer()
                assert (status, code(body)) == (408, "request_timeout")
                assert now() - connected == pytest.approx(BODY_S, abs=0.01)
                assert await peer.read_to_end() == b""

    async def test_nor_may_a_body_that_nobody_reads_take_longer(self) -> None:
        async with patient_peer() as (_, peer, connected):
            await peer.send(GET[:-2] + b"Content-Length: 1000\r\n\r\n")
            assert (await peer.answer())[0] == 200
            async with trickling(peer, b"a" * 500):
                assert await peer.read_to_end() == b""
                assert now() - connected == pytest.approx(BODY_S, abs=0.01)

    async def test_the_next_request_has_its_own_time_from_its_first_byte(self) -> None:
        async with patient_peer() as (_, peer, _):
            await peer.send(GET)
            assert (await peer.answer())[0] == 200
            await asyncio.sleep(KEEP_ALIVE_S - 1)
            begun = now()
            async with trickling(peer, GET):
                assert (await peer.answer())[0] == 408
                assert now() - begun == pytest.approx(HEAD_S, abs=0.01)

    @pytest.mark.parametrize("before", [b"", b"\r\n\r\n"])
    async def test_a_connection_waits_so_long_for_its_next_request(self, before: bytes) -> None:
        async with patient_peer() as (_, peer, _):
            await peer.send(GET)
            await peer.answer()
            answered = now()
            await peer.send(before)
            await peer.read_to_end()
            assert now() - answered == pytest.approx(HEAD_S if before else KEEP_ALIVE_S, abs=0.01)

    async def test_also_when_it_was_answered_before_it_had_come(self) -> None:
        async with patient_peer() as (_, peer, _):
            await peer.send(GET[:-2] + b"Content-Length: 3\r\n\r\n")
            await peer.answer()
            await peer.send(b"abc")
            complete = now()
            await peer.read_to_end()
            assert now() - complete == pytest.approx(KEEP_ALIVE_S, abs=0.01)

    async def test_a_long_answer_is_not_meant(self) -> None:
        """A minute of paced audio, while nothing comes from the client."""
        async with patient_peer() as (_, peer, connected):
            asked = {"text": "One two three four five. " * 40, "format": {"codec": "wav"}}
            await peer.post(msgspec.json.encode({**asked, "lead_ms": 500}))
            heard = b""
            while not heard.endswith(b"\r\n0\r\n\r\n"):
                heard += await peer.reader.read(65_536)
            assert now() - connected > 2 * max(HEAD_S, BODY_S, KEEP_ALIVE_S)

    async def test_nor_is_a_websocket(self) -> None:
        async with patient_peer() as (_, peer, _):
            await peer.send(GET)
            await peer.answer()
            await peer.upgrade()
            # Not longer: this peer answers no pings.
            await asyncio.sleep(1.5 * max(HEAD_S, BODY_S, KEEP_ALIVE_S))
            await peer.say({"type": "ping", "id": "still here"})
            await peer.reader.readuntil(b"still here")


class TestSize:
    async def refused(self, peer: RawPeer, status: int) -> None:
        got, body = await peer.answer()
        assert (got, "allowed" in msgspec.json.decode(body)["error"]) == (status, True)
        assert await peer.read_to_end() == b""

    @pytest.mark.parametrize(
        ("begun", "more", "status"),
        [
            (b"GET /", b"a" * 1_000, 414),
            (GET[:-2] + b"x-", b"a" * 1_000, 431),
            (GET[:-2] + b"x: ", b"a" * 1_000, 431),
            (GET[:-2], b"x: a\r\n" * 100, 431),
            (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"x: a\r\n" * 100, 431),
            (POST + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 1_000, 413),
        ],
        ids=["url", "name", "value", "headers", "trailers", "chunk-extension"],
    )
    async def test_what_never_ends_is_refused(self, begun: bytes, more: bytes, status: int) -> None:
        """With an answer that arrives, although the peer was still talking."""
        limits = {"url_bytes_max": 4_000, "header_bytes_max": 4_000, "body_bytes_max": 20_000}
        bytes_max = 20_000 * CHUNKING_FACTOR + 2 * SLICE_BYTES
        async with running_server(tone_config(**limits)) as server, raw_peer(server) as peer:
            await peer.send(begun + more * (bytes_max // len(more)))
            await self.refused(peer, status)

    async def test_a_chunked_body_without_a_length_in_single_bytes(self) -> None:
        async with running_server() as server, raw_peer(server) as peer:
            body = b'{"text": "I.", "stream": false}'
            chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
            request = POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
            for byte in request:
                await peer.send(bytes([byte]))
            assert (await peer.answer())[0] == 200

    async def test_a_trailer_is_no_header(self) -> None:
        """Headers may have been judged before: what comes behind the body must not change them."""
        async with running_server() as server, raw_peer(server) as peer:
            body = b"Transfer-Encoding: chunked\r\n\r\n10\r\n" + b'{"text": "..."} ' + b"\r\n0\r\n"
            await peer.send(POST + body + b"Accept: application/x-ndjson\r\n\r\n")
            head = await peer.reader.readuntil(b"\r\n\r\n")
            assert b"content-type: audio/mpeg\r\n" in head

    async def test_more_sockets_than_there_may_be_are_closed(self) -> None:
        async with (
            running_server(tone_config(sockets_max=1)) as server,
            raw_peer(server) as first,
            raw_peer(server) as second,
        ):
            assert await second.read_to_end() == b""
            await first.send(GET)
            assert (await first.answer())[0] == 200


MALFORMED = {
    "two lengths": b"Content-Length: 2\r\nContent-Length: 3\r\n",
    "a length twice": b"Content-Length: 2\r\nContent-Length: 2\r\n",
    "a list of lengths": b"Content-Length: 2, 2\r\n",
    "a signed length": b"Content-Length: +2\r\n",
    "a negative length": b"Content-Length: -2\r\n",
    "a length in hex": b"Content-Length: 0x2\r\n",
    "a huge length": b"Content-Length: 99999999999999999999999\r\n",
    "a space before the colon": b"Content-Length : 2\r\n",
    "length and chunks": b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
    "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
    "chunks twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "chunked chunks": b"Transfer-Encoding: chunked, chunked\r\n",
    "chunks inside": b"Transfer-Encoding: chunked, identity\r\n",
    "compressed chunks": b"Transfer-Encoding: gzip, chunked\r\n",
    "another coding": b"Transfer-Encoding: xchunked\r\n",
    "no coding": b"Transfer-Encoding: identity\r\n",
    "a hidden coding": b"Transfer-Encoding: \x0bchunked\r\n",
    "a folded line": b"Content-Length: 2\r\n x\r\n",
    "a bare line feed": b"Content-Length: 2\nX: y\r\n",
    "a bare carriage return": b"X: a\rContent-Length: 2\r\n",
    "a NUL": b"X: a\0b\r\n",
    "no name": b": x\r\n",
    "two hosts": b"Host: other\r\n",
}


@pytest.mark.parametrize("fields", MALFORMED.values(), ids=MALFORMED.keys())
async def test_what_can_be_read_in_two_ways_is_refused(fields: bytes) -> None:
    """So that a proxy in front can never see another request here than we do."""
    async with running_server() as server, raw_peer(server) as peer:
        await peer.send(POST + fields + b"\r\n{}" + GET)
        status, body = await peer.answer()
        assert (status, code(body)) == (400, "invalid_message")
        assert await peer.read_to_end() == b""


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /healthz HTTP/3.0\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=lambda request: request[:24].decode("latin-1"),
)
async def test_a_head_that_is_none_of_ours_is_answered(request_: bytes) -> None:
    async with running_server() as server, raw_peer(server) as peer:
        await peer.send(request_)
        status, body = await peer.answer()
        assert (400 <= status < 500, "error" in msgspec.json.decode(body)) == (True, True)


class TestAhead:
    """Requests sent while an earlier one is being answered."""

    async def test_a_client_that_leaves_frees_the_first_of_them_too(self) -> None:
        async with running_server(tone_config(send_buffer_bytes=8_192)) as server:
            use_engine(server, ToneEngine(workers=1))
            before = held(server.house)
            async with raw_peer(server) as peer:
                await peer.post(msgspec.json.encode({"text": LONG, "lead_ms": 100}))
                await peer.reader.readuntil(b"audio/mpeg")
                await peer.send(GET)
                peer.reset()
            await settled(server.house, before)

    async def test_no_more_than_so_many(self) -> None:
        async with running_server() as server, raw_peer(server) as peer:
            await peer.send(GET * (AHEAD_MAX + 1))
            assert [(await peer.answer())[0] for _ in range(AHEAD_MAX + 1)] == [200] * (
                AHEAD_MAX + 1
            )
            await peer.send(GET * 1_000)
            assert b"Connection: close".lower() in (await peer.read_to_end()).lower()

    async def test_nonsense_does_not_spoil_the_answer_before_it(self) -> None:
        async with running_server() as server, raw_peer(server) as peer:
            asked = {"text": LONG, "format": {"codec": "pcm_s16le"}}
            await peer.post(msgspec.json.encode(asked))
            head = await peer.reader.readuntil(b"\r\n\r\n")
            await peer.send(b"nonsense\r\n\r\n" * 1_000)
            _, complete = dechunked(head + await peer.read_to_end())
            assert complete

    async def test_nonsense_instead_of_a_body_is_refused_at_once(self) -> None:
        async with running_server() as server, raw_peer(server) as peer:
            await peer.send(POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
            status, body = await peer.answer()
            assert (status, code(body)) == (400, "invalid_message")
            await until(lambda: server.house.admission.connections == 0)


async def test_a_flood_is_taken_apart_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read of chunks of one byte each comes to the parser in small parts, with turns of the loop between them."""
    sizes: list[int] = []
    honest = httptools.HttpRequestParser

    class Noting:
        def __init__(self, protocol: object) -> None:
            self._parser = honest(protocol)

        def feed_data(self, data: bytes) -> None:
            sizes.append(len(data))
            self._parser.feed_data(data)

        def __getattr__(self, name: str) -> object:
            return getattr(self._parser, name)

    monkeypatch.setattr(httptools, "HttpRequestParser", Noting)
    async with running_server() as server, raw_peer(server) as peer:
        body = b'{"text": "' + b"a" * 20_000 + b'", "stream": 1}'
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
        await peer.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        assert (await peer.answer())[0] == 422
    assert max(sizes) <= SLICE_BYTES
