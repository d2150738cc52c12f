"""Claims 4 and 5: text that a language model is still writing, over both protocols and with other buffering."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random

from gateway.bench.compare.lab import LEAD_IN_S, Lab
from gateway.bench.compare.question import Question
from gateway.bench.compare.results import Chart, Figure, Judgement, Verdict
from gateway.bench.compare.samples import Sample, figures, is_below, told
from gateway.bench.ftts import answers_of_the_corpus
from gateway.bench.instruments.timeline import Timeline, clock
from gateway.bench.instruments.utterance import Client, Utterance, whole
from gateway.bench.workload.drive import speak_in_requests
from gateway.bench.workload.tokens import Gather, Pause, tokens, trickled

SOCKET = "WebSocket"
HTTP_WAYS = {
    "HTTP, all text": Gather.ALL,
    "HTTP, a POST per sentence": Gather.SENTENCE,
    "HTTP, a POST per clause": Gather.CLAUSE,
}
PAUSED_RATE = 70.0
SPREAD_S = 0.5
"""Answers of a batch begin within so long, so that they are not in each other's way."""

PIECE = "characters per segment"
FIRST_PIECE = "characters of the first segment"
FTTS = "first token to speech"
BUFFERING_RATE = 20.0
LATENCY, BALANCED, QUALITY = "latency", "balanced", "quality"
LARGE_FIRST = "balanced, first_chars_min 120"
LARGE_LATER = "balanced, min_chars 200"
IMPATIENT = "quality, max_delay_ms 300"
PATIENT = "quality, max_delay_ms 5000"
SETTINGS: dict[str, dict[str, object]] = {
    LATENCY: {"preset": "latency"},
    BALANCED: {"preset": "balanced"},
    QUALITY: {"preset": "quality"},
    LARGE_FIRST: {"preset": "balanced", "first_chars_min": 120, "first_chars_max": 150},
    LARGE_LATER: {"preset": "balanced", "min_chars": 200},
    IMPATIENT: {"preset": "quality", "max_delay_ms": 300},
    PATIENT: {"preset": "quality", "max_delay_ms": 5_000},
}


def scenarios(lab: Lab) -> dict[str, tuple[float, float]]:
    """By name: the rate, and how long the model pauses in the middle."""
    plain = {f"{rate:g} tokens/s": (rate, 0.0) for rate in lab.plan.tokens_per_s}
    return {**plain, f"{PAUSED_RATE:g} tokens/s, pause": (PAUSED_RATE, lab.plan.pause_s)}


async def _warm(lab: Lab, clients: Sequence[Client]) -> None:
    for client in clients:
        await client.speak(whole("Hello.", model=lab.plan.model), clock())


