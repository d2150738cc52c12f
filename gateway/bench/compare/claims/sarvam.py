"""Claims 12 to 17: the vendor's own table of REST, HTTP stream and WebSocket, on the vendor's own wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from statistics import fmean

from gateway.bench.compare.claims.incremental import FTTS, spoken_at
from gateway.bench.compare.lab import LEAD_IN_S, Lab
from gateway.bench.compare.meter import BYTES
from gateway.bench.compare.question import Question
from gateway.bench.compare.results import Chart, Figure, Judgement, Verdict
from gateway.bench.compare.samples import Sample, figures, is_below, told, total
from gateway.bench.compare.target import CHECK_S_MAX, PATIENCE_S, Target, TargetFailed
from gateway.bench.ftts import answers_of_the_corpus
from gateway.bench.instruments.metrics import Metrics, measure
from gateway.bench.instruments.sarvam import (
    KEY,
    SarvamFileClient,
    SarvamSocketClient,
    SarvamStreamClient,
)
from gateway.bench.instruments.timeline import clock
from gateway.bench.instruments.utterance import Client, Piece, Utterance
from gateway.bench.workload.corpus import load
from gateway.bench.workload.tokens import trickled

MADE_IN = "Sarvam's documentation, its comparison of REST, HTTP stream and WebSocket."
FILE, STREAM, SOCKET = "REST, whole file", "HTTP stream", "WebSocket, kept"
NEW_STREAM, NEW_SOCKET = "HTTP stream, new connection", "WebSocket, new connection"
CLIENTS: Mapping[str, Callable[..., Client]] = {
    FILE: SarvamFileClient,
    STREAM: SarvamStreamClient,
    SOCKET: SarvamSocketClient,
}
MODEL, OLDEST = "bulbul:v3", "bulbul:v2"
TTFA = "time to first audible sample"
LATER_THAN_SOCKET = "later than the WebSocket"
LATER_THAN_STREAM = "later than the stream"
BEFORE = "heard before the flush"
ACCEPTED, BEYOND = "accepted at the limit", "accepted beyond the limit"
SHORT_CHARS, LONG_CHARS = 90, 2_000
SHORT, LONG = f"text of up to {SHORT_CHARS} characters", f"text of {LONG_CHARS} characters"
FORM_SHARE = 1.3
"""Base64 takes a third more than bytes, and frames and headers take something of either."""
FLUSH_S = 0.4
"""Long enough for what is spoken at once to be heard before the flush."""
BUFFERED = {"60 characters": 60, "20 characters": 20}
LIMITS = (
    (FILE, MODEL, 2_500),
    (FILE, OLDEST, 1_500),
    (STREAM, MODEL, 3_500),
    (SOCKET, MODEL, 2_500),
)


def spoken(text: str, model: str = MODEL) -> Utterance:
    """A complete text in English."""
    return written((Piece(0.0, text),), model)


def written(pieces: tuple[Piece, ...], model: str = MODEL) -> Utterance:
    """A text that is being written, in English."""
    return Utterance(pieces, parameters={"model": model, "language_code": "en-IN"})


def client_of(target: Target, way: str, patience_s: float | None = None) -> Client:
    """One of the three."""
    headers = {KEY: target.key} if target.key else {}
    if patience_s is None:
        return CLIENTS[way](target.origin, headers)
    return CLIENTS[way](target.origin, headers, patience_s)


async def check(target: Target) -> None:
    """Speak a word in each way. Raises TargetFailed when that does not go well."""
    try:
        async with asyncio.timeout(CHECK_S_MAX):
            for way in CLIENTS:
                client = client_of(target, way, PATIENCE_S)
                trouble = measure(await client.speak(spoken("Hello."), clock())).trouble
                client.close()
                if trouble is not None:
                    detail = " ".join(trouble.detail.split())[:200]
                    raise TargetFailed(
                        f"{target.origin} does not speak Sarvam's protocol ({way}): "
                        f"{trouble.failure}: {detail}"
                    )
    except TimeoutError:
        raise TargetFailed(f"{target.origin} did not end a word within {CHECK_S_MAX:g} s") from None


def _short(chance: Random, count: int) -> list[str]:
    lines = [line.text for line in load(["en"]) if len(line.text) < SHORT_CHARS]
    return chance.choices(lines, k=count)


def _long(chance: Random, count: int) -> list[str]:
    lines = [line.text for line in load(["en"])]
    return [" ".join(chance.sample(lines, k=len(lines)))[:LONG_CHARS] for _ in range(count)]


async def _warmed(lab: Lab, ways: Sequence[str]) -> dict[str, Client]:
    """A client of each kind, which has spoken a word on its connection."""
    clients = {way: client_of(lab.target, way) for way in ways}
    for client in clients.values():
        await lab.in_turn(client, [spoken("Hello.")])
    return clients


def _close(clients: Mapping[str, Client]) -> None:
    for client in clients.values():
        client.close()


# --- 12: the order of the three --------------------------------------------------------------------------------------


async def measure_order(lab: Lab, chance: Random) -> Sample:
    """Each text in all three ways, in shuffled order."""
    clients = await _warmed(lab, (FILE, STREAM, SOCKET))
    sample: Sample = {}
    half = max(lab.plan.utterances // 4, 1)
    for length, texts in (
        (SHORT, _short(chance, half)),
        (LONG, _long(chance, max(lab.plan.per_length, 1))),
    ):
        for text in texts:
            heard: dict[str, float] = {}
            for way in chance.sample(list(clients), k=len(clients)):
                for metrics in await lab.in_turn(clients[way], [spoken(text)]):
                    assert metrics.ttfa_s is not None
                    heard[way] = metrics.ttfa_s
            for way, value in heard.items():
                sample.setdefault((way, _at(TTFA, length)), []).append(value)
            if heard.keys() == clients.keys():
                for way, than, sooner in (
                    (STREAM, LATER_THAN_SOCKET, SOCKET),
                    (FILE, LATER_THAN_STREAM, STREAM),
                ):
                    later = sample.setdefault((way, _at(than, length)), [])
                    later.append(heard[way] - heard[sooner])
    _close(clients)
    return sample


def _at(quantity: str, length: str) -> str:
    return f"{quantity}, {length}"


def judge_order(repeats: Sequence[Sample]) -> Judgement:
    """By the differences, text by text."""
    shown: list[Figure] = []
    holds: list[str] = []
    fails: list[str] = []
    for length in (SHORT, LONG):
        shown += figures(repeats, _at(TTFA, length)).values()
        for way, than in ((STREAM, LATER_THAN_SOCKET), (FILE, LATER_THAN_STREAM)):
            later = figures(repeats, _at(than, length)).get(way)
            if later is None:
                return Judgement(Verdict.UNDECIDED, "Not all ways were measured.", shown)
            shown.append(later)
            part = f"{way} is {than} by {told(later)} with a {length}"
            (holds if later.low > 0 else fails).append(part)
    charts = [
        Chart(f"Time to first audible sample, {length}", "ms", quantity=_at(TTFA, length))
        for length in (SHORT, LONG)
    ]
    said = "; ".join([*holds, *(f"not shown: {each}" for each in fails)]) + "."
    if not fails:
        return Judgement(Verdict.HOLDS, said, shown, charts)
    if all(one.high < 0 for one in shown if LATER_THAN_SOCKET in one.quantity):
        return Judgement(Verdict.DOES_NOT_HOLD, said, shown, charts)
    verdict = Verdict.HOLDS_WHEN if holds else Verdict.UNDECIDED
    return Judgement(verdict, said, shown, charts)


ORDER = Question(
    12,
    "On Sarvam's wire a kept WebSocket is heard first, then the HTTP stream, then the whole file.",
    MADE_IN,
    f"English texts of up to {SHORT_CHARS} and of {LONG_CHARS} characters, each in three ways in shuffled order, every way on a kept "
    "connection, as raw samples at 24 kHz. Nothing of a whole file can be played before its JSON is whole.",
    "It holds if, with both lengths, the stream is later than the WebSocket and the whole file later than the stream, by the "
    "intervals of the differences; it holds when only some of these do; it does not hold if the stream is sooner than the "
    "WebSocket with both.",
    measure_order,
    judge_order,
)


# --- 13: setting up --------------------------------------------------------------------------------------------------


async def measure_setup(lab: Lab, chance: Random) -> Sample:
    """Each text on a new connection of either kind, in shuffled order."""
    ways = {NEW_STREAM: STREAM, NEW_SOCKET: SOCKET}
    clients = {way: client_of(lab.target, kind) for way, kind in ways.items()}
    sample: Sample = {}
    for text in _short(chance, max(lab.plan.utterances // 3, 1)):
        heard: dict[str, float] = {}
        for way in chance.sample(list(clients), k=len(clients)):
            for metrics in await lab.in_turn(clients[way], [spoken(text)], cold=True):
                assert metrics.ttfa_s is not None
                heard[way] = metrics.ttfa_s
        for way, value in heard.items():
            sample.setdefault((way, TTFA), []).append(value)
        if heard.keys() == clients.keys():
            later = sample.setdefault((NEW_SOCKET, LATER_THAN_STREAM), [])
            later.append(heard[NEW_SOCKET] - heard[NEW_STREAM])
    _close(clients)
    return sample


def judge_setup(repeats: Sequence[Sample]) -> Judgement:
    """By the difference, text by text."""
    shown = [*figures(repeats, TTFA).values(), *figures(repeats, LATER_THAN_STREAM).values()]
    if not (later := figures(repeats, LATER_THAN_STREAM)):
        return Judgement(Verdict.UNDECIDED, "Not all ways were measured.", shown)
    (one,) = later.values()
    said = f"On new connections the WebSocket is heard later than the stream by {told(one)}."
    chart = Chart("Time to first audible sample on new connections", "ms", quantity=TTFA)
    verdict = Verdict.UNDECIDED
    if one.low > 0:
        verdict = Verdict.HOLDS
    elif one.high < 0:
        verdict = Verdict.DOES_NOT_HOLD
    return Judgement(verdict, said, shown, [chart])


SETUP = Question(
    13,
    "A WebSocket has to be set up by a handshake and a config message, HTTP by nothing.",
    MADE_IN,
    f"English texts of up to {SHORT_CHARS} characters, each on a new connection of either kind, in shuffled order.",
    "It holds if the WebSocket is later than the stream, by the interval of the differences; it does not hold if it is sooner.",
    measure_setup,
    judge_setup,
)


# --- 14: text that is still being written ----------------------------------------------------------------------------


async def measure_written(lab: Lab, chance: Random) -> Sample:
    """The same answers in all ways at the same time; HTTP waits for the last word."""
    answers = [answer for answer in answers_of_the_corpus() if answer.lang == "en"]
    chosen = chance.sample(answers, k=min(max(lab.plan.answers // 2, 1), len(answers)))
    sample: Sample = {}
    for rate in lab.plan.tokens_per_s:
        for answer in chosen:
            clients = await _warmed(lab, (FILE, STREAM, SOCKET))
            utterance = written(trickled(answer.text, rate))
            begin = clock() + LEAD_IN_S
            timelines = await lab.at_once(
                [partial(client.speak, utterance, begin) for client in clients.values()]
            )
            for way, timeline in zip(clients, timelines, strict=True):
                for metrics in lab.judge([timeline]):
                    assert metrics.ftts_s is not None
                    values = sample.setdefault((way, spoken_at(_rate(rate))), [])
                    values.append(metrics.ftts_s)
            _close(clients)
    return sample


def _rate(rate: float) -> str:
    return f"{rate:g} tokens/s"


def judge_written(repeats: Sequence[Sample]) -> Judgement:
    """By first token to speech, at every rate."""
    quantities = list(dict.fromkeys(what for sample in repeats for _, what in sample))
    shown: list[Figure] = []
    parts, sooner = [], []
    for quantity in quantities:
        found = figures(repeats, quantity)
        shown += found.values()
        if not found.keys() >= {SOCKET, STREAM}:
            continue
        parts.append(
            f"{quantity.removeprefix(FTTS).strip()}: {told(found[SOCKET])}, the stream {told(found[STREAM])}"
        )
        sooner.append(is_below(found[SOCKET], found[STREAM]))
    if not sooner:
        return Judgement(Verdict.UNDECIDED, "Not all ways were measured.", shown)
    said = "First token to speech over the WebSocket, " + "; ".join(parts) + "."
    if all(sooner):
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.HOLDS_WHEN if any(sooner) else Verdict.UNDECIDED
    charts = [Chart(what[0].upper() + what[1:], "ms", quantity=what) for what in quantities]
    return Judgement(verdict, said, shown, charts)


WRITTEN = Question(
    14,
    "Only the WebSocket speaks a text that is still being written.",
    MADE_IN,
    "English answers token by token at several rates, all three ways at the same time: the WebSocket sends each token, HTTP "
    "the whole text when the last one is there.",
    "It holds if at every rate the WebSocket is sooner than the stream, the intervals included; it holds when only at some.",
    measure_written,
    judge_written,
)


# --- 15: the form of the audio ---------------------------------------------------------------------------------------


async def measure_form(lab: Lab, chance: Random) -> Sample:
    """What is read for a second of audio."""
    clients = await _warmed(lab, (FILE, STREAM, SOCKET))
    sample: Sample = {}
    for text in _short(chance, max(lab.plan.per_length, 1)):
        for way, client in clients.items():
            timeline = await client.speak(spoken(text), clock())
            for metrics in lab.judge([timeline]):
                values = sample.setdefault((way, BYTES), [])
                values.append(timeline.bytes_read / metrics.audio_s)
    _close(clients)
    return sample


def judge_form(repeats: Sequence[Sample]) -> Judgement:
    """By bytes, with the stream as the measure."""
    found = figures(repeats, BYTES, "kB/s", 1e-3)
    shown = list(found.values())
    if not found.keys() >= {FILE, STREAM, SOCKET}:
        return Judgement(Verdict.UNDECIDED, "Not all ways were measured.", shown)
    stream = found[STREAM]
    said = (
        f"The stream takes {told(stream)}, the whole file {found[FILE].value / stream.value:.2f} times as "
        f"much, the WebSocket {found[SOCKET].value / stream.value:.2f} times."
    )
    more = [found[way].low >= FORM_SHARE * stream.high for way in (FILE, SOCKET)]
    level = [found[way].high < FORM_SHARE * stream.low for way in (FILE, SOCKET)]
    verdict = Verdict.UNDECIDED
    if all(more):
        verdict = Verdict.HOLDS
    elif all(level):
        verdict = Verdict.DOES_NOT_HOLD
    elif any(more):
        verdict = Verdict.HOLDS_WHEN
    return Judgement(
        verdict, said, shown, [Chart("Bytes per second of audio", "kB/s", quantity=BYTES)]
    )


FORM = Question(
    15,
    "REST and WebSocket carry audio in base64, the HTTP stream as it is.",
    MADE_IN,
    f"English texts of up to {SHORT_CHARS} characters in three ways. All that was read from the socket counts, framing included.",
    "It holds if both take at least 1.3 times the bytes of the stream, the intervals included; it holds when only one does; it "
    "does not hold if both take less.",
    measure_form,
    judge_form,
)


# --- 16: buffering and flushing --------------------------------------------------------------------------------------


async def measure_buffer(lab: Lab, chance: Random) -> Sample:
    """The vendor's own example, with the default of 50 characters."""
    text = " ".join(_short(chance, 8))
    clients = await _warmed(lab, (SOCKET,))
    sample: Sample = {}
    for _ in range(max(lab.plan.per_length, 1)):
        for way, chars in BUFFERED.items():
            pieces = (Piece(0.0, _words(text, chars)), Piece(FLUSH_S, ""))
            for metrics in await lab.in_turn(clients[SOCKET], [written(pieces)]):
                values = sample.setdefault((way, BEFORE), [])
                values.append(float(_is_before(metrics)))
    _close(clients)
    return sample


