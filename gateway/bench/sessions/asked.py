"""From what the command line says to a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from gateway.bench.instruments.objectives import Objectives
from gateway.bench.instruments.timeline import Codec, Form
from gateway.bench.sessions.command import Asked, put_on
from gateway.bench.sessions.plan import CAPACITY_MIX, LOAD_MIX, Load, Search
from gateway.bench.workload.corpus import LANGUAGES
from gateway.bench.workload.schedule import Mix

MP3_BITRATE = 64_000
SAMPLE_RATE = 24_000
ENGLISH = ("en",)
"""The tones have no other language."""
FIRST_RATE = 4.0
"""Sessions per second with which the search begins where nothing else is said."""


def run_asked(
    *,
    rate: float | None,
    is_search: bool,
    duration_s: float,
    seed: int,
    url: str | None,
    key: str | None,
    model: str,
    codec: str,
    languages: tuple[str, ...],
    in_flight_max: int,
    drain_s: float,
    ttfa_ms: float,
    is_profiled: bool,
    file: Path,
    **mix: Any,
) -> None:
    """Put on the load that was asked for. Raises ClickException or UsageError."""
    if rate is None and not is_search:
        raise click.UsageError("--sessions-per-second is missing (or --find-capacity)")
    if unknown := set(languages) - set(LANGUAGES):
        raise click.UsageError(
            f"there are no texts in {', '.join(sorted(unknown))}, only in {', '.join(LANGUAGES)}"
        )
    if key and not (key.isascii() and key.isprintable()):
        raise click.UsageError("--key has characters that a header cannot carry")
    if is_profiled and url is not None:
        raise click.UsageError("--profile is for a server of its own, not for --target")
    plan = Load(
        sessions_per_s=rate or FIRST_RATE,
        duration_s=duration_s,
        seed=seed,
        mix=_mix(CAPACITY_MIX if is_search else LOAD_MIX, form_of(codec), model, **mix),
        languages=languages or (ENGLISH if model == "tone" else LANGUAGES),
        objectives=Objectives(ttfa_s_max=ttfa_ms / 1_000),
        in_flight_max=in_flight_max,
        drain_s=drain_s,
    )
    put_on(Asked(plan, Search() if is_search else None, url, key, file, is_profiled))


def form_of(codec: str) -> Form:
    """The form of the audio that is asked for."""
    return Form(Codec(codec), SAMPLE_RATE, MP3_BITRATE if codec == Codec.MP3 else 0)


def _mix(
    usual: Mix,
    form: Form,
    model: str,
    *,
    turns: tuple[int, int] | None,
    think_s: float | None,
    tokens: tuple[float, ...],
    **shares: float | None,
) -> Mix:
    """The usual mix with what was asked for instead."""
    given: dict[str, object] = {name: value for name, value in shares.items() if value is not None}
    if turns:
        if turns[0] > turns[1]:
            raise click.UsageError("--turns wants the smaller number first")
        given["turns"] = turns
    if think_s is not None:
        given["think_s_mean"] = think_s
    if tokens:
        given["tokens_per_s"] = tokens
    mix = msgspec.structs.replace(usual, form=form, parameters={"model": model}, **given)
    if mix.listener_share + mix.slow_reader_share > 1:
        raise click.UsageError("--listener-share and --slow-reader-share are more than 1 together")
    return mix
