"""One run beside the peers: closed loops, cell by cell, the ways in shuffled order."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import accumulate, count, cycle, product
from random import Random

from gateway.bench.compare.results import Figure
from gateway.bench.compare.samples import Sample, figures
from gateway.bench.instruments.metrics import measure
from gateway.bench.instruments.sound import wav_header_bytes
from gateway.bench.instruments.timeline import Codec, Failure, Timeline, Trouble, clock
from gateway.bench.instruments.utterance import Client, Utterance
from gateway.bench.machine import this_machine
from gateway.bench.peers.results import (
    AUDIO,
    THROUGHPUT,
    TTFB,
    PeersResult,
    Plan,
    Server,
    cell,
)
from gateway.bench.peers.servers import Way, running_all
from gateway.bench.plan import LONG, MEDIUM, SHORT
from gateway.bench.proc import all_s, family_s
from gateway.bench.subjects import layouts

RAMP_S_MAX = 15.0
"""A cell in which not every stream has heard a text by then is measured all the same."""
WINDOW_S_MAX = 4.0
"""Of a window that is longer because its server is slow."""
FAILURES_MAX = 3
"""Of one client in one cell, which then gives up: who only fails would be asked without pause."""
AUDIO_S_MIN = 0.1
"""What is shorter is no answer to any text here, and may be a mere header."""
TEXTS = {
    "short": SHORT.replace("morning", "morning, number {}"),
    "medium": MEDIUM.replace("the sentence", "sentence {}"),
    "long": LONG.replace("The ferry", "Ferry {}"),
}
"""With a number that hardly ever comes again, so that nobody's cache is measured."""
NUMBERS = range(100, 1_000)
"""All take about as long to say."""

OnStep = Callable[[str], None]


def steps(plan: Plan) -> int:
    """How many steps a run has."""
    return len(plan.codecs) * len(plan.texts) * len(plan.streams) * plan.repeats


def first_audio_s(timeline: Timeline) -> float:
    """From asking to the first byte behind a WAV header, which some servers send before they have anything to say."""
    payloads = timeline.payloads
    header = 0
    if timeline.form.codec is Codec.WAV:
        header = wav_header_bytes(b"".join(payload.data for payload in payloads))
    ends = accumulate(len(payload.data) for payload in payloads)
    came = (p.at for p, end in zip(payloads, ends, strict=True) if end > header)
    return next(came) - timeline.intended


class _Heard:
    """What came of one way, over all repeats."""

    def __init__(self) -> None:
        self.repeats: list[Sample] = []
        self.utterances = 0
        self.failures: Counter[str] = Counter()

    def take(self, name: str, loops: _Loops) -> None:
        """Add what a cell gave to the latest repeat."""
        sample = self.repeats[-1]
        well = [timeline for timeline in loops.timelines if timeline.trouble is None]
        judged = measure(well[0]) if well else None
        if judged is not None and judged.trouble is not None:
            # One of them is decoded; the others have ended as they should.
            loops.failures[judged.trouble.failure] += 1
        elif judged is not None:
            sample[name, AUDIO] = [judged.audio_s]
            sample[name, THROUGHPUT] = [loops.audio_s_per_s(well)]
            sample[name, TTFB] = [first_audio_s(t) for t in well if loops.is_in(t)]
        self.utterances += len(loops.timelines)
        self.failures += loops.failures

    def figures(self) -> list[Figure]:
        """The figures of all cells."""
        return [
            *figures(self.repeats, TTFB).values(),
            *figures(self.repeats, THROUGHPUT, "s/s", 1.0).values(),
            *figures(self.repeats, AUDIO, "s", 1.0).values(),
        ]


