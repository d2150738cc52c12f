"""Golden transcripts of HTTP: requests and their answers on one page, `<name>.http.txt` in a dialect's folder.

    # why these exchanges matter
    ! credits 100                       an option, see `tests.support.transcripts.Options`
    > POST /v1/tts/stream               a request: its first line,
    > x-api-key: «key»                  its headers («key» is one that is good, `KEYS` has others),
    >                                   and after an empty line
    > {"text":"«a×5001»"}               its body, letter by letter («a×3» stands for aaa)
    @ drain                             or the server begins to go away
    < 200                               and then this comes: the status,
    < content-type: audio/pcm           the headers that not every answer has,
    < audio pcm samples=4800 crc32=…    and the body

The same files are played in memory, against the application alone, and over a real socket. What differs from run to run
(ids, times) is shown as `…`. Audio that a codec has changed is named and not shown: its bytes may be others elsewhere.
"""

from __future__ import annotations

import asyncio
import base64
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
from starlette.types import Message, Scope

from gateway.accounts.clock import now_ms
from gateway.accounts.credentials import Kind, new_credential
from gateway.accounts.model import KeptKey, Key, Scope as Use
from gateway.app import Gateway
from gateway.config import AccountsConfig, Config
from gateway.fronts.reply import EVERY_ANSWER
from gateway.runtime.house import House
from tests.fronts.peers import chunks, raw_peer
from tests.support.server import running_server
from tests.support.transcripts import DRAIN, DRAIN_S, Transcript, repeated

ACCOUNT = "a"
KEYS = {
    "«key»": Key("", ACCOUNT, "", tuple(Use), 0),
    "«revoked»": Key("", ACCOUNT, "", tuple(Use), 0, revoked_ms=1),
    "«expired»": Key("", ACCOUNT, "", tuple(Use), 0, expires_ms=1),
    "«mute»": Key("", ACCOUNT, "", (Use.TOKENS,), 0),
}
"""What stands for keys that are in the database, where keys are asked for."""
HIDDEN = (
    *(b"date", b"server", b"connection", b"transfer-encoding"),
    *(name for name, _ in EVERY_ANSWER),
)
MAGIC = {
    b"RIFF": "wav",
    b"OggS": "ogg",
    b"fLaC": "flac",
    b"\xff\xf3": "mp3",
    b"\xff\xfb": "mp3",
    b"\xff\xf1": "aac",
}
WAV_HEADER_BYTES = 44
BOOKED_S = 5.0
_CHANGING = (
    re.compile(r"req_()[0-9a-f]{24}"),
    re.compile(r"\b()[0-9]{8}_[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{6}000000\b"),
    re.compile(r"(_)[0-9]{13}\b"),
    re.compile(r'("timestamp":)[0-9.]+'),
    re.compile(r"(x-processing-time-ms: )[0-9]+"),
    re.compile(r"(x-ratelimit-reset: )[0-9]+"),
    # As long as the times in the body are written.
    re.compile(r"(content-length: )[0-9]+"),
)
_SHOWN = (r"req_…\1", *[r"\1…"] * 6)
_BASE64 = re.compile(r'("audios":\[")([0-9A-Za-z+/=]*)')


class Heard(NamedTuple):
    """An answer. `complete` is False where the body broke off."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    complete: bool

    def lines(self) -> list[str]:
        """As a transcript tells it. Raises AssertionError for a length that is not the body's."""
        length = dict(self.headers).get(b"content-length")
        assert length is None or not self.complete or int(length) == len(self.body)
        shown = [f"{self.status}"]
        for name, value in self.headers:
            if name.lower() not in HIDDEN:
                shown.append(f"{name.decode().lower()}: {value.decode('latin-1')}")
        shown += self._body()
        return [f"< {_without_changing(line)}" for line in shown]

    def _body(self) -> list[str]:
        media_type = dict(self.headers).get(b"content-type", b"").partition(b";")[0]
        shown = []
        if media_type == b"application/json":
            shown = [_BASE64.sub(_decoded, self.body.decode())]
        elif self.body:
            shown = [_audio(self.body)]
        return [*shown, *(() if self.complete else ("broken off",))]


def _audio(data: bytes) -> str:
    kind = next((kind for magic, kind in MAGIC.items() if data.startswith(magic)), "")
    head = WAV_HEADER_BYTES if kind == "wav" else 0
    exact = f" samples={(len(data) - head) // 2} crc32={zlib.crc32(data[head:]):08x}"
    return f"audio {kind or 'pcm'}{exact if kind in {'', 'wav'} else ''}"


def _decoded(match: re.Match[str]) -> str:
    return match[1] + _audio(base64.b64decode(match[2], validate=True))


Ask = Callable[[bytes, bytes, list[tuple[bytes, bytes]], bytes], Awaitable[Heard]]
"""Sends a method, a target, headers and a body."""