async def measure(lab: Lab, chance: Random) -> Sample:
    """The same answers in all ways, begun within half a second of each other; one rate after the other."""
    answers = chance.sample(answers_of_the_corpus(), k=lab.plan.answers)
    ways = (SOCKET, *HTTP_WAYS)
    clients: dict[str, list[Client]] = {
        way: [lab.websocket() if way == SOCKET else lab.http() for _ in answers] for way in ways
    }
    for of_way in clients.values():
        await _warm(lab, of_way)
    sample: Sample = {}
    for scenario, (rate, pause_s) in scenarios(lab).items():
        speaks = []
        begin = clock() + LEAD_IN_S
        for number, answer in enumerate(answers):
            pause = [Pause(len(tokens(answer.text)) // 2, pause_s)] if pause_s else []
            utterance = Utterance(
                trickled(answer.text, rate, pause),
                parameters={"model": lab.plan.model, "language": answer.lang, "lead_ms": None},
            )
            intended = begin + chance.uniform(0.0, SPREAD_S)
            speaks += [
                partial(_speak, clients[way][number], utterance, intended, way) for way in ways
            ]
        timelines = await lab.at_once(speaks)
        for first in range(0, len(timelines), len(ways)):
            heard = {
                way: metrics.ftts_s
                for way, timeline in zip(ways, timelines[first:], strict=False)
                for metrics in lab.judge([timeline])
                if metrics.ftts_s is not None
            }
            for way, ftts_s in heard.items():
                sample.setdefault((way, scenario), []).append(ftts_s)
                if way in HTTP_WAYS and SOCKET in heard:
                    later = sample.setdefault((way, later_at(scenario)), [])
                    later.append(ftts_s - heard[SOCKET])
    for of_way in clients.values():
        for client in of_way:
            client.close()
    return sample


async def _speak(client: Client, utterance: Utterance, intended: float, way: str) -> Timeline:
    if way == SOCKET:
        return await client.speak(utterance, intended)
    return await speak_in_requests(client, utterance, intended, HTTP_WAYS[way])


def judge(repeats: Sequence[Sample]) -> Judgement:
    """At each rate, how much later each way over HTTP is with the same answer; the soonest of them decides."""
    rates = [rate for rate in _quantities(repeats) if later_at(rate) in _quantities(repeats)]
    shown: list[Figure] = []
    said: list[str] = []
    won: list[tuple[str, str]] = []
    lost: list[tuple[str, str]] = []
    for rate in rates:
        later = figures(repeats, later_at(rate))
        shown += [*figures(repeats, rate).values(), *later.values()]
        said.append(f"{rate}: " + ", ".join(f"{way} {told(one)}" for way, one in later.items()))
        won += [(rate, way) for way, one in later.items() if one.low > 0]
        lost += [(rate, way) for way, one in later.items() if one.high < 0]
    answer = f"Later than WebSocket with the same answer, at {'; at '.join(said)}."
    every = [(rate, way) for rate in rates for way in HTTP_WAYS]
    if not rates:
        return Judgement(Verdict.UNDECIDED, "Nothing was measured.")
    if won == every:
        verdict = Verdict.HOLDS
    elif won:
        verdict = Verdict.HOLDS_WHEN
        against = [way for way in HTTP_WAYS if all((rate, way) in won for rate in rates)]
        sooner = [way for way in HTTP_WAYS if any((rate, way) in lost for rate in rates)]
        answer += f" It holds at every rate against: {', '.join(against) or 'none of them'}."
        if sooner:
            answer += f" Sooner than WebSocket at some rate: {', '.join(sooner)}."
    elif lost:
        verdict = Verdict.DOES_NOT_HOLD
    else:
        verdict = Verdict.UNDECIDED
    charts = [Chart(f"First token to speech at {rate}", "ms", quantity=rate) for rate in rates]
    return Judgement(verdict, answer, shown, charts)


def later_at(rate: str) -> str:
    """The name of the quantity."""
    return f"later than WebSocket at {rate}"


def _quantities(repeats: Sequence[Sample]) -> list[str]:
    return list(dict.fromkeys(quantity for sample in repeats for _, quantity in sample))


QUESTION = Question(
    4,
    "With text that a model is still writing, WebSocket speaks sooner.",
    "The reason for WebSocket in every guide: incremental text.",
    "Answers of about 77 words in five languages, written token by token at 20, 70 and 150 tokens/s, and at 70 with a pause "
    "in the middle. Over WebSocket each token leaves as it comes; over HTTP a client waits for all of them, for a sentence, "
    "or for a clause, and makes one request after the other. All connections are kept ones. From the first token to the "
    "first audible sample, the differences taken answer by answer. WebSocket must beat all three. How the pieces then sound, "
    "each spoken without its neighbours, is not judged.",
    measure,
    judge,
)


async def measure_buffering(lab: Lab, chance: Random) -> Sample:
    """The same answers with all settings at once, at a rate that leaves something to wait for."""
    answers = chance.sample(answers_of_the_corpus(), k=lab.plan.answers)
    clients: dict[str, list[Client]] = {way: [lab.websocket() for _ in answers] for way in SETTINGS}
    for of_way in clients.values():
        await _warm(lab, of_way)
    speaks = []
    begin = clock() + LEAD_IN_S
    for number, answer in enumerate(answers):
        intended = begin + chance.uniform(0.0, SPREAD_S)
        for way, buffering in SETTINGS.items():
            utterance = Utterance(
                trickled(answer.text, BUFFERING_RATE),
                parameters={
                    "model": lab.plan.model,
                    "language": answer.lang,
                    "lead_ms": None,
                    "buffering": buffering,
                },
            )
            speaks.append(partial(clients[way][number].speak, utterance, intended))
    timelines = await lab.at_once(speaks)
    sample: Sample = {}
    for number, way in enumerate(SETTINGS):
        of_setting = timelines[number :: len(SETTINGS)]
        metrics = lab.judge(of_setting)
        sizes = [_sizes(timeline) for timeline in of_setting if timeline.trouble is None]
        sample[way, FTTS] = [m.ftts_s for m in metrics if m.ftts_s is not None]
        sample[way, FIRST_PIECE] = [float(found[0]) for found in sizes if found]
        sample[way, PIECE] = [float(size) for found in sizes for size in found]
        for client in clients[way]:
            client.close()
    return sample


def _sizes(timeline: Timeline) -> list[int]:
    sizes = []
    for message in timeline.messages("segment"):
        start, end = message.fields.get("text_start"), message.fields.get("text_end")
        if isinstance(start, int) and isinstance(end, int):
            sizes.append(end - start)
    return sizes


def judge_buffering(repeats: Sequence[Sample]) -> Judgement:
    """Each control by itself: the setting that should be sooner or smaller, against the one that should not."""
    ftts = figures(repeats, FTTS)
    first = figures(repeats, FIRST_PIECE, "characters", 1.0)
    piece = figures(repeats, PIECE, "characters", 1.0)
    shown = [*ftts.values(), *first.values(), *piece.values()]
    controls = (
        ("the preset moves the first audio", ftts, LATENCY, QUALITY),
        ("the preset moves the size of segments", piece, LATENCY, QUALITY),
        ("first_chars_min moves the first audio", ftts, BALANCED, LARGE_FIRST),
        ("min_chars moves the size of segments", piece, BALANCED, LARGE_LATER),
        ("max_delay_ms moves the first audio", ftts, IMPATIENT, PATIENT),
    )
    if any(way not in found for _, found, *ways in controls for way in ways):
        return Judgement(Verdict.UNDECIDED, "Not all settings were measured.", shown)
    works: list[str] = []
    fails: list[str] = []
    for name, found, small, large in controls:
        said = f"{name} ({small}: {told(found[small])}; {large}: {told(found[large])})"
        (works if is_below(found[small], found[large]) else fails).append(said)
    reversed_ = any(is_below(found[large], found[small]) for _, found, small, large in controls)
    answer = ". ".join(
        [
            f"Shown: {'; '.join(works)}" if works else "",
            f"Not shown: {'; '.join(fails)}" if fails else "",
        ]
    ).strip(". ")
    if not fails:
        verdict = Verdict.HOLDS
    elif works:
        verdict = Verdict.HOLDS_WHEN
    else:
        verdict = Verdict.DOES_NOT_HOLD if reversed_ else Verdict.UNDECIDED
    charts = [
        Chart("First token to speech by buffering", "ms", quantity=FTTS),
        Chart("Size of segments by buffering", "characters", quantity=PIECE),
    ]
    return Judgement(verdict, f"{answer}.", shown, charts)


BUFFERING = Question(
    5,
    "Flush and buffer control trades the first audio against the size of what is spoken at once.",
    "Guides of hosted services (Sarvam: buffer and flush control over WebSocket only).",
    f"Answers written at {BUFFERING_RATE:g} tokens/s over WebSocket, with presets, minimum sizes and maximum delays. From the "
    "first token to the first audible sample, and the length of the segments. Each control must move its figure beyond the "
    "intervals.",
    measure_buffering,
    judge_buffering,
)
