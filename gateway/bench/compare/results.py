"""What a comparison says, as it is written to results.json. A change of meaning raises `VERSION`."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from gateway.bench.compare.plan import Plan
from gateway.bench.results import Machine

KIND = "compare"
VERSION = 2


class Verdict(StrEnum):
    """What the figures say of a claim."""

    HOLDS = "holds"
    HOLDS_WHEN = "holds when …"
    DOES_NOT_HOLD = "does not hold"
    UNDECIDED = "undecided"


class Figure(msgspec.Struct, frozen=True):
    """One quantity of one way: the median of `n` values and its 95 % bootstrap interval over repeats.

    `percentiles` holds those that `n` is enough for. A count or a mean over a whole repeat has none. `histogram` holds the
    values of a latency in HdrHistogram's compressed base64 form (microseconds), which merges with those of other runs.
    `repeats` are all values, those of each repeat apart, so that two results can be compared; of a mean they are the means.
    """

    way: str
    quantity: str
    unit: str
    n: int
    value: float
    low: float
    high: float
    percentiles: dict[str, float] = {}
    repeats: list[list[float]] = []
    histogram: str = ""


class Line(msgspec.Struct, frozen=True):
    """One line of a chart; `low` and `high` are the interval of each y."""

    name: str
    x: list[float]
    y: list[float]
    low: list[float] = []
    high: list[float] = []


class Chart(msgspec.Struct, frozen=True):
    """A picture as data. Without lines it shows the figures of `quantity` as points with their intervals."""

    title: str
    x: str
    y: str = ""
    quantity: str = ""
    lines: list[Line] = []
    is_log: bool = False


class Judgement(msgspec.Struct, frozen=True):
    """A verdict, and in one or two sentences what decides it and where it turns."""

    verdict: Verdict
    answer: str
    figures: list[Figure] = []
    charts: list[Chart] = []


class Health(msgspec.Struct, frozen=True):
    """The harness itself: how late it was for its own moments, and how much of a core it took."""

    lag_p99_ms: float
    lag_max_ms: float
    cpu_share: float
    is_valid: bool


class Claim(msgspec.Struct, frozen=True):
    """One row. `rule` says beforehand which figures make which verdict, `seconds` how long all
    repeats took. `failures` are utterances that failed, each as often as it happened; they are in no figure."""

    number: int
    claim: str
    made_in: str
    method: str
    judgement: Judgement
    health: Health | None = None
    failures: dict[str, int] = {}
    utterances: int = 0
    rule: str = ""
    seconds: float = 0.0


class Comparison(msgspec.Struct, frozen=True):
    """Everything. `is_complete` is false when it was interrupted; `is_valid` when the harness was late somewhere."""

    started: str
    seconds: float
    target: str
    plan: Plan
    machine: Machine
    is_pinned: bool
    is_complete: bool
    is_valid: bool
    claims: list[Claim]
    version: int = VERSION
    kind: str = KIND
