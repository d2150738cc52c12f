"""The server to compare with does what it says, and cells tell what was planted."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator

import msgspec
import pytest

from gateway.bench.compare.results import Figure
from gateway.bench.instruments.http import HttpClient
from gateway.bench.instruments.metrics import measure
from gateway.bench.instruments.timeline import Codec, Failure, Form, Timeline, Wire, clock
from gateway.bench.instruments.utterance import whole
from gateway.bench.machine import this_machine
from gateway.bench.peers import festival, servers
from gateway.bench.peers.festival import FestivalClient, running_festival
from gateway.bench.peers.measure import FAILURES_MAX, TEXTS, measure_ways
from gateway.bench.peers.results import (
    AUDIO,
    THROUGHPUT,
    TTFB,
    PeersResult,
    Plan,
    Server,
    cell,
)
from gateway.bench.peers.servers import (
    PROGRAMS,
    RATE,
    Way,
    evening_body,
    forms,
    running_evening,
)
from gateway.bench.peers.table import markdown
from gateway.bench.proc import children
from gateway.bench.subjects import SubjectFailed, layouts
from tests.support.calibration import Fault, Planted, calibration_server

needs_programs = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason="no espeak-ng or ffmpeg here: apt-get install them"
)
MP3 = Form(Codec.MP3, RATE, servers.MP3_BITRATE)
WAV = Form(Codec.WAV, RATE)

# --- the evening server ---


@pytest.fixture(scope="module")
def evening() -> Iterator[tuple[str, int]]:
    _, together = layouts()
    with running_evening(together) as running:
        yield running


async def speak(url: str, text: str, form: Form, *, is_whole: bool) -> Timeline:
    client = HttpClient(url, make_body=lambda said: evening_body(said, is_whole=is_whole))
    try:
        return await client.speak(whole(text, form), clock())
    finally:
        client.close()


@needs_programs
@pytest.mark.slow
@pytest.mark.socket
@pytest.mark.parametrize("form", [WAV, MP3], ids=["wav", "mp3"])
async def test_it_speaks_and_whole_files_hold_the_same(
    evening: tuple[str, int], form: Form
) -> None:
    text = TEXTS["medium"].format(417)
    streamed, at_once = [
        await speak(evening[0], text, form, is_whole=is_whole) for is_whole in (False, True)
    ]

    for timeline in (streamed, at_once):
        metrics = measure(timeline)
        assert metrics.trouble is None
        assert 4 < metrics.audio_s < 9
        told_s = sum(map(timeline.duration_s, timeline.payloads))
        assert told_s == pytest.approx(metrics.audio_s, rel=0.02)  # A cell counts bytes.
    audio = [b"".join(p.data for p in timeline.payloads) for timeline in (streamed, at_once)]
    assert audio[0] == audio[1]


@needs_programs
@pytest.mark.slow
@pytest.mark.socket
async def test_nothing_is_left_of_a_listener_who_leaves(evening: tuple[str, int]) -> None:
    url, pid = evening
    client = HttpClient(url, make_body=lambda said: evening_body(said, is_whole=False))
    text = " ".join(TEXTS["long"].format(n) for n in range(100, 130))
    utterance = msgspec.structs.replace(whole(text, MP3), vanish_s=0.0)

    timeline = await client.speak(utterance, clock())

    assert timeline.vanished
    while children(pid):  # noqa: ASYNC110 - nobody in this process could set an event
        await asyncio.sleep(0.02)


def test_without_its_programs_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    _, together = layouts()
    with (
        pytest.raises(SubjectFailed, match="apt-get install espeak-ng ffmpeg"),
        running_evening(together),
    ):
        pass


# --- Festival ---


@pytest.mark.skipif(
    shutil.which(festival.PROGRAM) is None, reason="no festival here: apt-get install it"
)
@pytest.mark.slow
@pytest.mark.socket
async def test_festival_is_heard_sentence_by_sentence() -> None:
    _, together = layouts()
    with running_festival(together) as running:
        assert running is not None
        client = FestivalClient(running[0])
        one, two = [
            await client.speak(whole(text, festival.FORM), clock())
            for text in ("Hello there.", 'Hello there. This is "another" sentence.')
        ]
        client.close()

    assert measure(one).trouble is None
    assert measure(two).trouble is None
    assert measure(two).audio_s > 1.5 * measure(one).audio_s


@pytest.mark.socket
@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"", Failure.TRUNCATED),
        (b"ER\n", Failure.REFUSED),
        (b"OK\nOK\nWV\n" + bytes(40) + b"\xff\0\0\0" + b"cut", Failure.TRUNCATED),
    ],
    ids=["hangs up", "refuses", "cut"],
)
async def test_what_goes_wrong_with_festival_is_in_the_timeline(
    answer: bytes, failure: Failure
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        client = FestivalClient(listening.sockets[0].getsockname()[1])
        timeline = await client.speak(whole("Hello.", festival.FORM), clock())
        client.close()

    assert timeline.trouble is not None
    assert timeline.trouble.failure is failure


# --- cells ---

DELAY_S = 0.03
PLANTED = Planted(form=WAV, delay_s=DELAY_S, pieces=10, piece_s=0.1)
TINY = Plan("tiny", repeats=2, codecs=("wav",), texts=("short",), streams=(1, 3), window_s=0.2)


async def measured(planted: Planted, plan: Plan = TINY) -> Server:
    async with calibration_server(planted) as server:
        way = Way("planted", "", forms(Wire.HTTP), lambda: HttpClient(server.http_url))
        (found,) = await measure_ways(plan, [way], lambda step: None)
    return found


def by_cell(server: Server, quantity: str) -> dict[str, Figure]:
    return {one.way: one for one in server.figures if one.quantity == quantity}


@pytest.mark.slow
@pytest.mark.socket
async def test_a_cell_tells_what_was_planted() -> None:
    found = await measured(PLANTED)

    assert found.failures == {}
    for streams in TINY.streams:
        name = cell("wav", "short", streams)
        first, rate = by_cell(found, TTFB)[name], by_cell(found, THROUGHPUT)[name]
        assert min(v for repeat in first.repeats for v in repeat) >= DELAY_S * 1_000
        assert len(rate.repeats) == TINY.repeats
        # A second of audio takes at least the delay; of what it brings, the first may have begun before the window.
        most = streams * (1 / DELAY_S + 1 / TINY.window_s)
        assert 0 < rate.value <= most
        assert by_cell(found, AUDIO)[name].value == pytest.approx(1.0)


@pytest.mark.slow
@pytest.mark.socket
async def test_more_streams_bring_more_where_nothing_is_shared() -> None:
    rates = by_cell(await measured(PLANTED), THROUGHPUT)
    assert rates[cell("wav", "short", 3)].value > rates[cell("wav", "short", 1)].value


@pytest.mark.slow
@pytest.mark.socket
@pytest.mark.parametrize(
    ("planted", "failure"),
    [
        (msgspec.structs.replace(PLANTED, fault=Fault.REFUSE), "refused"),
        (msgspec.structs.replace(PLANTED, fault=Fault.TRUNCATE), "truncated"),
        (msgspec.structs.replace(PLANTED, pieces=0), "inaudible"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_fails_is_counted_and_in_no_figure(planted: Planted, failure: str) -> None:
    found = await measured(planted, msgspec.structs.replace(TINY, streams=(1,), window_s=0.05))
    assert found.figures == []
    assert found.failures == {failure: found.utterances}
    assert found.utterances <= TINY.repeats * FAILURES_MAX


# --- the table ---


def server(name: str, ttfb_ms: float, rate: float, percentiles: dict[str, float]) -> Server:
    way = cell("wav", "short", 16)
    return Server(
        name,
        "A server.",
        [
            Figure(way, TTFB, "ms", 90, ttfb_ms, 0, 0, percentiles, [[ttfb_ms]]),
            Figure(way, THROUGHPUT, "s/s", 3, rate, 0, 0, {}, [[rate]]),
            Figure(way, AUDIO, "s", 3, 2.0, 0, 0, {}, [[2.0]]),
        ],
        90,
        {"timeout": 2},
    )


@pytest.fixture
def told() -> Callable[..., str]:
    def tell(*found: Server, foreign_cores: float = 0.0) -> str:
        plan = Plan("tiny", codecs=("wav",), texts=("short",), streams=(1, 16))
        return markdown(PeersResult("now", 1.0, plan, this_machine(), foreign_cores, list(found)))

    return tell


def test_ratios_say_how_many_times_better(told: Callable[..., str]) -> None:
    text = told(
        server("first", 100, 50, {"p50": 100, "p90": 180, "p95": 200}),
        server("quick", 4, 500, {"p50": 4}),
        server("slow", 200, 25, {}),
    )
    rows = [line for line in text.splitlines() if line.startswith("| wav | short | 16 |")]
    assert rows == [
        "| wav | short | 16 | 100 | 4 (25 ×) | 200 (0.5 ×) |",
        "| wav | short | 16 | p95 200 | p50 4 | – |",
        "| wav | short | 16 | 50 | 500 (10 ×) | 25 (0.5 ×) |",
        "| wav | short | 16 | 2 | 2 | 2 |",
    ]
    assert "| wav | short | 1 | – | – | – |" in text
    assert "2 of 90 utterances failed" in text


@pytest.mark.parametrize(("cores", "is_draft"), [(0.05, False), (1.2, True)])
def test_a_busy_machine_makes_a_draft(
    told: Callable[..., str], cores: float, is_draft: bool
) -> None:
    assert ("draft" in told(foreign_cores=cores)) == is_draft
