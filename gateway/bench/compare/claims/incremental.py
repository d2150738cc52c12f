"""Claims 4 and 5: text that a language model is still writing, over both protocols and with other buffering."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import partial
from itertools import chain, cycle, islice
from random import Random

from gateway.bench.compare.lab import LEAD_IN_S, Lab
from gateway.bench.compare.question import Question
from gateway.bench.compare.results import Chart, Figure, Judgement, Verdict
from gateway.bench.compare.samples import Sample, figures, is_below, told
from gateway.bench.ftts import Answer, answers_of_the_corpus
from gateway.bench.instruments.timeline import Timeline, clock
from gateway.bench.instruments.utterance import Client, Piece, Utterance
from gateway.bench.workload.corpus import load
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
COMMIT = "commit delay"
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

FLUSHED, UNFLUSHED = "unfinished clause, flushed", "unfinished clause, not flushed"
_UNFINISHED = re.compile(r"[^.,;:!?\u2013\u2014]{20,45}\s")
"""A beginning without any sign at which it could be cut, not so short that it is said in a moment."""
BUFFERED_WORDS = 30
"""Of an answer, which is enough for several pieces of every size."""


def scenarios(lab: Lab) -> dict[str, tuple[float, float]]:
    """By name: the rate, and how long the model pauses in the middle."""
    plain = {f"{rate:g} tokens/s": (rate, 0.0) for rate in lab.plan.tokens_per_s}
    return {**plain, f"{PAUSED_RATE:g} tokens/s, pause": (PAUSED_RATE, lab.plan.pause_s)}


async def measure(lab: Lab, chance: Random) -> Sample:
    """The same answers in all ways, begun within half a second of each other; the slowest rate takes as long as all
    others one after the other, and goes on beside them."""
    answers = chance.sample(answers_of_the_corpus(), k=lab.plan.answers)
    slowest, *others = scenarios(lab).items()
    sample: Sample = {}
    heard = await asyncio.gather(
        _one_after_the_other(lab, Random(chance.random()), [slowest], answers),
        _one_after_the_other(lab, Random(chance.random()), others, answers),
    )
    for scenario, spoken in chain.from_iterable(heard):
        _compare(lab, spoken, scenario, sample)
    return sample


async def _one_after_the_other(
    lab: Lab,
    chance: Random,
    scenarios: Sequence[tuple[str, tuple[float, float]]],
    answers: Sequence[Answer],
) -> list[tuple[str, dict[str, Timeline]]]:
    """For each scenario and answer, what was heard in each way. Nothing is judged yet: that would hold up others."""
    ways = (SOCKET, *HTTP_WAYS)
    makers = {
        f"{way} {number}": lab.websocket if way == SOCKET else lab.http
        for way in ways
        for number in range(len(answers))
    }
    heard: list[tuple[str, dict[str, Timeline]]] = []
    async with lab.clients(makers) as clients:
        for scenario, (rate, pause_s) in scenarios:
            speaks = []
            begin = clock() + LEAD_IN_S
            for number, answer in enumerate(answers):
                pause = [Pause(len(tokens(answer.text)) // 2, pause_s)] if pause_s else []
                utterance = _written(lab, trickled(answer.text, rate, pause), answer.lang)
                intended = begin + chance.uniform(0.0, SPREAD_S)
                speaks += [
                    partial(_speak, clients[f"{way} {number}"], utterance, intended, way)
                    for way in ways
                ]
            timelines = await lab.at_once(speaks)
            heard += [
                (scenario, dict(zip(ways, timelines[first:], strict=False)))
                for first in range(0, len(timelines), len(ways))
            ]
    return heard


def _written(lab: Lab, pieces: tuple[Piece, ...], language: str, **parameters: object) -> Utterance:
    """What a model writes, to be spoken as fast as it can be."""
    asked = {"model": lab.model, "language": language, "lead_ms": None, **parameters}
    return Utterance(pieces, parameters=asked)


def _compare(lab: Lab, spoken: dict[str, Timeline], scenario: str, sample: Sample) -> None:
    """Add one answer to the sample: when it was heard in each way, and by how much later than over WebSocket."""
    heard = {
        way: metrics
        for way, timeline in spoken.items()
        for metrics in lab.judge([timeline])
        if metrics.ftts_s is not None
    }
    for way, metrics in heard.items():
        assert metrics.ftts_s is not None
        sample.setdefault((way, spoken_at(scenario)), []).append(metrics.ftts_s)
        if way == SOCKET:
            sample.setdefault((way, commit_at(scenario)), []).extend(metrics.commit_s)
        elif SOCKET in heard:
            sooner = heard[SOCKET].ftts_s
            assert sooner is not None
            later = sample.setdefault((way, later_at(scenario)), [])
            later.append(metrics.ftts_s - sooner)


async def _speak(client: Client, utterance: Utterance, intended: float, way: str) -> Timeline:
    if way == SOCKET:
        return await client.speak(utterance, intended)
    return await speak_in_requests(client, utterance, intended, HTTP_WAYS[way])


def judge(repeats: Sequence[Sample]) -> Judgement:
    """At each rate, how much later each way over HTTP is with the same answer; the soonest of them decides."""
    measured = {quantity for sample in repeats for _, quantity in sample}
    rates = [rate for rate in _rates(repeats) if later_at(rate) in measured]
    shown: list[Figure] = []
    said: list[str] = []
    won: list[tuple[str, str]] = []
    lost: list[tuple[str, str]] = []
    for rate in rates:
        later = figures(repeats, later_at(rate))
        shown += [*figures(repeats, spoken_at(rate)).values(), *later.values()]
        shown += figures(repeats, commit_at(rate)).values()
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
    charts = [
        Chart(f"First token to speech at {rate}", "ms", quantity=spoken_at(rate)) for rate in rates
    ]
    return Judgement(verdict, answer, shown, charts)


def spoken_at(rate: str) -> str:
    """The name of the quantity."""
    return f"{FTTS} at {rate}"


def later_at(rate: str) -> str:
    """The name of the quantity."""
    return f"later than WebSocket at {rate}"


def commit_at(rate: str) -> str:
    """The name of the quantity."""
    return f"{COMMIT} at {rate}"


def _rates(repeats: Sequence[Sample]) -> list[str]:
    """What was measured, in order of appearance."""
    quantities = dict.fromkeys(quantity for sample in repeats for _, quantity in sample)
    prefix = spoken_at("")
    return [name.removeprefix(prefix) for name in quantities if name.startswith(prefix)]


QUESTION = Question(
    4,
    "With text that a model is still writing, WebSocket speaks sooner.",
    "The reason for WebSocket in every guide: incremental text.",
    "Answers of about 77 words in five languages, written token by token at 20, 70 and 150 tokens/s, and at 70 with a pause "
    "in the middle. Over WebSocket each token leaves as it comes; over HTTP a client waits for all of them, for a sentence, "
    "or for a clause, and makes one request after the other. All connections are kept ones; the slowest rate goes on beside the others. From the first token to the "
    "first audible sample, the differences taken answer by answer. How the pieces then sound, each spoken without its "
    "neighbours, is not judged.",
    "It holds if every way over HTTP is later at every rate, by the interval of the differences; it holds when some are; it "
    "does not hold if none is later and one is sooner.",
    measure,
    judge,
)


async def measure_buffering(lab: Lab, chance: Random) -> Sample:
    """The same answers with all settings at once, at a rate that leaves something to wait for; beside them, beginnings
    of sentences at which the model stops, with a flush and without."""
    said = {way: _beginnings(lab, is_flushed=way == FLUSHED) for way in (FLUSHED, UNFLUSHED)}
    answers = chance.sample(answers_of_the_corpus(), k=lab.plan.answers)
    for way, buffering in SETTINGS.items():
        said[way] = [
            _written(
                lab,
                trickled(" ".join(answer.text.split()[:BUFFERED_WORDS]), BUFFERING_RATE),
                answer.lang,
                buffering=buffering,
            )
            for answer in answers
        ]
    makers = {f"{way} {n}": lab.websocket for way in said for n in range(lab.plan.answers)}
    async with lab.clients(makers) as clients:
        begin = clock() + LEAD_IN_S
        timelines = await lab.at_once(
            [
                partial(
                    clients[f"{way} {number}"].speak,
                    utterance,
                    begin + chance.uniform(0.0, SPREAD_S),
                )
                for way, utterances in said.items()
                for number, utterance in enumerate(utterances)
            ]
        )
    sample: Sample = {}
    for number, way in enumerate(said):
        of_setting = timelines[number * lab.plan.answers :][: lab.plan.answers]
        metrics = lab.judge(of_setting)
        sizes = [_sizes(timeline) for timeline in of_setting if timeline.trouble is None]
        sample[way, FTTS] = [m.ftts_s for m in metrics if m.ftts_s is not None]
        sample[way, COMMIT] = [m.commit_s[0] for m in metrics if m.commit_s]
        if way in SETTINGS:
            sample[way, FIRST_PIECE] = [float(found[0]) for found in sizes if found]
            sample[way, PIECE] = [float(size) for found in sizes for size in found]
    return sample


def _beginnings(lab: Lab, *, is_flushed: bool) -> list[Utterance]:
    """Half a clause as the model writes it, a pause in which it may be flushed, and the rest; the same for both."""
    lines = [line.text for line in load(["en"])]
    begun = [(text, match.end()) for text in lines if (match := _UNFINISHED.match(text))]
    utterances = []
    for text, end in islice(cycle(begun), lab.plan.answers):
        clause, rest = text[:end], text[end:]
        pieces = trickled(clause, BUFFERING_RATE)
        last = pieces[-1]
        pieces = (*pieces[:-1], Piece(last.at_s, last.text, flush=is_flushed))
        after = Piece(last.at_s + lab.plan.pause_s, rest)
        utterances.append(_written(lab, (*pieces, after), "en"))
    return utterances


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
    commit = figures(repeats, COMMIT)
    shown = [*ftts.values(), *commit.values(), *first.values(), *piece.values()]
    controls = (
        ("a flush moves the first audio", ftts, FLUSHED, UNFLUSHED),
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
    f"Answers of {BUFFERED_WORDS} words written at {BUFFERING_RATE:g} tokens/s over WebSocket, with presets, minimum sizes and maximum "
    "delays; and beginnings of sentences after which the model stops for two seconds, with a flush there and without. From "
    "the first token to the first audible sample, and the length of the segments.",
    "It holds if each of the six controls (flush, preset twice, first_chars_min, min_chars, max_delay_ms) moves its figure so that "
    "the intervals are apart; it holds when some do; it does not hold if none does and one moves it the wrong way.",
    measure_buffering,
    judge_buffering,
)
