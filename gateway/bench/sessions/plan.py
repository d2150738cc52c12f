"""How much load, of which kind, and what is good enough."""

from __future__ import annotations

import msgspec

from gateway.bench.instruments.objectives import Objectives
from gateway.bench.workload.corpus import LANGUAGES
from gateway.bench.workload.schedule import Mix

IN_FLIGHT_MAX = 4_000

LOAD_MIX = Mix(http_share=0.2, pause_share=0.0, tokens_per_s=(70.0, 150.0))
CAPACITY_MIX = msgspec.structs.replace(LOAD_MIX, turns=(1, 2), think_s_mean=0.5)
"""Shorter sessions, so that a rate shows what it does within seconds."""


class Load(msgspec.Struct, frozen=True):
    """One load at one rate. The seed decides who comes when and says what."""

    sessions_per_s: float
    duration_s: float = 60.0
    seed: int = 1
    mix: Mix = LOAD_MIX
    languages: tuple[str, ...] = LANGUAGES
    objectives: Objectives = Objectives()
    in_flight_max: int = IN_FLIGHT_MAX
    drain_s: float = 20.0
    """So long after the last arrival sessions may go on; then they are cut off, and judged as far as they came."""


class Search(msgspec.Struct, frozen=True):
    """How the highest rate that keeps the objectives is looked for, and what is done beyond it. Times in seconds.

    A step counts the turns that are due in `window_s`, after `settle_s` at the same rate. Rates double until one fails,
    and then the interval is halved until its ends are `precision` apart. After that `overload_factor` times the
    capacity comes for `overload_s`, and then `rest_share` of it for `rest_s`.
    """

    ttfa_share_min: float = 0.95
    continuous_share_min: float = 0.999
    error_share_max: float = 0.01
    settle_s: float = 4.0
    window_s: float = 9.0
    drain_s: float = 5.0
    precision: float = 1.1
    steps_max: int = 10
    search_s_max: float = 200.0
    overload_factor: float = 2.0
    overload_s: float = 12.0
    rest_share: float = 0.8
    rest_s: float = 25.0
