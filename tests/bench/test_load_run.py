"""`gateway bench load` from the command line: against a gateway, against what is none, and interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from hdrh.histogram import HdrHistogram

from gateway.bench.sessions.plan import Search
from gateway.bench.sessions.results import VERSION, CapacityResult, LoadResult
from gateway.bench.subjects import layouts, running_gateway
from gateway.cli import main
from tests.support.answering import answering

pytestmark = [pytest.mark.socket, pytest.mark.timeout(90)]
"""They start processes, which takes a busy machine its time."""

TINY = Search(
    settle_s=0.3,
    window_s=0.7,
    drain_s=0.5,
    steps_max=2,
    overload_s=0.5,
    rest_s=1.0,
    ttfa_share_min=0.0,
    continuous_share_min=0.0,
    error_share_max=1.0,
)
SHORT = ("--turns", "1", "2", "--think-s", "0.1", "--model", "tone")


def load(*options: str) -> Result:
    return CliRunner().invoke(main, ["bench", "load", *options])


def assert_one_line(ran: Result, *words: str) -> None:
    assert ran.exit_code != 0
    (line,) = [line for line in ran.output.splitlines() if line.startswith("Error:")]
    for word in words:
        assert word in line


@pytest.mark.slow
def test_a_load_on_a_gateway_is_measured_printed_and_written(tmp_path: Path) -> None:
    file = tmp_path / "load.json"
    cores = os.sched_getaffinity(0)

    ran = load(
        "--sessions-per-second",
        "8",
        "--duration-s",
        "2.5",
        "--drain-s",
        "1",
        *SHORT,
        "-o",
        str(file),
    )

    assert ran.exit_code == 0, ran.output
    assert os.sched_getaffinity(0) == cores
    result = msgspec.json.decode(file.read_bytes(), type=LoadResult)
    found = result.figures
    assert (result.version, result.is_complete, result.load.seed) == (VERSION, True, 1)
    assert found.errors == {}
    assert found.leaked == 0
    assert found.sessions <= found.turns
    assert found.complete == found.whole > 0
    assert found.good_turns_per_s > 0
    assert found.cpu is not None
    assert found.cpu.loop > 0
    ttfa = found.times["ttfa"]
    assert ttfa.summary.count <= found.turns
    assert HdrHistogram.decode(ttfa.histogram).get_total_count() == ttfa.summary.count
    assert {"ttfa http", "ttfa websocket", "ftts", "lag", "cancel acknowledged"} <= set(found.times)
    for word in ("goodput", "leaked frames 0", "errors      none", "event loop"):
        assert word in ran.output


@pytest.mark.slow
def test_the_capacity_is_looked_for_and_overloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.bench.sessions.asked.Search", lambda: TINY)
    file = tmp_path / "load.json"

    ran = load("--find-capacity", "--sessions-per-second", "6", *SHORT, "-o", str(file))

    assert ran.exit_code == 0, ran.output
    result = msgspec.json.decode(file.read_bytes(), type=CapacityResult)
    assert [step.sessions_per_s for step in result.steps] == [6.0, 12.0]
    assert (result.sessions_per_s, result.failing_per_s) == (12.0, None)
    assert result.overload is not None
    assert result.overload.sessions_per_s == 24.0
    assert result.overload.recovery_s == 0.0
    assert result.overload.during.turns > 0
    assert "Capacity: 12 sessions/s" in ran.output
    assert "Bottleneck: " in ran.output


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_ctrl_c_writes_what_there_is(tmp_path: Path) -> None:
    file = tmp_path / "load.json"
    with running_gateway(layouts()[0]) as gateway:
        url = f"http://{gateway.host}:{gateway.port}"
        options = ("--target", url, "--sessions-per-second", "20", "--duration-s", "600", *SHORT)
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "gateway", "bench", "load", *options, "-o", str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        line = process.stderr.readline()  # The first line of progress: sessions are going on.
        process.send_signal(signal.SIGINT)
        told, complained = process.communicate(timeout=30)

    assert "sessions going on" in line
    assert process.returncode == 130, complained
    assert "Traceback" not in complained
    result = msgspec.json.decode(file.read_bytes(), type=LoadResult)
    assert not result.is_complete
    assert result.figures.turns > 0
    assert "INCOMPLETE" in told


@pytest.mark.slow
def test_a_target_that_dies_is_one_line_and_the_rest_is_written(tmp_path: Path) -> None:
    file = tmp_path / "load.json"
    with running_gateway(layouts()[0]) as gateway:
        url = f"http://{gateway.host}:{gateway.port}"
        options = ("--target", url, "--sessions-per-second", "40", "--duration-s", "600", *SHORT)
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "gateway", "bench", "load", *options, "-o", str(file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        process.stderr.readline()
        os.kill(gateway.pid, signal.SIGKILL)
        _, complained = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "is gone" in complained
    assert "Traceback" not in complained
    assert "unreachable" in msgspec.json.decode(file.read_bytes(), type=LoadResult).figures.errors


def test_nothing_that_listens_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "load.json"
    ran = load("--target", "http://127.0.0.1:1", "--sessions-per-second", "1", "-o", str(file))
    assert_one_line(ran, "127.0.0.1:1", "unreachable")
    assert not file.exists()


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"403 Forbidden"])
def test_a_wrong_key_is_said_to_be_one_and_is_not_told(tmp_path: Path, status: bytes) -> None:
    answer = b"HTTP/1.1 %b\r\ncontent-length: 0\r\n\r\n" % status
    options = ("--sessions-per-second", "1", "-o", str(tmp_path / "load.json"))
    requests: list[bytes] = []
    with answering(answer, requests) as url:
        ran = load("--target", url, "--key", "sesame-street", *options)
        without = load("--target", url, *options)

    assert_one_line(ran, status[:3].decode(), "the key is wrong")
    assert "sesame" not in ran.output
    assert_one_line(without, "wants a key (--key)")
    assert b"authorization: Bearer sesame-street" in requests[0]
    assert b"authorization" not in requests[1]


def test_a_target_that_hangs_or_hangs_up_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.bench.sessions.access.CHECK_PATIENCE_S", 0.2)
    options = ("--sessions-per-second", "1", "-o", str(tmp_path / "load.json"))
    with answering(b"") as url:
        assert_one_line(load("--target", url, *options), "timeout", "nothing for 0.2 s")
    with answering(b"\r\n") as url:
        assert_one_line(load("--target", url, *options), "does not speak")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--sessions-per-second is missing"),
        (("--sessions-per-second", "0"), "0"),
        (("--sessions-per-second", "1", "--turns", "3", "2"), "smaller number first"),
        (("--sessions-per-second", "1", "--http-share", "1.5"), "1.5"),
        (
            ("--sessions-per-second", "1", "--listener-share", "1", "--slow-reader-share", "0.1"),
            "more than 1 together",
        ),
        (("--sessions-per-second", "1", "--language", "xx"), "no texts in xx"),
        (("--sessions-per-second", "1", "--key", "a\nb"), "--key"),
        (("--sessions-per-second", "1", "--profile", "--target", "http://h"), "--profile"),
        (("--sessions-per-second", "1", "-o", "/nowhere/load.json"), "cannot write"),
        (("--sessions-per-second", "1", "--target", "ftp://h"), "ftp://h"),
    ],
)
def test_what_makes_no_sense_is_said(options: tuple[str, ...], words: str) -> None:
    assert_one_line(load(*options), words)


def test_another_process_puts_on_the_same_load() -> None:
    program = (
        "import msgspec, hashlib;"
        "from gateway.bench.sessions.plan import LOAD_MIX;"
        "from gateway.bench.workload.corpus import load;"
        "from gateway.bench.workload.schedule import Phase, phased;"
        "found = phased(LOAD_MIX, load(), (Phase(5.0, 20.0), Phase(9.0, 5.0)), seed=3);"
        "print(hashlib.sha256(msgspec.json.encode(found)).hexdigest())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
