"""Connections as they are over a real network, also where the server is on the same machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TypeVar

Protocol = TypeVar("Protocol", bound=asyncio.Protocol)

SEGMENT_BYTES = 1_448
"""What Ethernet lets a TCP segment have. On loopback it is 65,483, more than a slow reader's buffer holds: then nothing is sent
on until a timer of the kernel runs out, for 0.2 s and more, and whoever interrupts waits for that."""


async def connect(make: Callable[[], Protocol], host: str, port: int, *, tls: bool) -> Protocol:
    """The protocol that `make` gives, connected. Raises OSError where there is nobody."""
    loop = asyncio.get_running_loop()
    refusal = OSError(f"{host} has no address")
    for family, kind, number, _, address in await _addresses(host, port):
        sock = socket.socket(family, kind, number)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
            await loop.sock_connect(sock, address)
            name = host if tls else None
            _, protocol = await loop.create_connection(
                make, sock=sock, ssl=tls or None, server_hostname=name
            )
        except OSError as error:
            sock.close()
            refusal = error
        except BaseException:
            sock.close()
            raise
        else:
            return protocol
    raise refusal


async def _addresses(host: str, port: int) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:  # A name, which takes a while.
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(found)
