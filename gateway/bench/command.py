"""`gateway bench` behind its command line: one run with progress, printed and written."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec
import uvloop

from gateway.bench.harness import run, steps
from gateway.bench.plan import Plan
from gateway.bench.report import markdown
from gateway.bench.streams import Refused
from gateway.bench.subjects import SubjectFailed


def bench(plan: Plan, file: Path | None) -> None:
    """Measure, print the tables, and write the result as JSON. Raises ClickException when that is impossible."""
    with click.progressbar(length=steps(plan), file=sys.stderr) as bar:

        def show(step: str) -> None:
            bar.label = step
            bar.update(1)

        try:
            result = uvloop.run(run(plan, show))
        except (SubjectFailed, Refused, TimeoutError) as error:
            raise click.ClickException(str(error) or "the gateway takes too long") from None
    if file is not None:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    click.echo(markdown(result), nl=False)
