"""A run beside the peers as Markdown: figures, and in brackets how many times better than the first server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

from gateway.bench.compare.results import Figure
from gateway.bench.compare.samples import short
from gateway.bench.peers.results import AUDIO, THROUGHPUT, TTFB, PeersResult, Server, cell
from gateway.bench.report import DISTURBED_CORES

NONE = "–"
METHOD = """
A cell is a closed loop: so many clients, each of which asks for the next text when it has heard the last one. A window of
{window} s (up to 4 s where a text takes longer) opens when each has heard one; it counts the audio that arrives (by its bytes) and times the first byte of audio, behind
WAV's header, of what is asked for in it, from the moment of asking, on kept connections. Each cell is measured {repeats} times, the ways in an order that
the seed shuffles. Every text has another number in it, so that no cache helps. Servers and harness share all cores. MP3 is 64 kbit/s
at 22,050 Hz everywhere; WAV is as espeak-ng makes it. A percentile p is given from 10/(1−p) values on, the highest that
the values allow. The evening server calls Debian's espeak-ng, the gateway the one of its package; audio per utterance shows what that
changes. Festival's engine does more work for each second of audio, so its column says what one gets, not how good its server is.

Not among them: ovos-tts-server (1.13 and 0.0.2 install, and fail with the only espeak-ng plugin there is), servers for neural
voices (their models come from no package registry), OpenTTS (in no package registry), RealtimeTTS (its package has no server).
"""


def markdown(result: PeersResult) -> str:
    """Everything that a reader needs beside results.json."""
    return "\n".join(_lines(result)) + "\n"


def _lines(result: PeersResult) -> Iterator[str]:
    machine, plan = result.machine, result.plan
    yield "# Beside what one would write in an evening"
    yield ""
    yield "`./run bench peers` (or `make bench-peers`) measures again, in five minutes; it needs Debian's `espeak-ng` and `ffmpeg`, and takes `festival` (and `festvox-kallpc16k`) where it is."
    yield ""
    yield (
        f"{result.started}, {result.seconds:.0f} s, plan `{plan.name}`, seed {plan.seed}; gateway {machine.gateway} at "
        f"{machine.git or 'no commit'}. {machine.cpu}, {machine.cores} cores, {machine.memory_mb} MB, {machine.system}, "
        f"Python {machine.python}. Other processes took {result.foreign_cores:.2f} cores on average"
        + (
            ": **too much for the figures to be trusted; a draft.**"
            if result.foreign_cores > DISTURBED_CORES
            else "."
        )
    )
    yield ""
    for server in result.servers:
        failed = sum(server.failures.values())
        yield f"- **{server.name}**: {server.about} {failed} of {server.utterances} utterances failed."
    yield from _table(result, TTFB, "Time to first byte of audio, median (ms)")
    yield from _table(
        result, TTFB, "Time to first byte of audio, the highest percentile known (ms)", _tail
    )
    yield from _table(result, THROUGHPUT, "Audio seconds per second")
    yield from _table(result, AUDIO, "Audio seconds per utterance")
    yield "\n## How\n" + METHOD.format(window=plan.window_s, repeats=plan.repeats).rstrip("\n")


def _with_ratio(one: Figure, first: Figure | None) -> str:
    """The median, and how many times better it is than the first server's."""
    if first is None or first is one or one.quantity == AUDIO or not (one.value and first.value):
        return short(one.value)
    ratio = one.value / first.value
    return f"{short(one.value)} ({short(ratio if one.quantity == THROUGHPUT else 1 / ratio)} ×)"


def _tail(one: Figure, _first: Figure | None) -> str:
    if not one.percentiles:
        return NONE
    name, value = max(one.percentiles.items(), key=lambda known: float(known[0].lstrip("p")))
    return f"{name} {short(value)}"


def _table(
    result: PeersResult,
    quantity: str,
    title: str,
    told: Callable[[Figure, Figure | None], str] = _with_ratio,
) -> Iterator[str]:
    plan = result.plan
    yield f"\n## {title}\n"
    yield _row(["codec", "text", "streams", *(server.name for server in result.servers)])
    yield _row(["---"] * 3 + ["---:"] * len(result.servers))
    for codec, text, streams in product(plan.codecs, plan.texts, plan.streams):
        found = [_figure(server, cell(codec, text, streams), quantity) for server in result.servers]
        cells = [NONE if one is None else told(one, found[0]) for one in found]
        yield _row([codec, text, str(streams), *cells])


def _figure(server: Server, name: str, quantity: str) -> Figure | None:
    return next(
        (one for one in server.figures if (one.way, one.quantity) == (name, quantity)), None
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
