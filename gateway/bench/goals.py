"""The goals, each with the figure that decides it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from gateway.bench.results import (
    Cost,
    FirstByte,
    Goal,
    Lag,
    MemoryUse,
    Result,
    Throughput,
    Vanished,
)
from gateway.bench.streams import WARM, Way

TONE = "tone"


def judge(result: Result) -> list[Goal]:
    """Every goal, met or not; a goal without figures in this result is neither."""
    return [
        *_first_byte(result.first_bytes),
        *_throughput(result.throughput),
        *_cost(result.costs),
        *_lag(result.lag),
        *_vanished(result.vanished),
        *_memory(result.memory),
    ]


def _first_byte(rows: list[FirstByte]) -> Iterator[Goal]:
    for codec, p50_ms, p99_ms in (("pcm_s16le", 1.5, 4.0), ("mp3", 3.0, 6.0)):
        warm = [row for row in rows if row.codec == codec and row.way in WARM]
        yield _at_most(
            f"first byte, {codec}, warm, p50", p50_ms, "ms", (row.latency.p50_ms for row in warm)
        )
        yield _at_most(
            f"first byte, {codec}, warm, p99", p99_ms, "ms", (row.latency.p99_ms for row in warm)
        )
        yield _at_most(
            f"first byte, {codec}, warm, p50 in units of the bare engine",
            2.5 if codec == "pcm_s16le" else 2.0,
            "x",
            (row.ratio for row in warm),
        )


def _throughput(rows: list[Throughput]) -> Iterator[Goal]:
    for codec, share in (("pcm_s16le", 0.75), ("mp3", 0.80)):
        full = [row for row in rows if row.codec == codec and row.streams >= 8 and row.way in WARM]
        yield _at_least(
            f"throughput, {codec}, 8 streams and more, share of the bare engine",
            share,
            (row.share for row in full),
        )
    crowded = [row for row in rows if row.codec == "mp3" and row.streams == 128 and row.way in WARM]
    yield _at_most(
        "first byte, mp3, 128 streams without pause, p50",
        50.0,
        "ms",
        (row.first.p50_ms for row in crowded),
    )
    # 0.15 core at 800 seconds of audio per second.
    yield _at_most(
        "event loop, CPU per second of audio, 8 streams and more",
        0.1875,
        "ms",
        (
            1_000 * row.loop_cores / row.audio_s_per_s
            for row in rows
            if row.streams >= 8 and row.way in WARM and row.audio_s_per_s
        ),
    )


def _cost(rows: list[Cost]) -> Iterator[Goal]:
    """With the engine that needs no processes, so that little more than the gateway's own work is left."""
    own = [row for row in rows if row.model == TONE]
    yield _at_most("event loop, CPU per frame sent", 15.0, "µs", (row.frame_us for row in own))
    for way, us in ((Way.HTTP_WARM, 150.0), (Way.WEBSOCKET_WARM, 80.0)):
        yield _at_most(
            f"event loop, CPU per utterance, {way}",
            us,
            "µs",
            (row.utterance_us for row in own if row.way == way),
        )


def _lag(rows: list[Lag]) -> Iterator[Goal]:
    yield _at_most(
        "GET /healthz beside saturating streams, p99",
        8.0,
        "ms",
        (row.answer.p99_ms for row in rows),
    )


def _vanished(rows: list[Vanished]) -> Iterator[Goal]:
    yield _at_most(
        "client gone to worker free, longest",
        100.0,
        "ms",
        (
            max(0.0, row.after.max_ms - row.usual.p50_ms)
            for row in rows
            if row.after.max_ms is not None and row.usual.p50_ms is not None
        ),
    )


def _memory(use: MemoryUse) -> Iterator[Goal]:
    yield _at_most("memory, idle WebSocket session", 25.0, "KB", [use.idle_session_kb])
    yield _at_most("memory, engine process, resident", 20.0, "MB", [use.worker_rss_mb])


def _at_most(name: str, bound: float, unit: str, figures: Iterable[float | None]) -> Goal:
    return _goal(name, f"≤ {bound:g} {unit}", figures, max, lambda figure: figure <= bound)


def _at_least(name: str, bound: float, figures: Iterable[float | None]) -> Goal:
    return _goal(name, f"≥ {bound:g}", figures, min, lambda figure: figure >= bound)


def _goal(
    name: str,
    goal: str,
    figures: Iterable[float | None],
    worst: Callable[[Iterable[float]], float],
    is_met: Callable[[float], bool],
) -> Goal:
    """The worst of the figures decides."""
    known = [figure for figure in figures if figure is not None]
    if not known:
        return Goal(name, goal, None, None)
    return Goal(name, goal, worst(known), is_met(worst(known)))
