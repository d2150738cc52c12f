"""The examples of the documents work: requests are sent, programs are run, messages are understood.

`localhost:8080` in them becomes the address of a server with espeak-ng and the default limits.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from functools import reduce
from operator import or_
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
import pytest

from gateway.core.limits import Limits
from gateway.core.params import WEBSOCKET_DEFAULTS, Parameters
from gateway.core.resolve import resolve
from gateway.dialects.native import MESSAGES, ErrorBody, NativeConversation, Tagged
from gateway.fronts.usage import UsageInfo
from gateway.runtime.receipts import RequestReceipt
from tests.support.checkout import ROOT
from tests.support.documents import Block, blocks
from tests.support.server import RunningServer, espeak_config, running_server

PROTOCOL = ROOT / "docs" / "protocol.md"
DOCUMENTS = (ROOT / "README.md", PROTOCOL)
ADDRESS = re.compile(r"(localhost|127\.0\.0\.1):8080")


class Example(NamedTuple):
    """A block of a document."""

    document: Path
    block: Block

    def at(self, server: RunningServer) -> str:
        """Its text, with the server's address in it."""
        return ADDRESS.sub(f"127.0.0.1:{server.port}", self.block.text)


def examples(info: str, beginning: str = "") -> list[Example]:
    return [
        Example(document, block)
        for document in DOCUMENTS
        for block in blocks(document)
        if block.info == info and block.text.startswith(beginning)
    ]


def name(example: Example) -> str:
    return f"{example.document.name}:{example.block.line}"


class Request(NamedTuple):
    """What a curl command asks for."""

    method: str
    host: str
    path: str
    headers: dict[str, str]
    body: str | None
    output: str | None

    @classmethod
    def of(cls, command: str) -> Request:
        """Understands -X, -H, -d and -o. Raises ValueError for any other option."""
        words = iter(shlex.split(command.replace("\\\n", " ")))
        assert next(words) == "curl"
        options: dict[str, str] = {}
        headers: dict[str, str] = {}
        address = ""
        for word in words:
            if word == "-H":
                header, _, value = next(words).partition(": ")
                headers[header] = value
            elif word in {"-X", "-d", "-o"}:
                options[word] = next(words)
            elif word.startswith("-"):
                raise ValueError(f"no option {word} is known here")
            else:
                address = word
        host, slash, path = address.removeprefix("http://").partition("/")
        method = options.get("-X", "POST" if "-d" in options else "GET")
        return cls(method, host, slash + path, headers, options.get("-d"), options.get("-o"))

    def send(self) -> bytes:
        """Send it without curl."""
        connection = http.client.HTTPConnection(self.host, timeout=10)
        try:
            connection.request(self.method, self.path, self.body, self.headers)
            answer = connection.getresponse()
            assert answer.status == 200
            return answer.read()
        finally:
            connection.close()


def assert_worth_having(output: str | None, got: bytes) -> None:
    """Something came that is what its file's name says."""
    if output is None:
        assert all(map(msgspec.json.decode, got.splitlines()))
        return
    if output.endswith(".wav"):
        assert got[:4] == b"RIFF"
        assert int.from_bytes(got[4:8], "little") == len(got) - 8
    elif output.endswith(".ogg"):
        assert got[:4] == b"OggS"
    elif output.endswith(".pcm"):
        assert len(got) % 2 == 0
    else:
        assert output.endswith(".mp3")
        assert int.from_bytes(got[:2], "big") & 0xFFE0 == 0xFFE0
    assert len(got) > 1_000


def lasting(got: bytes) -> bytes:
    """Less what is never twice the same: of messages in lines, how long it took and how audio was split into them."""
    lines = re.sub(rb'"timings":{[^}]*}', b"", got).splitlines()
    return got if b'"timings"' not in got else lines[0] + lines[-1]


