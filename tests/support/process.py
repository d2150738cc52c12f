"""The real `gateway serve` as a process of its own, for what only a process can do: get signals, and end."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.support.checkout import ROOT
from tests.support.leaks import until

ENDS_WITHIN_S = 20.0
_LISTENS = re.compile(rb"listens on http://[^:]+:(\d+)")
COMMAND = (sys.executable, "-m", "gateway")
TONE_ONLY = {
    "GATEWAY_MODELS__TONE__ENGINE": "tone",
    "GATEWAY_DEFAULT_MODEL": "tone",
}
"""Needs no further process, so that it is up and down quickly."""
ESPEAK_TOO = {"MODELS__ESPEAK__ENGINE": "espeak", "DEFAULT_MODEL": "espeak"}
"""Settings for `gateway_process`: espeak-ng by default, and tones beside it."""


@dataclass(frozen=True, slots=True)
class GatewayProcess:
    """A server in a process of its own."""

    process: Process
    port: int
    log: Path
    """Its standard error, while it runs."""

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/speech"

    def logged(self, event: str) -> list[dict[str, object]]:
        """The lines of its log about such events, so far."""
        lines = [line for line in self.log.read_bytes().splitlines() if line.startswith(b"{")]
        told = [msgspec.json.decode(line, type=dict[str, object]) for line in lines]
        return [line for line in told if line["event"] == event]

    def signal(self, number: int) -> None:
        """Send a signal to this process alone."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end; gives the exit code, negative for a signal. Raises TimeoutError when it does not end."""
        async with asyncio.timeout(ENDS_WITHIN_S):
            return await self.process.wait()


@asynccontextmanager
async def gateway_process(
    *arguments: str, command: Sequence[str] = COMMAND, **settings: str
) -> AsyncIterator[GatewayProcess]:
    """Serve with the tone engine until the end of the block, at the latest. `settings` are environment variables
    without their prefix; `arguments` are those of `gateway serve`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    own = {f"GATEWAY_{name}": value for name, value in settings.items()}
    # A file takes the log without anyone reading it meanwhile.
    with tempfile.NamedTemporaryFile(prefix="gateway-", suffix=".log") as log:
        process = await asyncio.create_subprocess_exec(
            *(*command, "serve", *(arguments or ("--port", "0"))),
            env=kept | TONE_ONLY | own,
            cwd=ROOT,
            stderr=log,
        )

        def listens() -> re.Match[bytes] | None:
            return _LISTENS.search(Path(log.name).read_bytes())

        try:
            await until(lambda: listens() is not None or process.returncode is not None)
            found = listens()
            assert found is not None, f"it does not start: {log.read()!r}"
            yield GatewayProcess(process, int(found[1]), Path(log.name))
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
