"""Clients that vanish in states of the wire that no protocol of ours knows: between requests, ahead of answers, in events,
after an error, while a close or a client is waited for. Nothing is left of any of them.

`fronts/test_leaving.py` has the states of the dialogue itself, by hundreds and on both event loops.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from gateway.engines.chaos import ChaosEngine, Hang
from gateway.engines.tone import ToneEngine
from tests.fronts.peers import (
    CLOSE,
    HANDSHAKE,
    TEXT,
    RawPeer,
    frame,
    http_client,
    raw_peer,
    use_engine,
)
from tests.support.leaks import at_rest, settled
from tests.support.server import Message, running_server, tone_config

pytestmark = pytest.mark.socket

LONG = "This sentence goes on for some time, and then there is another one. " * 40
PCM = {"codec": "pcm_s16le"}
WAYS = ["reset", "close", "half_close"]
GET = b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n"
CHUNKED = b"POST /v1/speech HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n"


async def between_requests(peer: RawPeer) -> None:
    await peer.send(GET)
    assert (await peer.answer())[0] == 200


async def in_the_middle_of_a_second_head(peer: RawPeer) -> None:
    await between_requests(peer)
    await peer.send(GET[:-2])


async def in_the_middle_of_a_chunk(peer: RawPeer) -> None:
    await peer.send(CHUNKED + b'10\r\n{"text"')


async def between_chunks(peer: RawPeer) -> None:
    await peer.send(CHUNKED + b'7\r\n{"text"\r\n')


async def in_the_middle_of_trailers(peer: RawPeer) -> None:
    await peer.send(CHUNKED + b"2\r\n{}\r\n0\r\nx: y")


async def before_the_body_that_it_asked_to_send(peer: RawPeer) -> None:
    head = b"POST /v1/speech HTTP/1.1\r\nHost: gateway\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"
    await peer.send(head)
    await peer.reader.readuntil(b"100 Continue")


async def with_requests_ahead(peer: RawPeer) -> None:
    await download(peer, "*/*")
    await peer.send(GET * 5)


async def download(peer: RawPeer, accept: str, *, stream: bool = True) -> None:
    asked = {"text": LONG, "format": PCM, "stream": stream}
    await peer.post(msgspec.json.encode(asked), accept=accept)
    await peer.reader.readuntil(b"\r\n\r\n")


async def among_events(peer: RawPeer) -> None:
    await download(peer, "text/event-stream")


async def among_lines(peer: RawPeer) -> None:
    await download(peer, "application/x-ndjson")


async def in_a_file_of_known_length(peer: RawPeer) -> None:
    await download(peer, "*/*", stream=False)


async def while_an_engine_hangs(peer: RawPeer) -> None:
    await peer.post(b'{"text": "This is stuck."}')


async def after_a_refusal(peer: RawPeer) -> None:
    await peer.post(b'{"text": ""}')
    assert (await peer.answer())[0] == 422


async def after_nonsense(peer: RawPeer) -> None:
    await peer.send(b"nonsense\r\n\r\n")
    assert (await peer.answer())[0] == 400


async def in_the_middle_of_nonsense(peer: RawPeer) -> None:
    await peer.send(b"nonsense\r\n\r\n")


async def in_the_middle_of_a_handshake(peer: RawPeer) -> None:
    await peer.send((HANDSHAKE % b"")[:-1])


async def before_the_handshake_is_answered(peer: RawPeer) -> None:
    await peer.send(HANDSHAKE % b"")


async def after_a_refused_handshake(peer: RawPeer) -> None:
    await peer.send(HANDSHAKE % b"?audio=nonsense")
    assert (await peer.answer())[0] == 422


async def in_the_head_of_a_frame(peer: RawPeer) -> None:
    await peer.upgrade()
    await peer.send(b"\x81")


async def between_fragments(peer: RawPeer) -> None:
    await peer.upgrade()
    await peer.send(frame(TEXT, b'{"type":', final=False))


async def after_a_broken_frame(peer: RawPeer) -> None:
    await peer.upgrade()
    await peer.send(b"\xff\xff\xff\xff")


async def while_its_close_is_waited_for(peer: RawPeer) -> None:
    """The server has closed, because nothing was said, and hears no answer."""
    await peer.upgrade()
    await peer.reader.readuntil(b"first_message_late")


async def in_the_middle_of_a_close(peer: RawPeer) -> None:
    await peer.upgrade()
    await peer.send(frame(CLOSE, (1000).to_bytes(2))[:-1])


async def with_many_contexts(peer: RawPeer) -> None:
    await peer.upgrade()
    for number in range(16):
        said: Message = {"type": "text", "context": str(number), "text": LONG[:500]}
        await peer.say(said)
    await peer.reader.readuntil(b'"segment"')


async def while_another_is_waited_for(peer: RawPeer) -> None:
    """It is resumed, if at all, by nobody."""
    await peer.upgrade()
    await peer.say({"type": "text", "text": LONG}, {"type": "flush"})
    await peer.reader.readuntil(b'"segment"')


STATES: list[Callable[[RawPeer], Awaitable[None]]] = [
    between_requests,
    in_the_middle_of_a_second_head,
    in_the_middle_of_a_chunk,
    between_chunks,
    in_the_middle_of_trailers,
    before_the_body_that_it_asked_to_send,
    with_requests_ahead,
    among_events,
    among_lines,
    in_a_file_of_known_length,
    while_an_engine_hangs,
    after_a_refusal,
    after_nonsense,
    in_the_middle_of_nonsense,
    in_the_middle_of_a_handshake,
    before_the_handshake_is_answered,
    after_a_refused_handshake,
    in_the_head_of_a_frame,
    between_fragments,
    after_a_broken_frame,
    while_its_close_is_waited_for,
    in_the_middle_of_a_close,
    with_many_contexts,
    while_another_is_waited_for,
]


@pytest.mark.parametrize("window_ms", [0, 200], ids=["for good", "waited for"])
async def test_nothing_is_left(window_ms: int) -> None:
    """Of each state, ended by a reset, by closing and by half of that."""
    config = tone_config(
        resume_window_ms=window_ms,
        body_read_ms=500,
        first_message_ms=150,
        send_buffer_bytes=8_192,
        send_stall_ms=500,
    )
    async with running_server(config) as server:
        use_engine(server, ChaosEngine(ToneEngine(), {"stuck": [Hang()] * len(WAYS)}))
        before = await at_rest(server.house)
        for state in STATES:
            for way in WAYS:
                async with raw_peer(server) as peer:
                    await state(peer)
                    getattr(peer, way)()
        await settled(server.house, before)
        async with http_client(server) as client:
            asked = {"text": "I.", "format": PCM}
            assert (await client.post("/v1/speech", json=asked)).status_code == 200
