"""A result as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.bench.latency import Latency
from gateway.bench.results import Result

NONE = "–"
DISTURBED_CORES = 0.2
"""What other processes may take while throughput is measured; /proc counts in ticks, which alone makes some noise."""


def markdown(result: Result) -> str:
    """All tables, the goals first."""
    return "\n".join(_lines(result)) + "\n"


def _lines(result: Result) -> Iterator[str]:
    yield _circumstances(result)
    yield from _goals(result)
    yield from _first_bytes(result)
    yield from _throughput(result)
    yield from _costs(result)
    yield from _lag(result)
    yield from _memory(result)
    yield from _vanished(result)


def _circumstances(result: Result) -> str:
    machine = result.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    foreign = max((row.foreign_cores for row in result.throughput), default=0.0)
    return (
        f"{result.started}, {result.seconds:.0f} s, plan `{result.plan.name}`, model "
        f"`{result.plan.model}`; gateway {machine.gateway} at {machine.git or 'no commit'}. "
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_mb} MB, {machine.system}, "
        f"Python {machine.python}; {packages}. "
        + (
            "Gateway and harness had cores of their own, except for throughput. "
            if result.is_pinned
            else "Gateway and harness shared the cores. "
        )
        + f"Other processes took up to {_number(foreign)} cores meanwhile"
        + (": too much for figures to be trusted." if foreign > DISTURBED_CORES else ".")
    )


def _goals(result: Result) -> Iterator[str]:
    return _table(
        "Goals",
        ("what", "goal", "figure", "met"),
        (
            (
                goal.name,
                goal.goal,
                _number(goal.figure),
                {True: "yes", False: "**no**", None: NONE}[goal.met],
            )
            for goal in result.goals
        ),
    )


def _first_bytes(result: Result) -> Iterator[str]:
    return _table(
        "Time to first byte, one utterance at a time (ms)",
        ("codec", "text", "way", "n", "p50", "p95", "p99", "p50 / bare"),
        (
            (row.codec, row.text, row.way, *_latency(row.latency), _number(row.ratio))
            for row in result.first_bytes
        ),
    )


def _throughput(result: Result) -> Iterator[str]:
    return _table(
        "Throughput (seconds of audio per second, medium text)",
        (
            "codec",
            "streams",
            "way",
            "a-s/s",
            "share of bare",
            "CPU ms/a-s",
            "CPU / bare",
            "cores: loop",
            "encoders",
            "workers",
            "harness",
            "others",
            "first byte p50",
            "p99",
        ),
        (
            (
                row.codec,
                str(row.streams),
                row.way,
                f"{row.audio_s_per_s:.0f}",
                *map(
                    _number,
                    (
                        row.share,
                        row.cpu_ms,
                        row.cpu_ratio,
                        row.loop_cores,
                        row.encode_cores,
                        row.worker_cores,
                        row.harness_cores,
                        row.foreign_cores,
                        row.first.p50_ms,
                        row.first.p99_ms,
                    ),
                ),
            )
            for row in result.throughput
        ),
    )


def _costs(result: Result) -> Iterator[str]:
    return _table(
        "Event loop CPU (PCM)",
        ("model", "way", "µs per utterance", "µs per frame", "short utterances/s"),
        (
            (
                row.model,
                row.way,
                f"{row.utterance_us:.0f}",
                f"{row.frame_us:.1f}",
                f"{row.utterances_per_s:.0f}",
            )
            for row in result.costs
        ),
    )


def _lag(result: Result) -> Iterator[str]:
    return _table(
        "GET /healthz beside saturating WebSocket streams (ms)",
        ("codec", "streams", "n", "p50", "p95", "p99", "harness late p99"),
        (
            (row.codec, str(row.streams), *_latency(row.answer), _number(row.harness.p99_ms))
            for row in result.lag
        ),
    )


def _memory(result: Result) -> Iterator[str]:
    use = result.memory
    return _table(
        "Memory",
        ("what", "size"),
        (
            ("idle WebSocket connection", f"{use.idle_connection_kb:.1f} KB"),
            (
                "idle session: connection with a context that has spoken",
                f"{use.idle_session_kb:.1f} KB",
            ),
            ("further idle context on a connection", f"{use.idle_context_kb:.1f} KB"),
            *(
                (f"speaking context on an idle connection, {codec}", f"{kb:.0f} KB")
                for codec, kb in use.speaking_kb.items()
            ),
            ("gateway process (PSS)", f"{use.gateway_mb:.1f} MB"),
            (f"engine process (mean PSS of {use.workers})", f"{use.worker_mb:.1f} MB"),
            ("engine process (largest RSS)", f"{use.worker_rss_mb:.1f} MB"),
        ),
    )


def _vanished(result: Result) -> Iterator[str]:
    return _table(
        "First byte for another client, one worker (ms)",
        ("client that goes away", "n", "usual p50", "after it went p50", "max"),
        (
            (
                row.way,
                str(row.after.n),
                *map(_number, (row.usual.p50_ms, row.after.p50_ms, row.after.max_ms)),
            )
            for row in result.vanished
        ),
    )


def _table(title: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield from ("", f"### {title}", "", _row(head), _row(["---"] * len(head)))
    yield from map(_row, rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _latency(found: Latency) -> tuple[str, ...]:
    return (str(found.n), *map(_number, (found.p50_ms, found.p95_ms, found.p99_ms)))


def _number(value: float | None) -> str:
    if value is None:
        return NONE
    if abs(value) < 0.005:
        return "0"
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}" if value < 1 else f"{value:.3g}"
