"""Nothing that a caller says in confidence gets into a log, at any level, or a metric: neither keys, nor query strings, nor
text."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import product
from pathlib import Path

import httpx
import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from gateway.accounts.credentials import Credential
from gateway.accounts.sqlite import open_sqlite
from tests.accounts.test_gate import make_key
from tests.fronts.peers import frame, raw_peer
from tests.support.checkout import ROOT
from tests.telemetry.test_tracing import collector

CANARY = "canary5f1d"


async def sing(port: int) -> None:
    """Say the canary in every place where a caller can say anything."""
    secret = {"authorization": f"Bearer {CANARY}", "x-api-key": CANARY, "cookie": CANARY}
    query = f"?token={CANARY}&audio=binary"
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(
        base_url=url, headers=secret, trust_env=False, verify=False
    ) as client:
        for body in ({"text": CANARY}, {"text": CANARY, "voice": CANARY}, {CANARY: 1}, [CANARY]):
            await client.post(f"/v1/speech{query}", json=body)
        await client.post(f"/v1/speech/segments{query}", json={"text": CANARY})
        for path in ("/v1/tts/stream", "/api/v1/tts/generate", f"/yourvoic/{CANARY}"):
            for voice in ("Peter", CANARY):
                await client.post(f"{path}{query}", json={"text": CANARY, "voice": voice})
        await client.get(f"/v1/voices{query}&language={CANARY}&gender={CANARY}")
        for path in (f"/{CANARY}", f"/healthz{query}", f"/v1/speech{query}"):
            await client.get(path, headers={"user-agent": CANARY, "referer": CANARY})
        await client.get("/healthz", headers={"origin": f"https://{CANARY}.example"})
    ws = f"ws://127.0.0.1:{port}/v1/speech{query}"
    offered = [Subprotocol("speech.v1.json"), Subprotocol(f"token.{CANARY}")]
    async with connect(ws, subprotocols=offered, additional_headers=secret, proxy=None) as socket:
        for message in ({"type": "text", "text": CANARY}, {"type": CANARY}, {CANARY: 1}):
            await socket.send(msgspec.json.encode(message).decode())
        await socket.send(f"not JSON: {CANARY}")
        await socket.send(msgspec.json.encode({"type": "end"}).decode())
        async for received in socket:
            if isinstance(received, str) and '"ended"' in received:
                break
    with pytest.raises(InvalidStatus):
        await connect(ws, subprotocols=offered[1:], proxy=None)
    junk = [
        f"GET /{CANARY}\0 HTTP/1.1\r\n\r\n".encode(),
        f"{CANARY}\r\n\r\n".encode(),
        f"GET /?{CANARY} HTTP/1.1\r\nHost: a\r\n{CANARY} : b\r\n\r\n".encode(),
        f"GET /v1/speech?{CANARY} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".encode(),
    ]
    for bytes_ in junk:
        async with raw_peer(port) as peer:
            await peer.send(bytes_)
            await peer.read_to_end()
    async with raw_peer(port) as peer:
        await peer.upgrade(query.encode())
        await peer.send(frame(0x1, CANARY.encode() + b"\xff"))
        await peer.read_to_end()


@asynccontextmanager
async def gateway(level: str, logged: bytearray, **environment: str) -> AsyncIterator[int]:
    """A gateway in a process of its own, by its port. At the end `logged` has all that it wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "serve"),
        cwd=ROOT,
        env={
            **os.environ,
            "GATEWAY_SERVER__LOG_LEVEL": level,
            "GATEWAY_SERVER__PORT": "0",
            "GATEWAY_DEFAULT_MODEL": "tone",
            "GATEWAY_MODELS": '{"tone": {"engine": "tone"}}',
            "PYTHONASYNCIODEBUG": "1" if level == "debug" else "",
            **environment,
        },
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        first = await process.stderr.readline()
        found = re.search(rb":(\d+)\s*$", first)
        assert found is not None, first
        yield int(found[1])
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = await process.communicate()
        logged += first + out + err


@pytest.mark.socket
@pytest.mark.slow
@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
async def test_no_log_has_them(level: str) -> None:
    logged = bytearray()
    async with gateway(level, logged) as port, httpx.AsyncClient(trust_env=False) as client:
        await sing(port)
        metrics = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    assert "gateway_connections_ended_total" in metrics
    assert CANARY not in metrics
    assert CANARY.encode() not in logged
    if level in {"debug", "info"}:
        assert logged.count(b"speech_http") >= 4
        assert b"speech_websocket" in logged


async def show(port: int, key: Credential) -> tuple[str, bytes]:
    """Show a key and a token of it in every place where they may be shown, and where they may not. Gives the token's secret,
    and all that was answered but for the answer that has it."""
    told = b""
    wrong = key._replace(secret=key.secret[::-1]).text
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as client:
        for shown in (f"Bearer {key.text}", f"Basic {key.text}", key.text, f"Bearer {wrong}"):
            for query in ("", f"?token={key.text}&api_key={wrong}"):
                head = {"authorization": shown, "x-api-key": key.text}
                answer = await client.post(f"/v1/speech{query}", json={"text": "A"}, headers=head)
                told += answer.content + repr(answer.headers).encode()
        minted = await client.post("/v1/speech/tokens", headers={"x-api-key": key.text})
        token = str(minted.json()["token"])
        ws = f"ws://127.0.0.1:{port}/v1/speech"
        name = Subprotocol("speech.v1.json")
        async with connect(f"{ws}?token={token}", subprotocols=[name], proxy=None) as socket:
            told += str(await socket.recv()).encode()
        for shown in (token, key.text, wrong):
            for query, offered in (("", f"token.{shown}"), (f"?token={shown}", "token.")):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(ws + query, subprotocols=[name, Subprotocol(offered)], proxy=None)
                told += refused.value.response.body or b""
        told += (await client.get("/metrics")).content
    return token.partition(".")[2], told


