"""What a batch of utterances on one connection takes: bytes, CPU time of the server, and how many of them were good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.bench.compare.lab import Lab
from gateway.bench.compare.samples import Sample
from gateway.bench.instruments.metrics import Metrics
from gateway.bench.instruments.objectives import Objectives, goodput
from gateway.bench.instruments.timeline import clock
from gateway.bench.instruments.utterance import Client, Utterance
from gateway.bench.proc import cpu_of

BYTES = "bytes per second of audio"
LOOP = "server CPU per second of audio, workers apart"
CPU = "server CPU per second of audio"
GOODPUT = "goodput"


def again(utterance: Utterance, seconds: float) -> Iterator[Utterance]:
    """The same again and again for so long, counted from when it is first asked for."""
    until = clock() + seconds
    while clock() < until:
        yield utterance


async def metered(
    lab: Lab, client: Client, utterances: Iterable[Utterance], sample: Sample, way: str
) -> list[Metrics]:
    """Speak one after the other; add to `sample` what that took. The figures of those that went well."""
    pid = lab.target.pid
    before = cpu_of(pid) if pid is not None else None
    begun = clock()
    timelines = [await client.speak(utterance, clock()) for utterance in utterances]
    seconds = clock() - begun
    after = cpu_of(pid) if pid is not None else None
    good = lab.judge(timelines)
    audio_s = sum(metrics.audio_s for metrics in good)
    if not audio_s:
        return good
    sample.setdefault((way, BYTES), []).append(sum(t.bytes_read for t in timelines) / audio_s)
    sample.setdefault((way, GOODPUT), []).append(goodput(good, seconds, Objectives()))
    if before is not None and after is not None:
        cpu = after - before
        loop_s = cpu.loop_s + cpu.threads_s
        sample.setdefault((way, LOOP), []).append(loop_s / audio_s)
        sample.setdefault((way, CPU), []).append((loop_s + cpu.workers_s) / audio_s)
    return good
