"""What a load says, as it is written to load.json. A change of meaning raises `VERSION`."""

from __future__ import annotations

import msgspec

from gateway.bench.instruments.stats import Summary
from gateway.bench.results import Machine
from gateway.bench.sessions.plan import Load, Search

VERSION = 1


class Distribution(msgspec.Struct, frozen=True):
    """Some times: what can be told about them, and all of them as an HDR histogram (compressed base64, microseconds)."""

    summary: Summary
    histogram: str


class Errors(msgspec.Struct, frozen=True):
    """Turns that failed in one way. `with_retry_after`: those that were told when to come back."""

    count: int
    with_retry_after: int
    example: str


class Harness(msgspec.Struct, frozen=True):
    """The harness itself: how late it was for its own moments, and how many cores it took."""

    lag_p99_ms: float
    lag_max_ms: float
    cores: float
    is_valid: bool


class CpuShares(msgspec.Struct, frozen=True):
    """Busy cores: the server's event loop (its main thread), its encode threads (all others), the processes that fork
    workers, those workers, and everybody but server and harness."""

    loop: float
    encoders: float
    nurseries: float
    workers: float
    others: float

    @property
    def server(self) -> float:
        """All that the server takes."""
        return self.loop + self.encoders + self.nurseries + self.workers


class Figures(msgspec.Struct, frozen=True):
    """A stretch of a load, in figures; turns belong to it by their intended start.

    `times` has, by name: `ttfa` (and `ttfa http`, `ttfa websocket`), `ftts`, `connect`, `lag`, `stall` (the longest of
    each turn), `required delay`, `cancel acknowledged`, `cancel last audio`, `refused`. A rate is per second.
    `continuous_share` is of turns that listeners took as fast as they should; `goodput` counts what met all objectives.
    """

    seconds: float
    sessions: int
    turns: int
    sessions_per_s: float
    turns_per_s: float
    audio_s_per_s: float
    in_flight_mean: float
    in_flight_max: int
    errors: dict[str, Errors]
    error_share: float
    times: dict[str, Distribution]
    ttfa_share: float | None
    """Of all judged turns, failed ones included: those with sound in time."""
    continuous_n: int
    continuous_share: float | None
    good_turns_per_s: float
    good_sessions_per_s: float
    good_share: float | None
    interrupted: int
    leaked: int
    unheard_s_mean: float | None
    """Seconds of audio received in vain, per interruption."""
    whole: int
    """Turns of which all audio was to come, and of those how many came announced = received = decoded."""
    complete: int
    harness: Harness
    cpu: CpuShares | None


class Function(msgspec.Struct, frozen=True):
    """Where the server's main thread was: shares of samples in the function itself, and in it or what it called."""

    name: str
    own: float
    total: float


class LoadResult(msgspec.Struct, frozen=True, tag_field="kind", tag="load"):
    """Everything. `is_complete` is false when it was interrupted or the target was lost."""

    started: str
    seconds: float
    target: str
    load: Load
    machine: Machine
    is_pinned: bool
    is_complete: bool
    is_valid: bool
    figures: Figures
    profile: list[Function] = []
    version: int = VERSION


class Step(msgspec.Struct, frozen=True):
    """One rate that was tried. `failed` says which objective it did not keep; empty = all were kept."""

    sessions_per_s: float
    failed: str
    figures: Figures


class Overload(msgspec.Struct, frozen=True):
    """More than it can take, and what came after. `recovery_s`: from the drop to when again enough turns had sound in time,
    any five seconds together; None when that did not come while it was looked at."""

    sessions_per_s: float
    seconds: float
    during: Figures
    rest_sessions_per_s: float
    rest_s: float
    after: Figures
    recovery_s: float | None
    in_time_by_second: list[tuple[float, int, float]]
    """After the drop: the second, the turns due in it, and the share of them with sound in time."""


class CapacityResult(msgspec.Struct, frozen=True, tag_field="kind", tag="capacity"):
    """The search. `sessions_per_s` is the highest rate that kept the objectives, None when none did; `failing_per_s` the
    lowest that did not; `bottleneck` names what was busiest there."""

    started: str
    seconds: float
    target: str
    load: Load
    search: Search
    machine: Machine
    is_pinned: bool
    is_complete: bool
    is_valid: bool
    sessions_per_s: float | None
    failing_per_s: float | None
    bottleneck: str
    steps: list[Step]
    overload: Overload | None = None
    profile: list[Function] = []
    version: int = VERSION
