"""Claims 7 and 11: what is spent on the wire and in the server, by protocol and framing."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from gateway.bench.compare.claims.first_byte import unpaced
from gateway.bench.compare.lab import Lab
from gateway.bench.compare.question import Question
from gateway.bench.compare.results import Chart, Judgement, Verdict
from gateway.bench.compare.samples import Sample, figures, is_below, told
from gateway.bench.instruments.timeline import clock
from gateway.bench.instruments.utterance import Client
from gateway.bench.plan import MEDIUM
from gateway.bench.proc import cpu_of, memory_of

BYTES = "bytes per second of audio"
LOOP = "server CPU per second of audio, workers apart"
CPU = "server CPU per second of audio"
MEMORY = "memory per open connection"
SET_UP = "time to set up a connection"
BINARY, BASE64, HTTP = "WebSocket, binary", "WebSocket, base64", "HTTP, kept connection"
SLICES = 5
"""Into which a window is cut, so that ways alternate."""
USED_BEFORE = 10
"""Connections before memory is read, which pay for what is made once."""
NO_PROCESS = "The server's process cannot be looked at from here."


async def spent(lab: Lab, client: Client, sample: Sample, way: str) -> None:
    """Ask for one text again and again for a slice of the window; add to `sample` what that took."""
    utterance = unpaced(lab, MEDIUM)
    pid = lab.target.pid
    timelines = []
    before = cpu_of(pid) if pid is not None else None
    until = clock() + lab.plan.window_s / SLICES
    while clock() < until:
        timelines.append(await client.speak(utterance, clock()))
    after = cpu_of(pid) if pid is not None else None
    audio_s = sum(metrics.audio_s for metrics in lab.judge(timelines))
    if not audio_s:
        return
    sample.setdefault((way, BYTES), []).append(sum(t.bytes_read for t in timelines) / audio_s)
    if before is not None and after is not None:
        cpu = after - before
        loop_s = cpu.loop_s + cpu.threads_s
        sample.setdefault((way, LOOP), []).append(loop_s / audio_s)
        sample.setdefault((way, CPU), []).append((loop_s + cpu.workers_s) / audio_s)


async def measure(lab: Lab, chance: Random) -> Sample:
    """The three framings in shuffled turns."""
    clients: dict[str, Client] = {
        BINARY: lab.websocket(),
        BASE64: lab.websocket("?audio=base64"),
        HTTP: lab.http(),
    }
    for client in clients.values():
        await client.speak(unpaced(lab, "Hello."), clock())
    sample: Sample = {}
    for _ in range(SLICES):
        for way in chance.sample(list(clients), k=len(clients)):
            await spent(lab, clients[way], sample, way)
    for client in clients.values():
        client.close()
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
        said += f" {NO_PROCESS} It holds when bytes count."
    else:
        said += f" CPU time of the server without its workers: {told(cpu[BASE64])} against {told(cpu[BINARY])}."
        if smaller and is_below(cpu[BINARY], cpu[BASE64]):
            verdict = Verdict.HOLDS
        elif smaller:
            verdict = Verdict.HOLDS_WHEN
            said += " It holds when bytes count; in CPU time the two are not told apart."
        else:
            verdict = Verdict.DOES_NOT_HOLD
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
    measure,
    judge,
)


async def measure_cost(lab: Lab, chance: Random) -> Sample:
    """CPU time in turns; then connections that were used once and stay open, to a gateway that is new where it can be."""
    clients: dict[str, Client] = {BINARY: lab.websocket(), HTTP: lab.http()}
    for client in clients.values():
        await client.speak(unpaced(lab, "Hello."), clock())
    sample: Sample = {}
    for _ in range(SLICES):
        for way in chance.sample(list(clients), k=len(clients)):
            await spent(lab, clients[way], sample, way)
    for client in clients.values():
        client.close()
    for way in (HTTP, BINARY):
        await _open(lab, way, sample)
    return sample


async def _open(lab: Lab, way: str, sample: Sample) -> None:
    def client() -> Client:
        return lab.websocket() if way == BINARY else lab.http()

    with lab.fresh():
        pid = lab.target.pid
        clients = [client() for _ in range(USED_BEFORE + lab.plan.connections)]
        timelines = []
        before = 0
        for number, one in enumerate(clients):
            if number == USED_BEFORE and pid is not None:
                before = memory_of(pid).pss
            timelines.append(await one.speak(unpaced(lab, "Hello."), clock()))
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
    shown = [one for found in by_cost.values() for one in found.values()]
    known = {cost: found for cost, found in by_cost.items() if {HTTP, BINARY} <= found.keys()}
    if not known:
        return Judgement(Verdict.UNDECIDED, "Nothing was measured.", shown)
    dearer = [cost for cost, found in known.items() if is_below(found[HTTP], found[BINARY])]
    cheaper = [cost for cost, found in known.items() if is_below(found[BINARY], found[HTTP])]
    said = " ".join(
        f"{cost[0].upper()}{cost[1:]}: WebSocket {told(found[BINARY])}, HTTP {told(found[HTTP])}."
        for cost, found in known.items()
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
    "protocols alternating. Growth of its proportional set size by connections that spoke once and stay open. Time until a "
    "new connection can be spoken on: connected (HTTP), `ready` (WebSocket).",
    measure_cost,
    judge_cost,
)
