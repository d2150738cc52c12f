"""The samples of the document run as they stand, with only the host changed."""

from __future__ import annotations

import asyncio
import re
import sys
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gateway.config import AccountsConfig
from tests.accounts.test_gate import make_key
from tests.docs.test_examples import ADDRESS
from tests.fronts.peers import http_client
from tests.support.browser import chromium, needs_chromium, visit
from tests.support.checkout import ROOT
from tests.support.documents import blocks
from tests.support.server import RunningServer, espeak_config, running_server

DOCUMENT = ROOT / "docs" / "dialects" / "yourvoic.md"
SAMPLES = {block.info: block.text for block in blocks(DOCUMENT)}
KEY = "sg_your_key"
# Where a sound card would be: what is written to it goes into a file.
PYAUDIO = """
import wave
paInt16 = 8
class PyAudio:
    def open(self, *, format, channels, rate, output):
        assert (format, output) == (paInt16, True)
        file = wave.open("heard.wav", "wb")
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.write, file.stop_stream = file.writeframes, lambda: None
        return file
    def terminate(self):
        pass
"""
# Tells what was decoded, and what was played of it, in place of loudspeakers.
LISTENING = """
window.heard = new Promise(resolve => {
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function () {
    const samples = this.buffer.getChannelData(0);
    const loudest = samples.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
    resolve([this.buffer.duration, this.buffer.numberOfChannels, loudest]);
    return start.call(this);
  };
});
"""

pytestmark = pytest.mark.socket


@asynccontextmanager
async def keyed_server(folder: Path) -> AsyncIterator[tuple[RunningServer, str]]:
    """espeak-ng behind keys, and a key."""
    accounts = AccountsConfig(database=str(folder / "accounts.db"))
    config = msgspec.structs.replace(espeak_config(), accounts=accounts)
    async with running_server(config) as server:
        assert server.house.store is not None
        yield server, (await make_key(server.house.store)).text


async def test_the_one_in_python_plays_what_comes(tmp_path: Path) -> None:
    (tmp_path / "pyaudio.py").write_text(PYAUDIO, encoding="utf-8")
    async with keyed_server(tmp_path) as (server, key):
        sample = ADDRESS.sub(f"127.0.0.1:{server.port}", SAMPLES["python"]).replace(KEY, key)
        (tmp_path / "sample.py").write_text(sample, encoding="utf-8")
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "sample.py"),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await program.communicate()
        assert program.returncode == 0, printed.decode()
        text = _text_of(SAMPLES["python"])
        async with http_client(server) as client:
            client.headers["x-api-key"] = key
            asked = {"text": text, "voice": "Peter", "language": "en-US", "format": "wav"}
            whole = await client.post("/v1/tts/generate", json=asked)
    with wave.open(str(tmp_path / "heard.wav")) as file:
        assert (file.getframerate(), file.getnchannels()) == (24_000, 1)
        heard = file.readframes(file.getnframes())
    assert heard == whole.content[44:]
    assert np.abs(np.frombuffer(heard, "<i2").astype(int)).max() > 1_000


@needs_chromium
@pytest.mark.browser
@pytest.mark.timeout(60)
async def test_the_one_for_browsers_runs_on_a_page_of_another_port(tmp_path: Path) -> None:
    """With what a browser asks before it: the body is JSON, and there is a key."""
    async with (
        keyed_server(tmp_path) as (server, key),
        page_server() as origin,
        chromium(tmp_path / "profile") as browser,
    ):
        sample = ADDRESS.sub(f"127.0.0.1:{server.port}", SAMPLES["js"]).replace(KEY, key)
        visited = await visit(browser, origin)
        page = visited.page
        answers: list[tuple[str, int, str]] = []
        page.on(
            "response",
            lambda answer: answers.append(
                (answer.request.method, answer.status, answer.headers.get("content-type", ""))
            ),
        )
        await page.add_script_tag(content=LISTENING)
        await page.add_script_tag(content=sample, type="module")
        duration, channels, loudest = await page.evaluate("window.heard")
        assert channels == 1
        assert 0.5 < duration < 5
        assert loudest > 0.03
        assert ("POST", 200, "audio/mpeg") in answers
        # What a page may read of the answer.
        told = await page.evaluate(
            """async ([url, key]) => {
              const answer = await fetch(url, {method: "POST", headers: {"X-API-Key": key},
                body: JSON.stringify({text: "Hi.", voice: "Peter", pitch: 2})});
              return ["X-Sample-Rate", "X-Credits-Used", "X-Ignored-Parameters", "X-Request-ID"]
                .map(name => answer.headers.get(name));
            }""",
            [f"{server.base_url}/api/v1/tts/stream", key],
        )
        assert told[:3] == ["24000", "0", "pitch"]
        assert re.fullmatch("req_[0-9a-f]{24}", told[3])
        assert visited.complaints == []


@asynccontextmanager
async def page_server() -> AsyncIterator[str]:
    """The address of an empty page."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n"
        page = b"<!doctype html><link rel=icon href=data:,><title>a page</title>"
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(page) + page)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def _text_of(sample: str) -> str:
    found = re.search(r'"text": "([^"]*)"', sample)
    assert found is not None
    return found[1]


async def test_each_of_the_documents_names_speaks(tmp_path: Path) -> None:
    """By its own voice of the engine: a man's and a woman's, in their languages and in others'."""
    async with running_server(espeak_config()) as server, http_client(server) as client:
        heard = set()
        for voice, language in (("Peter", "en-US"), ("Deepika", "hi-IN"), ("Deepika", "en-US")):
            asked = {"text": "Namaste.", "voice": voice, "language": language}
            answer = await client.post("/v1/tts/stream", json=asked)
            assert answer.status_code == 200
            assert np.abs(np.frombuffer(answer.content, "<i2").astype(int)).max() > 1_000
            heard.add(answer.content)
        assert len(heard) == 3
