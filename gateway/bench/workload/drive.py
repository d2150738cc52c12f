"""Schedules into conversations. An open loop starts every session on time, whatever became of those before it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec

from gateway.bench.instruments.hearing import sleep_until
from gateway.bench.instruments.timeline import Failure, Sent, Timeline, clock, joined
from gateway.bench.instruments.utterance import Client, Utterance
from gateway.bench.workload.schedule import Session, Turn
from gateway.bench.workload.tokens import Gather, gathered

LEAD_IN_S = 0.1
"""Between now and the beginning of a schedule, so that its first sessions are not late already."""

RunSession = Callable[[Session, float], Coroutine[Any, Any, None]]
OnTurn = Callable[[Turn, Timeline], None]


async def open_loop(
    sessions: Sequence[Session],
    run: RunSession,
    *,
    in_flight_max: int,
    on_lost: Callable[[Session], None],
    begin: float | None = None,
    until_s: float | None = None,
) -> None:
    """Run each session at its moment, beside those that still go on; returns when the last has ended.

    `run` gets the session and its intended start, a moment of `clock`. A session that comes while `in_flight_max` are
    going on is not run and not delayed: `on_lost` is told, for this load lost it. The schedule begins at `begin`
    (default: at once); sessions that go on `until_s` after that are cancelled.
    """
    begin = clock() + LEAD_IN_S if begin is None else begin
    going_on: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as tasks:
        for session in sessions:
            intended = begin + session.at_s
            await sleep_until(intended)
            if len(going_on) >= in_flight_max:
                on_lost(session)
                continue
            task = tasks.create_task(run(session, intended))
            going_on.add(task)
            task.add_done_callback(going_on.discard)
        if until_s is not None and going_on:
            await asyncio.wait(going_on, timeout=max(begin + until_s - clock(), 0.0))
            for task in going_on:
                task.cancel()


async def closed_loop(sessions: Sequence[Session], run: RunSession) -> None:
    """Run all sessions at once, each as fast as its turns allow; returns when the last has ended."""
    begin = clock() + LEAD_IN_S
    async with asyncio.TaskGroup() as tasks:
        for session in sessions:
            tasks.create_task(run(session, begin + session.at_s))


async def converse(client: Client, session: Session, intended: float, on_turn: OnTurn) -> None:
    """All turns of a session with one client, which is closed in the end.

    The first turn is meant for `intended`. Each later one is meant for the moment when its caller has heard the one
    before, or has interrupted it, and has thought. A client that vanishes has no later turns, nor has one that is turned
    away: a caller who is told to come back later, or finds nobody, does not ask on at once.
    """
    try:
        for turn in session.turns:
            timeline = await client.speak(turn.utterance, intended)
            on_turn(turn, timeline)
            if timeline.vanished or is_turned_away(timeline):
                return
            intended = max(heard_until(timeline), clock()) + turn.think_s
    finally:
        client.close()


def is_turned_away(timeline: Timeline) -> bool:
    """Whether the server would not have this caller."""
    turned_away = (Failure.REFUSED, Failure.UNREACHABLE)
    return timeline.trouble is not None and timeline.trouble.failure in turned_away


async def speak_in_requests(
    client: Client, utterance: Utterance, intended: float, how: Gather
) -> Timeline:
    """What a client does that can only ask for whole texts: gather tokens, ask for one piece after the other.

    Each request leaves when its text is there and the one before has been answered; a failed one is the last. The
    timeline is that of the whole utterance, whose text was there when its tokens were. Nobody interrupts.
    """
    parts: list[Timeline] = []
    for piece in gathered(utterance.pieces, how):
        request = msgspec.structs.replace(
            utterance, pieces=(piece,), barge_in_s=None, vanish_s=None
        )
        parts.append(await client.speak(request, intended))
        if parts[-1].trouble is not None:
            break
    whole = joined(parts)
    whole.sent = [Sent(intended + piece.at_s, piece.text) for piece in utterance.pieces]
    return whole


def heard_until(timeline: Timeline) -> float:
    """When the listener had heard it all, had interrupted, or had seen it fail."""
    if timeline.interrupted is not None:
        return timeline.interrupted
    payloads = timeline.payloads
    if not payloads:
        return timeline.intended
    return payloads[0].at + sum(timeline.duration_s(payload) for payload in payloads)
