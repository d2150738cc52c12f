"""Every answer, whichever part of the gateway gives it, has the headers that protect who reads it, and names no software."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from gateway.fronts.reply import EVERY_ANSWER
from tests.fronts.peers import HANDSHAKE, raw_peer
from tests.support.server import running_server, tone_config

pytestmark = [pytest.mark.socket, pytest.mark.virtual_time]

HOST = b"Host: gateway\r\n"
PAGE = b"Origin: http://localhost\r\n"
SPEECH = b'{"text": "...", "format": {"codec": "pcm_s16le"}}'
CHUNK = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(SPEECH), SPEECH)
ASKED = b'{"text": "Hi.", "voice": "Peter"}'
VENDORS = b"Content-Length: %d\r\n\r\n%b" % (len(ASKED), ASKED)
ANSWERS = {
    "alive": (200, b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a head alone": (200, b"HEAD /healthz HTTP/1.1\r\n" + HOST + b"\r\n"),
    "ready": (200, b"GET /readyz HTTP/1.1\r\n" + HOST + b"\r\n"),
    "metrics": (200, b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n"),
    "voices": (200, b"GET /v1/speech/voices HTTP/1.1\r\n" + HOST + b"\r\n"),
    "descriptions": (200, b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n"),
    "speech": (200, b"POST /v1/speech HTTP/1.1\r\n" + HOST + CHUNK),
    "a vendor's speech": (200, b"POST /v1/tts/stream HTTP/1.1\r\n" + HOST + VENDORS),
    "a vendor's list": (200, b"GET /v1/voices HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a vendor's no": (422, b"GET /v1/voices?gender=x HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a vendor's nowhere": (404, b"GET /yourvoic/x HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a dry run": (200, b"POST /v1/speech/segments HTTP/1.1\r\n" + HOST + CHUNK),
    "to a page": (200, b"GET /healthz HTTP/1.1\r\n" + HOST + PAGE + b"\r\n"),
    "to a page that asks": (
        204,
        b"OPTIONS /v1/speech HTTP/1.1\r\nAccess-Control-Request-Method: POST\r\n"
        + HOST
        + PAGE
        + b"\r\n",
    ),
    "to a foreign page": (403, b"GET /healthz HTTP/1.1\r\nOrigin: null\r\n" + HOST + b"\r\n"),
    "nowhere": (404, b"GET /nowhere HTTP/1.1\r\n" + HOST + b"\r\n"),
    "no path": (404, b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n"),
    "no such method": (405, b"DELETE /v1/speech HTTP/1.1\r\n" + HOST + b"\r\n"),
    "no form": (406, b"POST /v1/speech HTTP/1.1\r\nAccept: x/y\r\n" + HOST + CHUNK),
    "no body": (400, b"POST /v1/speech HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n"),
    "late": (408, b"GET /"),
    "large": (413, b"POST /v1/speech HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999\r\n\r\n"),
    "a long URL": (414, b"GET /" + b"a" * 9_000),
    "many headers": (431, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 102),
    "nonsense": (400, b"nonsense\r\n\r\n"),
    "a handshake": (101, HANDSHAKE % b""),
    "a refused one": (422, HANDSHAKE % b"?audio=nonsense"),
    "a broken one": (400, (HANDSHAKE % b"").replace(b"Version: 13", b"Version: 12")),
    "of a foreign page": (403, (HANDSHAKE % b"")[:-2] + b"Origin: null\r\n\r\n"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_are_there(name: str) -> None:
    status, request = ANSWERS[name]
    async with running_server() as server, raw_peer(server) as peer:
        await peer.send(request)
        await has_them(await peer.reader.readuntil(b"\r\n\r\n"), status)


@pytest.mark.parametrize("request_", [HANDSHAKE % b"", ANSWERS["speech"][1]], ids=["ws", "http"])
async def test_also_when_all_is_taken(request_: bytes) -> None:
    async with running_server(tone_config(connections_max=1)) as server, raw_peer(server) as peer:
        with ExitStack() as others:
            others.enter_context(server.house.admission.connection())
            await peer.send(request_)
            head = await peer.reader.readuntil(b"\r\n\r\n")
        await has_them(head, 503)
        assert b"\r\nretry-after: " in head.lower()


async def has_them(head: bytes, status: int) -> None:
    assert int(head.split()[1]) == status
    lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
    fields = [(name.lower(), value) for name, _, value in lines if name]
    assert set(EVERY_ANSWER) <= set(fields)
    names = [name for name, _ in fields]
    assert b"x-request-id" in names
    assert b"server" not in names
    for name, _ in EVERY_ANSWER:
        assert names.count(name) == 1
