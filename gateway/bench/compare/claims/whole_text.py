"""Claim 3: with a complete text, HTTP against WebSocket."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from gateway.bench.compare.claims.first_byte import unpaced
from gateway.bench.compare.lab import Lab
from gateway.bench.compare.question import Question
from gateway.bench.compare.results import Chart, Judgement, Verdict
from gateway.bench.compare.samples import Sample, figures, told, total
from gateway.bench.instruments.timeline import Timeline, clock
from gateway.bench.workload.corpus import load

TTFA = "time to first audible sample"
LAST = "time to last audio"
SAME, PAIRS = "same audio", "pairs"
LATER = "HTTP later than WebSocket"
HTTP, SOCKET = "HTTP", "WebSocket"
SLACK_MS = 2.0
SLACK_SHARE = 0.05


async def measure(lab: Lab, chance: Random) -> Sample:
    """Turns of all languages over both, in turn, on kept connections."""
    lines = chance.sample(load(), k=min(lab.plan.texts, len(load())))
    clients = {HTTP: lab.http(), SOCKET: lab.websocket()}
    ways = (HTTP, SOCKET, LATER)
    sample: Sample = {(way, what): [] for way in ways for what in (TTFA, LAST)}
    for client in clients.values():
        await client.speak(unpaced(lab, "Hello."), clock())
    same = pairs = 0
    for line in lines:
        utterance = unpaced(lab, line.text, line.language)
        spoken: dict[str, Timeline] = {}
        for way in chance.sample(list(clients), k=len(clients)):
            spoken[way] = await clients[way].speak(utterance, clock())
        judged = {way: lab.judge([timeline]) for way, timeline in spoken.items()}
        if not all(judged.values()):
            continue
        for way, (metrics,) in judged.items():
            assert metrics.ttfa_s is not None
            sample[way, TTFA].append(metrics.ttfa_s)
            sample[way, LAST].append(spoken[way].payloads[-1].at - spoken[way].intended)
        for what in (TTFA, LAST):
            sample[LATER, what].append(sample[HTTP, what][-1] - sample[SOCKET, what][-1])
        pairs += 1
        same += _audio(spoken[HTTP]) == _audio(spoken[SOCKET])
    for client in clients.values():
        client.close()
    sample[SAME, PAIRS] = [float(same)]
    sample[HTTP, PAIRS] = [float(pairs)]
    return sample


def _audio(timeline: Timeline) -> bytes:
    return b"".join(payload.data for payload in timeline.payloads)


def judge(repeats: Sequence[Sample]) -> Judgement:
    """HTTP may be later by 2 ms or 5 % in both times, and every sample must be the same."""
    first, last = figures(repeats, TTFA), figures(repeats, LAST)
    shown = [*first.values(), *last.values()]
    if not (LATER in first and LATER in last):
        return Judgement(Verdict.UNDECIDED, "Not both protocols were measured.", shown)
    same, pairs = total(repeats, SAME, PAIRS), total(repeats, HTTP, PAIRS)
    said = (
        f"HTTP is later with the first audible sample by {told(first[LATER])}, with the last audio by "
        f"{told(last[LATER])}. The audio was the same, byte for byte, in {same:.0f} of {pairs:.0f} pairs."
    )
    allowed = [max(SLACK_MS, SLACK_SHARE * by_way[SOCKET].value) for by_way in (first, last)]
    level = [by_way[LATER].high <= ms for by_way, ms in zip((first, last), allowed, strict=True)]
    later = [by_way[LATER].low > ms for by_way, ms in zip((first, last), allowed, strict=True)]
    if same < pairs or all(later):
        verdict = Verdict.DOES_NOT_HOLD
    elif all(level):
        verdict = Verdict.HOLDS
    elif level[0] and later[1]:
        verdict = Verdict.HOLDS_WHEN
        said += " It holds when the beginning counts and not the end."
    else:
        verdict = Verdict.UNDECIDED
    charts = [
        Chart("Complete text: first audible sample", "ms", quantity=TTFA),
        Chart("Complete text: last audio", "ms", quantity=LAST),
    ]
    return Judgement(verdict, said, shown, charts)


QUESTION = Question(
    3,
    "With a complete text, HTTP loses nothing.",
    "The other side of the trade-off: one request, one stream, simplest.",
    "Turns of agents in five languages, each over both protocols in shuffled order, on kept connections, as fast as they can be sent. "
    "It holds if HTTP is at most 2 ms or 5 % later with the first audible sample and with the last audio, and all samples "
    "are the same.",
    measure,
    judge,
)
