"""Claims 6 and 9: how large pieces are, and whether one is sent while it is made or when it is finished.

Both are asked of a quick engine (the model that was asked for) and of a slow one, because the answers differ: tones that
take 0.3 s to make for each second, the first tenth of it included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from random import Random

from gateway.bench.compare.lab import LEAD_IN_S, Lab
from gateway.bench.compare.meter import BYTES, CPU, metered
from gateway.bench.compare.question import Question
from gateway.bench.compare.results import Chart, Figure, Judgement, Line, Verdict
from gateway.bench.compare.samples import Sample, figures, is_below, slack, told
from gateway.bench.instruments.metrics import Metrics
from gateway.bench.instruments.timeline import clock
from gateway.bench.instruments.utterance import Client
from gateway.bench.workload.corpus import load

QUICK, SLOW = "quick engine", "slow engine"
ENGINES = (QUICK, SLOW)
NATIVE, PROGRESSIVE = DELIVERIES = ("native", "progressive")
HTTP, SOCKET = ROUTES = ("HTTP", "WebSocket")
SIZES = (30, 60, 120)
REALTIME_FACTOR = 0.3
SLOW_SETTINGS = {
    "GATEWAY_ENGINES__TONE__REALTIME_FACTOR": str(REALTIME_FACTOR),
    "GATEWAY_ENGINES__TONE__FIRST_DELAY_MS": "30",
    "GATEWAY_MODELS": '{"tone": {"engine": "tone"}}',
    "GATEWAY_DEFAULT_MODEL": "tone",
}
CHARS = range(80, 131)
"""Of a turn: five to eight seconds."""

TTFA = "time to first audible sample"
SIZE_LATER = "larger pieces later than smaller"
DELIVERY_LATER = "progressive later than native"
REQUIRED = "required prebuffer B*"
NO_SLOW_ENGINE = "The slow engine needs a gateway of the benchmark's own."


@dataclass(frozen=True, slots=True)
class Way:
    """A way to have a text spoken."""

    name: str
    route: str
    parameters: Mapping[str, object] = field(default_factory=dict)

    def client(self, lab: Lab) -> Client:
        """A client for it."""
        return lab.http() if self.route == HTTP else lab.websocket()


Heard = dict[str, list[Metrics]]
"""By way: the figures of the same texts, in the same order."""


async def _by_the_quick(
    lab: Lab, chance: Random, ways: Sequence[Way], texts: Sequence[str]
) -> Heard:
    """Text by text, the ways in shuffled order, so that whatever else the machine does befalls all alike."""
    heard: Heard = {}
    async with _a_client_per_route(lab) as clients:
        for text in texts:
            of_text = {}
            for way in chance.sample(ways, k=len(ways)):
                utterance = lab.unpaced(text, parameters=way.parameters)
                of_text[way.name] = await lab.in_turn(clients[way.route], [utterance])
            if all(of_text.values()):
                for name, (metrics,) in of_text.items():
                    heard.setdefault(f"{QUICK}, {name}", []).append(metrics)
    return heard


async def _by_the_quick_metered(
    lab: Lab, chance: Random, ways: Sequence[Way], texts: Sequence[str], sample: Sample
) -> None:
    """Way by way, all texts in a row, for what they take."""
    async with _a_client_per_route(lab) as clients:
        for way in chance.sample(ways, k=len(ways)):
            utterances = [lab.unpaced(text, parameters=way.parameters) for text in texts]
            await metered(lab, clients[way.route], utterances, sample, f"{QUICK}, {way.name}")


def _a_client_per_route(lab: Lab) -> AbstractAsyncContextManager[dict[str, Client]]:
    return lab.clients({route: partial(Way(route, route).client, lab) for route in ROUTES})


async def _by_the_slow(
    lab: Lab, chance: Random, ways: Sequence[Way], texts: Sequence[str], sample: Sample
) -> Heard:
    """All at the same time, which its tones can be made: they wait and do not compute."""
    every = list(product(ways, texts))
    clients = [way.client(lab) for way, _ in every]
    begin = clock() + LEAD_IN_S
    timelines = await lab.at_once(
        [
            partial(
                client.speak,
                lab.unpaced(text, parameters=way.parameters),
                begin + chance.uniform(0.0, 0.1),
            )
            for client, (way, text) in zip(clients, every, strict=True)
        ]
    )
    for client in clients:
        client.close()
    heard: Heard = {}
    for (way, _), timeline in zip(every, timelines, strict=True):
        name = f"{SLOW}, {way.name}"
        for metrics in lab.judge([timeline]):
            heard.setdefault(name, []).append(metrics)
            size = timeline.bytes_read / metrics.audio_s
            sample.setdefault((name, BYTES), []).append(size)
    return {name: found for name, found in heard.items() if len(found) == len(texts)}


async def _by_both(
    lab: Lab, chance: Random, ways: Sequence[Way], sample: Sample, *, is_metered: bool
) -> Heard:
    lines = [line.text for line in load(["en"]) if len(line.text) in CHARS]
    texts = chance.sample(lines, k=min(lab.plan.pieces, len(lines)))
    heard = await _by_the_quick(lab, chance, ways, texts)
    if is_metered:
        await _by_the_quick_metered(lab, chance, ways, texts, sample)
    if lab.is_own:
        texts = chance.sample(lines, k=min(lab.plan.pieces_slow, len(lines)))
        with lab.fresh(SLOW_SETTINGS, model="tone"):
            heard |= await _by_the_slow(lab, chance, ways, texts, sample)
    for name, found in heard.items():
        sample[name, TTFA] = [m.ttfa_s for m in found if m.ttfa_s is not None]
        sample[name, REQUIRED] = [m.playout.required_delay_s for m in found if m.playout]
    return heard


def _later(heard: Heard, sooner: str, later: str) -> list[float]:
    """Text by text; nothing where either is missing."""
    pairs = zip(heard.get(sooner, []), heard.get(later, []), strict=False)
    return [b.ttfa_s - a.ttfa_s for a, b in pairs if a.ttfa_s is not None and b.ttfa_s is not None]


def of_size(case: str, size: int) -> str:
    """The name of a way of claim 6; `case` names engine and delivery."""
    return f"{case}, {size} characters"


def sized(size: int) -> dict[str, object]:
    """Buffering that makes pieces of about this many characters, and none of more."""
    return {
        "first_chars_min": size,
        "first_chars_max": size,
        "schedule": [size],
        "max_chars": size,
    }


async def measure_sizes(lab: Lab, chance: Random) -> Sample:
    """Every size with both deliveries and by both engines."""
    ways = [
        Way(of_size(delivery, size), SOCKET, {"delivery": delivery, "buffering": sized(size)})
        for delivery, size in product(DELIVERIES, SIZES)
    ]
    sample: Sample = {}
    heard = await _by_both(lab, chance, ways, sample, is_metered=True)
    for case in _cases(DELIVERIES):
        later = _later(heard, of_size(case, SIZES[0]), of_size(case, SIZES[-1]))
        sample[case, SIZE_LATER] = later
    return sample


def _cases(of_engine: Sequence[str]) -> Iterator[str]:
    return (f"{engine}, {what}" for engine, what in product(ENGINES, of_engine))


@dataclass(slots=True)
class Ruling:
    """For which cases something is shown, for which it is shown not to be so, and for which neither."""

    shown: list[str] = field(default_factory=list)
    level: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def verdict(self) -> Verdict:
        """As the rules of claims 6 and 9 have it."""
        if self.shown:
            return Verdict.HOLDS_WHEN if self.level or self.open else Verdict.HOLDS
        return Verdict.UNDECIDED if self.open or not self.level else Verdict.DOES_NOT_HOLD

    def told(self) -> str:
        """The cases, by what is shown of them."""
        said = []
        if self.shown:
            said.append(f"It holds with: {'; '.join(self.shown)}.")
        if self.level:
            said.append(f"It does not with: {'; '.join(self.level)}.")
        if self.open:
            said.append(f"Undecided: {'; '.join(self.open)}.")
        return " ".join(said)


def judge_sizes(repeats: Sequence[Sample]) -> Judgement:
    """By engine and delivery: whether small pieces are sooner, and whether they take more."""
    ways = [of_size(case, size) for case in _cases(DELIVERIES) for size in SIZES]
    first, later = figures(repeats, TTFA, ways=ways), figures(repeats, SIZE_LATER)
    size = figures(repeats, BYTES, "bytes", 1.0, ways=ways)
    cpu = figures(repeats, CPU, ways=ways)
    shown = [*first.values(), *later.values(), *size.values(), *cpu.values()]
    ruling, said = Ruling(), []
    for case in _cases(DELIVERIES):
        small, large = of_size(case, SIZES[0]), of_size(case, SIZES[-1])
        if case not in later or not {small, large} <= size.keys():
            continue
        is_dearer = is_below(size[large], size[small])
        if {small, large} <= cpu.keys():
            is_dearer = is_dearer and is_below(cpu[large], cpu[small])
        by = later[case]
        if by.high <= slack(first[small]):
            ruling.level.append(case)
        elif by.low > slack(first[small]) and is_dearer:
            ruling.shown.append(case)
        else:
            ruling.open.append(case)
        said.append(
            f"{case}: {told(by)} and {size[small].value / size[large].value - 1:.1%} more bytes"
            + _more_cpu(cpu, small, large)
        )
    if not said:
        return Judgement(Verdict.UNDECIDED, "Not all sizes were measured.", shown)
    answer = (
        f"By how much pieces of {SIZES[-1]} characters are later than pieces of {SIZES[0]}, and what the small ones "
        f"take more: {'; '.join(said)}. {ruling.told()}"
    )
    charts = [
        Chart(
            "First audible sample by the size of pieces",
            "characters",
            "ms",
            lines=_lines(first),
            is_log=True,
        ),
    ]
    if lines := _lines(cpu):
        title = "Server CPU per second of audio by the size of pieces"
        charts.append(Chart(title, "characters", "ms", lines=lines, is_log=True))
    return Judgement(ruling.verdict(), answer + _no_slow(later), shown, charts)


def _more_cpu(cpu: Mapping[str, Figure], small: str, large: str) -> str:
    if not {small, large} <= cpu.keys():
        return ""
    return f", {cpu[small].value / cpu[large].value - 1:.0%} more CPU"


def _lines(found: Mapping[str, Figure]) -> list[Line]:
    lines = []
    for case in _cases(DELIVERIES):
        of_case = [found[way] for size in SIZES if (way := of_size(case, size)) in found]
        if len(of_case) == len(SIZES):
            lines.append(
                Line(
                    case,
                    [float(size) for size in SIZES],
                    [one.value for one in of_case],
                    [one.low for one in of_case],
                    [one.high for one in of_case],
                )
            )
    return lines


def _no_slow(later: Mapping[str, Figure]) -> str:
    return "" if any(case.startswith(SLOW) for case in later) else f" {NO_SLOW_ENGINE}"


CHUNK_SIZE = Question(
    6,
    "Smaller chunks respond faster, at more overhead.",
    "Parameters of hosted services (GistMag: chunk_size).",
    f"English turns over WebSocket, cut into pieces of about {', '.join(map(str, SIZES))} characters, with native and with "
    "progressive delivery, by the engine that was asked for and by a slow one (tones that take 0.3 s for each second). To "
    "the first audible sample, the differences taken text by text; bytes and, on the quick engine, CPU per second of audio.",
    "Engine by engine and delivery by delivery, the smallest against the largest pieces: it holds where the largest are later "
    "by more than 2 ms or 5 %, and the smallest take more bytes (and CPU, where that is counted); it does not where the "
    "largest are later by no more than that. All four: holds; some: holds when; none and none open: does not hold.",
    measure_sizes,
    judge_sizes,
)


def by_delivery(case: str, delivery: str) -> str:
    """The name of a way of claim 9; `case` names engine and route."""
    return f"{case}, {delivery}"


async def measure_deliveries(lab: Lab, chance: Random) -> Sample:
    """Both deliveries over both routes and by both engines."""
    ways = [
        Way(by_delivery(route, delivery), route, {"delivery": delivery})
        for route, delivery in product(ROUTES, DELIVERIES)
    ]
    sample: Sample = {}
    heard = await _by_both(lab, chance, ways, sample, is_metered=False)
    for case in _cases(ROUTES):
        later = _later(heard, by_delivery(case, NATIVE), by_delivery(case, PROGRESSIVE))
        sample[case, DELIVERY_LATER] = later
    return sample


def judge_deliveries(repeats: Sequence[Sample]) -> Judgement:
    """By engine and route: how much later progressive delivery is with the same text."""
    ways = [by_delivery(case, delivery) for case in _cases(ROUTES) for delivery in DELIVERIES]
    first, later = figures(repeats, TTFA, ways=ways), figures(repeats, DELIVERY_LATER)
    required = figures(repeats, REQUIRED, ways=ways)
    shown = [*first.values(), *later.values(), *required.values()]
    ruling, said = Ruling(), []
    for case in _cases(ROUTES):
        if case not in later:
            continue
        by, allowed = later[case], slack(first[by_delivery(case, NATIVE)])
        if by.high <= allowed:
            ruling.level.append(case)
        elif by.low > allowed:
            ruling.shown.append(case)
        else:
            ruling.open.append(case)
        said.append(f"{case}: {told(by)}")
    if not said:
        return Judgement(Verdict.UNDECIDED, "Not both deliveries were measured.", shown)
    answer = f"Progressive is later with the same text by: {'; '.join(said)}. {ruling.told()}"
    charts = [
        Chart("First audible sample by delivery", "ms", quantity=TTFA),
        Chart("Required prebuffer by delivery", "ms", quantity=REQUIRED),
    ]
    return Judgement(ruling.verdict(), answer + _no_slow(later), shown, charts)


DELIVERY = Question(
    9,
    "Native streaming is heard sooner than progressive streaming.",
    "Best practices of hosted services (YourVoic: progressive delivery of whole syntheses).",
    "English turns over both protocols, cut as by default, with `delivery` native (audio leaves as the engine makes it) and "
    "progressive (a segment leaves when it is finished), by the engine that was asked for and by a slow one (tones that "
    "take 0.3 s for each second). To the first audible sample, the differences taken text by text.",
    "Engine by engine and route by route: it holds where progressive is later by more than 2 ms or 5 %, and does not where it "
    "is later by no more than that. All four: holds; some: holds when; none and none open: does not hold.",
    measure_deliveries,
    judge_deliveries,
)
