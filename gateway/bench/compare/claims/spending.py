"""Claims 7 and 11: what is spent on the wire and in the server, by protocol and framing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from gateway.bench.compare.lab import Lab
from gateway.bench.compare.meter import BYTES, CPU, GOODPUT, LOOP, again, metered
from gateway.bench.compare.question import Question
from gateway.bench.compare.results import Chart, Judgement, Verdict
from gateway.bench.compare.samples import Sample, figures, is_below, told
from gateway.bench.instruments.timeline import clock
from gateway.bench.instruments.utterance import Client
from gateway.bench.plan import MEDIUM
from gateway.bench.proc import memory_of

MEMORY = "memory per open connection"
SET_UP = "time to set up a connection"
BINARY, BASE64, HTTP = "WebSocket, binary", "WebSocket, base64", "HTTP, kept connection"
SLICES = 5
"""Into which a window is cut, so that ways alternate."""
USED_BEFORE = 10
"""Connections before memory is read, which pay for what is made once."""
NO_PROCESS = "The server's process cannot be looked at from here."


def makers(lab: Lab) -> dict[str, Callable[[], Client]]:
    """How to get a client of each framing."""
    return {
        BINARY: lab.websocket,
        BASE64: lambda: lab.websocket("?audio=base64"),
        HTTP: lab.http,
    }


async def alternate(
    lab: Lab, chance: Random, ways: Mapping[str, Callable[[], Client]], sample: Sample
) -> None:
    """One text again and again in each way for a window, slice by slice in shuffled turns."""
    async with lab.clients(ways) as clients:
        for _ in range(SLICES):
            for way in chance.sample(list(clients), k=len(clients)):
                utterances = again(lab.unpaced(MEDIUM), lab.plan.window_s / SLICES)
                await metered(lab, clients[way], utterances, sample, way)


async def measure(lab: Lab, chance: Random) -> Sample:
    """The three framings."""
    sample: Sample = {}
    await alternate(lab, chance, makers(lab), sample)
    return sample


def judge(repeats: Sequence[Sample]) -> Judgement:
    """Bytes and CPU time must both be less."""
    size, cpu = figures(repeats, BYTES, "bytes", 1.0), figures(repeats, LOOP)
    shown = [*size.values(), *cpu.values()]
    if not {BINARY, BASE64} <= size.keys():
        return Judgement(Verdict.UNDECIDED, "Not both framings were measured.", shown)
    said = (
        f"Base64 takes {size[BASE64].value / size[BINARY].value - 1:.0%} more bytes "
        f"({told(size[BASE64])} against {told(size[BINARY])})."
    )
    smaller = is_below(size[BINARY], size[BASE64])
    if not {BINARY, BASE64} <= cpu.keys():
        verdict = Verdict.HOLDS_WHEN if smaller else Verdict.UNDECIDED
        said += f" {NO_PROCESS} It holds when bytes count." if smaller else f" {NO_PROCESS}"
    else:
        said += f" CPU time of the server without its workers: {told(cpu[BASE64])} against {told(cpu[BINARY])}."
        if smaller and is_below(cpu[BINARY], cpu[BASE64]):
            verdict = Verdict.HOLDS
        elif smaller:
            verdict = Verdict.HOLDS_WHEN
            said += " It holds when bytes count; in CPU time the two are not told apart."
        elif size[BASE64].high <= size[BINARY].low:
            verdict = Verdict.DOES_NOT_HOLD
        else:
            verdict = Verdict.UNDECIDED
    charts = [
        Chart("Bytes on the wire per second of audio", "bytes", quantity=BYTES),
        Chart("Server CPU per second of audio, workers apart", "ms", quantity=LOOP),
    ]
    return Judgement(verdict, said, shown, charts)


QUESTION = Question(
    7,
    "Raw binary audio is cheaper than base64 in JSON.",
    "Protocols differ: Deepgram and OpenAI send binary, Sarvam and Cartesia base64.",
    "One text again and again on a kept connection, PCM at 24 kHz, as fast as it can be, the framings alternating. All bytes "
    "read from the socket, and the CPU time of the server's event loop and threads, per second of audio.",
    "It holds if binary takes fewer bytes and less CPU time; it holds when bytes count if only they are fewer; it "
    "does not hold if base64 takes no more bytes.",
    measure,
    judge,
)


async def measure_cost(lab: Lab, chance: Random) -> Sample:
    """CPU time in turns; then connections that were used once and stay open, to a gateway that is new where it can be."""
    ways = {way: make for way, make in makers(lab).items() if way != BASE64}
    sample: Sample = {}
    await alternate(lab, chance, ways, sample)
    for way, make in ways.items():
        await _open(lab, way, make, sample)
    return sample


async def _open(lab: Lab, way: str, make: Callable[[], Client], sample: Sample) -> None:
    with lab.fresh():
        pid = lab.target.pid
        clients = [make() for _ in range(USED_BEFORE + lab.plan.connections)]
        timelines = []
        before = 0
        for number, one in enumerate(clients):
            if number == USED_BEFORE and pid is not None:
                before = memory_of(pid).pss
            timelines.append(await one.speak(lab.unpaced("Hello."), clock()))
        if pid is not None:
            grown = memory_of(pid).pss - before
            sample[way, MEMORY] = [grown / lab.plan.connections]
        metrics = lab.judge(timelines)
        sample[way, SET_UP] = [m.connect_s for m in metrics if m.connect_s is not None]
        for one in clients:
            one.close()


def judge_cost(repeats: Sequence[Sample]) -> Judgement:
    """Set-up, CPU and memory must all be more over WebSocket."""
    by_cost = {
        "CPU time": figures(repeats, CPU),
        "memory": figures(repeats, MEMORY, "KiB", 1 / 1_024),
        "set-up": figures(repeats, SET_UP),
    }
    good = figures(repeats, GOODPUT, "utterances/s", 1.0)
    shown = [one for found in (*by_cost.values(), good) for one in found.values()]
    known = {cost: found for cost, found in by_cost.items() if {HTTP, BINARY} <= found.keys()}
    if not known:
        return Judgement(Verdict.UNDECIDED, "Nothing was measured.", shown)
    dearer = [cost for cost, found in known.items() if is_below(found[HTTP], found[BINARY])]
    cheaper = [cost for cost, found in known.items() if is_below(found[BINARY], found[HTTP])]
    said = " ".join(
        f"{cost[0].upper()}{cost[1:]}: WebSocket {told(found[BINARY])}, HTTP {told(found[HTTP])}."
        for cost, found in known.items()
    )
    if {HTTP, BINARY} <= good.keys():
        said += (
            f" Goodput of one connection: WebSocket {told(good[BINARY])}, HTTP {told(good[HTTP])}."
        )
    if len(dearer) == len(by_cost):
        verdict = Verdict.HOLDS
    elif dearer:
        verdict = Verdict.HOLDS_WHEN
        said += f" It holds for {', '.join(dearer)}."
    elif len(cheaper) == len(known):
        verdict = Verdict.DOES_NOT_HOLD
    else:
        verdict = Verdict.UNDECIDED
    if len(known) < len(by_cost):
        said += f" {NO_PROCESS}"
    charts = [
        Chart("Server CPU per second of audio", "ms", quantity=CPU),
        Chart("Memory per open connection", "KiB", quantity=MEMORY),
        Chart("Time to set up a connection", "ms", quantity=SET_UP),
    ]
    return Judgement(verdict, said, shown, charts)


COST = Question(
    11,
    "WebSocket costs the server more than HTTP.",
    "The usual reason for HTTP: nothing to set up, nothing to keep.",
    "CPU time of the server with its workers per second of audio, one text again and again on a kept connection, the "
    "protocols alternating, and how many utterances per second were good ones. Growth of its proportional set size by "
    "connections that spoke once and stay open. Time until a new connection can be spoken on: connected (HTTP), `ready` "
    "(WebSocket).",
    "It holds if CPU time, memory and set-up are all more over WebSocket; it holds when some are; it does not hold if all are "
    "less.",
    measure_cost,
    judge_cost,
)
