"""One turn of a session, judged: what of its timeline the figures need, and no audio."""

from __future__ import annotations

from bisect import bisect_left
from enum import StrEnum
from itertools import accumulate

import msgspec

from gateway.bench.instruments.metrics import Metrics, measure
from gateway.bench.instruments.objectives import Objectives
from gateway.bench.instruments.timeline import Failure, Timeline, Wire
from gateway.bench.instruments.utterance import Utterance


class Outcome(StrEnum):
    """What became of a turn: the failures that a client sees, and those that only a load knows.

    `LEAKED`: audio came after a barge-in had been acknowledged, or after the end of its context. `UNFINISHED`: the run
    ended before anything was heard. `CAPPED`: a session that was not begun because too many were going on. `UNJUDGED`:
    it went well as far as is known, but the harness could not keep up with decoding.
    """

    GOOD = "good"
    REFUSED = Failure.REFUSED.value
    UNREACHABLE = Failure.UNREACHABLE.value
    TIMEOUT = Failure.TIMEOUT.value
    TRUNCATED = Failure.TRUNCATED.value
    PROTOCOL = Failure.PROTOCOL.value
    INAUDIBLE = Failure.INAUDIBLE.value
    LEAKED = "leaked"
    UNFINISHED = "unfinished"
    CAPPED = "capped"
    UNJUDGED = "unjudged"


class Place(msgspec.Struct, frozen=True):
    """Which turn it was. `due_s` is its intended start after the beginning of the load, `over_s` when it was over."""

    session: int
    turn: int
    wire: Wire
    due_s: float
    over_s: float
    is_cut: bool = False
    """The run ended before it did."""
    strays: int = 0
    """Audio frames of ended contexts that came since the turn before."""


class Heard(msgspec.Struct, frozen=True):
    """A turn. Times in seconds; what has no meaning for it is None.

    `ttfa_s` counts from when the text of the first segment was due, `ftts_s` from the first token of a text that
    trickles; both contain whatever made the client late. `stall_s` is the longest stall of a player with the prebuffer
    of the objectives; None for a slow reader, who makes his own. `is_good`: all objectives were met; None where
    nothing can be said (a turn that was interrupted before anything was audible, or cut off by the end of the run).
    """

    place: Place
    outcome: Outcome
    detail: str = ""
    retry_after_s: float | None = None
    refused_s: float | None = None
    lag_s: float | None = None
    connect_s: float | None = None
    ttfa_s: float | None = None
    ftts_s: float | None = None
    audio_s: float = 0.0
    stall_s: float | None = None
    required_delay_s: float | None = None
    is_continuous: bool | None = None
    cancel_ack_s: float | None = None
    cancel_last_audio_s: float | None = None
    leaked: int = 0
    unheard_s: float | None = None
    is_complete: bool | None = None
    is_good: bool | None = None


def judge(timeline: Timeline, utterance: Utterance, place: Place, objectives: Objectives) -> Heard:
    """The turn in figures. Pure, and slow: it decodes the audio."""
    text_due_s = first_text_due_s(timeline, utterance)
    metrics = measure(timeline)
    ttfa_s = None if metrics.ttfa_s is None else max(metrics.ttfa_s - text_due_s, 0.0)
    metrics = msgspec.structs.replace(metrics, ttfa_s=ttfa_s)
    cancel, playout, completeness = metrics.cancel, metrics.playout, metrics.completeness
    leaked = place.strays + (cancel.leaked if cancel else 0)
    trouble = metrics.trouble
    waited_s = place.over_s - place.due_s - text_due_s
    outcome = _outcome(
        metrics, leaked, is_overdue=place.is_cut and waited_s > objectives.ttfa_s_max
    )
    is_slow = utterance.consumer.rate is not None and utterance.consumer.rate < 1
    stalls = None if playout is None or is_slow else objectives.stalls_of(playout)
    is_trickled = len(utterance.pieces) > 1
    return Heard(
        place=place,
        outcome=outcome,
        detail=" ".join(trouble.detail.split())[:200] if trouble else "",
        retry_after_s=trouble.retry_after_s if trouble else None,
        refused_s=_refused_s(timeline, place) if outcome is Outcome.REFUSED else None,
        lag_s=metrics.lag_s,
        connect_s=metrics.connect_s,
        ttfa_s=ttfa_s,
        ftts_s=ttfa_s + text_due_s if is_trickled and ttfa_s is not None else None,
        audio_s=metrics.audio_s,
        stall_s=stalls.longest_s if stalls else None,
        required_delay_s=playout.required_delay_s if playout and not is_slow else None,
        is_continuous=stalls.is_continuous if stalls else None,
        cancel_ack_s=cancel.acknowledged_s if cancel else None,
        cancel_last_audio_s=cancel.last_audio_s if cancel else None,
        leaked=leaked,
        unheard_s=cancel.unheard_s if cancel else None,
        is_complete=completeness.is_complete if completeness and _is_whole(timeline) else None,
        is_good=_is_good(metrics, outcome, objectives, is_slow=is_slow),
    )


def first_text_due_s(timeline: Timeline, utterance: Utterance) -> float:
    """When, after the intended start, the last character of what was spoken first was due."""
    pieces = utterance.pieces
    segments = timeline.messages("segment")
    if timeline.wire is Wire.WEBSOCKET and segments:
        text_end = segments[0].fields.get("text_end")
        ends = list(accumulate(len(piece.text) for piece in pieces))
        if isinstance(text_end, int) and 0 < text_end <= ends[-1]:
            return pieces[bisect_left(ends, text_end)].at_s
    return pieces[-1].at_s


def _outcome(metrics: Metrics, leaked: int, *, is_overdue: bool) -> Outcome:
    if metrics.trouble is not None:
        return Outcome(metrics.trouble.failure.value)
    if leaked:
        return Outcome.LEAKED
    if metrics.ttfa_s is None and is_overdue:
        return Outcome.UNFINISHED
    return Outcome.GOOD


def _is_good(
    metrics: Metrics, outcome: Outcome, objectives: Objectives, *, is_slow: bool
) -> bool | None:
    if outcome is not Outcome.GOOD:
        return False
    if metrics.ttfa_s is None:
        return None
    if is_slow:
        return metrics.ttfa_s <= objectives.ttfa_s_max
    return objectives.are_met_by(metrics)


def _is_whole(timeline: Timeline) -> bool:
    """Whether all audio was to come."""
    return timeline.finished is not None and timeline.interrupted is None


def _refused_s(timeline: Timeline, place: Place) -> float:
    """From asking to the refusal: over HTTP one asks when the text is whole."""
    asked_s = 0.0
    if timeline.wire is Wire.HTTP and timeline.text_ended is not None:
        asked_s = timeline.text_ended - timeline.intended
    return max(place.over_s - place.due_s - asked_s, 0.0)
