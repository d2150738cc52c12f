"""Sarvam's own clients, unmodified, against the gateway: every call that is there, in each version that is pinned.

They live in environments of their own (`.sdk`, made by `./test --sdk`); without these the tests are skipped.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from gateway.accounts.credentials import Kind, new_credential
from gateway.accounts.model import KeptKey, Key, KeyLimits, Scope
from gateway.config import AccountsConfig
from tests.audio.listening import decode_mp3
from tests.fronts.peers import http_client
from tests.support.checkout import ROOT
from tests.support.documents import blocks
from tests.support.server import Message, RunningServer, running_server, tone_config

pytestmark = [
    pytest.mark.socket,
    pytest.mark.sdk,
    pytest.mark.slow,
    pytest.mark.timeout(60),
    pytest.mark.asyncio(loop_scope="module"),
]

CLIENTS = Path(__file__).parent / "clients"
VERSIONS = sorted(path.stem for path in (CLIENTS.parent / "environments").glob("sarvamai-*.lock"))
PER_MINUTE = 60
WRONG = "sk_wrong"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningServer]:
    database = tmp_path_factory.mktemp("accounts") / "accounts.db"
    config = msgspec.structs.replace(
        tone_config(address_mistakes_per_minute=0), accounts=AccountsConfig(database=str(database))
    )
    async with running_server(config) as server:
        yield server


async def key_of(server: RunningServer, requests_per_minute: int | None = None) -> str:
    assert server.house.store is not None
    credential = new_credential(Kind.KEY)
    limits = KeyLimits(requests_per_minute=requests_per_minute)
    key = Key(credential.id, "acme", "a", tuple(Scope), created_ms=0, limits=limits)
    await server.house.store.add_key(KeptKey(key, credential.digest))
    return credential.text


async def late_key(server: RunningServer) -> str:
    """One that has had all requests it may have now; the next one it may have in a second."""
    key = await key_of(server, PER_MINUTE)
    async with http_client(server) as client:
        for _ in range(PER_MINUTE):
            answer = await client.get("/v1/speech/voices", headers={"x-api-key": key})
            assert answer.status_code == 200
    return key


async def report_of(server: RunningServer, *command: str | Path) -> Message:
    """What a client says of its doings, who got the address and three keys: a good one, a wrong one, a late one."""
    keys = (await key_of(server), WRONG, await late_key(server))
    process = await asyncio.create_subprocess_exec(
        *map(str, command[:2]),
        *(server.base_url, *keys, *map(str, command[2:])),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, complained = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, complained.decode()
    return msgspec.json.decode(said, type=Message)


def environment(name: str, program: str) -> Path:
    """A program of an environment. Skips the test where there is none."""
    path = ROOT / ".sdk" / name / program
    if not path.exists():
        switch = "--agents" if name.startswith("agents-") else "--sdk"
        pytest.skip(f"no .sdk/{name}: ./test {switch} makes it")
    return path


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("version", VERSIONS)
async def test_every_call_of_the_python_client(
    server: RunningServer, version: str, mode: str
) -> None:
    python = environment(version, "bin/python")
    report = await report_of(server, python, CLIENTS / "sarvam_python.py", mode)
    newer = {
        "stream": ["RIFF", True],
        "dictionary": {
            "listed": True,
            "got": {"en-IN": {"tuktuk": "auto rickshaw", "SPG": "speech gateway"}},
            "updated": True,
            "file": True,
            "conversation": True,
            "deleted": True,
            "gone": ["NotFoundError", 404],
        },
    }
    streams = {} if version == "sarvamai-0.1.21" else newer
    assert report == {
        "too_many": ["TooManyRequestsError", 429],
        "retried": 1,
        "file": ["RIFF", True],
        **streams,
        "cycles": [["audio", "event"], ["audio", "event"]],
        "codecs": {
            "mp3": "audio/mpeg",
            "wav": "audio/wav",
            "linear16": "audio/pcm",
            "mulaw": "audio/mulaw",
            "alaw": "audio/alaw",
            "opus": "audio/opus",
            "aac": "audio/aac",
            "flac": "audio/flac",
        },
        "refused_config": [["error", 400]],
        "errors": {
            "key": ["ForbiddenError", 403, "invalid_api_key_error"],
            "speaker": ["BadRequestError", 400, "invalid_request_error"],
            "schema": ["UnprocessableEntityError", 422, "unprocessable_entity_error"],
            "long": ["BadRequestError", 400, "invalid_request_error"],
            "socket": True,
        },
    }


async def test_the_documents_example(server: RunningServer, tmp_path: Path) -> None:
    python = environment("sarvamai-0.1.39", "bin/python")
    document = ROOT / "docs" / "dialects" / "sarvam-websocket.md"
    (block,) = (each for each in blocks(document) if each.text.startswith("# agent.py"))
    text = block.text.replace("localhost:8080", f"127.0.0.1:{server.port}")
    (tmp_path / "agent.py").write_text(text.replace('"KEY"', f'"{await key_of(server)}"'))
    process = await asyncio.create_subprocess_exec(python, "agent.py", cwd=tmp_path)
    assert await process.wait() == 0
    samples, rate, _ = decode_mp3((tmp_path / "hello.mp3").read_bytes())
    assert len(samples) > rate


async def test_the_node_client(server: RunningServer) -> None:
    environment("node", "node_modules/sarvamai")
    node = shutil.which("node")
    assert node is not None
    report = await report_of(server, node, CLIENTS / "sarvam_node.cjs")
    assert report == {
        "too_many": 429,
        "retried": 1,
        "file": "RIFF",
        "stream": True,
        "cycles": [["audio", "event"], ["audio", "event"]],
        "errors": {
            "key": [403, "invalid_api_key_error"],
            "speaker": [400, "invalid_request_error"],
        },
    }


async def test_an_agent_of_livekit(server: RunningServer) -> None:
    python = environment("agents-livekit", "bin/python")
    report = await report_of(server, python, CLIENTS / "sarvam_livekit.py")
    spoken = {"speaks": True, "is_final": True}
    assert report == {
        "turn": spoken,
        "interrupted": True,
        "next_turn": spoken,
        "mp3": spoken,
        "v4": spoken,
        # The plugin makes one error of whatever fails before the first frame.
        "wrong_key": ["APIConnectionError", None],
        "one_shot": True,
    }


async def test_a_pipeline_of_pipecat(server: RunningServer) -> None:
    python = environment("agents-pipecat", "bin/python")
    report = await report_of(server, python, CLIENTS / "sarvam_pipecat.py")
    spoken = {"before": False, "audio": True, "utterances": 1, "stopped": 1, "errors": 0}
    assert report == {
        "turn": spoken,
        # Nothing of what was interrupted is heard in what follows.
        "interruption": {**spoken, "before": True},
        "wrong_key": 1,
        "http": spoken,
    }
