"""Limits of what arrives over a socket, and of how many sockets there are."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from functools import partial

import msgspec
import pytest

import gateway.server
from gateway.engines.chaos import ChaosEngine, Hang
from gateway.engines.tone import ToneEngine
from gateway.guard.messages import BURST_S
from gateway.guard.requests import AHEAD_MAX, CHUNKING_FACTOR, HEAD_EXTRA_BYTES
from gateway.guard.slices import SLICE_BYTES, UNREAD_BYTES_MAX, InSlices
from gateway.server import listen
from tests.fronts.peers import HANDSHAKE, TEXT, RawPeer, frame, raw_peer, use_engine
from tests.limits.borders import border, is_over, turns, under_way
from tests.support.leaks import until
from tests.support.server import RunningServer, running_server, tone_config

pytestmark = pytest.mark.socket

LIMIT = 2_000
BINARY = 0x2
MSGPACK = b"Sec-WebSocket-Protocol: speech.v1.msgpack\r\n\r\n"
SILENCE = b'{"text": "...", "format": {"codec": "pcm_s16le"}}'
POST = b"POST /v1/speech HTTP/1.1\r\nHost: gateway\r\n"


@asynccontextmanager
async def peer_of(**limits: int) -> AsyncIterator[RawPeer]:
    """Somebody who is connected to a server with these limits."""
    async with running_server(tone_config(**limits)) as server, raw_peer(server) as peer:
        yield peer


async def status(peer: RawPeer) -> int:
    return int((await peer.reader.readuntil(b"\r\n\r\n")).split()[1])


@border("url_bytes_max")
async def test_urls(more: int) -> None:
    path = b"/healthz?" + b"a" * (LIMIT + more - 9)
    async with peer_of(url_bytes_max=LIMIT) as peer:
        await peer.send(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
        assert await status(peer) == (414 if more > 0 else 200)


@border("url_bytes_max")
async def test_urls_of_handshakes(more: int) -> None:
    query = b"?" + b"a" * (LIMIT + more - len("/v1/speech?"))
    async with peer_of(url_bytes_max=LIMIT) as peer:
        await peer.send(HANDSHAKE % query)
        assert await status(peer) == (414 if more > 0 else 101)


@border("header_bytes_max")
@pytest.mark.parametrize("head", [b"GET /healthz HTTP/1.1\r\n\r\n", HANDSHAKE % b""])
async def test_bytes_of_headers(head: bytes, more: int) -> None:
    line, _, fields = head[:-2].partition(b"\r\n")
    fields += b"" if b"Host" in fields else b"Host: a\r\n"
    fields += b"x: " + b"a" * (LIMIT + more - len(fields) - 5) + b"\r\n"
    assert len(fields) == LIMIT + more
    async with peer_of(header_bytes_max=LIMIT) as peer:
        await peer.send(line + b"\r\n" + fields + b"\r\n")
        expected = 101 if b"Upgrade" in fields else 200
        assert await status(peer) == (431 if more > 0 else expected)


@border("headers_max")
async def test_headers(more: int) -> None:
    async with peer_of(headers_max=10) as peer:
        fields = b"Host: a\r\n" + b"x: y\r\n" * (9 + more)
        await peer.send(b"GET /healthz HTTP/1.1\r\n%b\r\n" % fields)
        assert await status(peer) == (431 if more > 0 else 200)


@border("guard.requests.HEAD_EXTRA_BYTES")
@pytest.mark.virtual_time
async def test_a_head_that_has_not_ended(more: int) -> None:
    """It may be longer than its headers by what belongs to none of them; what is beyond is refused before it ends."""
    async with peer_of(header_bytes_max=LIMIT) as peer:
        begun = b"GET / HTTP/1.1\r\nHost: a\r\nx: "
        size = LIMIT + HEAD_EXTRA_BYTES + len(b"/") + more
        await peer.send(begun + b"a" * (size - len(begun)))
        assert await is_over(status(peer)) == (more > 0)


@border("body_bytes_max")
@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_bodies(framing: str, more: int) -> None:
    head = SILENCE[:-1] + b', "padding": "'
    body = head + b"a" * (LIMIT + more - len(head) - 2) + b'"}'
    async with peer_of(body_bytes_max=LIMIT) as peer:
        if framing == "length":
            await peer.post(body)
        else:
            chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            await peer.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
        assert await status(peer) == (413 if more > 0 else 200)


@border("guard.requests.CHUNKING_FACTOR")
@pytest.mark.virtual_time
async def test_what_a_body_takes_on_the_wire(more: int) -> None:
    """With the sizes of its chunks, and whatever is said beside them."""
    async with peer_of(body_bytes_max=LIMIT) as peer:
        # The head alone: bytes are counted from its end.
        await peer.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        await turns()
        chunk = b"%x;%%b\r\n%b\r\n" % (len(SILENCE), SILENCE)
        extra = CHUNKING_FACTOR * LIMIT + more - len(chunk % b"")
        await peer.send(chunk % (b"a" * extra))
        await turns()
        await peer.send(b"0\r\n\r\n")
        assert await status(peer) == (413 if more > 0 else 200)


def of_size(size: int, *, msgpack: bool) -> bytes:
    """A ping of so many bytes, some of them two to a character."""
    ping = {"type": "ping", "padding": ""}
    encode = msgspec.msgpack.encode if msgpack else msgspec.json.encode
    for even in range(4):
        padding = "ä" * ((size - len(encode(ping)) - even) // 2)
        for odd in range(8):
            message = encode({**ping, "padding": padding + "a" * odd})
            if len(message) == size:
                return message
    raise AssertionError(size)


@border("message_bytes_max")
@pytest.mark.parametrize("form", ["json", "msgpack"])
async def test_messages(form: str, more: int) -> None:
    msgpack = form == "msgpack"
    async with peer_of(message_bytes_max=LIMIT) as peer:
        await peer.send((HANDSHAKE % b"")[:-2] + (MSGPACK if msgpack else b"\r\n"))
        assert await status(peer) == 101
        message = of_size(LIMIT + more, msgpack=msgpack)
        await peer.send(frame(BINARY if msgpack else TEXT, message))
        await peer.reader.readuntil(b"message_too_large" if more > 0 else b"pong")


@border("frame_bytes_max")
@pytest.mark.parametrize("parts", [1, 3])
async def test_messages_that_are_read_at_all(parts: int, more: int) -> None:
    async with peer_of(frame_bytes_max=LIMIT, message_bytes_max=LIMIT) as peer:
        await peer.upgrade()
        message = of_size(LIMIT + more, msgpack=False)
        size = -(-len(message) // parts)
        for number in range(parts):
            part = message[number * size : (number + 1) * size]
            await peer.send(frame(0 if number else TEXT, part, final=number == parts - 1))
        await peer.reader.readuntil((1009).to_bytes(2) if more > 0 else b'"pong"')


@border("fragments_max")
async def test_fragments(more: int) -> None:
    parts = [frame(0x0, b"", final=False)] * (10 + more - 2)
    async with peer_of(fragments_max=10) as peer:
        await peer.upgrade()
        first = frame(TEXT, b'{"type":"ping","id":"whole"}', final=False)
        await peer.send(first + b"".join(parts) + frame(0x0, b""))
        await peer.reader.readuntil(b"too_many_fragments" if more > 0 else b'"pong"')


@border("frames_per_second_max", "guard.messages.BURST_S")
@pytest.mark.virtual_time
async def test_frames_in_a_second(more: int) -> None:
    """A burst of a second's frames is read at once, and whatever follows a longer one later. The handshake is one."""
    rate = 64  # A power of two, so that its fractions are exact.
    clock = asyncio.get_running_loop().time
    async with peer_of(frames_per_second_max=rate) as peer:
        await peer.upgrade()
        begun = clock()
        for _ in range(round(rate * BURST_S) - 1 + more):
            await peer.send(frame(0xA, b""))
            await turns()
        await peer.say({"type": "ping"})
        await peer.reader.readuntil(b'"pong"')
        assert clock() - begun == pytest.approx(max(0, more) / rate, abs=1e-6)


