"""A bad network on 127.0.0.1: a TCP relay that delays, thins out, cuts up, holds back and breaks what passes.

    client ──► Link ──► target        `up` spoils what the client sends, `down` what the target sends

In each direction of each connection a reader cuts what arrives into slices and gives each the moment at which it is
due, and a writer waits for that moment and passes it on. At most `SLICES_ON_THE_WAY` are between them; then the reader
stops, the kernel's buffers, which are kept small, fill, and the sender feels it, as on a real line. Slices never
overtake each other. All chance comes from one seed, connection by connection in the order in which they are accepted.
"""

from __future__ import annotations

import asyncio
import math
import random
import socket
import struct
from contextlib import suppress
from types import TracebackType
from typing import Self

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

SLICE_BYTES = 4_096
SLICES_ON_THE_WAY = 64
SOCKET_BUFFER_BYTES = 32_768
BACKLOG = 128

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER without time to linger: close() throws away what is unsent and sends RST."""


class Stall(msgspec.Struct, frozen=True):
    """After `after_bytes` of a direction nothing more passes for `seconds`."""

    after_bytes: int
    seconds: float


class Conditions(msgspec.Struct, frozen=True):
    """What happens in one direction of a connection; the default is a good line.

    Each slice of at most `slice_bytes` takes `latency_s` and up to `jitter_s` more, and the line carries `bytes_per_s`.
    After `half_close_after_bytes` the receiver is told that nothing more comes, and the rest is thrown away; after
    `reset_after_bytes` both sides are reset.
    """

    latency_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float = math.inf
    slice_bytes: int = SLICE_BYTES
    stalls: tuple[Stall, ...] = ()
    half_close_after_bytes: int | None = None
    reset_after_bytes: int | None = None


class Link:
    """`async with Link(host, port, down=Conditions(latency_s=0.1)) as link`: connect to 127.0.0.1 at `link.port`.

    `up` and `down` may be replaced at any time, for the connections that come later. When the block ends, connections
    that are left are reset and no task and no socket remains. A Link can be entered once.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        up: Conditions | None = None,
        down: Conditions | None = None,
        seed: int = 0,
    ) -> None:
        self.up = up or Conditions()
        self.down = down or Conditions()
        self._target = (host, port)
        self._chance = random.Random(seed)
        self._listener = _small(socket.socket())
        self._tasks = asyncio.TaskGroup()
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def reset(self) -> None:
        """Reset all connections, both sides. Later ones are served as before."""
        for connection in self._connections:
            connection.cancel()

    async def __aenter__(self) -> Self:
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(BACKLOG)
        await self._tasks.__aenter__()
        self._accepting = self._tasks.create_task(self._accept())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._accepting.cancel()
        self.reset()
        try:
            # The group is not told of the block's own failure, so that it goes on its way unwrapped.
            await self._tasks.__aexit__(None, None, None)
        finally:
            self._listener.close()

    async def _accept(self) -> None:
        while True:
            client, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            seeds = self._chance.random(), self._chance.random()
            connection = self._tasks.create_task(self._carry(_small(client), seeds))
            self._connections.add(connection)
            connection.add_done_callback(self._connections.discard)

    async def _carry(self, client: socket.socket, seeds: tuple[float, float]) -> None:
        """One connection, until both directions have ended or something breaks it."""
        target = _small(socket.socket())
        is_whole = False
        try:
            await asyncio.get_running_loop().sock_connect(target, self._target)
            async with asyncio.TaskGroup() as tasks:
                _Line(client, target, self.up, seeds[0]).open(tasks)
                _Line(target, client, self.down, seeds[1]).open(tasks)
            is_whole = True
        except* (OSError, _ResetWanted):
            pass
        finally:
            for end in (client, target):
                if not is_whole:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                end.close()


class Timetable:
    """When each slice of one direction is due. The same seed and the same slices give the same delays."""

    def __init__(self, conditions: Conditions, seed: float) -> None:
        self._conditions = conditions
        self._chance = random.Random(seed)
        self._line_free = 0.0
        self._latest_due = 0.0

    def due(self, now: float, size: int) -> float:
        """The moment of a slice of `size` bytes that comes in `now`; never before that of an earlier one."""
        conditions = self._conditions
        self._line_free = max(self._line_free, now) + size / conditions.bytes_per_s
        delay = conditions.latency_s + self._chance.uniform(0.0, conditions.jitter_s)
        self._latest_due = max(self._latest_due, self._line_free + delay)
        return self._latest_due


class _ResetWanted(Exception):
    """The conditions say that the connection breaks here."""


class _Line:
    """One direction of one connection."""

    def __init__(
        self, source: socket.socket, sink: socket.socket, conditions: Conditions, seed: float
    ) -> None:
        self._source = source
        self._sink = sink
        self._conditions = conditions
        self._timetable = Timetable(conditions, seed)
        self._passed_bytes = 0
        self._is_muted = False
        self._stalls = sorted(conditions.stalls, key=lambda stall: stall.after_bytes)

    def open(self, tasks: asyncio.TaskGroup) -> None:
        """Carry, until the source has no more, in tasks of this group."""
        entry, exit = anyio.create_memory_object_stream[tuple[float, bytes]](SLICES_ON_THE_WAY)
        tasks.create_task(self._read(entry))
        tasks.create_task(self._write(exit))

    async def _read(self, entry: MemoryObjectSendStream[tuple[float, bytes]]) -> None:
        loop = asyncio.get_running_loop()
        with entry, suppress(anyio.BrokenResourceError):  # The writer broke, and says why itself.
            while data := await loop.sock_recv(self._source, self._conditions.slice_bytes):
                await entry.send((self._timetable.due(loop.time(), len(data)), data))

    async def _write(self, exit: MemoryObjectReceiveStream[tuple[float, bytes]]) -> None:
        loop = asyncio.get_running_loop()
        with exit:
            async for due, data in exit:
                await asyncio.sleep(due - loop.time())
                await self._pass(data)
        if not self._is_muted:
            self._end()

    async def _pass(self, data: bytes) -> None:
        """Send a slice, and stop where the conditions say so, to the byte."""
        await self._stop()
        while data and not self._is_muted:
            part = data[: self._next_stop() - self._passed_bytes]
            await asyncio.get_running_loop().sock_sendall(self._sink, part)
            self._passed_bytes += len(part)
            data = data[len(part) :]
            await self._stop()

    def _next_stop(self) -> int:
        """The next byte count at which something happens; any larger one where nothing will."""
        conditions = self._conditions
        counts = [stall.after_bytes for stall in self._stalls]
        counts += [
            count
            for count in (conditions.half_close_after_bytes, conditions.reset_after_bytes)
            if count is not None
        ]
        return min(counts, default=self._passed_bytes + conditions.slice_bytes)

    async def _stop(self) -> None:
        """What happens at this byte count, if anything."""
        while self._stalls and self._stalls[0].after_bytes <= self._passed_bytes:
            stall = self._stalls.pop(0)
            await asyncio.sleep(stall.seconds)
        if self._passed_bytes == self._conditions.reset_after_bytes:
            raise _ResetWanted
        if self._passed_bytes == self._conditions.half_close_after_bytes and not self._is_muted:
            self._is_muted = True
            self._end()

    def _end(self) -> None:
        with suppress(OSError):  # The other side may be gone altogether, which is an end as well.
            self._sink.shutdown(socket.SHUT_WR)


def _small(end: socket.socket) -> socket.socket:
    """A socket that waits for nobody and holds little."""
    end.setblocking(False)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
    with suppress(OSError):  # A listener has no delay to be taken.
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return end
