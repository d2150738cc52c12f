"""schemathesis asks everything that /openapi.json describes of a running server, and whatever else comes to its mind."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.support.server import running_server, tone_config

EXAMPLES_MAX = 25
"""Requests for each operation and phase."""
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,unsupported_method"
)
"""Not: positive_data_acceptance, because no schema knows which bitrates a codec has and which voices a model."""
CONFIG = """
[checks]
negative_data_rejection.expected-statuses = ["400", "404", "405", "406", "413", "422"]
"""
"""It would not take 413 for a refusal of too long a text."""


@pytest.mark.socket
@pytest.mark.slow
@pytest.mark.timeout(90)
async def test_all_of_it_is_as_described(tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG, encoding="utf-8")
    async with running_server(tone_config(text_chars_max=2_000, whole_chars_max=2_000)) as server:
        run = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "schemathesis.cli", "run", f"{server.base_url}/openapi.json"],
            *["--max-examples", str(EXAMPLES_MAX), "--checks", CHECKS, "--seed", "1"],
            *["--phases", "examples,coverage,fuzzing", "--no-color", "--workers", "1"],
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await run.communicate()
    assert run.returncode == 0, printed.decode()