@border("guard.requests.AHEAD_MAX")
@pytest.mark.virtual_time
async def test_requests_sent_ahead(more: int) -> None:
    """So many behind the one that is being answered; one more and nothing behind that one is answered."""
    get = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
    async with peer_of() as peer, under_way(peer.read_to_end()) as everything:
        await peer.send(POST + b"Content-Length: %d\r\n\r\n" % len(SILENCE) + SILENCE)
        await peer.send((get + b"\r\n") * (AHEAD_MAX - 1 + more))
        await peer.send(get + b"Connection: close\r\n\r\n")
        answers = (await everything).count(b"HTTP/1.1 200 ")
    assert answers == (1 if more > 0 else 1 + AHEAD_MAX + more)


class Looking(asyncio.Protocol):
    """What stands behind `InSlices` and notes what it gets; it wants nothing for now."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def data_received(self, data: bytes) -> None:
        self.sizes.append(len(data))


class Sliced(InSlices, Looking):
    loop: asyncio.AbstractEventLoop


class Pretending(asyncio.Transport):
    """A transport that only remembers whether it was aborted."""

    aborted = False

    def write(self, data: object) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


def sliced() -> tuple[Sliced, Pretending]:
    protocol, transport = Sliced(), Pretending()
    protocol.loop = asyncio.get_running_loop()
    protocol.connection_made(transport)
    return protocol, transport


@border("guard.slices.SLICE_BYTES")
async def test_a_slice(more: int) -> None:
    protocol, _ = sliced()
    protocol.data_received(bytes(SLICE_BYTES + more))
    await turns()
    assert protocol.sizes == ([SLICE_BYTES, 1] if more > 0 else [SLICE_BYTES + more])


@border("guard.slices.UNREAD_BYTES_MAX")
async def test_what_was_not_looked_at(more: int) -> None:
    """The kernel never hands over so much at once; whatever does is cut off."""
    protocol, transport = sliced()
    protocol._valve.pause_reading()
    protocol.data_received(bytes(UNREAD_BYTES_MAX - 10))
    protocol.data_received(bytes(10 + more))
    assert transport.aborted == (more > 0)


@border("send_buffer_bytes")
async def test_the_send_buffer(more: int) -> None:
    """The kernel doubles what it is asked for, and every connection inherits it. One byte more is one byte more."""
    size = 65_536 + more
    with listen(tone_config(send_buffer_bytes=size)) as listener:
        got = listener.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert got == 2 * size


async def test_the_send_buffer_may_be_the_systems() -> None:
    with listen(tone_config(send_buffer_bytes=0)) as listener, socket.socket() as usual:
        got = listener.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert got == usual.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)


@border("server.BACKLOG")
async def test_the_kernel_holds_who_was_not_accepted_yet(
    more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more than it was told, as Linux counts; others are not answered until there is room."""
    monkeypatch.setattr(gateway.server, "BACKLOG", 5)
    with listen(tone_config()) as listener, ExitStack() as stack:
        connected = 0
        for _ in range(5 + 1 + more):
            peer = stack.enter_context(socket.socket())
            peer.setblocking(False)
            peer.connect_ex(listener.getsockname())
            with suppress(OSError):
                peer.getpeername()
                connected += 1
        assert connected == min(6, 6 + more)


