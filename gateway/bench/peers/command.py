"""`gateway bench peers` behind its command line: progress, the tables, and the two files."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec
import uvloop

from gateway.bench.peers.measure import run, steps
from gateway.bench.peers.results import Plan
from gateway.bench.peers.table import markdown
from gateway.bench.subjects import SubjectFailed


def peers(plan: Plan, directory: Path) -> None:
    """Measure, print the tables, and write results.json and README.md into `directory`.

    Raises ClickException when a server does not run or nothing can be written.
    """
    with click.progressbar(length=steps(plan), file=sys.stderr) as bar:

        def show(step: str) -> None:
            bar.label = step
            bar.update(1)

        try:
            directory.mkdir(parents=True, exist_ok=True)
            result = uvloop.run(run(plan, show))
        except SubjectFailed as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            raise click.ClickException(f"{error.filename or directory}: {error.strerror}") from None
    text = markdown(result)
    (directory / "results.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n"
    )
    (directory / "README.md").write_text(text, encoding="utf-8")
    click.echo(text, nl=False)
