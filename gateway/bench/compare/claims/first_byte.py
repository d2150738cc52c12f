"""Claims 1 and 2: the time to the first byte, by connection and by length of the text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from random import Random

from gateway.bench.compare.lab import Lab
from gateway.bench.compare.question import Question
from gateway.bench.compare.results import Chart, Judgement, Line, Verdict
from gateway.bench.compare.samples import (
    Sample,
    figure,
    figures,
    is_no_more_than,
    told,
)
from gateway.bench.instruments.utterance import Client
from gateway.bench.workload.corpus import load

TTFB = "time to first byte"
LATER = "later than warm WebSocket"
SHORT_CHARS = 90
COLD, KEPT = "HTTP, new connection", "HTTP, kept connection"
OPENED, WARM = "WebSocket, first utterance", "WebSocket, later utterances"
POSITIONS = (2, 5, 10, 20, 40, 70)
"""Which utterance of a connection the chart shows; each stands for those since the one before."""
WORDS = (8, 16, 32, 64, 128, 256, 512)
SLACK_S = 0.002
SLACK_SHARE = 0.25


async def measure_successive(lab: Lab, chance: Random) -> Sample:
    """Each text in three ways, in shuffled order, so that whatever else the machine does befalls all alike."""
    short = [line for line in load(["en"]) if len(line.text) < SHORT_CHARS]
    clients: dict[str, Client] = {COLD: lab.http(), KEPT: lab.http(), WARM: lab.websocket()}
    sample: Sample = {(way, TTFB): [] for way in (COLD, KEPT, OPENED, WARM)}
    sample[COLD, LATER] = []
    sample[KEPT, LATER] = []
    await lab.in_turn(clients[KEPT], [lab.unpaced("Hello.")])
    for number, line in enumerate(chance.choices(short, k=lab.plan.utterances)):
        heard: dict[str, float] = {}
        for way in chance.sample(list(clients), k=len(clients)):
            for metrics in await lab.in_turn(
                clients[way], [lab.unpaced(line.text)], cold=way == COLD
            ):
                assert metrics.ttfb_s is not None
                heard[OPENED if way == WARM and not number else way] = metrics.ttfb_s
        for way, value in heard.items():
            sample[way, TTFB].append(value)
        for way in (COLD, KEPT):
            if heard.keys() >= {way, WARM}:
                sample[way, LATER].append(heard[way] - heard[WARM])
    for client in clients.values():
        client.close()
    return sample


def judge_successive(repeats: Sequence[Sample]) -> Judgement:
    """By how much later HTTP was with the same text."""
    found, later = figures(repeats, TTFB), figures(repeats, LATER)
    shown = [*found.values(), *later.values()]
    if not later.keys() >= {COLD, KEPT}:
        return Judgement(Verdict.UNDECIDED, "Not all ways were measured.", shown)
    said = (
        f"With the same text, HTTP is later than a warm WebSocket by {told(later[KEPT])} on a kept "
        f"connection and by {told(later[COLD])} on a new one."
    )
    match later[COLD].low > 0, later[KEPT].low > 0:
        case True, True:
            verdict = Verdict.HOLDS
        case True, False:
            verdict = Verdict.HOLDS_WHEN
            said += (
                " It holds when HTTP connects anew each time, and not against a kept connection."
            )
        case False, True:
            verdict = Verdict.HOLDS_WHEN
            said += " It holds against a kept connection only."
        case _:
            verdict = Verdict.UNDECIDED
    if max(later[COLD].high, later[KEPT].high) < 0:
        verdict = Verdict.DOES_NOT_HOLD
    charts = [Chart("Time to first byte by connection", "ms", quantity=TTFB)]
    if line := _by_position(repeats):
        charts.append(
            Chart("Time to first byte on one WebSocket", "utterance no.", "ms", lines=[line])
        )
    return Judgement(verdict, said, shown, charts)


def _by_position(repeats: Sequence[Sample]) -> Line | None:
    """Later utterances, in groups up to each position; a failed one shifts those behind it by one."""
    shown = []
    before = 1
    for position in POSITIONS:
        group = [
            {(WARM, TTFB): sample.get((WARM, TTFB), [])[before - 1 : position - 1]}
            for sample in repeats
        ]
        before = position
        if (one := figure(group, WARM, TTFB)) is not None:
            shown.append((float(position), one))
    if not shown:
        return None
    return Line(
        "WebSocket",
        [x for x, _ in shown],
        [one.value for _, one in shown],
        [one.low for _, one in shown],
        [one.high for _, one in shown],
    )


SUCCESSIVE = Question(
    1,
    "WebSocket has the lower time to first byte on successive utterances.",
    "Guides of hosted services that offer both (Sarvam: lowest on a warm connection).",
    "Short English turns, one after the other, each in three ways in shuffled order: HTTP with a new connection for each, HTTP on one kept "
    "connection, one context after the other on one WebSocket. From the intended start to the first byte of audio; for a "
    "new connection this includes connecting. Differences are taken text by text.",
    "It holds if HTTP is later on new and on kept connections, by the interval of the differences; it holds when only on one "
    "of them; it does not hold if it is sooner on both.",
    measure_successive,
    judge_successive,
)


async def measure_length(lab: Lab, chance: Random) -> Sample:
    """One beginning, ever longer; the lengths in shuffled order."""
    words = " ".join(line.text for line in load(["en"])).split()
    texts = {f"{n} words": " ".join(words[:n]) + "." for n in WORDS}
    order = [way for way in texts for _ in range(lab.plan.per_length)]
    chance.shuffle(order)
    sample: Sample = {(way, TTFB): [] for way in texts}
    async with lab.clients({KEPT: lab.http}) as clients:
        for way in order:
            for metrics in await lab.in_turn(clients[KEPT], [lab.unpaced(texts[way])]):
                assert metrics.ttfb_s is not None
                sample[way, TTFB].append(metrics.ttfb_s)
    return sample


def judge_length(repeats: Sequence[Sample]) -> Judgement:
    """The longest text against the shortest, with a margin of 2 ms or a quarter."""
    ways = [f"{n} words" for n in WORDS]
    found = figures(repeats, TTFB, ways=ways)
    if len(found) < len(ways):
        return Judgement(Verdict.UNDECIDED, "Not all lengths were measured.", list(found.values()))
    shown = list(found.values())
    shortest, longest = shown[0], shown[-1]
    margin = max(SLACK_S * 1e3, SLACK_SHARE * shortest.value)
    said = f"{ways[0]}: {told(shortest)}; {ways[-1]}: {told(longest)}."
    same = list(takewhile(lambda one: is_no_more_than(one, shortest, margin), shown[1:]))
    if len(same) == len(shown) - 1:
        verdict = Verdict.HOLDS
    elif same:
        verdict = Verdict.HOLDS_WHEN
        said += (
            f" It holds when the text has no more than {same[-1].way}; beyond that it is not shown."
        )
    elif longest.low - shortest.high > margin:
        verdict = Verdict.DOES_NOT_HOLD
    else:
        verdict = Verdict.UNDECIDED
    line = Line(
        "HTTP, kept connection",
        [float(n) for n in WORDS],
        [one.value for one in shown],
        [one.low for one in shown],
        [one.high for one in shown],
    )
    chart = Chart("Time to first byte by length", "words", "ms", lines=[line], is_log=True)
    return Judgement(verdict, said, shown, [chart])


LENGTH = Question(
    2,
    "HTTP starts as soon as the first chunk is ready, whatever the length of the text.",
    "Guides of hosted services (Sarvam: the stream begins when the first chunk is ready).",
    f"One English text cut after {WORDS[0]} to {WORDS[-1]} words, each asked for several times in shuffled order on one kept "
    "connection. From the intended start to the first byte of audio.",
    "It holds if no length exceeds the shortest by more than 2 ms or a quarter, the intervals included; it holds "
    "when the text is no longer than the first ones that do not; it does not hold if the second already does and the longest "
    "is clear of that.",
    measure_length,
    judge_length,
)
