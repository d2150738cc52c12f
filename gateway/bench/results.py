"""The figures of one run, as they are written to the result file. A change of meaning raises `VERSION`."""

from __future__ import annotations

import msgspec

from gateway.bench.latency import Latency
from gateway.bench.plan import Plan

VERSION = 1


class Machine(msgspec.Struct, frozen=True):
    """Where the figures were taken, and of which state of the code. `git` is None outside a checkout."""

    cpu: str
    cores: int
    memory_mb: int
    system: str
    python: str
    packages: dict[str, str]
    gateway: str
    git: str | None


class FirstByte(msgspec.Struct, frozen=True):
    """From asking to the first byte of audio, one utterance at a time. `ratio` is p50 in units of the bare engine's."""

    codec: str
    text: str
    way: str
    latency: Latency
    ratio: float | None


class Throughput(msgspec.Struct, frozen=True):
    """Seconds of audio per second from so many streams at once, and who spent what on it.

    `share` is the part of what the bare engine made with as many streams; `cpu_ms` the gateway's and its workers' CPU
    milliseconds per second of audio and `cpu_ratio` that in units of the bare engine's. Cores are CPU seconds per second:
    the gateway's event loop, its encode threads, its workers, this harness, and everybody else on the machine.
    """

    codec: str
    streams: int
    way: str
    audio_s_per_s: float
    share: float | None
    cpu_ms: float
    cpu_ratio: float | None
    loop_cores: float
    encode_cores: float
    worker_cores: float
    harness_cores: float
    foreign_cores: float
    first: Latency


class Cost(msgspec.Struct, frozen=True):
    """CPU microseconds of the gateway's event loop per utterance and per frame sent, from texts of two lengths."""

    model: str
    way: str
    utterance_us: float
    frame_us: float
    utterances_per_s: float
    """Of the short text, so many streams as cores."""


class Lag(msgspec.Struct, frozen=True):
    """Time for GET /healthz while streams saturate the gateway, and how late the harness itself was."""

    codec: str
    streams: int
    answer: Latency
    harness: Latency


class MemoryUse(msgspec.Struct, frozen=True):
    """Resident memory: KB that the gateway's process grows by for each, and MB of what is there once."""

    idle_connection_kb: float
    idle_session_kb: float
    """A connection with a context that has spoken."""
    idle_context_kb: float
    """A further context on it that has spoken."""
    speaking_kb: dict[str, float]
    """By codec: what a context on an idle connection takes while it speaks 4 s ahead of its listener."""
    gateway_mb: float
    worker_mb: float
    """Proportional size of one engine process, of which most is shared."""
    worker_rss_mb: float
    workers: int


class Vanished(msgspec.Struct, frozen=True):
    """How much later another client's first byte is when one went away in the middle of a long text the moment before,
    with one worker: the time until that worker is free."""

    way: str
    usual: Latency
    after: Latency


class Goal(msgspec.Struct, frozen=True):
    """A goal, and the figure that decides it; None = not measured in this run."""

    name: str
    goal: str
    figure: float | None
    met: bool | None


class Result(msgspec.Struct, frozen=True):
    """Everything."""

    started: str
    seconds: float
    plan: Plan
    machine: Machine
    is_pinned: bool
    """Whether gateway and harness had cores of their own, except for throughput."""
    first_bytes: list[FirstByte]
    throughput: list[Throughput]
    costs: list[Cost]
    lag: list[Lag]
    memory: MemoryUse
    vanished: list[Vanished]
    goals: list[Goal]
    version: int = VERSION
