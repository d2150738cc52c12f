"""Peers that no client library would be: raw bytes, half-closed sockets, resets, and engines that fail as planned."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import msgspec

from gateway.engines.base import Engine
from tests.support.server import Message, RunningServer

HANDSHAKE = (
    b"GET /v1/speech%b HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
RECEIVE_BUFFER_BYTES = 4_096


def use_engine(server: RunningServer, engine: Engine) -> None:
    """Let the model `tone` be spoken by this engine from now on."""
    engines = server.house.engines
    assert isinstance(engines, dict)
    engines["tone"] = engine


def http_client(server: RunningServer) -> httpx.AsyncClient:
    """An ordinary client. Without certificates, because loading them takes longer than most tests."""
    return httpx.AsyncClient(base_url=server.base_url, trust_env=False, verify=False)


class RawPeer:
    """A TCP connection whose owner decides about every byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def post(
        self, body: bytes, *, length: int | None = None, accept: str = "*/*", key: str | None = None
    ) -> None:
        """A request for speech; `length` is what it claims to bring, `key` its Idempotency-Key."""
        declared = len(body) if length is None else length
        head = b"POST /v1/speech HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n" % declared
        head += b"Accept: %b\r\n" % accept.encode()
        if key is not None:
            head += b"Idempotency-Key: %b\r\n" % key.encode()
        await self.send(head + b"\r\n" + body)

    async def answer(self) -> tuple[int, bytes]:
        """The status and the body of the next HTTP answer, which must name its length."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert length is not None, head
        return int(head.split()[1]), await self.reader.readexactly(int(length[1]))

    async def upgrade(self, query: bytes = b"") -> None:
        """Open a WebSocket."""
        await self.send(HANDSHAKE % query)
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head

    async def say(self, *messages: Message) -> None:
        """Send text messages over the WebSocket."""
        for message in messages:
            await self.send(frame(TEXT, msgspec.json.encode(message)))

    async def read_to_end(self) -> bytes:
        """Everything until the server closes or resets."""
        received = bytearray()
        with suppress(ConnectionResetError):
            while part := await self.reader.read(65_536):
                received += part
        return bytes(received)

    def stop_reading(self) -> None:
        """Leave whatever comes in the kernel, and see no end of the connection either."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # sockets' transports have it

    def go_on_reading(self) -> None:
        """Take what has come meanwhile."""
        self._writer.transport.resume_reading()  # type: ignore[attr-defined]  # sockets' transports have it

    def half_close(self) -> None:
        """Say that nothing more will come, and go on listening."""
        self._writer.write_eof()

    def reset(self) -> None:
        """Vanish: the other side gets a RST (SO_LINGER with no time)."""
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def close(self) -> None:
        """Leave without a word of WebSocket. Fine twice."""
        self._writer.close()


@asynccontextmanager
async def raw_peer(
    server: RunningServer | int,
    *,
    receive_buffer_bytes: int = RECEIVE_BUFFER_BYTES,
    read_ahead_bytes: int = 2**20,
) -> AsyncIterator[RawPeer]:
    """Connect to a server or a port, with a small receive buffer: what is not read, the server notices soon.

    `read_ahead_bytes` is what the peer takes from the kernel before its owner asks for it (at most twice as much).
    """
    port = server if isinstance(server, int) else server.port
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=read_ahead_bytes)
    try:
        yield RawPeer(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A client's frame, masked with zeros."""
    size = len(payload)
    head = bytes([opcode | (0x80 if final else 0)])
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65_536:
        length = b"\xfe" + struct.pack(">H", size)
    else:
        length = b"\xff" + struct.pack(">Q", size)
    return head + length + bytes(4) + payload


class Pongs:
    """What a peer that reads frames as they come has to answer to pings."""

    def __init__(self) -> None:
        self._unread = b""

    def answers_to(self, received: bytes) -> bytes:
        """The pongs for the pings among the server's frames that these bytes complete."""
        self._unread += received
        pongs = b""
        while len(self._unread) >= 2:
            kind, size, head = self._unread[0] & 0x0F, self._unread[1], 2
            if size >= 126:
                head += 2 if size == 126 else 8
                size = int.from_bytes(self._unread[2:head], "big")
            if len(self._unread) < head + size:
                break
            if kind == PING:
                pongs += frame(PONG, self._unread[head : head + size])
            self._unread = self._unread[head + size :]
        return pongs


def dechunked(response: bytes) -> tuple[bytes, bool]:
    """The body of a raw chunked response, and whether its terminating chunk came."""
    parts, complete = chunks(response)
    return b"".join(parts), complete


def chunks(response: bytes) -> tuple[list[bytes], bool]:
    """The chunks of a raw response, and whether the terminating one came."""
    head, _, rest = response.partition(b"\r\n\r\n")
    assert re.search(rb"(?i)transfer-encoding: chunked", head), head
    parts: list[bytes] = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return parts, True
        parts.append(rest[:length])
        rest = rest[length + 2 :]
    return parts, False
