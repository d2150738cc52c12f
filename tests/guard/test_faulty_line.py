"""A bad line between client and server, spoilt in one direction at a time: what is slow arrives, what breaks is noticed.

The line is the benchmark's.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Awaitable, Callable
from dataclasses import replace

import msgspec
import pytest

from gateway.bench.link import Conditions, Link, Stall
from tests.fronts.peers import HANDSHAKE, TEXT, RawPeer, chunks, frame, http_client, raw_peer
from tests.support.leaks import Held, at_rest, held, settled
from tests.support.server import Message, RunningServer, running_server, speech_socket, tone_config

pytestmark = pytest.mark.socket

SPOKEN = "One two three four five."
LONG = SPOKEN * 40
FORMAT = {"codec": "pcm_s16le", "sample_rate": 8_000}
SAID: list[Message] = [
    {"type": "configure", "format": FORMAT, "lead_ms": None},
    {"type": "text", "text": SPOKEN},
    {"type": "end"},
]
DIRECTIONS = ["up", "down"]
SLOW = {
    "latency": Conditions(latency_s=0.1),
    "jitter": Conditions(jitter_s=0.01, slice_bytes=1_000),
    "thin": Conditions(bytes_per_s=200_000.0),
    "pauses": Conditions(stalls=tuple(Stall(at, 0.02) for at in range(10, 300, 50))),
}
SMALL = {"up": Conditions(slice_bytes=1), "down": Conditions(slice_bytes=7)}
"""Single bytes; in the direction of the audio a few more, because each takes a turn of this process."""
BROKEN: dict[str, Callable[[int], Conditions]] = {
    "reset": lambda at: Conditions(reset_after_bytes=at),
    "half-closed": lambda at: Conditions(half_close_after_bytes=at),
}
STALL_S = 2.0
PATIENCE = dict.fromkeys(
    [
        *("send_stall_ms", "head_read_ms", "body_read_ms"),
        *("first_message_ms", "connection_idle_ms", "context_idle_ms"),
    ],
    int(STALL_S * 1_000),
)


def line(server: RunningServer, direction: str, conditions: Conditions) -> Link:
    """To this server, spoilt in one direction."""
    if direction == "up":
        return Link("127.0.0.1", server.port, up=conditions)
    return Link("127.0.0.1", server.port, down=conditions)


# --- what is slow --------------------------------------------------------------------------------------------------


async def by_stream(server: RunningServer) -> bytes:
    return await by_http(server, "*/*", stream=True)


async def by_file(server: RunningServer) -> bytes:
    return await by_http(server, "*/*", stream=False)


async def by_events(server: RunningServer) -> bytes:
    return await by_http(server, "application/x-ndjson", stream=True)


async def by_http(server: RunningServer, accept: str, *, stream: bool) -> bytes:
    asked = {"text": SPOKEN, "format": FORMAT, "stream": stream}
    async with http_client(server) as client:
        answer = await client.post("/v1/speech", json=asked, headers={"accept": accept})
    assert answer.status_code == 200
    if accept == "*/*":
        return answer.content
    lines = [msgspec.json.decode(line) for line in answer.content.splitlines()]
    assert lines[-1]["type"] == "ended"
    # Where frames begin and end depends on who else is served; what they say does not.
    return b"".join(b64decode(line["data"]) for line in lines if line["type"] == "audio")


async def by_websocket(server: RunningServer) -> bytes:
    async with speech_socket(server) as socket:
        await socket.send(*SAID)
        await socket.receive_until("ended", reason="finished")
        return socket.audio()


Way = Callable[[RunningServer], Awaitable[bytes]]


@pytest.mark.parametrize("way", [by_stream, by_file, by_events, by_websocket])
@pytest.mark.parametrize("direction", DIRECTIONS)
async def test_what_is_slow_arrives_as_it_is(way: Way, direction: str) -> None:
    async with running_server() as server:
        undisturbed = await way(server)
        assert len(undisturbed) > 10_000
        before = await at_rest(server.house)

        async def over(conditions: Conditions) -> bytes:
            async with line(server, direction, conditions) as link:
                return await way(replace(server, port=link.port))

        lines = [*SLOW.values(), SMALL[direction]]
        heard = await asyncio.gather(*(over(conditions) for conditions in lines))
        assert [data == undisturbed for data in heard] == [True] * len(lines)
        await settled(server.house, before)


# --- what breaks ---------------------------------------------------------------------------------------------------

WAYS = ["stream", "file", "events", "websocket"]


def request(way: str, text: str) -> bytes:
    """All that a client says."""
    if way == "websocket":
        said = [{**message, "text": text} if "text" in message else message for message in SAID]
        return b"".join(frame(TEXT, msgspec.json.encode(message)) for message in said)
    body = msgspec.json.encode({"text": text, "format": FORMAT, "stream": way != "file"})
    accept = b"text/event-stream" if way == "events" else b"*/*"
    head = b"POST /v1/speech HTTP/1.1\r\nHost: a\r\nAccept: %b\r\nConnection: close\r\n" % accept
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def is_whole(peer: RawPeer, way: str, text: str) -> bool:
    """Whether a client takes what it gets for all that it asked for."""
    try:
        if way == "websocket":
            await peer.send(HANDSHAKE % b"")
            await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(request(way, text))
        answer = await peer.read_to_end()
    except (ConnectionError, asyncio.IncompleteReadError):
        return False
    head, _, body = answer.partition(b"\r\n\r\n")
    if way != "websocket" and not head.startswith(b"HTTP/1.1 200 "):
        return False
    match way:
        case "websocket":
            return b'"type":"ended"' in answer
        case "file":
            return b"content-length: %d\r\n" % len(body) in head + b"\r\n"
        case _:
            return bool(body) and chunks(answer)[1]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("direction", DIRECTIONS)
async def test_what_breaks_is_noticed(way: str, direction: str) -> None:
    """By the server, which keeps nothing; and by the client, who never takes a part for the whole."""
    text = SPOKEN if direction == "up" else LONG
    bytes_max = len(request(way, text)) - 1 if direction == "up" else 30_000
    async with running_server(tone_config(send_buffer_bytes=8_192)) as server:
        before = held(server.house)

        async def over(conditions: Conditions) -> None:
            link = line(server, direction, conditions)
            async with link, raw_peer(link.port) as peer:
                assert not await is_whole(peer, way, text)

        places = [1, 10, 60, bytes_max // 2, bytes_max]
        async with asyncio.TaskGroup() as tasks:
            for broken in BROKEN.values():
                for place in places:
                    tasks.create_task(over(broken(place)))
        await settled(server.house, before)


@pytest.mark.virtual_time
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("at", [1, 60, 180])
async def test_what_gets_stuck_is_given_up(way: str, direction: str, at: int) -> None:
    """When the patience for it is over, and whatever was sent has been played."""
    async with running_server(tone_config(**PATIENCE, send_buffer_bytes=8_192)) as server:
        before = held(server.house)
        stuck = Conditions(stalls=(Stall(at, 3_600.0),))
        link = line(server, direction, stuck)
        async with link, raw_peer(link.port) as peer, asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(is_whole(peer, way, LONG))
            await asyncio.sleep(120)
            assert server.house.admission.connections == 0
            link.reset()
            assert not await telling
        await nothing_is_left(server, before)


async def nothing_is_left(server: RunningServer, before: Held) -> None:
    """As `settled`, in virtual time."""
    for _ in range(100):
        if held(server.house) == before:
            return
        await asyncio.sleep(1)
    assert held(server.house) == before
