"""From judged turns to the figures of a stretch of a load. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from gateway.bench.instruments.stats import Latencies
from gateway.bench.instruments.timeline import NATIVE_WIRES
from gateway.bench.sessions.heard import Heard, Outcome
from gateway.bench.sessions.plan import Load
from gateway.bench.sessions.results import CpuShares, Distribution, Errors, Figures, Harness

SECONDS_MIN = 0.001
_TIMES = {
    "ttfa": "ttfa_s",
    "ftts": "ftts_s",
    "connect": "connect_s",
    "lag": "lag_s",
    "stall": "stall_s",
    "required delay": "required_delay_s",
    "cancel acknowledged": "cancel_ack_s",
    "cancel last audio": "cancel_last_audio_s",
    "refused": "refused_s",
}


def figures(
    heard: Sequence[Heard],
    load: Load,
    *,
    sessions: Collection[int],
    stretch: tuple[float, float],
    in_flight: tuple[float, int],
    harness: Harness,
    cpu: CpuShares | None,
) -> Figures:
    """All figures of these turns. `sessions` are the numbers of those that began in the stretch, whose ends are seconds
    after the beginning of the load; rates are of turns that were due in it, everything else of all turns given."""
    seconds = max(stretch[1] - stretch[0], SECONDS_MIN)
    due = [turn for turn in heard if turn.place.due_s < stretch[1]]
    judged = [turn for turn in heard if turn.is_good is not None]
    played = [turn.is_continuous for turn in heard if turn.is_continuous is not None]
    whole = [turn.is_complete for turn in heard if turn.is_complete is not None]
    unheard = [turn.unheard_s for turn in heard if turn.unheard_s is not None]
    failed = [turn for turn in heard if turn.outcome is not Outcome.GOOD]
    return Figures(
        seconds=seconds,
        sessions=len(sessions),
        turns=len(heard),
        sessions_per_s=len(sessions) / seconds,
        turns_per_s=len(due) / seconds,
        audio_s_per_s=sum(turn.audio_s for turn in due) / seconds,
        in_flight_mean=in_flight[0],
        in_flight_max=in_flight[1],
        errors=_errors(failed),
        error_share=len(failed) / len(heard) if heard else 0.0,
        times=_times(heard),
        ttfa_share=ttfa_share(judged, load.objectives.ttfa_s_max),
        continuous_n=len(played),
        continuous_share=_share(sum(played), len(played)),
        good_turns_per_s=sum(turn.is_good is True for turn in due) / seconds,
        good_sessions_per_s=_good_sessions(judged, sessions) / seconds,
        good_share=_share(sum(turn.is_good is True for turn in judged), len(judged)),
        interrupted=len(unheard),
        leaked=sum(turn.leaked for turn in heard),
        unheard_s_mean=sum(unheard) / len(unheard) if unheard else None,
        whole=len(whole),
        complete=sum(whole),
        harness=harness,
        cpu=cpu,
    )


def ttfa_share(judged: Iterable[Heard], ttfa_s_max: float) -> float | None:
    """The share of turns with sound in time; who was refused or lost had none. None without turns."""
    in_time = [turn.ttfa_s is not None and turn.ttfa_s <= ttfa_s_max for turn in judged]
    return _share(sum(in_time), len(in_time))


def _good_sessions(judged: Iterable[Heard], sessions: Collection[int]) -> int:
    """Of these sessions, how many met all objectives in every turn that they had."""
    came = {turn.place.session for turn in judged}
    bad = {turn.place.session for turn in judged if not turn.is_good}
    return sum(number in came and number not in bad for number in sessions)


def _errors(failed: Sequence[Heard]) -> dict[str, Errors]:
    counts = Counter(turn.outcome for turn in failed)
    found = {}
    for outcome, count in counts.most_common():
        of_this = [turn for turn in failed if turn.outcome is outcome]
        advised = sum(turn.retry_after_s is not None for turn in of_this)
        found[outcome.value] = Errors(count, advised, of_this[0].detail)
    return found


def _times(turns: Sequence[Heard]) -> dict[str, Distribution]:
    by_name = {name: [getattr(turn, field) for turn in turns] for name, field in _TIMES.items()}
    for wire in NATIVE_WIRES:
        by_name[f"ttfa {wire}"] = [turn.ttfa_s for turn in turns if turn.place.wire is wire]
    return {
        name: distribution(known)
        for name, values in by_name.items()
        if (known := [max(value, 0.0) for value in values if value is not None])
    }


def distribution(seconds: Iterable[float]) -> Distribution:
    """Some times as a histogram, and what can be told about them."""
    latencies = Latencies(seconds)
    return Distribution(latencies.summary(), latencies.encoded())


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
