"""Claim 8: how much a player must buffer, on a good line and on a bad one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from random import Random
from statistics import fmean

from gateway.bench.compare.lab import LEAD_IN_S, Lab
from gateway.bench.compare.question import Question
from gateway.bench.compare.results import Chart, Figure, Judgement, Line, Verdict
from gateway.bench.compare.samples import Sample, figures, is_below, told
from gateway.bench.instruments.http import HttpClient
from gateway.bench.instruments.playout import (
    Arrival,
    cadence_errors,
    play,
    regrouped,
    required_delay,
    start_with_prebuffer,
)
from gateway.bench.instruments.timeline import SAMPLE_BYTES, Timeline, clock
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
CHUNK_MS = 200
CADENCE = "cadence error"
LEAD_MS = 600_000
"""Longer than any text: nothing is held back, and frames are as long as to a listener, not as to a download."""
PREBUFFERS_MS = (0, 60, 100, 200, 300, 500)
CHUNKS = (2, 3)
CHARS = range(60, 91)
"""Of a turn: five or six seconds."""


def prebuffers_s() -> dict[str, float]:
    """All prebuffers that are tried, in seconds of audio, by name."""
    of_time = {f"{ms} ms": ms / 1_000 for ms in PREBUFFERS_MS}
    return of_time | {f"{n} chunks": n * CHUNK_MS / 1_000 for n in CHUNKS}


def stalls_with(prebuffer: str) -> str:
    """The name of the quantity."""
    return f"stalls per utterance, prebuffer {prebuffer}"


async def measure(lab: Lab, chance: Random) -> Sample:
    """The same turns on both lines, over both protocols at once; each connection has the line for itself."""
    lines = [line.text for line in load(["en"]) if len(line.text) in CHARS]
    texts = chance.choices(lines, k=lab.plan.streams)
    headers = lab.target.headers
    sample: Sample = {}
    for line, conditions in LINES.items():
        seed = chance.randrange(1 << 32)
        async with Link(lab.target.host, lab.target.port, down=conditions, seed=seed) as link:
            address = f"127.0.0.1:{link.port}/v1/speech"
            clients: dict[str, list[Client]] = {
                HTTP: [HttpClient(f"http://{address}", headers=headers) for _ in texts],
                SOCKET: [WebSocketClient(f"ws://{address}", headers=headers) for _ in texts],
            }
            begin = clock() + LEAD_IN_S
            timelines = await lab.at_once(
                [
                    partial(client.speak, lab.unpaced(text, parameters={"lead_ms": LEAD_MS}), begin)
                    for of_way in clients.values()
                    for client, text in zip(of_way, texts, strict=True)
                ]
            )
            for of_way in clients.values():
                for client in of_way:
                    client.close()
        for by_http, by_socket in zip(timelines, timelines[len(texts) :], strict=False):
            if not all(lab.judge([timeline]) for timeline in (by_http, by_socket)):
                continue
            frames = [len(payload.data) for payload in by_socket.payloads]
            for way, timeline in ((HTTP, by_http), (SOCKET, by_socket)):
                add_stalls(sample, f"{way}, {line}", pieces(timeline, frames), timeline.finished)
    return sample


def pieces(timeline: Timeline, frames: Sequence[int]) -> list[Arrival]:
    """The audio in pieces of so many bytes, whatever it came in: a piece is there when its last byte is."""
    came = [Arrival(payload.at, len(payload.data)) for payload in timeline.payloads]
    bytes_per_s = SAMPLE_BYTES * timeline.form.sample_rate
    return [Arrival(at, size / bytes_per_s) for at, size in regrouped(came, frames)]


def add_stalls(
    sample: Sample, name: str, arrivals: Sequence[Arrival], finished: float | None
) -> None:
    """Add to the sample how these pieces would have played."""
    sample.setdefault((name, REQUIRED), []).append(required_delay(arrivals))
    sample.setdefault((name, CADENCE), []).extend(cadence_errors(arrivals))
    for prebuffer, seconds in prebuffers_s().items():
        start = start_with_prebuffer(arrivals, seconds, finished)
        stalls = len(play(arrivals, start).stalls)
        sample.setdefault((name, stalls_with(prebuffer)), []).append(float(stalls))


def judge(repeats: Sequence[Sample]) -> Judgement:
    """On the bad line, means of stalls with three chunks against none; on the good one, whether there is any need."""
    required, cadence = figures(repeats, REQUIRED), figures(repeats, CADENCE)
    stalls = {name: _stalls(repeats, name) for name in prebuffers_s()}
    told_of = [stalls[name] for name in ("0 ms", *(f"{n} chunks" for n in CHUNKS))]
    shown = [one for found in (required, cadence, *told_of) for one in found.values()]
    ways = [f"{way}, {line}" for way in (HTTP, SOCKET) for line in LINES]
    if not required.keys() >= set(ways):
        return Judgement(Verdict.UNDECIDED, "Not all lines were measured.", shown)
    none, three = stalls["0 ms"], stalls[f"{CHUNKS[-1]} chunks"]
    said = (
        "Stalls per utterance without prebuffer → with 2 → with 3 chunks: "
        + "; ".join(
            f"{way}: " + " → ".join(f"{found[way].value:.2f}" for found in told_of) for way in ways
        )
        + ". Required: "
        + "; ".join(f"{way} {told(required[way])}" for way in ways)
        + "."
    )
    bad = [way for way in ways if way.endswith("bad line")]
    good = [way for way in ways if way not in bad]
    if not any(none[way].value for way in ways):
        verdict = Verdict.UNDECIDED
        said += " Nothing stalled, so there was nothing to smooth."
    elif all(halves(none[way], three[way]) for way in bad):
        is_everywhere = all(none[way].low > 0 and halves(none[way], three[way]) for way in good)
        verdict = Verdict.HOLDS if is_everywhere else Verdict.HOLDS_WHEN
        if not is_everywhere:
            said += " It holds when the line is bad; on a good one it is not needed."
    elif any(three[way].low > none[way].high / 2 for way in bad):
        verdict = Verdict.DOES_NOT_HOLD
        enough = _enough(stalls, bad)
        said += (
            f" What counts is time and not chunks: it takes {enough} ms to halve the stalls of both protocols."
            if enough is not None
            else " No prebuffer that was tried halves the stalls of both protocols."
        )
    else:
        verdict = Verdict.UNDECIDED
    if is_below(required[f"{HTTP}, good line"], required[f"{HTTP}, bad line"]):
        said += " The bad line is what needs the buffer."
    charts = [
        Chart(
            "Stalls per utterance by prebuffer",
            "prebuffer in ms",
            "stalls",
            lines=[_line(stalls, way) for way in ways],
        ),
        Chart("Required prebuffer B*", "ms", quantity=REQUIRED),
    ]
    return Judgement(verdict, said, shown, charts)


def halves(without: Figure, with_chunks: Figure) -> bool:
    """Whether, by their intervals, the second is less than half of the first."""
    return with_chunks.high < without.low / 2


def _stalls(repeats: Sequence[Sample], prebuffer: str) -> dict[str, Figure]:
    """Means: most utterances stall once or not at all, and a median of that says nothing."""
    return figures(repeats, stalls_with(prebuffer), "stalls", 1.0, statistic=fmean)


def _line(stalls: Mapping[str, Mapping[str, Figure]], way: str) -> Line:
    found = [stalls[f"{ms} ms"][way] for ms in PREBUFFERS_MS]
    return Line(
        way,
        [float(ms) for ms in PREBUFFERS_MS],
        [one.value for one in found],
        [one.low for one in found],
        [one.high for one in found],
    )


def _enough(stalls: Mapping[str, Mapping[str, Figure]], ways: Sequence[str]) -> int | None:
    """The smallest prebuffer in milliseconds that halves the stalls of all ways."""
    none = stalls["0 ms"]
    return next(
        (
            ms
            for ms in PREBUFFERS_MS
            if all(halves(none[way], stalls[f"{ms} ms"][way]) for way in ways)
        ),
        None,
    )


QUESTION = Question(
    8,
    "Buffering two or three chunks smooths playback.",
    "Best practices of hosted services (YourVoic: buffer 2-3 chunks before playing).",
    "Turns over both protocols, sent as fast as the line takes them: a good line (a relay that changes nothing) and a bad one "
    "(40 to 120 ms of delay, 57.6 kB/s for 48 kB/s of audio, one standstill of 250 ms). Both are counted in the same pieces, "
    f"the frames of the WebSocket (the first of 60 ms, the others of {CHUNK_MS}): over HTTP a piece is there when its last byte is. "
    f"A chunk is {CHUNK_MS} ms. A player that waits for so much audio is computed from that; B* is the smallest delay after "
    "the first piece with which it never stalls.",
    "It holds if three chunks more than halve the mean of stalls on both lines over both protocols, the intervals included; it "
    "holds when the line is bad if only there; it does not hold if on the bad line, over one of the protocols, they "
    "certainly do not.",
    measure,
    judge,
)
