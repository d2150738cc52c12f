"""The vendor's own table on its own wire: verdicts from plain numbers, and a whole comparison, as small as it can be."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from gateway.bench.compare.apis import APIS
from gateway.bench.compare.claims import QUESTIONS, sarvam
from gateway.bench.compare.claims.incremental import spoken_at
from gateway.bench.compare.glossary import defined
from gateway.bench.compare.harness import Run
from gateway.bench.compare.meter import BYTES
from gateway.bench.compare.plan import Plan
from gateway.bench.compare.question import Question
from gateway.bench.compare.report import report
from gateway.bench.compare.results import Comparison, Verdict
from gateway.bench.compare.samples import Sample
from gateway.bench.compare.target import target_at
from gateway.bench.instruments.sarvam import KEY
from gateway.cli import main
from tests.support.answering import answering

REPEATS = 3
NOISE_S = (-0.0002, 0.0, 0.0001, 0.0003, -0.0001)
FILE, STREAM, SOCKET = sarvam.FILE, sarvam.STREAM, sarvam.SOCKET
TINY = Plan(
    "tiny", repeats=1, utterances=4, per_length=2, answers=1, tokens_per_s=(150.0,), window_s=0.1
)


def around(value: float) -> list[float]:
    return [value + noise for noise in NOISE_S * 4]


def verdict(question: Question, sample: Sample) -> Verdict:
    """Of repeats that are alike; whatever figures it shows must be defined."""
    judgement = question.judge([sample] * REPEATS)
    assert [one.quantity for one in judgement.figures if defined(one.quantity) is None] == []
    return judgement.verdict


def ordered(stream: tuple[float, float], file: tuple[float, float]) -> Sample:
    """How much later the stream was than the WebSocket, and the file than the stream, with short and with long texts."""
    sample: Sample = {}
    for number, length in enumerate((sarvam.SHORT, sarvam.LONG)):
        for way in (SOCKET, STREAM, FILE):
            sample[way, f"{sarvam.TTFA}, {length}"] = around(0.02)
        sample[STREAM, f"{sarvam.LATER_THAN_SOCKET}, {length}"] = around(stream[number])
        sample[FILE, f"{sarvam.LATER_THAN_STREAM}, {length}"] = around(file[number])
    return sample


@pytest.mark.parametrize(
    ("stream", "file", "expected"),
    [
        ((0.01, 0.01), (0.1, 0.5), Verdict.HOLDS),
        ((0.0, 0.01), (0.1, 0.5), Verdict.HOLDS_WHEN),
        ((0.0, 0.0), (0.1, 0.5), Verdict.HOLDS_WHEN),
        ((0.0, 0.0), (0.0, 0.0), Verdict.UNDECIDED),
        ((-0.01, -0.01), (0.1, 0.5), Verdict.DOES_NOT_HOLD),
    ],
)
def test_the_order(
    stream: tuple[float, float], file: tuple[float, float], expected: Verdict
) -> None:
    assert verdict(sarvam.ORDER, ordered(stream, file)) is expected


@pytest.mark.parametrize(
    ("later", "expected"),
    [(0.01, Verdict.HOLDS), (0.0, Verdict.UNDECIDED), (-0.01, Verdict.DOES_NOT_HOLD)],
)
def test_the_set_up(later: float, expected: Verdict) -> None:
    sample = {(sarvam.NEW_SOCKET, sarvam.LATER_THAN_STREAM): around(later)}
    assert verdict(sarvam.SETUP, sample) is expected


@pytest.mark.parametrize(
    ("slow", "fast", "expected"),
    [
        (5.0, 1.0, Verdict.HOLDS),
        (5.0, 0.3, Verdict.HOLDS_WHEN),
        (0.3, 0.3, Verdict.UNDECIDED),
    ],
)
def test_text_that_is_being_written(slow: float, fast: float, expected: Verdict) -> None:
    sample = {
        (way, spoken_at(f"{rate} tokens/s")): around(seconds)
        for rate, streamed in ((20, slow), (150, fast))
        for way, seconds in ((SOCKET, 0.3), (STREAM, streamed), (FILE, streamed + 0.1))
    }
    assert verdict(sarvam.WRITTEN, sample) is expected


@pytest.mark.parametrize(
    ("file", "socket", "expected"),
    [
        (64_000.0, 64_300.0, Verdict.HOLDS),
        (64_000.0, 48_300.0, Verdict.HOLDS_WHEN),
        (48_000.0, 48_300.0, Verdict.DOES_NOT_HOLD),
    ],
)
def test_the_form(file: float, socket: float, expected: Verdict) -> None:
    sample = {(FILE, BYTES): [file], (STREAM, BYTES): [48_000.0], (SOCKET, BYTES): [socket]}
    assert verdict(sarvam.FORM, sample) is expected


@pytest.mark.parametrize(
    ("more", "less", "expected"),
    [
        ([1.0, 1.0], [0.0, 0.0], Verdict.HOLDS),
        ([1.0, 0.0], [0.0, 0.0], Verdict.DOES_NOT_HOLD),
        ([1.0, 1.0], [0.0, 1.0], Verdict.DOES_NOT_HOLD),
    ],
)
def test_buffering(more: list[float], less: list[float], expected: Verdict) -> None:
    ways = zip(sarvam.BUFFERED, (more, less), strict=True)
    sample = {(way, sarvam.BEFORE): values for way, values in ways}
    assert verdict(sarvam.BUFFER, sample) is expected


@pytest.mark.parametrize(
    ("at", "beyond", "expected"),
    [
        (1.0, 0.0, Verdict.HOLDS),
        (0.0, 0.0, Verdict.DOES_NOT_HOLD),
        (1.0, 1.0, Verdict.DOES_NOT_HOLD),
    ],
)
def test_limits(at: float, beyond: float, expected: Verdict) -> None:
    sample = {("REST", sarvam.ACCEPTED): [at], ("REST", sarvam.BEYOND): [beyond]}
    assert verdict(sarvam.LIMITED, sample) is expected


@pytest.mark.parametrize("question", sarvam.QUESTIONS, ids=lambda question: str(question.number))
def test_without_samples_nothing_is_decided(question: Question) -> None:
    assert verdict(question, {}) is Verdict.UNDECIDED


def test_the_numbers_go_on_from_the_native_ones() -> None:
    numbers = [question.number for question in APIS["all"].questions]
    assert numbers == list(range(1, len(QUESTIONS) + len(sarvam.QUESTIONS) + 1))


@pytest.mark.socket
@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_whole_one_as_small_as_it_can_be() -> None:
    run = Run(TINY, None, api=APIS["sarvam"])
    asyncio.run(run.run(lambda step: None))
    result = run.result()
    assert result.is_complete
    assert all(claim.failures == {} and claim.judgement.figures for claim in result.claims)
    verdicts = {claim.number: claim.judgement.verdict for claim in result.claims}
    assert [verdicts[number] for number in (15, 16, 17)] == [Verdict.HOLDS] * 3
    page = report(result)
    assert all(claim.claim.partition("'")[0] in page for claim in result.claims)
    assert msgspec.json.decode(msgspec.json.encode(result), type=Comparison) == result


@pytest.mark.socket
def test_a_target_that_speaks_something_else_is_one_line(tmp_path: Path) -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as url:
        arguments = ["bench", "compare", "--api", "sarvam", "--target", url, "-o", str(tmp_path)]
        said = CliRunner().invoke(main, arguments)
    assert said.exit_code == 1
    assert (
        said.output.strip()
        .splitlines()[-1]
        .startswith(f"Error: {url} does not speak Sarvam's protocol (REST, whole file): protocol")
    )


@pytest.mark.socket
async def test_the_key_is_shown_as_the_vendor_wants_it() -> None:
    requests: list[bytes] = []
    with answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", requests) as url:
        for way in sarvam.CLIENTS:
            client = sarvam.client_of(target_at(url, "secret"), way)
            timeline = await client.speak(sarvam.spoken("One."), 0.0)
            client.close()
            assert timeline.trouble is not None
            assert timeline.trouble.status == 403
    assert len(requests) == len(sarvam.CLIENTS)
    assert all(f"{KEY}: secret".encode() in request.lower() for request in requests)