@border("sockets_max")
async def test_sockets(more: int) -> None:
    get = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    async with running_server(tone_config(sockets_max=3)) as server, AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(raw_peer(server)) for _ in range(3 + more)]
        *others, last = peers
        for peer in others:
            await peer.send(get)
            assert await status(peer) == 200
        if more > 0:
            # It asks, too: silence alone is ended by another limit.
            with suppress(ConnectionError):
                await last.send(get)
            assert await last.read_to_end() == b""
        else:
            await last.send(get)
            assert await status(last) == 200


@border("connections_max")
@pytest.mark.parametrize("way", ["http", "websocket"])
async def test_connections(way: str, more: int) -> None:
    async with running_server(tone_config(connections_max=3)) as server, raw_peer(server) as peer:
        with ExitStack() as others:
            for _ in range(2 + more):
                others.enter_context(server.house.admission.connection())
            assert await spoken(peer, way) == ("503" if more > 0 else "200")


@border("address_connections_max")
@pytest.mark.parametrize("way", ["http", "websocket"])
async def test_connections_of_an_address(way: str, more: int) -> None:
    """Those count that are there: what has been answered does not, nor who has hung up."""
    async with (
        running_server(tone_config(address_connections_max=3)) as server,
        AsyncExitStack() as stack,
    ):
        use_engine(server, ChaosEngine(ToneEngine(), {"I.": [Hang()]}))
        peers = [await stack.enter_async_context(raw_peer(server)) for _ in range(2 + more)]
        for number, peer in enumerate(peers):
            if number % 2:
                await peer.post(b'{"text": "I."}')
            else:
                await peer.upgrade()
        await until(lambda: server.house.admission.connections == 2 + more)
        asking = await stack.enter_async_context(raw_peer(server))
        assert await spoken(asking, way) == ("429" if more > 0 else "200")
        await asking.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        for peer in (asking, *peers):
            peer.close()
        await until(lambda: server.house.admission.connections == 0)
        last = await stack.enter_async_context(raw_peer(server))
        assert await spoken(last, way) == "200"