@pytest.mark.socket
@pytest.mark.parametrize("example", examples("sh", "curl "), ids=name)
async def test_requests_answer(example: Example, tmp_path: Path) -> None:
    async with running_server(espeak_config()) as server:
        command = example.at(server)
        request = Request.of(command)
        got = await asyncio.to_thread(request.send)
        assert_worth_having(request.output, got)
        if shutil.which("curl") is None:
            pytest.skip("sent by http.client only: there is no curl")
        curl = await asyncio.create_subprocess_exec(
            *["sh", "-ec", command.replace("curl ", "curl -sSf --noproxy '*' ")],
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await curl.communicate()
        assert curl.returncode == 0
        file = None if request.output is None else tmp_path / request.output
        assert lasting(printed if file is None else file.read_bytes()) == lasting(got)


@pytest.mark.socket
@pytest.mark.parametrize("example", examples("python"), ids=name)
async def test_programs_run(example: Example, tmp_path: Path) -> None:
    async with running_server(espeak_config()) as server:
        (tmp_path / "example.py").write_text(example.at(server), encoding="utf-8")
        program = await asyncio.create_subprocess_exec(
            *[sys.executable, "-W", "error", "example.py"],
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await program.communicate()
        assert program.returncode == 0, printed.decode()
        if example.document is PROTOCOL:
            heard, unheard = re.findall("heard: (.*)", printed.decode())
            assert f"{heard}{unheard}" == "The flight leaves at nine, so there is time for dinner."
            assert heard.startswith("The flight")
        else:
            assert printed.index(b"first audio") < printed.index(b"last word sent")
            assert re.search(r"[0-9.]+ s of speech", printed.decode())


def lines(info: str) -> Iterator[str]:
    return (line for example in examples(info) for line in example.block.text.splitlines())


def test_client_messages_are_understood() -> None:
    conversation = NativeConversation()
    said = [(line, conversation.decode(line)) for line in lines("json client")]
    assert all(not understood.warnings for _, understood in said)
    kinds = [msgspec.json.decode(line)["type"] for line, _ in said]
    assert kinds == list(MESSAGES)


async def test_server_messages_are_what_the_server_says() -> None:
    async with running_server(espeak_config()) as server:
        settings = resolve(Parameters(), server.house.catalog, WEBSOCKET_DEFAULTS)
    known = msgspec.json.Decoder(reduce(or_, Tagged.__subclasses__()))
    shown = {
        f'"{field}":{{…}}': f'"{field}":{msgspec.json.encode(value).decode()}'
        for field, value in (("settings", settings), ("limits", Limits()))
    }
    kinds: list[str] = []
    for line in lines("json server"):
        message = re.sub('"[a-z]+":{…}', lambda match: shown[match[0]], line)
        assert msgspec.json.encode(known.decode(message)).decode() == message
        kinds += re.findall('^{"type":"([a-z_]+)"', line)
    assert set(kinds) == {message.__struct_config__.tag for message in Tagged.__subclasses__()}
    assert len(kinds) == len(set(kinds))


@pytest.mark.parametrize(("name", "struct"), [("receipt", RequestReceipt), ("usage", UsageInfo)])
def test_the_answer_is_one(name: str, struct: type[msgspec.Struct]) -> None:
    (line,) = lines(f"json {name}")
    shown = msgspec.json.decode(line, type=struct)
    assert msgspec.json.encode(shown).decode() == line


@pytest.mark.socket
async def test_the_error_body_is_what_the_server_says() -> None:
    (line,) = lines("json error")
    shown = msgspec.json.decode(line, type=ErrorBody)
    async with (
        running_server(espeak_config()) as server,
        httpx.AsyncClient(base_url=server.base_url, trust_env=False) as client,
    ):
        answer = await client.post("/v1/speech", json={"text": "Hello.", "voice": "en-uk"})
    said = msgspec.json.decode(answer.content, type=ErrorBody)
    assert msgspec.structs.replace(said, request_id=shown.request_id) == shown
    assert len(said.request_id) == len(shown.request_id)
