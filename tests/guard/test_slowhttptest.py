"""Debian's slowhttptest, a program made to hold servers up: against the bare server all of its connections end."""

from __future__ import annotations

import asyncio
import re
import shutil

import pytest

from tests.support.server import running_server, tone_config

CONNECTIONS = 50
MODES = {"heads": ["-H"], "bodies": ["-B"]}


@pytest.mark.socket
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("slowhttptest"), reason="slowhttptest is not installed")
@pytest.mark.parametrize("mode", MODES)
async def test_no_connection_is_held(mode: str) -> None:
    async with running_server(tone_config(head_read_ms=1_000, body_read_ms=1_000)) as server:
        process = await asyncio.create_subprocess_exec(
            *("slowhttptest", *MODES[mode], "-c", str(CONNECTIONS), "-r", "100", "-i", "1"),
            *("-l", "10", "-p", "5", "-u", f"{server.base_url}/v1/speech"),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out.decode())
    # Else it is "Hit test time limit".
    assert "No open connections left" in plain, plain
    assert re.search(r"service available:\s+YES", plain), plain
