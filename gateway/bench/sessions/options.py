"""The options of `gateway bench load`. What it measures with is imported when it runs, for the server does without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gateway.bench.extra import bench_extra

SHARE = click.FloatRange(0, 1)
POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command("load")
@click.option("--sessions-per-second", "rate", type=POSITIVE, help="Arrivals, on average; with --find-capacity, the first rate to be tried.")  # fmt: skip
@click.option("--find-capacity", "is_search", is_flag=True, help="Look for the highest rate that keeps the objectives, then overload it; about four minutes.")  # fmt: skip
@click.option("--duration-s", type=POSITIVE, default=60.0, show_default=True, help="How long sessions come.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="The same seed is the same load.")
@click.option("--target", "url", help="Gateway, as http://host:port; without it, one of its own.")
@click.option("--key", envvar="GATEWAY_BENCH_KEY", help="Sent as `Authorization: Bearer`.")
@click.option("--model", default="espeak", show_default=True, help="Model that speaks.")
@click.option("--codec", type=click.Choice(["pcm_s16le", "mp3"]), default="pcm_s16le", show_default=True)  # fmt: skip
@click.option("--language", "languages", multiple=True, help="Of the texts; may be repeated.  [default: en de fr es hi; en with tone]")  # fmt: skip
@click.option("--turns", nargs=2, type=click.IntRange(1, 100), help="Of a session, from and to.  [default: 2 6]")  # fmt: skip
@click.option("--think-s", type=click.FloatRange(min=0), help="Between turns, on average.  [default: 1]")  # fmt: skip
@click.option("--tokens-per-second", "tokens", multiple=True, type=click.FloatRange(min=0), help="Of texts over WebSocket; 0 = at once; may be repeated.  [default: 70 150]")  # fmt: skip
@click.option("--pause-share", type=SHARE, help="Texts with a pause in the middle.  [default: 0]")
@click.option("--http-share", type=SHARE, help="Sessions over HTTP.  [default: 0.2]")
@click.option("--listener-share", type=SHARE, help="Sessions that listen in real time.  [default: 0.6]")  # fmt: skip
@click.option("--slow-reader-share", type=SHARE, help="Sessions that read at half of that.  [default: 0.02]")  # fmt: skip
@click.option("--barge-in-share", type=SHARE, help="Turns that are interrupted.  [default: 0.2]")
@click.option("--vanish-share", type=SHARE, help="Sessions whose client is gone in the last turn.  [default: 0.05]")  # fmt: skip
@click.option("--in-flight-max", type=click.IntRange(1, 60_000), default=4_000, show_default=True, help="Sessions at a time; one more is an error, never a delay.")  # fmt: skip
@click.option("--drain-s", type=click.FloatRange(min=0), default=20.0, show_default=True, help="How long sessions may go on after the last arrival.")  # fmt: skip
@click.option("--ttfa-ms", type=POSITIVE, default=200.0, show_default=True, help="Objective: sound within.")  # fmt: skip
@click.option("--profile", "is_profiled", is_flag=True, help="Sample a server of its own with py-spy.")  # fmt: skip
@click.option("--output", "-o", "file", type=click.Path(dir_okay=False, path_type=Path), default="load.json", show_default=True)  # fmt: skip
def load_command(**asked: Any) -> None:
    """Let voice sessions come at a rate that waits for nobody, and see what they hear."""
    with bench_extra():
        from gateway.bench.sessions.asked import run_asked

    run_asked(**asked)
