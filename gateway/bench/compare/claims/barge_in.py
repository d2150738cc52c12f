"""Claim 10: what a listener who interrupts still gets, and what was made in vain."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random

from gateway.bench.compare.claims.first_byte import unpaced
from gateway.bench.compare.lab import LEAD_IN_S, Lab
from gateway.bench.compare.question import Question
from gateway.bench.compare.results import Chart, Judgement, Verdict
from gateway.bench.compare.samples import Sample, figures, is_below, told, total
from gateway.bench.compare.target import counter
from gateway.bench.instruments.timeline import clock
from gateway.bench.instruments.utterance import Client, Piece, Utterance
from gateway.bench.plan import LONG

HTTP, SOCKET = "HTTP, cut connection", "WebSocket, clear"
ACKNOWLEDGED = "clear to its acknowledgement"
LAST_AUDIO = "interruption to the last audio that came"
LEAKED = "frames after the acknowledgement"
UNHEARD = "audio received and not heard"
MADE = "audio made and not heard"
NEXT = "first byte of the next answer"
AFTER_S = (0.2, 1.5)
AT_ONCE_MS = 50.0
MADE_COUNTER = "gateway_audio_made_seconds_total"


async def measure(lab: Lab, chance: Random) -> Sample:
    """All listeners of one protocol at once, each with a connection; afterwards each asks for something else."""
    sample: Sample = {}
    for way in (SOCKET, HTTP):
        clients: list[Client] = [
            lab.websocket() if way == SOCKET else lab.http() for _ in range(lab.plan.barge_ins)
        ]
        for client in clients:
            await client.speak(unpaced(lab, "Hello."), clock())
        made_before = await counter(lab.target, MADE_COUNTER)
        begin = clock() + LEAD_IN_S
        timelines = await lab.at_once(
            [
                partial(client.speak, _interrupted(lab, chance), begin + chance.uniform(0.0, 0.5))
                for client in clients
            ]
        )
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
        sample[way, NEXT] = []
        for client in clients:
            for after in await lab.in_turn(client, [unpaced(lab, "Yes?")]):
                assert after.ttfb_s is not None
                sample[way, NEXT].append(after.ttfb_s)
            client.close()
    return sample


def _interrupted(lab: Lab, chance: Random) -> Utterance:
    """A long answer as it is sent by default, to somebody who listens for a moment."""
    return Utterance(
        (Piece(0.0, LONG),),
        parameters={"model": lab.plan.model, "language": "en"},
        barge_in_s=chance.uniform(*AFTER_S),
    )


def judge(repeats: Sequence[Sample]) -> Judgement:
    """No frame may leak, the last audio must come within 50 ms, and less must be made in vain."""
    acknowledged, last = figures(repeats, ACKNOWLEDGED), figures(repeats, LAST_AUDIO)
    unheard, made = figures(repeats, UNHEARD, "s", 1.0), figures(repeats, MADE, "s", 1.0)
    leaks = figures(repeats, LEAKED, "frames", 1.0)
    after = figures(repeats, NEXT)
    by_quantity = (acknowledged, last, leaks, unheard, made, after)
    shown = [one for found in by_quantity for one in found.values()]
    if SOCKET not in acknowledged or not {SOCKET, HTTP} <= unheard.keys():
        return Judgement(Verdict.UNDECIDED, "Not both protocols were interrupted.", shown)
    leaked = total(repeats, SOCKET, LEAKED)
    said = (
        f"Clear is acknowledged after {told(acknowledged[SOCKET])}; {leaked:.0f} frames came after that in "
        f"{last[SOCKET].n} interruptions. Received and not heard: WebSocket {told(unheard[SOCKET])}, HTTP "
        f"{told(unheard[HTTP])}."
    )
    wasted = made if {SOCKET, HTTP} <= made.keys() else unheard
    if wasted is made:
        said += f" Made and not heard: WebSocket {told(made[SOCKET])}, HTTP {told(made[HTTP])}."
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
        said += " It holds when silence counts; less waste than over HTTP is not shown."
    charts = [
        Chart("Audio received and not heard", "s", quantity=UNHEARD),
        Chart("First byte of the next answer after an interruption", "ms", quantity=NEXT),
    ]
    return Judgement(verdict, said, shown, charts)


QUESTION = Question(
    10,
    "A barge-in over WebSocket is silent at once, leaks nothing and wastes less than cutting an HTTP stream.",
    "Guides to voice agents: the conversation goes on, on the same connection.",
    "A long answer with the gateway's default lead, interrupted 0.2 to 1.5 s after its first audio by `clear` or by closing "
    "the connection; then a short one is asked for with the same client. From the interruption to the acknowledgement and to "
    "the last audio; frames after the acknowledgement; audio received and not heard (no prebuffer); audio that the server "
    f"says it made (`{MADE_COUNTER}`) and that was not heard.",
    measure,
    judge,
)
