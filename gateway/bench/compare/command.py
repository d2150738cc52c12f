"""`gateway bench compare` behind its command line: progress, the table, and the two files."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec
import uvloop

from gateway.bench.compare.apis import APIS
from gateway.bench.compare.harness import Run, steps
from gateway.bench.compare.plan import Plan
from gateway.bench.compare.report import report
from gateway.bench.compare.results import Comparison
from gateway.bench.compare.table import table
from gateway.bench.compare.target import TargetFailed
from gateway.bench.subjects import SubjectFailed

INTERRUPTED = 130
"""What a shell expects of a command that Ctrl-C ended."""


def compare(
    plan: Plan, url: str | None, directory: Path, key: str | None = None, api: str = "native"
) -> None:
    """Measure, print the table, and write results.json and report.html into `directory`, also when interrupted.
    `key` is shown to the target and written nowhere; `api` is one of `APIS`.

    Raises ClickException when the target cannot be compared.
    """
    run = Run(plan, url, key=key, api=APIS[api])
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"cannot write into {directory}: {error.strerror}") from None
    with click.progressbar(length=steps(plan, APIS[api]), file=sys.stderr) as bar:

        def show(step: str) -> None:
            bar.label = step
            bar.update(1)

        try:
            uvloop.run(run.run(show))
        except KeyboardInterrupt:
            _tell(run.result(), directory)
            sys.exit(INTERRUPTED)
        except (SubjectFailed, TargetFailed) as error:
            if any(claim.health for claim in run.result().claims):
                _tell(run.result(), directory)
            raise click.ClickException(str(error)) from None
    _tell(run.result(), directory)


def _tell(result: Comparison, directory: Path) -> None:
    file = directory / "results.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    page = directory / "report.html"
    page.write_text(report(result), encoding="utf-8")
    click.echo(table(result), nl=False)
    click.echo(f"Written: {file} and {page}")
