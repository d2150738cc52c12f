"""A comparison that is interrupted, or whose target goes wrong in the middle: one line, a status, and bounded time."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from gateway.bench.compare import lab
from gateway.bench.compare.command import INTERRUPTED
from gateway.bench.compare.lab import FAILURES_IN_A_ROW
from gateway.bench.compare.results import Comparison
from gateway.bench.compare.target import counter, target_at
from gateway.bench.instruments import hearing
from gateway.bench.instruments.http import HttpClient
from gateway.bench.instruments.websocket import WebSocketClient
from gateway.bench.proc import children
from gateway.cli import main
from tests.support.calibration import (
    CalibrationServer,
    Fault,
    Planted,
    calibration_server,
    on_one_port,
)
from tests.support.checkout import ROOT

WELL = Planted(delay_s=0.0, pieces=3)
BEFORE_IT_BREAKS = 10
"""Utterances that go well: the check's two and some of claim 1."""
PATIENCE_S = 0.3
STEP_S = 0.02

pytestmark = [pytest.mark.socket, pytest.mark.slow, pytest.mark.timeout(60)]


@asynccontextmanager
async def target() -> AsyncIterator[tuple[str, CalibrationServer]]:
    async with calibration_server(WELL) as server, on_one_port(server) as url:
        yield url, server


async def compare(url: str, directory: Path) -> Result:
    """The command, in a thread, beside the target in this one."""
    words = ["bench", "compare", "--target", url, "--model", "tone", "-o", str(directory)]
    return await asyncio.to_thread(CliRunner().invoke, main, words)


async def until(happened: Callable[[], object]) -> None:
    """Wait for a condition of another process; the test's own limit bounds it."""
    while not happened():  # noqa: ASYNC110 - nobody in this process could set an event
        await asyncio.sleep(STEP_S)


def one_line(ran: Result) -> str:
    """What it says of its failure."""
    assert ran.exit_code == 1, ran.output
    (line,) = [line for line in ran.output.splitlines() if line.startswith("Error:")]
    assert "Traceback" not in ran.output
    return line


# --- interrupted ---


async def started(*words: str) -> asyncio.subprocess.Process:
    """`gateway bench compare` as a process in a group of its own, as a terminal would have it."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "bench", "compare", "--model", "tone", *words),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )


async def assert_it_wrote_what_there_is(
    process: asyncio.subprocess.Process, directory: Path
) -> Comparison:
    said, _ = await process.communicate()
    assert process.returncode == INTERRUPTED, said.decode()
    assert b"Traceback" not in said
    assert b"INCOMPLETE" in said
    assert "</html>" in (directory / "report.html").read_text()
    written = msgspec.json.decode((directory / "results.json").read_bytes(), type=Comparison)
    assert not written.is_complete
    assert len(written.claims) == 11
    return written


async def test_sigint_in_the_middle_writes_what_there_is(tmp_path: Path) -> None:
    async with target() as (url, server):
        process = await started("--target", url, "-o", str(tmp_path))
        await until(lambda: server.record.utterances >= BEFORE_IT_BREAKS)
        process.send_signal(signal.SIGINT)
        written = await assert_it_wrote_what_there_is(process, tmp_path)
    assert written.claims[0].utterances > 0


async def test_ctrl_c_ends_its_own_gateway_too(tmp_path: Path) -> None:
    """A terminal sends the signal to the whole group; the gateway must not take it for its own."""
    process = await started("-o", str(tmp_path))
    await until(lambda: children(process.pid))
    (gateway,) = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    await assert_it_wrote_what_there_is(process, tmp_path)
    with pytest.raises(ProcessLookupError):
        os.kill(gateway, 0)


# --- a target that goes wrong ---


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for less long; the real patience times FAILURES_IN_A_ROW bounds a run that hangs."""
    monkeypatch.setattr(lab, "HttpClient", partial(HttpClient, patience_s=PATIENCE_S))
    monkeypatch.setattr(lab, "WebSocketClient", partial(WebSocketClient, patience_s=PATIENCE_S))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.SAY_NOTHING, "timeout: nothing for 0.3 s"),
        (Fault.STOP, "timeout: nothing for 0.3 s"),
        (Fault.HANG_UP, "truncated"),
        (Fault.TRUNCATE, "truncated"),
        (Fault.RESET, "truncated"),
        (Fault.REFUSE, "refused"),
        (Fault.GARBAGE, "protocol"),
    ],
)
@pytest.mark.usefixtures("impatient")
async def test_a_target_that_goes_wrong_in_the_middle_is_given_up(
    fault: Fault, said: str, tmp_path: Path
) -> None:
    async with target() as (url, server):
        server.later[BEFORE_IT_BREAKS] = msgspec.structs.replace(WELL, fault=fault)
        line = one_line(await compare(url, tmp_path))
        assert f"{url} fails: {said}" in line
        assert server.record.utterances <= BEFORE_IT_BREAKS + FAILURES_IN_A_ROW
    written = msgspec.json.decode((tmp_path / "results.json").read_bytes(), type=Comparison)
    assert not written.is_complete
    assert sum(written.claims[0].failures.values()) >= FAILURES_IN_A_ROW


