"""A load as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.bench.instruments.stats import PERCENTILES
from gateway.bench.sessions.results import (
    CapacityResult,
    CpuShares,
    Distribution,
    Figures,
    Function,
    LoadResult,
    Overload,
)

ORDER = (
    "ttfa",
    "ttfa http",
    "ttfa websocket",
    "ftts",
    "connect",
    "required delay",
    "stall",
    "cancel acknowledged",
    "cancel last audio",
    "refused",
    "lag",
)
FUNCTIONS_SHOWN = 15


def table(result: LoadResult) -> str:
    """The figures, and what is wrong with the run, if anything."""
    load = result.load
    head = (
        f"{load.sessions_per_s:g} sessions/s for {load.duration_s:g} s, seed {load.seed}, "
        f"{load.mix.form.codec} at {load.mix.form.sample_rate} Hz, "
        f"model {load.mix.parameters.get('model', 'the default')}, {result.target}"
    )
    lines = [head, "", *rows(result.figures), *functions(result.profile), *_warnings(result)]
    return "\n".join(lines) + "\n"


def capacity_table(result: CapacityResult) -> str:
    """The steps, the capacity, and what came beyond it."""
    load = result.load
    head = (
        f"model {load.mix.parameters.get('model', 'the default')}, {load.mix.form.codec} at "
        f"{load.mix.form.sample_rate} Hz, seed {load.seed}, {result.target}"
    )
    lines = [
        head,
        "",
        "sessions/s  turns/s  audio s/s  at a time  TTFA ms p50    p95  in time  continuous  cores  loop  kept",
        *(_step(step.sessions_per_s, step.figures, step.failed) for step in result.steps),
        "",
        *_capacity(result),
        *(_overload(result.overload) if result.overload else ()),
        *functions(result.profile),
        *_warnings(result),
    ]
    return "\n".join(lines) + "\n"


def _step(rate: float, found: Figures, failed: str) -> str:
    ttfa = found.times["ttfa"].summary.percentiles_ms if "ttfa" in found.times else {}
    p50, p95 = (_maybe(ttfa.get(name)) for name in ("p50", "p95"))
    cores, loop = (
        ("-", "-") if found.cpu is None else (f"{found.cpu.server:.2f}", f"{found.cpu.loop:.2f}")
    )
    return (
        f"{rate:>10.3g}{found.turns_per_s:>9.3g}{found.audio_s_per_s:>11.4g}{found.in_flight_mean:>11.0f}"
        f"{p50:>13}{p95:>7}{_percent(found.ttfa_share):>9}{_percent(found.continuous_share):>12}"
        f"{cores:>7}{loop:>6}  {'no: ' + failed if failed else 'yes'}"
    )


def _capacity(result: CapacityResult) -> Iterator[str]:
    if result.sessions_per_s is None:
        yield "No rate kept the objectives."
    else:
        found = next(s.figures for s in result.steps if s.sessions_per_s == result.sessions_per_s)
        beyond = (
            "nothing failed"
            if result.failing_per_s is None
            else f"{result.failing_per_s:.3g} is too many"
        )
        yield (
            f"Capacity: {result.sessions_per_s:.3g} sessions/s = {found.turns_per_s:.3g} turns/s = "
            f"{found.audio_s_per_s:.4g} s of audio per s, {found.in_flight_mean:.0f} sessions at a time; {beyond}."
        )
    yield f"Bottleneck: {result.bottleneck}."


def _overload(over: Overload) -> Iterator[str]:
    during = over.during
    yield ""
    yield f"Overload: {over.sessions_per_s:.3g} sessions/s for {over.seconds:g} s"
    yield from (f"  {line}".rstrip() for line in rows(during))
    recovered = (
        f"not within {over.rest_s:g} s"
        if over.recovery_s is None
        else f"after {over.recovery_s:g} s"
    )
    yield (
        f"Then {over.rest_sessions_per_s:.3g} sessions/s: recovered {recovered}, "
        f"{_percent(over.after.ttfa_share)} of turns in time, {_percent(over.after.continuous_share)} continuous"
    )


def rows(found: Figures) -> Iterator[str]:
    """All figures of a stretch."""
    yield (
        f"offered     {found.sessions} sessions ({found.sessions_per_s:.3g}/s), {found.turns} turns "
        f"({found.turns_per_s:.3g}/s), {found.audio_s_per_s:.3g} s of audio per s, "
        f"{found.in_flight_mean:.0f} sessions at a time (at most {found.in_flight_max})"
    )
    yield (
        f"good        {_percent(found.good_share)} of turns; goodput {found.good_turns_per_s:.3g} turns/s, "
        f"{found.good_sessions_per_s:.3g} sessions/s"
    )
    yield (
        f"continuous  {_percent(found.continuous_share)} of {found.continuous_n} turns; complete "
        f"{found.complete} of {found.whole}"
    )
    unheard = "" if found.unheard_s_mean is None else f", {found.unheard_s_mean:.2g} s unheard each"
    yield f"barge-ins   {found.interrupted}, leaked frames {found.leaked}{unheard}"
    errors = ", ".join(
        f"{error.count} {name}"
        + (f" ({error.with_retry_after} with Retry-After)" if error.with_retry_after else "")
        for name, error in found.errors.items()
    )
    yield f"errors      {errors or 'none'}"
    for name, error in found.errors.items():
        if error.example:
            yield f"            {name}: {error.example}"
    yield ""
    names = [f"p{percent:g}" for percent in PERCENTILES]
    yield "ms".ljust(22) + "".join(name.rjust(9) for name in ("n", "mean", *names, "max"))
    for name in ORDER:
        if name in found.times:
            yield _row(name, found.times[name], names)
    yield ""
    harness = found.harness
    yield (
        f"harness     lag p99 {harness.lag_p99_ms:.2f} ms, at most {harness.lag_max_ms:.1f} ms, "
        f"{harness.cores:.2f} cores"
    )
    if found.cpu is not None:
        yield f"server      {cpu_told(found.cpu)}"


def cpu_told(cpu: CpuShares) -> str:
    """Who is how busy."""
    return (
        f"{cpu.server:.2f} cores: event loop {cpu.loop:.2f}, encoders {cpu.encoders:.2f}, workers "
        f"{cpu.workers:.2f}, nurseries {cpu.nurseries:.2f}; others on this machine {cpu.others:.2f}"
    )


def functions(profile: list[Function]) -> Iterator[str]:
    """Where the event loop was."""
    if profile:
        yield from ("", "own     total   event loop's function")
    for one in profile[:FUNCTIONS_SHOWN]:
        yield f"{one.own:6.1%}  {one.total:6.1%}  {one.name}"


def _warnings(result: LoadResult | CapacityResult) -> Iterator[str]:
    """What a reader must know before believing the figures."""
    if not result.is_complete:
        yield "INCOMPLETE: the run ended early."
    if not result.is_valid:
        yield "INVALID: the harness could not keep up (lag p99 above 5 ms, or turns left unjudged)."
    if not result.is_pinned:
        yield "Server and harness shared all cores."


def _row(name: str, one: Distribution, names: list[str]) -> str:
    told = one.summary
    values = [told.mean_ms, *map(told.percentiles_ms.get, names), told.max_ms]
    return f"{name:<22}{told.count:>9}" + "".join(_maybe(value).rjust(9) for value in values)


def _maybe(value: float | None) -> str:
    return "-" if value is None else _short(value)


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 1_000 else f"{value:.0f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.4g} %"
