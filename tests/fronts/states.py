"""Every state in which a client can leave, as a function that brings it there, and the ways to leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.fronts.peers import CLOSE, RawPeer, frame
from tests.support.server import Message

LONG = "This sentence goes on for some time, and then there is another one. " * 40
UNPACED: Message = {"type": "configure", "lead_ms": None}


async def connected(peer: RawPeer) -> None:
    """Nothing was said."""


async def mid_handshake(peer: RawPeer) -> None:
    await peer.send(b"GET /v1/speech HTTP/1.1\r\nHost: gateway\r\nUpgrade: webso")


async def before_configure(peer: RawPeer) -> None:
    await peer.upgrade()


async def mid_message(peer: RawPeer) -> None:
    await peer.upgrade()
    await peer.send(frame(0x1, b'{"type":"text","text":"Hello."}')[:-7])


async def mid_text(peer: RawPeer) -> None:
    await peer.upgrade()
    await peer.say({"type": "text", "text": "Hello the"})
    await peer.reader.readuntil(b'"started"')


async def while_audio_comes(peer: RawPeer) -> None:
    await peer.upgrade()
    await peer.say(UNPACED, {"type": "text", "text": LONG})
    await peer.reader.readuntil(b'"segment"')


async def while_paced(peer: RawPeer) -> None:
    await peer.upgrade()
    await peer.say({"type": "configure", "lead_ms": 100}, {"type": "text", "text": LONG})
    await peer.reader.readuntil(b'"segment"')


async def during_a_flush(peer: RawPeer) -> None:
    await peer.upgrade()
    await peer.say({"type": "text", "text": LONG}, {"type": "flush"})
    await peer.reader.readuntil(b'"segment"')


async def after_a_clear(peer: RawPeer) -> None:
    await peer.upgrade()
    await peer.say({"type": "text", "text": LONG}, {"type": "clear"})
    await peer.reader.readuntil(b'"cleared"')


async def while_draining(peer: RawPeer) -> None:
    await peer.upgrade()
    await peer.say({"type": "text", "text": LONG}, {"type": "end"})
    await peer.reader.readuntil(b'"segment"')


async def after_the_end(peer: RawPeer) -> None:
    await peer.upgrade()
    await peer.say({"type": "text", "text": "I."}, {"type": "end"})
    await peer.reader.readuntil(b'"ended"')


async def while_closing(peer: RawPeer) -> None:
    await peer.upgrade()
    await peer.send(frame(CLOSE, (1000).to_bytes(2, "big")))


async def mid_body(peer: RawPeer) -> None:
    await peer.post(b'{"text": "Hel', length=100)


async def mid_download(peer: RawPeer) -> None:
    await peer.post(b'{"text": "%b"}' % LONG.encode())
    await peer.reader.readuntil(b"audio/mpeg")


async def mid_whole_file(peer: RawPeer) -> None:
    await peer.post(b'{"text": "%b", "stream": false}' % LONG.encode())


STATES: list[Callable[[RawPeer], Awaitable[None]]] = [
    connected,
    mid_handshake,
    before_configure,
    mid_message,
    mid_text,
    while_audio_comes,
    while_paced,
    during_a_flush,
    after_a_clear,
    while_draining,
    after_the_end,
    while_closing,
    mid_body,
    mid_download,
    mid_whole_file,
]
WAYS = ["reset", "close", "half_close"]
