"""What measuring computes with, and serving does without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def bench_extra() -> Iterator[None]:
    """For a block of imports. Raises ClickException, in one line, when a package of the extra is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error.name} is missing: ./run bench installs it, or scripts/install requirements-bench.lock"
        ) from None