@pytest.mark.socket
@pytest.mark.slow
async def test_no_log_error_or_metric_has_a_key(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "accounts.db")
    key = await make_key(store)
    await store.aclose()
    logged = bytearray()
    database = str(tmp_path / "accounts.db")
    async with gateway("debug", logged, GATEWAY_ACCOUNTS__DATABASE=database) as port:
        token, told = await show(port, key)
    assert key.id.encode() in logged
    for secret in (key.secret, key.secret[::-1], token):
        assert secret.encode() not in logged + told


WORDS = {
    *(
        "text",
        "input",
        "inputs",
        "transcript",
        "voice",
        "voice_name",
        "speaker",
        "model",
        "language",
    ),
    *("target_language_code", "format", "lexicon", "dict_id", "name", "rules", "played_ms", CANARY),
}
"""Fields of all dialects, in which something may be said."""
SOCKETS = ("/v1/speech", "/text-to-speech/ws")


async def say_everywhere(port: int, key: Credential) -> bytes:
    """Each path by each method that it has, with keys that are good, wrong and misplaced, and bodies that say the canary in
    every field, in some, or are none. Gives all that was answered, but for what mints tokens."""
    told = b""
    wrong = key._replace(secret=key.secret[::-1]).text
    heads: tuple[dict[str, str], ...] = (
        {},
        {
            "authorization": f"Bearer {key.text}",
            "idempotency-key": CANARY,
            "accept": "text/event-stream",
        },
        {"x-api-key": key.text, "accept": "application/x-ndjson"},
        {"api-subscription-key": key.text},
        {"authorization": f"Bearer {wrong}", "x-api-key": key.text},
        {"authorization": f"Token {key.text}", "referer": CANARY, "user-agent": CANARY},
    )
    bodies = (
        msgspec.json.encode({"text": f"Say {CANARY}.", "api_key": key.text}),
        msgspec.json.encode(dict.fromkeys(WORDS, CANARY) | {"api_key": wrong}),
        msgspec.json.encode({word: [CANARY] for word in WORDS}),
        f'{{"text": "{CANARY}'.encode(),
    )
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
        for path, methods in paths.items():
            where = re.sub(r"{[^}]*}", CANARY, path)
            for method, head in product([*methods, "patch"], heads):
                for body in bodies if method in {"post", "put"} else (None,):
                    query = {} if body else {"language": CANARY, "api_key": wrong}
                    answer = await client.request(
                        method, where, content=body, headers=head, params=query
                    )
                    assert answer.status_code != 500, (path, answer.text)
                    if not path.endswith("/tokens"):
                        told += answer.content + repr(answer.headers).encode()
        assert len(paths) > 15
    return told


async def say_over_sockets(port: int, key: Credential) -> None:
    """What clients say over a WebSocket, in the words of each dialect, understood or not."""
    head = {"authorization": f"Bearer {key.text}", "api-subscription-key": key.text}
    messages = (
        {"type": "configure", "voice": CANARY, CANARY: CANARY},
        {"type": "config", "data": dict.fromkeys(WORDS, CANARY)},
        {"type": "text", "text": f"Say {CANARY}.", "data": {"text": CANARY}},
        {"type": "clear", "played_ms": CANARY, "id": CANARY},
        {"type": "resume", "token": CANARY},
        {"type": CANARY},
        {"type": "ping"},
    )
    for path, one in product(SOCKETS, (*messages, messages)):
        address = f"ws://127.0.0.1:{port}{path}?model={CANARY}"
        for url in (address, address.partition("?")[0]):
            with suppress(InvalidStatus, ConnectionClosed):
                async with connect(url, additional_headers=head, proxy=None) as socket:
                    for message in one if isinstance(one, tuple) else (one,):
                        await socket.send(msgspec.json.encode(message).decode())
                    await (await socket.ping())


@pytest.mark.socket
@pytest.mark.slow
async def test_no_route_of_any_dialect_lets_them_out(tmp_path: Path) -> None:
    """Neither into a log at any level, nor a metric, nor a span; and a key in no answer."""
    store = await open_sqlite(tmp_path / "accounts.db")
    key = await make_key(store)
    await store.grant("acme", 10**9, CANARY, 1)
    await store.aclose()
    logged, traced = bytearray(), list[bytes]()
    with collector(traced) as endpoint:
        settings = {
            "GATEWAY_ACCOUNTS__DATABASE": str(tmp_path / "accounts.db"),
            "GATEWAY_ACCOUNTS__CHARGE": "true",
            "GATEWAY_TRACING__ENDPOINT": endpoint,
            "GATEWAY_LIMITS__ADDRESS_MISTAKES_PER_MINUTE": "0",
            "GATEWAY_LIMITS__KEY_WATCH_MS": "50",
        }
        async with gateway("debug", logged, **settings) as port:
            told = await say_everywhere(port, key)
            await say_over_sockets(port, key)
            url = f"http://127.0.0.1:{port}/metrics"
            async with httpx.AsyncClient(trust_env=False) as client:
                metrics = (await client.get(url)).content
    spans = b"".join(traced)
    assert b"speech_http" in logged
    assert b"speech_websocket" in logged
    assert b"speech.request_id" in spans
    assert b"gateway_errors_total" in metrics
    for secret in (key.secret, key.secret[::-1]):
        assert secret.encode() not in bytes(logged) + told + metrics + spans
    for place, what in (("log", bytes(logged)), ("metrics", metrics), ("spans", spans)):
        assert CANARY.encode() not in what, place
