"""While audio is being made: what is sent when, and what it costs who does not wait for the end."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from gateway.core.synthesis import Begun, Report, Synthesize
from gateway.dialects.yourvoic.errors import YourVoicErrorBody
from gateway.dialects.yourvoic.speech import YourVoicExchange
from gateway.engines.chaos import ChaosEngine, Hang
from gateway.engines.tone import ToneEngine
from tests.accounts.test_charging import BOTH, FIRST, Books, config
from tests.accounts.test_gate import make_key
from tests.fronts.peers import chunks, http_client, raw_peer, use_engine
from tests.support.leaks import until
from tests.support.server import Message, RunningServer, running_server

STREAM = "/v1/tts/stream"
SECOND_HANGS = {"second": [Hang()]}

pytestmark = pytest.mark.socket


@pytest.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    async with running_server(config(tmp_path, credit_block_chars=10)) as server:
        assert server.house.store is not None
        yield Books(server, await make_key(server.house.store))


def client_of(books: Books) -> httpx.AsyncClient:
    client = http_client(books.server)
    client.headers["x-api-key"] = books.key.text
    return client


def asked(text: str, **fields: object) -> Message:
    return {"text": text, "voice": "Peter", **fields}


async def test_the_first_bytes_come_before_the_last_are_made(books: Books) -> None:
    """And who leaves then stops the engine, and pays for what was made."""
    await books.grant(10_000)
    use_engine(books.server, ChaosEngine(ToneEngine(), SECOND_HANGS))
    async with client_of(books) as client:
        async with client.stream("POST", STREAM, json=asked(BOTH)) as answer:
            assert answer.status_code == 200
            assert answer.headers["x-credits-used"] == f"{len(BOTH) / 100:g}"
            heard = b""
            async for part in answer.aiter_raw():
                heard += part
                # All of the first sentence, of which 60 ms are a character, and the pause after it.
                if len(heard) > 2 * 24 * 60 * (len(FIRST) - 1):
                    break
        assert await books.settled() == (10 * len(FIRST), 0)
        left = await client.get("/v1/user/credits")
        receipt = await client.get(f"/v1/speech/requests/{answer.headers['x-request-id']}")
    assert left.json()["credits"] == 10 - 0.01 * len(FIRST)
    (context,) = receipt.json()["contexts"]
    assert context["chars"] == len(BOTH)


async def test_a_file_that_nobody_waits_for_costs_what_was_made(books: Books) -> None:
    await books.grant(10_000)
    use_engine(books.server, ChaosEngine(ToneEngine(), SECOND_HANGS))
    body = msgspec.json.encode(asked(BOTH))
    head = f"POST /v1/tts/generate HTTP/1.1\r\nHost: a\r\nX-API-Key: {books.key.text}\r\n"
    async with raw_peer(books.server) as peer:
        await peer.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await until(lambda: _made(books.server) > 0)
        peer.reset()
    assert await books.settled() == (10 * len(FIRST), 0)


def _made(server: RunningServer) -> float:
    name = "gateway_audio_made_seconds_total"
    return server.house.metrics.registry.get_sample_value(name, {"model": "aura-prime"}) or 0.0


@pytest.mark.parametrize(("model", "begins"), [("aura-lite", True), ("rapid-flash", False)])
async def test_a_piece_is_sent_as_it_is_made_or_when_it_is_finished(
    model: str, begins: bool
) -> None:
    """An engine hangs in the middle of the first piece; the other one of two streams is there for comparison."""
    async with running_server() as server, raw_peer(server) as peer:
        engine = ChaosEngine(ToneEngine(), {"hangs": [Hang(at_sample=11_025)]})
        use_engine(server, engine)
        body = msgspec.json.encode(asked("This one hangs.", model=model))
        head = f"POST {STREAM} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        await peer.send(head.encode() + body)
        await until(lambda: server.house.vitals().contexts == 1)
        async with http_client(server) as client:
            other = await client.post(STREAM, json=asked("This one does not.", model=model))
            assert len(other.content) > 0
        before = len(peer.reader._buffer)  # type: ignore[attr-defined]  # nobody waits for what does not come
        assert (before > 0) == begins
        peer.reset()


async def test_every_chunk_has_whole_samples() -> None:
    body = msgspec.json.encode(asked("One sentence after the other. " * 20, speed=0.77))
    async with running_server() as server, raw_peer(server) as peer:
        head = f"POST {STREAM} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        await peer.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        received = await peer.read_to_end()
    parts, complete = chunks(received)
    assert complete
    assert len(parts) > 20
    assert all(len(part) % 2 == 0 for part in parts)
    assert re.search(rb"(?i)\r\nx-sample-rate: 24000\r\n", received)


class Broken(ToneEngine):
    """Dies of a bug that nobody foresaw."""

    async def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        if order.text:
            raise ZeroDivisionError
        yield Begun(order.segment)


@pytest.mark.parametrize("path", [STREAM, "/v1/tts/generate"])
async def test_a_bug_of_ours_is_worded_too(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is in what makes the audio, and where it is in what understands the request."""

    def mistaken(*given: object) -> None:
        raise ZeroDivisionError

    async with running_server() as server, http_client(server) as client:
        use_engine(server, Broken())
        answers = [await client.post(path, json=asked("Hello."))]
        monkeypatch.setattr(YourVoicExchange, "understand", mistaken)
        answers.append(await client.post(path, json=asked("Hello.")))
        monkeypatch.setattr("gateway.fronts.yourvoic.voices", mistaken)
        answers.append(await client.get("/v1/voices"))
    for answer in answers:
        assert answer.status_code == 500
        body = msgspec.json.decode(answer.content, type=YourVoicErrorBody)
        assert body.error.code in {"INTERNAL_ERROR", "SYNTHESIS_FAILED"}
        assert body.request_id == answer.headers["x-request-id"]
        assert "ZeroDivision" not in answer.text
