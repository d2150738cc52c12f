"""A comparison from the command line: a whole one, as small as it can be, and those that cannot be made."""

from __future__ import annotations

import asyncio
import re
import socket
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from click.testing import CliRunner, Result

from gateway.bench.compare import command
from gateway.bench.compare.claims import barge_in, first_byte, pieces, spending
from gateway.bench.compare.glossary import defined
from gateway.bench.compare.harness import Run
from gateway.bench.compare.lab import Lab
from gateway.bench.compare.plan import Plan
from gateway.bench.compare.report import report
from gateway.bench.compare.results import VERSION, Comparison, Verdict
from gateway.bench.compare.table import table, warnings
from gateway.bench.compare.target import TargetFailed, counter, target_at
from gateway.bench.instruments.timeline import clock
from gateway.bench.subjects import layouts
from gateway.cli import main
from tests.support.answering import answering

TINY = Plan(
    "tiny",
    repeats=1,
    model="tone",
    utterances=4,
    pieces=1,
    pieces_slow=1,
    window_s=0.2,
    barge_ins=2,
    hang_ups=1,
    connections=4,
)
QUESTIONS = (
    first_byte.SUCCESSIVE,
    spending.QUESTION,
    pieces.DELIVERY,
    barge_in.QUESTION,
)

# The whole comparison is one fixture, whose time counts for the first test that asks for it.
pytestmark = [pytest.mark.socket, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def result() -> Comparison:
    run = Run(TINY, None, QUESTIONS)
    asyncio.run(run.run(lambda step: None))
    return run.result()


@pytest.mark.slow
def test_every_question_gets_its_row(result: Comparison) -> None:
    assert [claim.number for claim in result.claims] == [1, 7, 9, 10]
    assert result.version == VERSION
    assert result.is_complete
    for claim in result.claims:
        assert claim.failures == {}
        assert claim.utterances > 0
        assert claim.health is not None
        assert claim.seconds > 0
        assert claim.rule
    (ways,) = [claim for claim in result.claims if claim.number == 7]
    assert {one.way for one in ways.judgement.figures} == {
        spending.BINARY,
        spending.BASE64,
        spending.HTTP,
    }


@pytest.mark.slow
def test_the_slow_engine_decides_between_deliveries(result: Comparison) -> None:
    (found,) = [claim for claim in result.claims if claim.number == 9]
    later = {
        one.way: one.value
        for one in found.judgement.figures
        if one.quantity == pieces.DELIVERY_LATER
    }

    assert len(later) == len(pieces.ENGINES) * len(pieces.ROUTES)
    # A first segment of two seconds and more, made at 0.3 of real time, and nothing of it sent before.
    assert all(ms > 100 for way, ms in later.items() if way.startswith(pieces.SLOW))


@pytest.mark.slow
def test_every_figure_is_defined_on_the_page(result: Comparison) -> None:
    page = report(result)

    for claim in result.claims:
        for one in claim.judgement.figures:
            name = defined(one.quantity)
            assert name is not None, one.quantity
            assert f'<th scope="row">{escape(name)}</th>' in page


@pytest.mark.slow
def test_the_result_is_read_back_as_it_was_written(result: Comparison) -> None:
    assert msgspec.json.decode(msgspec.json.encode(result), type=Comparison) == result


@pytest.mark.slow
def test_the_report_needs_nothing_else_and_has_every_picture(result: Comparison) -> None:
    page = report(result)

    assert re.findall(r"""(?:src|href)=["'](?!#|data:)""", page) == []
    assert re.findall(r"@import|url\((?!#)|<script", page) == []
    pictures = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(pictures) == sum(len(claim.judgement.charts) for claim in result.claims) > 0
    for picture in pictures:
        ElementTree.fromstring(picture.replace("xlink:", ""))
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert "prefers-color-scheme: dark" in page


@pytest.mark.slow
def test_the_table_has_every_claim_and_its_verdict(result: Comparison) -> None:
    text = table(result)

    for claim in result.claims:
        assert claim.claim in text
        assert claim.judgement.verdict.upper() in text


@pytest.mark.slow
def test_a_harness_that_was_late_makes_the_run_invalid(result: Comparison) -> None:
    first = result.claims[0]
    assert first.health is not None
    late = msgspec.structs.replace(first.health, lag_p99_ms=7.5, is_valid=False)
    claims = [msgspec.structs.replace(first, health=late), *result.claims[1:]]

    (warning, *_) = warnings(msgspec.structs.replace(result, claims=claims, is_valid=False))

    assert warning.startswith("INVALID")
    assert "1 (7.5 ms)" in warning


def test_what_was_not_reached_is_in_the_result_all_the_same() -> None:
    unreached = Run(TINY, None).result()

    assert not unreached.is_complete
    assert [claim.number for claim in unreached.claims] == list(range(1, 12))
    assert {claim.judgement.verdict for claim in unreached.claims} == {Verdict.UNDECIDED}
    assert "INCOMPLETE" in table(unreached)


def compare(url: str, directory: Path, *more: str) -> Result:
    asked = ["bench", "compare", "--target", url, "-o", str(directory), *more]
    return CliRunner().invoke(main, asked)


def assert_one_line(ran: Result, *words: str) -> None:
    assert ran.exit_code == 1
    (line,) = [line for line in ran.output.splitlines() if line.startswith("Error:")]
    for word in words:
        assert word in line


def test_an_unreachable_target_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert_one_line(compare(f"http://127.0.0.1:{port}", tmp_path), str(port), "unreachable")
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_is_something_else_is_one_line(tmp_path: Path) -> None:
    nothing = b"HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\nnot here\n"
    with answering(nothing) as url:
        assert_one_line(compare(url, tmp_path), "does not speak", "refused 404", "not here")


KEY = "a-key-for-nobody-else"


def test_the_key_is_shown_to_the_target(tmp_path: Path) -> None:
    asked: list[bytes] = []
    with answering(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", asked) as url:
        ran = compare(url, tmp_path, "--key", KEY)
    assert_one_line(ran, "refused 401")
    assert f"authorization: Bearer {KEY}".encode() in asked[0]
    assert KEY not in ran.output


@pytest.mark.asyncio
async def test_every_request_carries_the_key() -> None:
    """Speech over both protocols, and the look at the counters."""
    asked: list[bytes] = []
    with answering(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", asked) as url:
        target = target_at(url, KEY)
        lab = Lab(target, TINY, layouts()[0], is_own=False)
        for client in (lab.http(), lab.websocket()):
            await client.speak(lab.unpaced("Hello."), clock())
            client.close()
        assert await counter(target, "anything") is None
    assert len(asked) == 3
    for request in asked:
        assert f"authorization: bearer {KEY}" in request.decode().lower()
    assert KEY not in repr(target)


def test_a_target_that_hangs_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.bench.compare.target.PATIENCE_S", 0.2)
    with answering(b"") as url:
        assert_one_line(compare(url, tmp_path), "timeout", "nothing for 0.2 s")


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://localhost", "http://", "http://h:x"])
def test_what_is_no_url_is_said(url: str, tmp_path: Path) -> None:
    with pytest.raises(TargetFailed):
        target_at(url)
    assert_one_line(compare(url, tmp_path), url)


def test_a_directory_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert_one_line(compare("http://127.0.0.1:1", tmp_path / "file" / "below"), "cannot write")


def test_ctrl_c_writes_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(self: Run, on_step: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "run", interrupted)

    ran = compare("http://127.0.0.1:1", tmp_path)

    assert ran.exit_code == command.INTERRUPTED
    written = msgspec.json.decode((tmp_path / "results.json").read_bytes(), type=Comparison)
    assert not written.is_complete
    assert "INCOMPLETE" in ran.output
    assert (tmp_path / "report.html").exists()


def test_without_the_extra_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gateway.bench.compare.command", None)

    ran = compare("http://127.0.0.1:1", tmp_path)

    assert ran.exit_code == 1
    assert "./run bench" in ran.output
    assert "pip install" not in ran.output  # The name belongs to somebody else there.
