"""Claim 10: what a listener who interrupts still gets, what was made in vain, and when the server is silent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random

from gateway.bench.compare.lab import LEAD_IN_S, Lab
from gateway.bench.compare.question import Question
from gateway.bench.compare.results import Chart, Judgement, Verdict
from gateway.bench.compare.samples import Sample, figures, is_below, told, total
from gateway.bench.compare.target import counter
from gateway.bench.instruments.hearing import sleep_until
from gateway.bench.instruments.timeline import clock
from gateway.bench.instruments.utterance import Client, Piece, Utterance
from gateway.bench.plan import LONG

HTTP, SOCKET = "HTTP, cut connection", "WebSocket, clear"
HTTP_USUAL = "HTTP, cut connection, its default lead"
LEAD_MS = 4_000
"""The default over WebSocket, here for both. Over HTTP the default is none."""
LEADS: dict[str, dict[str, object]] = {
    SOCKET: {"lead_ms": LEAD_MS},
    HTTP: {"lead_ms": LEAD_MS},
    HTTP_USUAL: {},
}
ACKNOWLEDGED = "clear to its acknowledgement"
SILENT = "interruption to the server's silence"
LAST_AUDIO = "interruption to the last audio that came"
LEAKED = "frames after the acknowledgement"
UNHEARD = "audio received and not heard"
MADE = "audio made and not heard"
NEXT = "first byte of the next answer"
AFTER_S = (0.2, 0.8)
AT_ONCE_MS = 50.0
MADE_COUNTER = "gateway_audio_made_seconds_total"
CLOSED_COUNTER = "gateway_contexts_closed_total"
SETTLED_S_MAX = 1.0
"""A server that has not ended a context so long after its listener left is not waited for."""


async def measure(lab: Lab, chance: Random) -> Sample:
    """All listeners of one way at once, each with a connection; afterwards each asks for something else."""
    sample: Sample = {}
    for way in LEADS:
        make = lab.websocket if way == SOCKET else lab.http
        makers = {str(number): make for number in range(lab.plan.barge_ins)}
        async with lab.clients(makers) as clients:
            await _interrupt(lab, chance, way, list(clients.values()), sample)
            for client in clients.values():
                for after in await lab.in_turn(client, [lab.unpaced("Yes?")]):
                    assert after.ttfb_s is not None
                    sample.setdefault((way, NEXT), []).append(after.ttfb_s)
    await _silence(lab, chance, sample)
    return sample


async def _interrupt(
    lab: Lab, chance: Random, way: str, clients: Sequence[Client], sample: Sample
) -> None:
    made_before = await counter(lab.target, MADE_COUNTER)
    closed_before = await counter(lab.target, CLOSED_COUNTER)
    begin = clock() + LEAD_IN_S
    timelines = await lab.at_once(
        [
            partial(client.speak, _long(lab, way, chance), begin + chance.uniform(0.0, 0.5))
            for client in clients
        ]
    )
    if closed_before is not None:
        await _closed(lab, closed_before + len(clients))
    made_after = await counter(lab.target, MADE_COUNTER)
    metrics = [m for m in lab.judge(timelines) if m.cancel is not None]
    cancels = [m.cancel for m in metrics if m.cancel is not None]
    sample[way, LAST_AUDIO] = [cancel.last_audio_s for cancel in cancels]
    sample[way, UNHEARD] = [cancel.unheard_s for cancel in cancels]
    acknowledged = [c.acknowledged_s for c in cancels if c.acknowledged_s is not None]
    if acknowledged:
        sample[way, ACKNOWLEDGED] = acknowledged
    sample[way, LEAKED] = [float(cancel.leaked) for cancel in cancels]
    if made_before is not None and made_after is not None and metrics:
        heard_s = sum(m.audio_s for m in metrics) - sum(sample[way, UNHEARD])
        sample[way, MADE] = [(made_after - made_before - heard_s) / len(metrics)]


async def _silence(lab: Lab, chance: Random, sample: Sample) -> None:
    """Over HTTP nothing is answered to who hangs up, so the server is asked, again and again, for what it counts."""
    for _ in range(lab.plan.hang_ups):
        closed_before = await counter(lab.target, CLOSED_COUNTER)
        if closed_before is None:
            return
        client = lab.http()
        timeline = await client.speak(_long(lab, HTTP, chance, AFTER_S[0]), clock())
        seen_at = await _closed(lab, closed_before + 1)
        client.close()
        if lab.judge([timeline]) and seen_at is not None and timeline.interrupted is not None:
            sample.setdefault((HTTP, SILENT), []).append(seen_at - timeline.interrupted)


async def _closed(lab: Lab, count: float) -> float | None:
    """When the server was first seen to have ended so many contexts; None if that takes too long."""
    give_up = clock() + SETTLED_S_MAX
    while clock() < give_up:
        closed = await counter(lab.target, CLOSED_COUNTER)
        if closed is None or closed >= count:
            return clock()
        await sleep_until(clock())
    return None


def _long(lab: Lab, way: str, chance: Random, after_s: float | None = None) -> Utterance:
    """A long answer, to somebody who listens for a moment."""
    return Utterance(
        (Piece(0.0, LONG),),
        parameters={"model": lab.model, "language": "en", **LEADS[way]},
        barge_in_s=chance.uniform(*AFTER_S) if after_s is None else after_s,
    )


def judge(repeats: Sequence[Sample]) -> Judgement:
    """No frame may leak, silence must come within 50 ms, and less must be made in vain with the same lead."""
    acknowledged, last = figures(repeats, ACKNOWLEDGED), figures(repeats, LAST_AUDIO)
    silent = figures(repeats, SILENT)
    unheard, made = figures(repeats, UNHEARD, "s", 1.0), figures(repeats, MADE, "s", 1.0)
    leaks = figures(repeats, LEAKED, "frames", 1.0)
    after = figures(repeats, NEXT)
    by_quantity = (acknowledged, silent, last, leaks, unheard, made, after)
    shown = [one for found in by_quantity for one in found.values()]
    if SOCKET not in acknowledged or not {SOCKET, HTTP} <= unheard.keys():
        return Judgement(Verdict.UNDECIDED, "Not both protocols were interrupted.", shown)
    leaked = total(repeats, SOCKET, LEAKED)
    said = (
        f"Clear is acknowledged after {told(acknowledged[SOCKET])}; {leaked:.0f} frames came after that in "
        f"{last[SOCKET].n} interruptions."
    )
    if HTTP in silent:
        said += f" After a hang-up the server has ended its work within {told(silent[HTTP])}."
    by_way = {"Received": unheard, "Made": made}
    for what, found in by_way.items():
        if {SOCKET, HTTP} <= found.keys():
            said += (
                f" {what} and not heard, {LEAD_MS} ms ahead over both: WebSocket {told(found[SOCKET])}, HTTP "
                f"{told(found[HTTP])}"
            )
            usual = found.get(HTTP_USUAL)
            said += f"; with HTTP's default, as fast as it can be, {told(usual)}." if usual else "."
    wasted = made if {SOCKET, HTTP} <= made.keys() else unheard
    if {SOCKET, HTTP} <= after.keys():
        said += f" First byte of the next answer: {told(after[SOCKET])}, HTTP {told(after[HTTP])}."
    if leaked or acknowledged[SOCKET].low > AT_ONCE_MS:
        verdict = Verdict.DOES_NOT_HOLD
    elif acknowledged[SOCKET].high > AT_ONCE_MS:
        verdict = Verdict.UNDECIDED
    elif is_below(wasted[SOCKET], wasted[HTTP]):
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.HOLDS_WHEN
        said += " It holds when silence counts; less waste than over HTTP with the same lead is not shown."
    charts = [
        Chart("Audio received and not heard", "s", quantity=UNHEARD),
        Chart("First byte of the next answer after an interruption", "ms", quantity=NEXT),
    ]
    return Judgement(verdict, said, shown, charts)


QUESTION = Question(
    10,
    "A barge-in over WebSocket is silent at once, leaks nothing and wastes less than cutting an HTTP stream.",
    "Guides to voice agents: the conversation goes on, on the same connection.",
    f"A long answer, sent at most {LEAD_MS} ms ahead of its listener over both protocols (and over HTTP also with its default: as fast "
    f"as it can be), interrupted {AFTER_S[0]:g} to {AFTER_S[1]:g} s after its first audio by `clear` or by closing the connection; then a "
    "short one is asked for with the same client. To the acknowledgement and to the last audio; over HTTP, where nobody "
    f"answers, until the server's own count (`{CLOSED_COUNTER}`) says that its work has ended, which is late by one look at it. "
    "Frames after the acknowledgement; audio received and not heard (no prebuffer); audio that the server says it made "
    f"(`{MADE_COUNTER}`) and that was not heard.",
    f"It does not hold if a frame follows the acknowledgement, or if that takes more than {AT_ONCE_MS:g} ms; otherwise it holds if less "
    "is made and not heard than over HTTP with the same lead, and it holds when silence counts if that is not shown.",
    measure,
    judge,
)
