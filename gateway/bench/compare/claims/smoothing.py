"""Claim 8: how much a player must buffer, on a good line and on a bad one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random
from statistics import median

from gateway.bench.compare.claims.first_byte import unpaced
from gateway.bench.compare.lab import LEAD_IN_S, Lab
from gateway.bench.compare.question import Question
from gateway.bench.compare.results import Chart, Judgement, Line, Verdict
from gateway.bench.compare.samples import Sample, figures, is_below, told
from gateway.bench.instruments.http import HttpClient
from gateway.bench.instruments.playout import Arrival, play, start_with_prebuffer
from gateway.bench.instruments.timeline import Timeline, clock
from gateway.bench.instruments.utterance import Client
from gateway.bench.instruments.websocket import WebSocketClient
from gateway.bench.link import Conditions, Link, Stall
from gateway.bench.workload.corpus import load

BAD_LINE = Conditions(
    latency_s=0.04, jitter_s=0.08, bytes_per_s=57_600, stalls=(Stall(96_000, 0.25),)
)
"""Carries 1.2 times PCM at 24 kHz, and stands still once."""
LINES = {"good line": Conditions(), "bad line": BAD_LINE}
HTTP, SOCKET = "HTTP", "WebSocket"
REQUIRED = "required prebuffer B*"
CHUNK = "audio per chunk"
PREBUFFERS_MS = (0, 60, 100, 200, 300, 500)
CHUNKS = (2, 3)
CHARS = range(80, 111)
"""Of a turn: six or seven seconds."""


def stalls_with(prebuffer: str) -> str:
    """The name of the quantity."""
    return f"stalls per utterance, prebuffer {prebuffer}"


async def measure(lab: Lab, chance: Random) -> Sample:
    """The same turns on both lines, over both protocols at once; each connection has the line for itself."""
    lines = [line.text for line in load(["en"]) if len(line.text) in CHARS]
    texts = chance.choices(lines, k=lab.plan.streams)
    sample: Sample = {}
    for line, conditions in LINES.items():
        seed = chance.randrange(1 << 32)
        async with Link(lab.target.host, lab.target.port, down=conditions, seed=seed) as link:
            address = f"127.0.0.1:{link.port}/v1/speech"
            clients: dict[str, list[Client]] = {
                HTTP: [HttpClient(f"http://{address}") for _ in texts],
                SOCKET: [WebSocketClient(f"ws://{address}") for _ in texts],
            }
            begin = clock() + LEAD_IN_S
            timelines = await lab.at_once(
                [
                    partial(client.speak, unpaced(lab, text), begin)
                    for of_way in clients.values()
                    for client, text in zip(of_way, texts, strict=True)
                ]
            )
            for of_way in clients.values():
                for client in of_way:
                    client.close()
        for number, way in enumerate(clients):
            for timeline in timelines[number * len(texts) :][: len(texts)]:
                for metrics in lab.judge([timeline]):
                    assert metrics.playout is not None
                    name = f"{way}, {line}"
                    required = metrics.playout.required_delay_s
                    sample.setdefault((name, REQUIRED), []).append(required)
                    _add_stalls(sample, name, timeline)
    return sample


def _add_stalls(sample: Sample, name: str, timeline: Timeline) -> None:
    arrivals = [Arrival(p.at, timeline.duration_s(p)) for p in timeline.payloads]
    chunk_s = median(arrival.duration for arrival in arrivals)
    sample.setdefault((name, CHUNK), []).append(chunk_s)
    prebuffers = {f"{ms} ms": ms / 1_000 for ms in PREBUFFERS_MS}
    prebuffers |= {f"{n} chunks": n * chunk_s for n in CHUNKS}
    for prebuffer, seconds in prebuffers.items():
        start = start_with_prebuffer(arrivals, seconds, timeline.finished)
        stalls = len(play(arrivals, start).stalls)
        sample.setdefault((name, stalls_with(prebuffer)), []).append(float(stalls))


def judge(repeats: Sequence[Sample]) -> Judgement:
    """On the bad line, means of stalls with three chunks against none; on the good one, whether there is any need."""
    required, chunk = figures(repeats, REQUIRED), figures(repeats, CHUNK)
    shown = [*required.values(), *chunk.values()]
    ways = [f"{way}, {line}" for way in (HTTP, SOCKET) for line in LINES]
    if not required.keys() >= set(ways):
        return Judgement(Verdict.UNDECIDED, "Not all lines were measured.", shown)
    told_stalls, without, with_chunks = [], [], []
    for way in ways:
        none, three = _mean(repeats, way, "0 ms"), _mean(repeats, way, "3 chunks")
        two = _mean(repeats, way, "2 chunks")
        told_stalls.append(f"{way}: {none:.2f} → {two:.2f} → {three:.2f}")
        without.append(none)
        with_chunks.append(three)
    said = (
        "Stalls per utterance without prebuffer → with 2 → with 3 chunks: "
        f"{'; '.join(told_stalls)}. Required: "
        + "; ".join(f"{way} {told(required[way])}" for way in ways)
        + "."
    )
    bad = [number for number, way in enumerate(ways) if way.endswith("bad line")]
    good = [number for number, way in enumerate(ways) if not way.endswith("bad line")]
    eased = all(with_chunks[number] < without[number] / 2 for number in bad)
    if not any(without):
        verdict = Verdict.UNDECIDED
        said += " Nothing stalled, so there was nothing to smooth."
    elif eased and not any(without[number] for number in good):
        verdict = Verdict.HOLDS_WHEN
        said += " It holds when the line is bad; on a good one nothing stalls."
    elif eased:
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.DOES_NOT_HOLD
        enough = _enough(repeats, [ways[number] for number in bad])
        said += (
            f" What counts is time and not chunks: it takes {enough} ms to halve the stalls of both protocols."
            if enough
            else " No prebuffer that was tried halves the stalls of both protocols."
        )
    if is_below(required[f"{HTTP}, good line"], required[f"{HTTP}, bad line"]):
        said += " The bad line is what needs the buffer."
    lines = [
        Line(
            way,
            [float(ms) for ms in PREBUFFERS_MS],
            [_mean(repeats, way, f"{ms} ms") for ms in PREBUFFERS_MS],
        )
        for way in ways
    ]
    charts = [
        Chart("Stalls per utterance by prebuffer", "prebuffer in ms", "stalls", lines=lines),
        Chart("Required prebuffer B*", "ms", quantity=REQUIRED),
    ]
    return Judgement(verdict, said, shown, charts)


def _mean(repeats: Sequence[Sample], way: str, prebuffer: str) -> float:
    values = [v for sample in repeats for v in sample.get((way, stalls_with(prebuffer)), [])]
    return sum(values) / len(values) if values else 0.0


def _enough(repeats: Sequence[Sample], ways: Sequence[str]) -> int | None:
    """The smallest prebuffer in milliseconds that halves the stalls of all ways."""
    return next(
        (
            ms
            for ms in PREBUFFERS_MS
            if all(_mean(repeats, w, f"{ms} ms") <= _mean(repeats, w, "0 ms") / 2 for w in ways)
        ),
        None,
    )


QUESTION = Question(
    8,
    "Buffering two or three chunks smooths playback.",
    "Best practices of hosted services (YourVoic: buffer 2-3 chunks before playing).",
    "Turns over both protocols, sent as fast as the line takes them: a good line (a relay that changes nothing) and a bad one "
    "(40 to 120 ms of delay, 57.6 kB/s for 48 kB/s of audio, one standstill of 250 ms). A player that waits for so much "
    "audio is computed from the arrivals; B* is the smallest delay after the first piece with which it never stalls. A chunk "
    "is the median piece as it was read. It holds if three chunks halve the stalls.",
    measure,
    judge,
)
