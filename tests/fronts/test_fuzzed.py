"""schemathesis asks everything that /openapi.json describes of a running server, and whatever else comes to its mind."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from gateway.fronts.described.openapi import OPERATIONS
from tests.support.server import running_server, tone_config

EXAMPLES_MAX = 25
"""Requests for each operation and phase."""
CONFIG = """
[checks]
negative_data_rejection.expected-statuses = ["400", "404", "405", "406", "413", "422"]
positive_data_acceptance.expected-statuses = ["2xx", "404", "406", "422"]
"""
"""All checks are on. One would not take 413 for a refusal of too long a text. The other would not take 406 and 422, but no
schema knows which voices a model has, which rates a codec, and which thresholds contradict each other."""
SPOKEN_MIN = 20
"""So many of the requests must have been spoken: a fuzzer that is always refused finds nothing."""


@pytest.mark.socket
@pytest.mark.slow
@pytest.mark.timeout(90)
async def test_all_of_it_is_as_described(tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG, encoding="utf-8")
    async with running_server(tone_config(text_chars_max=2_000, whole_chars_max=2_000)) as server:
        run = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "schemathesis.cli", "run", f"{server.base_url}/openapi.json"],
            *["--max-examples", str(EXAMPLES_MAX), "--checks", "all", "--seed", "1"],
            *["--request-timeout", "10", "--no-color", "--workers", "1"],
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await run.communicate()
        spoken = server.house.metrics.registry.get_sample_value(
            "gateway_contexts_closed_total", {"route": "http", "reason": "finished"}
        )
    assert run.returncode == 0, printed.decode()
    # It does not ask for the document again that it began with.
    assert f"{len(OPERATIONS) - 1} selected" in printed.decode()
    assert spoken is not None
    assert spoken >= SPOKEN_MIN