def _words(text: str, chars: int) -> str:
    """So many characters, without a sign at which a sentence could end."""
    return "".join(sign for sign in text if sign.isalpha() or sign == " ")[:chars]


def _is_before(metrics: Metrics) -> bool:
    assert metrics.ttfb_s is not None
    return metrics.ttfb_s < FLUSH_S


def judge_buffer(repeats: Sequence[Sample]) -> Judgement:
    """All or nothing."""
    found = figures(repeats, BEFORE, "of 1", 1.0, statistic=fmean)
    if not found.keys() >= BUFFERED.keys():
        return Judgement(Verdict.UNDECIDED, "Not all was measured.", list(found.values()))
    counts = {way: (total(repeats, way, BEFORE), found[way].n) for way in BUFFERED}
    said = "; ".join(
        f"{way}: {heard:.0f} of {all_} were heard before the flush"
        for way, (heard, all_) in counts.items()
    )
    (more, of_more), (less, _) = counts.values()
    verdict = Verdict.HOLDS if more == of_more and less == 0 else Verdict.DOES_NOT_HOLD
    return Judgement(verdict, said + ".", list(found.values()))


BUFFER = Question(
    16,
    "The WebSocket speaks by itself when 50 characters are there, and less than that when it is flushed.",
    MADE_IN,
    f"60 and 20 characters without any sign, each {FLUSH_S * 1e3:.0f} ms before its flush, on one kept connection.",
    "It holds if all of the former are heard before the flush and none of the latter; else it does not.",
    measure_buffer,
    judge_buffer,
)