async def test_a_session_that_waits_for_its_client_is_no_connection() -> None:
    limits = {"address_connections_max": 1, "resume_window_ms": 60_000}
    async with running_server(tone_config(**limits)) as server, AsyncExitStack() as stack:
        house = server.house
        for number in range(3):
            peer = await stack.enter_async_context(raw_peer(server))
            await peer.upgrade()
            await peer.say({"type": "configure"})
            await until(lambda: house.admission.contexts > house.lobby.parked)
            peer.reset()
            await until(partial(lambda parked: house.lobby.parked > parked, number))


@border("load_percent_max")
@pytest.mark.virtual_time
@pytest.mark.parametrize("way", ["http", "websocket"])
async def test_load(way: str, more: int) -> None:
    """Of the event loop, in the last seconds: from the limit on nobody new is let in."""
    async with running_server(tone_config(load_percent_max=70)) as server, raw_peer(server) as peer:
        server.house.admission.forecast.loop_took((70 + more) * 10.0, 0.0, 1_000.0)
        assert await spoken(peer, way) == ("503" if more >= 0 else "200")


@border("wait_ms_max")
@pytest.mark.virtual_time
@pytest.mark.parametrize("way", ["http", "websocket"])
async def test_waiting_for_an_engine(way: str, more: int) -> None:
    """All places are taken, for a second each, and nobody waits."""
    async with (
        running_server(tone_config(wait_ms_max=LIMIT)) as server,
        raw_peer(server) as peer,
        AsyncExitStack() as taken,
    ):
        turns_ = server.house.turns["tone"]
        for _ in range(turns_.places):
            await taken.enter_async_context(turns_.turn(0.0))
        turns_._line.turn_s = (LIMIT + more) / 1_000 * turns_.places
        assert await begun(server, peer, way) == (more <= 0)


async def spoken(peer: RawPeer, way: str) -> str:
    """How a request, or a handshake, is answered: 200 where it is let in."""
    if way == "http":
        await peer.post(b'{"text": "..."}')
        return str(await status(peer))
    await peer.send(HANDSHAKE % b"")
    return str(await status(peer)).replace("101", "200")


async def begun(server: RunningServer, peer: RawPeer, way: str) -> bool:
    """Whether a context is opened for this peer."""
    if way == "http":
        await peer.post(b'{"text": "I."}')
    else:
        await peer.upgrade()
        await peer.say({"type": "text", "text": "I."})
    for _ in range(3):
        await turns()
    return server.house.admission.contexts == 1
