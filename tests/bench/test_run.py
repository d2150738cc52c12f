"""A whole run, as small as it can be, against the tone engine: every figure is there and the files say so."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from gateway.bench.clients import Client, HttpCold, HttpWarm, Refused, Tally, WebSocketWarm
from gateway.bench.harness import steps
from gateway.bench.latency import latency
from gateway.bench.measure import BARE
from gateway.bench.plan import CODECS, SHORT, Plan
from gateway.bench.results import VERSION, Result
from gateway.bench.subjects import Gateway, SubjectFailed, layouts, running_gateway
from gateway.cli import main
from gateway.core.synthesis import Synthesize, VoiceSettings
from gateway.engines.tone import render
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
    ways = {HttpCold.way, HttpWarm.way, WebSocketWarm.way}
    assert {(row.codec, row.way) for row in result.first_bytes} == {
        (codec, way) for codec in CODECS for way in ways | {BARE}
    }
    assert {row.latency.n for row in result.first_bytes if row.way != BARE} == {3}
    assert {(row.codec, row.way) for row in result.throughput} == {
        (codec, way) for codec in CODECS for way in (BARE, HttpWarm.way, WebSocketWarm.way)
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
@pytest.mark.parametrize("way", [HttpCold, HttpWarm, WebSocketWarm])
async def test_every_way_counts_the_same_audio(
    way: type[HttpCold | HttpWarm | WebSocketWarm],
) -> None:
    tally = Tally()
    async with running_server() as server:
        client: Client = way(as_subject(server), "tone", "pcm_s16le", tally)
        await client.open()
        await client.speak("one two")
        await client.speak("one two")
        client.vanish()
        first = tally.bytes // 2

    assert tally.utterances == 2
    assert tally.bytes == 2 * first
    assert first == len(EXPECTED)
    assert tally.frames >= 2
    assert latency(tally.first_ms).n == 2


EXPECTED, _ = render(Synthesize(0, "one two", VoiceSettings("words", "en")), 22_050)


@pytest.mark.socket
@pytest.mark.parametrize("way", [HttpCold, HttpWarm, WebSocketWarm])
async def test_a_refusal_is_an_error_and_no_figure(
    way: type[HttpCold | HttpWarm | WebSocketWarm],
) -> None:
    tally = Tally()
    async with running_server() as server:
        client: Client = way(as_subject(server), "no-such-model", "pcm_s16le", tally)
        with pytest.raises(Refused):
            await first_utterance(client)
        client.vanish()

    assert tally == Tally(sounds=tally.sounds)


async def first_utterance(client: Client) -> None:
    await client.open()
    await client.speak(SHORT)


@pytest.mark.socket
async def test_a_gateway_that_goes_away_is_an_error() -> None:
    async with running_server() as server:
        client = HttpWarm(as_subject(server), "tone", "pcm_s16le", Tally())
        await client.open()
        asking = asyncio.gather(client.speak(SHORT), return_exceptions=True)
        client.vanish()
        (outcome,) = await asking

    assert isinstance(outcome, Refused)
