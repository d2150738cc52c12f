"""What is measured: a gateway or a bare engine, each as a child process on the cores it is given."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gateway.bench.proc import Cpu, cpu_of

START_S_MAX = 30.0
END_S_MAX = 15.0
BARE_S_MAX = 60.0
"""Beyond its ramp and window; a bare engine that takes longer hangs."""

EVERYBODY = {"GATEWAY_LIMITS__LOAD_PERCENT_MAX": "100", "GATEWAY_LIMITS__WAIT_MS_MAX": "600000"}
"""Settings by which nobody is refused, as crowds that ask without a pause would be: for where not who is let in is measured,
but what becomes of them."""

_ADDRESS = re.compile(r"listens on http://([\d.]+):(\d+)")


class SubjectFailed(Exception):
    """What was to be measured does not run; the message has its last words."""


class Layout(msgspec.Struct, frozen=True):
    """Which cores the subject and the harness run on. Without a second core they share all there is."""

    subject: frozenset[int]
    harness: frozenset[int]

    @property
    def is_pinned(self) -> bool:
        """Whether nobody is on the other's cores."""
        return not self.subject & self.harness


def layouts() -> tuple[Layout, Layout]:
    """Apart, with one core for the harness, and together on all cores."""
    cores = frozenset(os.sched_getaffinity(0))
    together = Layout(cores, cores)
    if len(cores) == 1:
        return together, together
    mine = frozenset({max(cores)})
    return Layout(cores - mine, mine), together


@contextlib.contextmanager
def harness_on(layout: Layout) -> Iterator[None]:
    """Keep this thread to the harness's cores for the block."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, layout.harness)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def _subject_on(layout: Layout) -> Iterator[None]:
    """What is started in the block inherits the subject's cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, layout.subject)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway."""

    host: str
    port: int
    pid: int


@contextlib.contextmanager
def running_gateway(layout: Layout, settings: Mapping[str, str] | None = None) -> Iterator[Gateway]:
    """A gateway with its defaults but for `settings` (environment variables), ended with the block.

    Blocks while it starts and ends. Raises SubjectFailed when it does not start.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    command = [sys.executable, "-m", "gateway", "serve", "--port", "0"]
    with running_process(layout, command, kept | dict(settings or {})) as (process, log):
        host, port = _address(process, log)
        yield Gateway(host, port, process.pid)


@contextlib.contextmanager
def running_process(
    layout: Layout, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A server on the subject's cores, and the file that takes its log; ended with the block, which it blocks for."""
    # A file takes the log without anyone reading it meanwhile.
    with tempfile.NamedTemporaryFile(prefix="gateway-bench-", suffix=".log") as log:
        with _subject_on(layout):
            process = subprocess.Popen(  # noqa: S603 - commands of ours
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                process_group=0,  # A terminal's Ctrl-C is for the harness, which then ends the server.
            )
        try:
            yield process, Path(log.name)
        finally:
            process.terminate()
            try:
                process.wait(END_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> tuple[str, int]:
    """Where the gateway listens, once it is ready."""
    give_up = time.monotonic() + START_S_MAX
    while time.monotonic() < give_up and process.poll() is None:
        if found := _ADDRESS.search(log.read_text(errors="replace")):
            host, port = found[1], int(found[2])
            # The socket listens before the application is up; an answer comes when it is.
            connection = http.client.HTTPConnection(host, port, timeout=START_S_MAX)
            with contextlib.closing(connection):
                connection.request("GET", "/readyz")
                if connection.getresponse().status == http.HTTPStatus.OK:
                    return host, port
            break
        time.sleep(0.02)
    raise SubjectFailed(f"the gateway does not start: {log.read_text(errors='replace')[-2_000:]}")


class Output(msgspec.Struct, frozen=True):
    """What a bare engine says about its window."""

    seconds: float
    audio_s: float
    first_ms: list[float]


async def run_bare(
    layout: Layout,
    text: str,
    *,
    model: str,
    codec: str,
    streams: int,
    ramp_s: float,
    window_s: float,
) -> tuple[Output, Cpu]:
    """Let a bare engine make utterances for a while; its output and the CPU time of the window.

    Raises SubjectFailed when it ends early or hangs.
    """
    options = {
        "--model": model,
        "--codec": codec,
        "--streams": str(streams),
        "--ramp-s": str(ramp_s),
        "--window-s": str(window_s),
    }
    with _subject_on(layout):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.bare", text),
            *(part for option in options.items() for part in option),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=1 << 24,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    opened = b""
    try:
        async with asyncio.timeout(ramp_s + window_s + BARE_S_MAX):
            opened = await process.stdout.readline()
            before = cpu_of(process.pid)
            line = await process.stdout.readline()
            after = cpu_of(process.pid)
            output = msgspec.json.decode(line, type=Output)
            process.stdin.close()
            await process.wait()
            return output, after - before
    except (OSError, TimeoutError, msgspec.DecodeError):
        raise SubjectFailed(f"the bare engine failed after saying {opened!r}") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
