"""Where the server's main thread spends its time, sampled from outside by py-spy."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.bench.compare.target import TargetFailed
from gateway.bench.sessions.results import Function

SAMPLES_PER_S = 200
FUNCTIONS_MAX = 40
START_S = 0.5
"""A py-spy that cannot look at the process has said so by then."""
END_S_MAX = 10.0


class Profiler:
    """Samples the process `pid` for the block, at most `seconds` long; `functions` holds the result afterwards.

    Raises TargetFailed when py-spy is missing or may not look.
    """

    def __init__(self, pid: int, seconds: float) -> None:
        self._pid = pid
        self._seconds = seconds
        self.functions: list[Function] = []

    async def __aenter__(self) -> Self:
        spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which(
            "py-spy"
        )
        if spy is None:
            raise TargetFailed("--profile needs py-spy: ./run bench installs it")
        self._directory = tempfile.TemporaryDirectory(prefix="gateway-profile-")
        self._file = Path(self._directory.name) / "stacks"
        options = {
            "--pid": self._pid,
            "--rate": SAMPLES_PER_S,
            "--duration": max(round(self._seconds), 1),
            "--format": "raw",
            "--output": self._file,
        }
        self._process = await asyncio.create_subprocess_exec(
            spy,
            "record",
            "--threads",
            "--function",
            "--nonblocking",
            *(str(part) for option in options.items() for part in option),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the harness.
        )
        await asyncio.sleep(START_S)
        if self._process.returncode is not None:
            assert self._process.stderr is not None
            said = " ".join((await self._process.stderr.read()).decode(errors="replace").split())
            raise TargetFailed(f"py-spy cannot look at the server: {said[:200]}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._process.returncode is None and error is not None:
                self._process.terminate()
            async with asyncio.timeout(END_S_MAX):
                await self._process.communicate()
            if self._file.exists():
                self.functions = top(self._file.read_text(errors="replace"))
        except TimeoutError:
            self._process.kill()
        finally:
            self._directory.cleanup()


def top(stacks: str) -> list[Function]:
    """The busiest functions of the main thread, by their own time, from stacks in py-spy's raw form."""
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if not count.isdecimal() or "MainThread" not in frames[0]:
            continue
        own[frames[-1]] += int(count)
        total.update(dict.fromkeys(frames[1:], int(count)))
    samples = own.total()
    return [
        Function(name, own=count / samples, total=total[name] / samples)
        for name, count in own.most_common(FUNCTIONS_MAX)
    ]
