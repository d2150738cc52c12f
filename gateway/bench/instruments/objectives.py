"""When one utterance was good enough, and how many such there were per second."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gateway.bench.instruments.metrics import Metrics, Playout, Stalls


class Objectives(msgspec.Struct, frozen=True):
    """What a good utterance keeps: all of it, or it does not count.

    Sound within `ttfa_s_max` of the intended start, no stall longer than a tenth of a second for a player that waits
    for `prebuffer_s` (one of `PREBUFFERS_S`), and no trouble of any kind.
    """

    ttfa_s_max: float = 0.2
    prebuffer_s: float = 0.1

    def are_met_by(self, metrics: Metrics) -> bool:
        """Whether this utterance keeps them. One that was never audible does not."""
        if metrics.trouble is not None or metrics.ttfa_s is None or metrics.playout is None:
            return False
        return metrics.ttfa_s <= self.ttfa_s_max and self.stalls_of(metrics.playout).is_continuous

    def stalls_of(self, playout: Playout) -> Stalls:
        """Playback by the player that these objectives are for."""
        (stalls,) = [s for s in playout.stalls if s.prebuffer_s == self.prebuffer_s]
        return stalls


def goodput(utterances: Iterable[Metrics], seconds: float, objectives: Objectives) -> float:
    """Utterances per second that met all objectives."""
    return sum(objectives.are_met_by(metrics) for metrics in utterances) / seconds
