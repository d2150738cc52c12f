"""A whole run, as small as it can be, against the tone engine: every figure is there and the files say so."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from click.testing import CliRunner

from gateway.bench.harness import steps
from gateway.bench.kept import KeptConnection
from gateway.bench.latency import latency
from gateway.bench.measure import BARE
from gateway.bench.plan import CODECS, SHORT, Plan
from gateway.bench.results import VERSION, Result
from gateway.bench.streams import WARM, Refused, Stream, Way, form_of
from gateway.bench.subjects import Gateway, SubjectFailed, layouts, running_gateway
from gateway.cli import main
from gateway.core.synthesis import Synthesize, VoiceSettings
from gateway.engines.tone import render
from tests.support.calibration import Planted, calibration_server
from tests.support.leaks import until
from tests.support.server import RunningServer, running_server

TINY = Plan(
    "tiny",
    model="tone",
    first_bytes_n=3,
    streams=(2,),
    ramp_s_min=0.0,
    window_s=0.1,
    cost_window_s=0.1,
    lag_streams=(2,),
    lag_window_s=0.1,
    sessions=12,
    contexts=1,
    speaking=2,
    vanishings=2,
)


@pytest.mark.slow
@pytest.mark.socket
def test_the_command_measures_prints_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.bench.plan.QUICK", TINY)
    cores = os.sched_getaffinity(0)
    file = tmp_path / "result.json"

    ran = CliRunner().invoke(main, ["bench", "--quick", "--model", "tone", "--json", str(file)])

    assert ran.exit_code == 0, ran.output
    assert os.sched_getaffinity(0) == cores
    result = msgspec.json.decode(file.read_bytes(), type=Result)
    assert msgspec.json.decode(msgspec.json.encode(result)) == msgspec.json.decode(
        file.read_bytes()
    )
    assert set(msgspec.json.schema(Result)["$defs"]) >= {"Throughput", "FirstByte", "Goal"}
    assert result.version == VERSION
    ways = {way.value for way in Way}
    assert {(row.codec, row.way) for row in result.first_bytes} == {
        (codec, way) for codec in CODECS for way in ways | {BARE}
    }
    assert {row.latency.n for row in result.first_bytes if row.way != BARE} == {3}
    assert {(row.codec, row.way) for row in result.throughput} == {
        (codec, way) for codec in CODECS for way in (BARE, *WARM)
    }
    assert all(row.audio_s_per_s > 0 for row in result.throughput)
    assert [row.after.n for row in result.vanished] == [2, 2]
    assert [goal.name for goal in result.goals if goal.figure is None]  # too few samples for p99
    for title in ("Goals", "Time to first byte", "Throughput", "Event loop", "Memory"):
        assert f"### {title}" in ran.stdout


def test_each_step_is_counted() -> None:
    assert steps(TINY) == 2 * (2 + 1 + 1) + 2 + 2 + 1


def test_a_gateway_that_does_not_start_says_why() -> None:
    with (
        pytest.raises(SubjectFailed, match="default_model"),
        running_gateway(layouts()[0], {"GATEWAY_DEFAULT_MODEL": "nothing"}),
    ):
        pass


def as_subject(server: RunningServer) -> Gateway:
    """The server in this process, as clients see it."""
    return Gateway("127.0.0.1", server.port, os.getpid())


@pytest.mark.socket
@pytest.mark.parametrize("way", list(Way))
async def test_every_way_counts_the_same_audio(way: Way) -> None:
    async with running_server() as server:
        stream = Stream(as_subject(server), way, "tone", "pcm_s16le")
        await stream.open()
        await stream.speak("one two")
        first = stream.count()
        await stream.speak("one two")
        stream.vanish()
    count = stream.count()

    assert (first.utterances, count.utterances) == (1, 2)
    assert first.bytes == len(EXPECTED)
    assert count.bytes == 2 * first.bytes
    assert count.frames == 2 * first.frames >= 2
    assert latency([one.ms for one in count.firsts]).n == 2


EXPECTED, _ = render(Synthesize(0, "one two", VoiceSettings("words", "en")), 22_050)


@pytest.mark.socket
@pytest.mark.parametrize("way", WARM)
async def test_what_goes_on_is_counted_too(way: Way) -> None:
    planted = Planted(form=form_of("pcm_s16le"), pieces=100, piece_s=0.02, every_s=0.02)
    async with calibration_server(planted) as server:
        url = urlsplit(server.http_url if way is Way.HTTP_WARM else server.ws_url)
        assert url.hostname is not None
        assert url.port is not None
        stream = Stream(Gateway(url.hostname, url.port, 0), way, "any", "pcm_s16le")
        await stream.open()
        async with asyncio.TaskGroup() as tasks:
            speaking = tasks.create_task(stream.speak("one two"))
            await until(lambda: stream.count().frames >= 3)
            count = stream.count()
            speaking.cancel()
        stream.vanish()

    assert count.utterances == 0
    assert len(count.firsts) == 1
    assert 3 * 882 <= count.bytes < 100 * 882
    assert count.bytes % 882 == 0


@pytest.mark.socket
@pytest.mark.parametrize("way", list(Way))
async def test_a_refusal_is_an_error_and_no_figure(way: Way) -> None:
    async with running_server() as server:
        stream = Stream(as_subject(server), way, "no-such-model", "pcm_s16le")
        await stream.open()
        with pytest.raises(Refused, match="unknown_model"):
            await stream.speak(SHORT)
        stream.vanish()

    assert stream.count() == (0, 0, 0, [])


@pytest.mark.socket
@pytest.mark.parametrize("way", WARM)
async def test_a_gateway_that_goes_away_is_an_error(way: Way) -> None:
    async with running_server() as server:
        stream = Stream(as_subject(server), way, "tone", "pcm_s16le")
        await stream.open()
        await stream.speak(SHORT)
    with pytest.raises(Refused):
        await stream.speak(SHORT)
    with pytest.raises(Refused):
        await Stream(as_subject(server), way, "tone", "pcm_s16le").open()


@pytest.mark.socket
async def test_a_kept_connection_has_as_many_contexts_as_have_spoken() -> None:
    async with running_server() as server:
        kept = KeptConnection(as_subject(server), "tone", 4_000)
        await kept.open()
        for number in range(3):
            await kept.speak_in(f"context-{number}", SHORT)
        assert server.house.admission.contexts == 3
        kept.vanish()
        refused = KeptConnection(as_subject(server), "no-such-model", 4_000)
        await refused.open()
        with pytest.raises(Refused, match="unknown_model"):
            await refused.speak_in("context", SHORT)
        refused.vanish()
    with pytest.raises(Refused):
        await refused.open()
