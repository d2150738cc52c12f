"""Any bytes where a request or a frame should be: each is answered in good form or closed, and nobody else hears of it.

One server for all examples of a test, in virtual time: a peer that would wait for more is over when its time is.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from tests.fronts.peers import TEXT, frame, raw_peer
from tests.support.server import RunningServer, running_server, tone_config
from tests.support.virtual_time import VirtualTimeLoop

pytestmark = pytest.mark.socket

GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
LIMITS = {"url_bytes_max": 1_024, "header_bytes_max": 1_024, "headers_max": 20}
METHODS = st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"get", b"M-SEARCH", b""])
PATHS = st.one_of(
    st.sampled_from(
        [
            *(
                b"/",
                b"/healthz",
                b"/v1/speech/segments",
                b"/v1/speech",
                b"*",
                b"//",
                b"/%00",
                b"/%",
            ),
            *(b"/v1/speech/../speech", b"/v1//speech", b"/v1/speech%2fsegments", b"/healthz?a=%zz"),
            *(b"http://a/healthz", b"http://[::1]/", b"a:80", b"/#x", b"/?" + b"a" * 1_023, b""),
        ]
    ),
    st.binary(max_size=30),
)
VERSIONS = st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b""])
FIELDS = st.one_of(
    st.sampled_from(
        [
            *(b"Host: a", b"Host: b", b"host:", b"Content-Length: 2", b"Content-Length: 0"),
            *(b"Content-Length: 1e1", b"Content-Length:\t2", b"Transfer-Encoding: chunked"),
            *(b"Transfer-Encoding: chunked, chunked", b"Connection: close", b"Connection: upgrade"),
            *(b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Expect: 100-continue"),
            *(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Origin: null", b"Accept: a/b;q=2"),
            *(
                b"Authorization: Bearer x",
                b"X-Forwarded-For: 1",
                b" folded",
                b"a" * 1_100,
                b"x:" * 99,
            ),
        ]
    ),
    st.binary(max_size=30),
)
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"])
BODIES = st.sampled_from(
    [b"", b"{}", b'{"text": "Hello."}', b"2\r\n{}\r\n0\r\n\r\n", b"g\r\n", b"0\r\n"]
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Something like a request; a byte of it may be another."""
    head = draw(METHODS) + b" " + draw(PATHS) + b" " + draw(VERSIONS) + draw(ENDS)
    fields = [field + draw(ENDS) for field in draw(st.lists(FIELDS, max_size=6))]
    whole = head + b"".join(fields) + b"\r\n" + draw(BODIES)
    at = draw(st.integers(-3 * len(whole), len(whole) - 1))
    if at >= 0:
        whole = whole[:at] + bytes([draw(st.integers(0, 255))]) + whole[at + 1 :]
    return whole


