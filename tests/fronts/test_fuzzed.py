"""schemathesis asks everything that /openapi.json describes of a running server, and whatever else comes to its mind."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest

from gateway.accounts.credentials import Kind, new_credential
from gateway.accounts.model import KeptKey, Key, Scope
from gateway.config import AccountsConfig
from tests.fronts.peers import http_client
from tests.fronts.test_described import operations
from tests.support.server import RunningServer, running_server, tone_config

EXAMPLES_MAX, KEYED_EXAMPLES_MAX = 25, 3
"""Requests for each operation and phase."""
CONFIG = """
[checks]
negative_data_rejection.expected-statuses = ["400", "404", "405", "406", "413", "422"]
positive_data_acceptance.expected-statuses = ["2xx", "404", "406", "409", "422"]

[[operations]]
include-path-regex = "^/text-to-speech"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409", "422"]

[[operations]]
include-path-regex = "/voice-clone$"
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "501"]
checks.positive_data_acceptance.expected-statuses = ["501"]
"""
"""All checks are on. One would not take 413 for a refusal of too long a text. The other would not take 406, 409 and 422, but
no schema knows which voices a model has, which rates a codec, which thresholds contradict each other, and which
Idempotency-Key has come before. Sarvam says 400 to some of these. What is not offered says so by 501."""
SPOKEN_MIN = 20
"""So many of the requests must have been spoken: a fuzzer that is always refused finds nothing."""


pytestmark = [pytest.mark.socket, pytest.mark.slow, pytest.mark.timeout(90)]


async def fuzz(server: RunningServer, folder: Path, *arguments: str) -> str:
    """What schemathesis prints when all is well."""
    (folder / "schemathesis.toml").write_text(CONFIG, encoding="utf-8")
    async with http_client(server) as client:
        described = len(list(operations((await client.get("/openapi.json")).json())))
    run = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "schemathesis.cli", "run", f"{server.base_url}/openapi.json"],
        *["--checks", "all", "--seed", "1", "--request-timeout", "10"],
        *["--no-color", "--workers", "1", *arguments],
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await run.communicate()
    assert run.returncode == 0, printed.decode()
    # It does not ask for the document again that it began with.
    assert f"{described - 1} selected" in printed.decode()
    return printed.decode()


async def test_all_of_it_is_as_described(tmp_path: Path) -> None:
    async with running_server(tone_config(text_chars_max=2_000, whole_chars_max=2_000)) as server:
        await fuzz(server, tmp_path, "--max-examples", str(EXAMPLES_MAX))
        spoken = server.house.metrics.registry.get_sample_value(
            "gateway_contexts_closed_total", {"route": "http", "reason": "finished"}
        )
    assert spoken is not None
    assert spoken >= SPOKEN_MIN


async def test_where_keys_are_asked_for_nothing_goes_without(tmp_path: Path) -> None:
    """The same with a key; without it, and with a wrong one, everything is tried that is described to need one."""
    accounts = AccountsConfig(database=str(tmp_path / "accounts.db"))
    config = msgspec.structs.replace(tone_config(), accounts=accounts)
    async with running_server(config) as server:
        assert server.house.store is not None
        key = new_credential(Kind.KEY)
        known = Key(key.id, "a", "a", tuple(Scope), 0)
        await server.house.store.add_key(KeptKey(known, key.digest))
        printed = await fuzz(
            *(server, tmp_path, "--header", f"Authorization: Bearer {key.text}"),
            *("--phases", "examples,fuzzing", "--max-examples", str(KEYED_EXAMPLES_MAX)),
            # It would show a second key beside the first.
            *("--generation-with-security-parameters", "false"),
        )
    assert "Authentication failed" not in printed