class _Loops:
    """Clients that each ask for the next text when they have heard the last one, and a window over what arrives."""

    def __init__(self, clients: Sequence[Client], texts: Iterator[Utterance]) -> None:
        self.timelines: list[Timeline] = []
        self.failures: Counter[str] = Counter()
        self._clients = clients
        self._texts = texts
        self._begins = self._ends = float("inf")
        self._warm = asyncio.Semaphore(0)

    async def run(self, window_s: float) -> None:
        """Open the window when each has heard a text; return when the last that began in it is over.

        Where that took longer than `window_s`, the window is as long, so that some texts begin and end in it.
        """
        begun = clock()
        async with asyncio.TaskGroup() as tasks:
            for client in self._clients:
                tasks.create_task(self._repeat(client))
            try:
                async with asyncio.timeout(RAMP_S_MAX):
                    for _ in self._clients:
                        await self._warm.acquire()
            except TimeoutError:
                pass
            self._begins = clock()
            self._ends = self._begins + min(max(window_s, self._begins - begun), WINDOW_S_MAX)
        for client in self._clients:
            client.close()

    async def _repeat(self, client: Client) -> None:
        failed = 0
        for number in count():
            if (now := clock()) >= self._ends or failed >= FAILURES_MAX:
                break
            timeline = await client.speak(next(self._texts), now)
            audio_s = sum(map(timeline.duration_s, timeline.payloads))
            if timeline.trouble is None and audio_s < AUDIO_S_MIN:
                timeline.trouble = Trouble(Failure.INAUDIBLE, "a good end, and no audio")
            if timeline.trouble is not None:
                self.failures[timeline.trouble.failure] += 1
                failed += 1
            self.timelines.append(timeline)
            if number == 0:
                self._warm.release()

    def is_in(self, timeline: Timeline) -> bool:
        """Whether this text was asked for in the window."""
        return self._begins <= timeline.intended < self._ends

    def audio_s_per_s(self, timelines: Sequence[Timeline]) -> float:
        """The audio that arrived in the window, by its bytes, per second of it."""
        audio_s = sum(
            timeline.duration_s(payload)
            for timeline in timelines
            for payload in timeline.payloads
            if self._begins <= payload.at < self._ends
        )
        return audio_s / (self._ends - self._begins)


async def run(plan: Plan, on_step: OnStep) -> PeersResult:
    """Measure everything. Raises SubjectFailed when a server does not start."""
    begun, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    _, together = layouts()
    with running_all(together) as (ways, pids), _foreign(pids) as foreign:
        heard = await measure_ways(plan, ways, on_step)
    return PeersResult(
        started=started,
        seconds=time.monotonic() - begun,
        plan=plan,
        machine=this_machine(),
        foreign_cores=foreign[0],
        servers=heard,
    )


async def measure_ways(plan: Plan, ways: Sequence[Way], on_step: OnStep) -> list[Server]:
    """All cells of all ways; the order is the seed's."""
    chance = Random(plan.seed)
    numbers = cycle(chance.sample(NUMBERS, k=len(NUMBERS)))
    by_way: dict[str, _Heard] = defaultdict(_Heard)
    for repeat in range(plan.repeats):
        for way in ways:
            by_way[way.name].repeats.append({})
        for codec, text, streams in product(plan.codecs, plan.texts, plan.streams):
            name = cell(codec, text, streams)
            on_step(f"{repeat + 1}. {name}")
            able = [way for way in ways if codec in way.forms]
            for way in chance.sample(able, k=len(able)):
                texts = (way.utterance(TEXTS[text].format(n), codec) for n in numbers)
                loops = _Loops([way.client() for _ in range(streams)], texts)
                await loops.run(plan.window_s)
                by_way[way.name].take(name, loops)
    return [
        Server(way.name, way.about, one.figures(), one.utterances, dict(one.failures))
        for way in ways
        for one in (by_way[way.name],)
    ]


@contextmanager
def _foreign(pids: Sequence[int]) -> Iterator[list[float]]:
    """Gives a list that afterwards holds how many cores others than these processes and this one took."""
    found: list[float] = []
    began, before = time.monotonic(), _others_s(pids)
    yield found
    found.append(max(0.0, _others_s(pids) - before) / (time.monotonic() - began))


def _others_s(pids: Sequence[int]) -> float:
    return all_s() - sum(map(family_s, pids)) - time.process_time()