async def play(transcript: Transcript, ask: Ask, house: House) -> list[str]:
    """The file with what came."""
    await transcript.plant(house)
    keys = await _new_keys(house, transcript.options.credits)
    played: list[str] = []
    for sign, lines in transcript.sections():
        if sign == "<":
            continue
        played += lines
        if lines == [DRAIN]:
            house.admission.drain.begin(DRAIN_S)
        elif sign == ">":
            request = "\n".join(repeated(line[2:]) for line in lines)
            for name, key in keys.items():
                request = request.replace(name, key)
            head, _, body = request.partition("\n\n")
            first, *fields = head.split("\n")
            method, _, target = first.partition(" ")
            headers = [_field(field) for field in fields]
            headers.append((b"content-length", str(len(body.encode())).encode()))
            heard = await ask(method.encode(), target.encode(), headers, body.encode())
            await _booked(house)
            played += heard.lines()
    return played


async def play_in_memory(transcript: Transcript, folder: Path) -> list[str]:
    """Against the application. `folder` is one that nobody has used."""
    gateway = Gateway(_config(transcript, folder))

    async def ask(
        method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> Heard:
        path, _, query = target.partition(b"?")
        scope: Scope = {
            "type": "http",
            "scheme": "http",
            "method": method.decode(),
            "path": path.decode(),
            "query_string": query,
            "headers": headers,
            "client": ("127.0.0.1", 1),
        }
        return await _ask(gateway, scope, body)

    async with _lifespan(gateway):
        assert gateway.house is not None
        return await play(transcript, ask, gateway.house)


async def play_over_socket(transcript: Transcript, folder: Path) -> list[str]:
    """Against the real server, each request on a connection of its own."""
    async with running_server(_config(transcript, folder)) as server:

        async def ask(
            method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes
        ) -> Heard:
            own = [(b"host", b"gateway"), (b"connection", b"close"), *headers]
            lines = [b"%b %b HTTP/1.1" % (method, target), *(b"%b: %b" % field for field in own)]
            async with raw_peer(server) as peer:
                await peer.send(b"\r\n".join([*lines, b"", body]))
                return _read(await peer.read_to_end())

        return await play(transcript, ask, server.house)


async def _ask(gateway: Gateway, scope: Scope, body: bytes) -> Heard:
    requests: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    answers: list[Message] = []

    async def receive() -> Message:
        if requests:
            return requests.pop()
        await asyncio.Event().wait()
        raise AssertionError("nobody leaves")

    async def send(message: Message) -> None:
        answers.append(message)

    await gateway(scope, receive, send)
    start, *parts = answers
    return Heard(
        start["status"],
        list(start["headers"]),
        b"".join(part.get("body", b"") for part in parts),
        bool(parts) and not parts[-1].get("more_body", False),
    )


def _read(received: bytes) -> Heard:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    fields = [line.partition(b": ") for line in lines]
    headers = [(name.lower(), value) for name, _, value in fields]
    length = dict(headers).get(b"content-length")
    if length is not None:
        return Heard(int(first.split()[1]), headers, body, len(body) == int(length))
    if first.endswith(b" 204 No Content"):
        return Heard(204, headers, b"", complete=True)
    parts, complete = chunks(received)
    return Heard(int(first.split()[1]), headers, b"".join(parts), complete)


def _field(line: str) -> tuple[bytes, bytes]:
    name, _, value = line.partition(":")
    return name.strip().lower().encode(), value.strip().encode()


def _without_changing(line: str) -> str:
    for changing, shown in zip(_CHANGING, _SHOWN, strict=True):
        line = changing.sub(shown, line)
    return line


def _config(transcript: Transcript, folder: Path) -> Config:
    config = transcript.config()
    if transcript.options.credits is None:
        return config
    accounts = AccountsConfig(database=str(folder / "accounts.db"), charge=True)
    return msgspec.structs.replace(config, accounts=accounts)


async def _booked(house: House) -> None:
    """Wait until what was spoken is in the books."""
    async with asyncio.timeout(BOOKED_S):
        while house.admission.contexts:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0)
    if house.store is not None:
        await house.store.recover(now_ms())


async def _new_keys(house: House, credits: float | None) -> dict[str, str]:
    """Keys for what stands for them, of an account with so many credits."""
    keys = {name: new_credential(Kind.KEY) for name in KEYS}
    if house.store is not None:
        for name, credential in keys.items():
            known = msgspec.structs.replace(KEYS[name], id=credential.id)
            await house.store.add_key(KeptKey(known, credential.digest))
        if credits:
            await house.store.grant(ACCOUNT, round(credits * 1_000), "", 0)
    return {name: credential.text for name, credential in keys.items()}


@asynccontextmanager
async def _lifespan(gateway: Gateway) -> AsyncIterator[None]:
    """What an ASGI server does around all requests."""
    asked, started, over = asyncio.Event(), asyncio.Event(), asyncio.Event()
    told: list[str] = []

    async def receive() -> Message:
        if not asked.is_set():
            asked.set()
            return {"type": "lifespan.startup"}
        await over.wait()
        return {"type": "lifespan.shutdown"}

    async def send(message: Message) -> None:
        told.append(message["type"])
        started.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(gateway({"type": "lifespan", "state": {}}, receive, send))
        await started.wait()
        assert told == ["lifespan.startup.complete"]
        try:
            yield
        finally:
            over.set()
