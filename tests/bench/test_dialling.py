"""Connections of the harness over real sockets."""

from __future__ import annotations

import asyncio
import socket

import pytest

from gateway.bench.instruments.dialling import SEGMENT_BYTES, connect


class Kept(asyncio.Protocol):
    """Keeps its transport."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_segments_are_as_on_ethernet(host: str) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        client = await connect(Kept, host, listener.getsockname()[1], tls=False)
        theirs, _ = await loop.sock_accept(listener)
        with theirs:
            assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= SEGMENT_BYTES
        client.transport.close()


async def test_nobody_there_is_an_error_of_the_system() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            await connect(asyncio.Protocol, "127.0.0.1", unused.getsockname()[1], tls=False)
