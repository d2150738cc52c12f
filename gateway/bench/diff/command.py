"""`gateway bench diff` behind its command line."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gateway.bench.diff.changes import Judged, difference
from gateway.bench.diff.reading import CannotRead, read
from gateway.bench.diff.told import told

WORSE = 1
TROUBLE = 2
"""Exit codes, with diff(1)'s meaning."""


class Trouble(click.ClickException):
    """The two cannot be compared."""

    exit_code = TROUBLE


def diff(old: Path, new: Path, *, margin: float, every: bool, fail_on_worse: bool) -> None:
    """Print what changed. Exits with WORSE where that was asked for, with TROUBLE when the two cannot be compared."""
    try:
        before, after = read(old), read(new)
    except CannotRead as error:
        raise Trouble(str(error)) from None
    if before.kind != after.kind:
        raise Trouble(f"{old} is a {before.kind} result and {new} a {after.kind} result")
    found = difference(before, after, margin)
    click.echo(f"old: {old}, {before.started}\nnew: {new}, {after.started}")
    click.echo(told(found, every=every), nl=False)
    if fail_on_worse and found.count(Judged.WORSE):
        sys.exit(WORSE)
