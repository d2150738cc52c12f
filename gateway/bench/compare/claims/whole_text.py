"""Claim 3: with a complete text, HTTP against WebSocket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from statistics import fmean

from gateway.bench.compare.lab import Lab
from gateway.bench.compare.question import Question
from gateway.bench.compare.results import Chart, Judgement, Verdict
from gateway.bench.compare.samples import Sample, figures, slack, told, total
from gateway.bench.instruments.metrics import Completeness
from gateway.bench.instruments.timeline import Timeline, clock
from gateway.bench.workload.corpus import load

TTFA = "time to first audible sample"
LAST = "time to last audio"
SAME, PAIRS = "same audio", "pairs"
COMPLETE = "complete utterances"
LATER = "HTTP later than WebSocket"
HTTP, SOCKET = "HTTP", "WebSocket"


async def measure(lab: Lab, chance: Random) -> Sample:
    """Turns of all languages over both, in turn, on kept connections."""
    lines = chance.sample(load(), k=min(lab.plan.texts, len(load())))
    sample: Sample = {(way, PAIRS): [0.0] for way in (SAME, HTTP)}
    async with lab.clients({HTTP: lab.http, SOCKET: lab.websocket}) as clients:
        for line in lines:
            utterance = lab.unpaced(line.text, line.language)
            spoken = {
                way: await clients[way].speak(utterance, clock())
                for way in chance.sample(list(clients), k=len(clients))
            }
            _compare(lab, spoken, sample)
    return sample


def _compare(lab: Lab, spoken: Mapping[str, Timeline], sample: Sample) -> None:
    """Add one text to the sample: whether it was complete in each way and, if it went well in both, how they differ."""
    announced = spoken[SOCKET].announced
    judged = {way: lab.judge([timeline]) for way, timeline in spoken.items()}
    for way, found in judged.items():
        if announced is None and way == HTTP:
            continue  # Nobody says how long it should be.
        is_whole = [
            m.completeness is not None and is_complete(m.completeness, announced) for m in found
        ]
        sample.setdefault((way, COMPLETE), []).append(float(is_whole == [True]))
    if not all(judged.values()):
        return
    for way, (metrics,) in judged.items():
        assert metrics.ttfa_s is not None
        sample.setdefault((way, TTFA), []).append(metrics.ttfa_s)
        last = spoken[way].payloads[-1].at - spoken[way].intended
        sample.setdefault((way, LAST), []).append(last)
    for what in (TTFA, LAST):
        later = sample[HTTP, what][-1] - sample[SOCKET, what][-1]
        sample.setdefault((LATER, what), []).append(later)
    sample[HTTP, PAIRS][0] += 1
    sample[SAME, PAIRS][0] += _audio(spoken[HTTP]) == _audio(spoken[SOCKET])


def is_complete(found: Completeness, announced: int | None) -> bool:
    """Whether all text is accounted for, and announced = received = decoded. `announced` is what the WebSocket said the
    same text has, for HTTP, which has no word for it."""
    return found.is_complete and found.decoded == announced


def _audio(timeline: Timeline) -> bytes:
    return b"".join(payload.data for payload in timeline.payloads)


def judge(repeats: Sequence[Sample]) -> Judgement:
    """HTTP may be later by 2 ms or 5 % in both times, and every sample must be the same."""
    first, last = figures(repeats, TTFA), figures(repeats, LAST)
    complete = figures(repeats, COMPLETE, "%", 100.0, statistic=fmean)
    shown = [*first.values(), *last.values(), *complete.values()]
    if not (LATER in first and LATER in last):
        return Judgement(Verdict.UNDECIDED, "Not both protocols were measured.", shown)
    same, pairs = total(repeats, SAME, PAIRS), total(repeats, HTTP, PAIRS)
    said = (
        f"HTTP is later with the first audible sample by {told(first[LATER])}, with the last audio by "
        f"{told(last[LATER])}. The audio was the same, byte for byte, in {same:.0f} of {pairs:.0f} pairs. Complete: "
        + ", ".join(f"{way} {one.value:.0f} %" for way, one in complete.items())
        + "."
    )
    allowed = [slack(by_way[SOCKET]) for by_way in (first, last)]
    is_whole = all(one.value == 100.0 for one in complete.values())
    level = [by_way[LATER].high <= ms for by_way, ms in zip((first, last), allowed, strict=True)]
    later = [by_way[LATER].low > ms for by_way, ms in zip((first, last), allowed, strict=True)]
    if same < pairs or all(later) or not is_whole:
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
    "To the first audible sample and to the last audio, the differences taken text by text; whether every sample and every "
    "character is there, and whether the samples are the same.",
    "It holds if HTTP is later by at most 2 ms or 5 % in both times, everything is complete and the audio the same; it holds "
    "when only the beginning counts if the end alone is later by more; it does not hold if both are, or if anything is "
    "missing or differs.",
    measure,
    judge,
)
