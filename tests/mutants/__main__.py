"""Plant each bug of `planted.py` in a copy of the project and see that the suite fails: `python -m tests.mutants [NAME…]`.

A bug that no test notices is a hole in the suite, and then this command fails. Each bug names the tests that must notice
it, so that a run takes a minute or two; the whole suite includes them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from tests.mutants.planted import PLANTED
from tests.mutants.planting import Planted

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 180
PARTS = ("gateway", "tests", "docs", "config", "README.md", "pyproject.toml")


def plant(bug: Planted, root: Path) -> None:
    """Write the bug into the copy at `root`. Raises ValueError when the code it changes is not there exactly once."""
    path = root / bug.file
    source = path.read_text(encoding="utf-8")
    if source.count(bug.old) != 1:
        raise ValueError(f"{bug.name}: its code is {source.count(bug.old)} times in {bug.file}")
    path.write_text(source.replace(bug.old, bug.new), encoding="utf-8")


def passes(tests: tuple[str, ...], bug: Planted | None = None) -> bool:
    """True when these tests pass in a copy of the project, with the bug planted in it if there is one."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        root = Path(folder)
        for part in PARTS:
            if (ROOT / part).is_dir():
                skip = shutil.ignore_patterns("__pycache__", ".hypothesis")
                shutil.copytree(ROOT / part, root / part, ignore=skip)
            else:
                shutil.copy(ROOT / part, root / part)
        if bug is not None:
            plant(bug, root)
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root), "HYPOTHESIS_PROFILE": "planted"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    # 1 is "tests failed"; anything else but 0 means that they did not run, which proves nothing.
    if ran.returncode not in {0, 1}:
        raise RuntimeError(f"pytest ended with {ran.returncode}\n{ran.stdout[-2_000:]}")
    return ran.returncode == 0


@click.command()
@click.argument("names", nargs=-1)
def main(names: tuple[str, ...]) -> None:
    """Plant all bugs, or those named."""
    chosen = [bug for bug in PLANTED if not names or bug.name in names]
    survivors = []
    for tests in {bug.tests for bug in chosen}:
        if not passes(tests):
            raise click.ClickException(f"{' '.join(tests)} fail without any planted bug")
    for bug in chosen:
        seen = not passes(bug.tests, bug)
        click.echo(f"{'noticed ' if seen else 'SURVIVED'}  {bug.name}: {bug.what}")
        if not seen:
            survivors.append(bug.name)
    click.echo(f"{len(chosen) - len(survivors)} passed, {len(survivors)} failed")
    sys.exit(1 if survivors else 0)


main(prog_name="python -m tests.mutants")