@pytest.fixture
def served() -> Iterator[tuple[asyncio.Runner, RunningServer]]:
    """A loop that never waits, and a server on it."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        stack = AsyncExitStack()
        config = tone_config(**LIMITS)
        server = runner.run(stack.enter_async_context(running_server(config)))
        yield runner, server
        runner.run(stack.aclose())


async def answers(server: RunningServer, data: bytes, *, size: int | None = None) -> bytes:
    """All that comes for these bytes until the connection ends; in pieces of a size, each read before the next."""
    async with raw_peer(server) as peer, asyncio.TaskGroup() as tasks:
        everything = tasks.create_task(peer.read_to_end())
        for at in range(0, len(data), size or len(data) or 1):
            try:
                await peer.send(data[at : at + (size or len(data))])
            except ConnectionError:
                break
            for _ in range(3):
                await asyncio.sleep(0)
        return await everything


_STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) [^\r\n]*\r\n")


def statuses(received: bytes) -> list[int]:
    """Of answers in good form, each with the length it says; errors as JSON with a code. Raises AssertionError."""
    found = []
    while received:
        begin = _STATUS.match(received)
        assert begin is not None, received[:200]
        head, ends, rest = received.partition(b"\r\n\r\n")
        assert ends, "a whole head"
        status = int(begin[1])
        found.append(status)
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)(\r\n|$)", head)
        if status in {100, 101}:
            return found if status == 101 else found + statuses(rest)
        if b"chunked" in head:
            return found
        assert length is not None, head
        body, received = rest[: int(length[1])], rest[int(length[1]) :]
        if status >= 400 and body:
            assert msgspec.json.decode(body)["error"]["code"]
    return found


def test_any_head_is_answered_or_closed(
    served: tuple[asyncio.Runner, RunningServer], caplog: pytest.LogCaptureFixture
) -> None:
    runner, server = served

    @given(requests())
    @settings(max_examples=300)
    def check(data: bytes) -> None:
        received = runner.run(answers(server, data))
        assert len(statuses(received)) <= data.count(b"HTTP/1.") + 1
        assert statuses(runner.run(answers(server, GET))) == [200]

    check()
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []
    assert len(server.connections) == server.house.admission.connections == 0


def test_a_head_is_read_alike_however_it_arrives(
    served: tuple[asyncio.Runner, RunningServer],
) -> None:
    """One request: by what of it is answered, not by what had come when."""
    runner, server = served
    lines = st.lists(st.tuples(FIELDS, ENDS).map(b"".join), max_size=6)

    @given(lines, st.integers(1, 40))
    @settings(max_examples=100)
    def check(fields: list[bytes], size: int) -> None:
        head = b"POST /v1/speech/segments HTTP/1.1\r\n" + b"".join(fields) + b"\r\n"
        at_once = statuses(runner.run(answers(server, head)))
        in_pieces = statuses(runner.run(answers(server, head, size=size)))
        assert at_once[:1] == in_pieces[:1]

    check()


MESSAGES = [b'{"type":"ping"}', b'{"type":"text","text":"Hi."}', b'{"type":"end"}', b"[", b"\xff"]
FRAMES = st.one_of(
    st.builds(
        lambda opcode, payload, final: frame(opcode, payload, final=final),
        st.integers(0, 15),
        st.one_of(st.sampled_from(MESSAGES), st.binary(max_size=130)),
        st.booleans(),
    ),
    st.sampled_from([frame(TEXT, message) for message in MESSAGES]),
    st.binary(max_size=20),
)


def test_any_frames_are_answered_or_closed(
    served: tuple[asyncio.Runner, RunningServer], caplog: pytest.LogCaptureFixture
) -> None:
    """However they arrive; a close is the last thing that comes."""
    runner, server = served

    async def talk(data: bytes, size: int) -> bytes:
        async with raw_peer(server) as peer, asyncio.TaskGroup() as tasks:
            await peer.upgrade()
            everything = tasks.create_task(peer.read_to_end())
            for at in range(0, len(data), size):
                try:
                    await peer.send(data[at : at + size])
                except ConnectionError:
                    break
                await asyncio.sleep(0)
            await everything
        while server.house.admission.connections:  # noqa: ASYNC110  # time is virtual, and nobody announces it
            await asyncio.sleep(0.1)
        return everything.result()

    @given(st.lists(FRAMES, max_size=6).map(b"".join), st.sampled_from([1, 7, 100_000]))
    @settings(max_examples=100)
    def check(data: bytes, size: int) -> None:
        received = runner.run(talk(data, size))
        *_, last = list(frames(received))
        assert last[0] == 8, "the connection ends with a close"
        assert int.from_bytes(last[1][:2]) in {
            0,
            1000,
            1002,
            1007,
            1008,
            1009,
            1011,
            *range(3000, 5000),
        }

    check()
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


def frames(received: bytes) -> Iterator[tuple[int, bytes]]:
    """The server's frames, as (opcode, payload)."""
    while received:
        size, at = received[1], 2
        if size == 126:
            size, at = int.from_bytes(received[2:4]), 4
        elif size == 127:
            size, at = int.from_bytes(received[2:10]), 10
        yield received[0] & 0xF, received[at : at + size]
        received = received[at + size :]