@pytest.mark.usefixtures("impatient")
async def test_a_target_that_goes_away_in_the_middle_is_given_up(tmp_path: Path) -> None:
    async with calibration_server(WELL) as server:
        async with on_one_port(server) as url:
            comparing = asyncio.get_running_loop().create_task(compare(url, tmp_path))
            await until(lambda: server.record.utterances >= BEFORE_IT_BREAKS)
        line = one_line(await comparing)
    assert url in line
    assert "unreachable" in line or "truncated" in line
    assert (tmp_path / "report.html").exists()


@asynccontextmanager
async def answering(answer: bytes, again: bytes = b"") -> AsyncIterator[str]:
    """A server that answers everything so, and then says `again` for ever; without it, it hangs up.

    It reads what is still sent: the kernel would throw an answer away with what was not read (RFC 9112 9.6).
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError):
                await reader.read(65_536)
                writer.write(answer)
                while again:
                    writer.write(again)
                    await writer.drain()
                writer.write_eof()
                await reader.read()
        finally:  # Also when the test ends first.
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


def sized(status: str, body: bytes, header: str = "x: y") -> bytes:
    """An HTTP answer."""
    return f"HTTP/1.1 {status}\r\n{header}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNK = b"2000\r\n" + bytes(0x2000) + b"\r\n"
WRONG = {
    "401": (sized("401 Unauthorized", b"who are you?"), b"", ["refused 401", "who are you?"]),
    "403": (sized("403 Forbidden", b"not you"), b"", ["refused 403", "not you"]),
    "a redirect": (sized("302 Found", b"", "location: /login"), b"", ["refused 302"]),
    "a web page": (sized("200 OK", b"<html>hello</html>"), b"", ["does not speak"]),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", b"", ["protocol"]),
    "TLS": (b"\x15\x03\x03\x00\x02\x02\x28", b"", ["protocol"]),
    "nothing": (b"", b"", ["truncated"]),
    "a body without end": (CHUNKED, CHUNK, ["more than", "bytes of audio"]),
}


@pytest.mark.parametrize("what", WRONG)
async def test_what_is_no_gateway_is_one_line(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "AUDIO_BYTES_MAX", 1 << 20)
    answer, again, words = WRONG[what]
    async with answering(answer, again) as url:
        line = one_line(await compare(url, tmp_path))
    for word in (url, *words):
        assert word in line
    assert os.listdir(tmp_path) == []


async def test_a_word_that_does_not_end_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.bench.compare.target.CHECK_S_MAX", 0.3)
    monkeypatch.setattr(hearing, "AUDIO_BYTES_MAX", 1 << 40)
    async with answering(CHUNKED, CHUNK) as url:
        assert "did not end a word within 0.3 s" in one_line(await compare(url, tmp_path))


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0\r\n", sized("200 OK", b"made_total many\n")])
async def test_metrics_that_are_none_are_no_figure(answer: bytes) -> None:
    async with answering(answer) as url:
        assert await counter(target_at(url), "made_total") is None
