"""The bad network: what passes, when, in which pieces, and how it breaks."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from gateway.bench.link import Conditions, Link, Stall, Timetable
from tests.support.leaks import until

pytestmark = pytest.mark.socket

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes, until the end of it or of the connection."""
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionResetError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def linked(
    serve: Serve = echo,
    *,
    up: Conditions | None = None,
    down: Conditions | None = None,
    seed: int = 0,
) -> AsyncIterator[tuple[Link, asyncio.StreamReader, asyncio.StreamWriter]]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with Link("127.0.0.1", port, up=up, down=down, seed=seed) as link:
            reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
            yield link, reader, writer
            writer.close()


async def test_a_good_line_changes_nothing() -> None:
    data = os.urandom(1_000_000)
    async with linked() as (_, reader, writer):
        writer.write(data)
        writer.write_eof()
        assert await reader.read(-1) == data


@pytest.mark.parametrize(
    "spoilt",
    [
        Conditions(latency_s=0.02, jitter_s=0.01),
        Conditions(slice_bytes=7),
        Conditions(stalls=(Stall(0, 0.01), Stall(100, 0.01), Stall(100, 0.01))),
        Conditions(bytes_per_s=500_000),
    ],
)
async def test_no_condition_changes_a_byte(spoilt: Conditions) -> None:
    data = os.urandom(20_000)
    async with linked(up=spoilt, down=spoilt) as (_, reader, writer):
        writer.write(data)
        writer.write_eof()
        assert await reader.read(-1) == data


async def test_latency_delays_and_the_round_trip_has_both() -> None:
    bad = Conditions(latency_s=0.03)
    async with linked(up=bad, down=bad) as (_, reader, writer):
        begun = time.monotonic()
        writer.write(b"x")
        assert await reader.read(1) == b"x"
        assert time.monotonic() - begun >= 0.06


async def test_bandwidth_is_a_bound() -> None:
    async with linked(up=Conditions(bytes_per_s=200_000)) as (_, reader, writer):
        begun = time.monotonic()
        writer.write(bytes(20_000))
        await reader.readexactly(20_000)
        assert time.monotonic() - begun >= 0.1


async def test_a_stall_comes_after_its_byte_and_not_before() -> None:
    async with linked(down=Conditions(stalls=(Stall(1_000, 0.1),))) as (_, reader, writer):
        begun = time.monotonic()
        writer.write(bytes(1_500))
        received = early = 0
        while received < 1_500:
            received += len(await reader.read(65_536))
            if time.monotonic() < begun + 0.1:
                early = received
    assert early in {0, 1_000}  # 0 where this machine was too busy to look in time


async def test_a_reset_comes_after_its_byte() -> None:
    async with linked(down=Conditions(reset_after_bytes=1_000)) as (_, reader, writer):
        writer.write(bytes(5_000))
        with pytest.raises(ConnectionResetError):
            await reader.read(-1)


async def test_a_reset_amid_a_flood_is_a_reset_and_nothing_else() -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(bytes(4_096))
                await writer.drain()
        writer.close()

    for after in range(0, 100_000, 10_007):
        async with linked(pour, down=Conditions(reset_after_bytes=after)) as (_, reader, _):
            with pytest.raises(ConnectionResetError):
                await reader.read(-1)


async def test_a_reset_reaches_the_server_too() -> None:
    seen: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(5_000))
        try:
            await reader.read(1)
        except ConnectionResetError:
            seen.set_result("reset")
        else:
            seen.set_result("end")
        writer.close()

    async with linked(watch, down=Conditions(reset_after_bytes=0)):
        assert await seen == "reset"


async def test_half_a_close_ends_one_direction_only() -> None:
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def talk_and_listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(5_000))
        got.set_result(await reader.read(-1))
        writer.close()

    down = Conditions(half_close_after_bytes=3_000)
    async with linked(talk_and_listen, down=down) as (_, reader, writer):
        assert len(await reader.read(-1)) == 3_000
        writer.write(b"still here")
        writer.write_eof()
        assert await got == b"still here"


async def test_the_senders_end_reaches_the_receiver() -> None:
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.set_result(await reader.read(-1))
        writer.close()

    async with linked(listen) as (_, reader, writer):
        writer.write(b"that is all")
        writer.write_eof()
        assert await got == b"that is all"
        assert await reader.read(-1) == b""


async def test_who_does_not_read_stops_the_sender() -> None:
    sent = 0
    stuck = asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.transport.set_write_buffer_limits(high=0)
        try:
            while True:
                writer.write(bytes(65_536))
                async with asyncio.timeout(0.3):
                    await writer.drain()
                sent += 65_536
        except TimeoutError:
            stuck.set()
            writer.transport.abort()

    async with linked(pour):
        await stuck.wait()
    # The buffers on the way: the server's, the link's (a quarter of a megabyte), the client's.
    assert sent < 8_000_000


async def test_reset_breaks_what_is_there_and_serves_what_comes() -> None:
    async with linked() as (link, reader, writer):
        writer.write(b"x")
        assert await reader.read(1) == b"x"
        link.reset()
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        again, writing = await asyncio.open_connection("127.0.0.1", link.port)
        writing.write(b"y")
        assert await again.read(1) == b"y"
        writing.close()


async def test_no_target_is_a_reset() -> None:
    async with Link("127.0.0.1", 1) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        writer.close()


async def test_nothing_is_left_when_it_ends() -> None:
    tasks, files = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Link("127.0.0.1", server.sockets[0].getsockname()[1]) as link:
        writers = []
        for _ in range(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
            writer.write(b"x")
            assert await reader.read(1) == b"x"
            writers.append(writer)
    for writer in writers:
        writer.transport.abort()
    await until(
        lambda: len(asyncio.all_tasks()) <= tasks and len(os.listdir("/proc/self/fd")) <= files
    )


async def test_the_blocks_own_failure_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError):
        async with Link("127.0.0.1", 1):
            raise KeyError


def test_a_line_carries_one_slice_after_the_other() -> None:
    line = Timetable(Conditions(latency_s=0.5, bytes_per_s=100), seed=0)
    assert line.due(10.0, 100) == 11.5
    assert line.due(10.0, 50) == 12.0
    assert line.due(20.0, 100) == 21.5


def test_jitter_comes_from_the_seed_and_never_reorders() -> None:
    bad = Conditions(latency_s=0.1, jitter_s=0.05)

    def moments(seed: int) -> list[float]:
        line = Timetable(bad, seed)
        return [line.due(n * 0.01, 100) for n in range(200)]

    assert moments(1) == moments(1)
    assert moments(1) != moments(2)
    assert moments(1) == sorted(moments(1))
    for n, due in enumerate(moments(1)):
        assert n * 0.01 + 0.1 <= due <= n * 0.01 + 0.15 + 1e-9
    apart = [Timetable(bad, seed).due(0.0, 100) for seed in range(200)]
    assert min(apart) < 0.105
    assert max(apart) > 0.145