# --- 17: how long a text may be --------------------------------------------------------------------------------------


async def measure_limits(lab: Lab, chance: Random) -> Sample:
    """Texts without anything to speak, so that only their length is tried."""
    sample: Sample = {}
    for way, model, limit in LIMITS:
        for quantity, chars in ((ACCEPTED, limit), (BEYOND, limit + 1)):
            client = client_of(lab.target, way)
            timeline = await client.speak(spoken("." * chars, model), clock())
            client.close()
            values = sample.setdefault((_limited(way, model, limit), quantity), [])
            values.append(float(timeline.trouble is None))
    return sample


def _limited(way: str, model: str, limit: int) -> str:
    return f"{way.partition(',')[0]}, {model}, {limit:,} characters"


def judge_limits(repeats: Sequence[Sample]) -> Judgement:
    """All or nothing."""
    accepted = figures(repeats, ACCEPTED, "of 1", 1.0, statistic=fmean)
    beyond = figures(repeats, BEYOND, "of 1", 1.0, statistic=fmean)
    shown = [*accepted.values(), *beyond.values()]
    if not shown:
        return Judgement(Verdict.UNDECIDED, "Nothing was measured.", shown)
    wrong = [way for way, one in accepted.items() if one.low < 1]
    wrong += [way for way, one in beyond.items() if one.high > 0]
    if wrong:
        said = f"Not as documented: {', '.join(dict.fromkeys(wrong))}."
        return Judgement(Verdict.DOES_NOT_HOLD, said, shown)
    said = f"Each of {len(accepted)} limits was accepted, and one character more was not."
    return Judgement(Verdict.HOLDS, said, shown)


LIMITED = Question(
    17,
    "A text may have 2,500 characters for a file (1,500 with the oldest model), 3,500 for a stream, 2,500 in a message.",
    MADE_IN,
    "Texts of as many dots, and of one more, on new connections.",
    "It holds if all of the former are accepted and none of the latter; else it does not.",
    measure_limits,
    judge_limits,
)

QUESTIONS: tuple[Question, ...] = (ORDER, SETUP, WRITTEN, FORM, BUFFER, LIMITED)
