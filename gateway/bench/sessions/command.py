"""`gateway bench load` behind its command line: progress, the table, and load.json."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
import uvloop

from gateway.bench.compare.target import Target, TargetFailed, own_target, target_at
from gateway.bench.machine import this_machine
from gateway.bench.sessions.access import Access
from gateway.bench.sessions.capacity import Capacity
from gateway.bench.sessions.heard import Outcome
from gateway.bench.sessions.plan import Load, Search
from gateway.bench.sessions.profile import Profiler
from gateway.bench.sessions.report import capacity_table, table
from gateway.bench.sessions.results import CapacityResult, Figures, LoadResult
from gateway.bench.sessions.run import Run
from gateway.bench.subjects import Layout, SubjectFailed, harness_on, layouts
from gateway.bench.workload.schedule import Phase

INTERRUPTED = 130
"""What a shell expects of a command that Ctrl-C ended."""
FULL_COLLECTION_AFTER = 1_000
"""Collections of young objects until all are looked at."""
PROGRESS_LINES_S = 5.0
"""Between two lines of progress where they cannot replace each other."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was asked for. With `search`, the load's rate is the first to be tried."""

    load: Load
    search: Search | None
    url: str | None
    key: str | None
    file: Path
    is_profiled: bool


@contextmanager
def _hardly_collecting() -> Iterator[None]:
    """For the block: a collection that looks at all that was imported, or heard, stops the harness for 50 ms."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*before[:2], FULL_COLLECTION_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def put_on(asked: Asked) -> None:
    """Put the load on, print the table, and write the file, also when interrupted.

    Raises ClickException when there is nothing to measure.
    """
    check_writable(asked.file)
    measured = _Measured(asked)
    try:
        uvloop.run(measured.run())
    except KeyboardInterrupt:
        measured.tell(is_complete=False)
        sys.exit(INTERRUPTED)
    except (SubjectFailed, TargetFailed) as error:
        measured.tell(is_complete=False)
        raise click.ClickException(str(error)) from None
    measured.tell(is_complete=True)


class _Measured:
    """One call of the command."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._layout, _ = layouts()
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._begun = time.monotonic()
        self._run: Run | None = None
        self._profiler: Profiler | None = None
        self._capacity: Capacity | None = None

    async def run(self) -> None:
        """Raises SubjectFailed or TargetFailed; what was measured by then can be told."""
        asked, load = self._asked, self._asked.load
        with harness_on(self._layout), at_target(asked.url, self._layout) as target:
            access = Access(target, asked.key)
            await access.check(load.mix.form, load.mix.parameters)
            with _hardly_collecting(), showing() as show:
                if asked.search is not None:
                    self._capacity = Capacity(
                        load, asked.search, access, is_profiled=asked.is_profiled
                    )
                    await self._capacity.run(show)
                    return
                run = self._run = Run(load, (Phase(load.sessions_per_s, load.duration_s),), access)
                if not asked.is_profiled or target.pid is None:
                    await run.run(show)
                    return
                async with Profiler(target.pid, load.duration_s) as self._profiler:
                    await run.run(show)

    def tell(self, *, is_complete: bool) -> None:
        """Print and write what there is, if there is anything."""
        if self._capacity is not None:
            result = self._found(self._capacity, is_complete=is_complete)
            self._write(result, capacity_table(result))
        elif self._run is not None:
            loaded = self._loaded(self._run, is_complete=is_complete)
            self._write(loaded, table(loaded))

    def _loaded(self, run: Run, *, is_complete: bool) -> LoadResult:
        found = run.figures()
        return LoadResult(
            started=self._started,
            seconds=time.monotonic() - self._begun,
            target=self._asked.url or "its own gateway",
            load=self._asked.load,
            machine=this_machine(),
            is_pinned=self._layout.is_pinned,
            is_complete=is_complete,
            is_valid=is_valid(found),
            figures=found,
            profile=self._profiler.functions if self._profiler else [],
        )

    def _found(self, capacity: Capacity, *, is_complete: bool) -> CapacityResult:
        assert self._asked.search is not None
        deciding = {capacity.kept, capacity.failing}
        return CapacityResult(
            started=self._started,
            seconds=time.monotonic() - self._begun,
            target=self._asked.url or "its own gateway",
            load=self._asked.load,
            search=self._asked.search,
            machine=this_machine(),
            is_pinned=self._layout.is_pinned,
            is_complete=is_complete,
            is_valid=all(
                is_valid(step.figures) for step in capacity.steps if step.sessions_per_s in deciding
            ),
            sessions_per_s=capacity.kept,
            failing_per_s=capacity.failing,
            bottleneck=capacity.bottleneck,
            steps=capacity.steps,
            overload=capacity.overload,
            profile=capacity.profile,
        )

    def _write(self, result: msgspec.Struct, text: str) -> None:
        file = self._asked.file
        file.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
        click.echo(text, nl=False)
        click.echo(f"Written: {file}")


def is_valid(found: Figures) -> bool:
    """Whether the harness kept up with its own schedule and with judging."""
    return found.harness.is_valid and Outcome.UNJUDGED.value not in found.errors


@contextmanager
def at_target(url: str | None, layout: Layout) -> Iterator[Target]:
    """The target at a URL, or one of our own for the block."""
    if url is not None:
        yield target_at(url)
        return
    with own_target(layout) as target:
        yield target


@contextmanager
def showing() -> Iterator[Callable[[str], None]]:
    """Lines of progress on standard error: one that changes where it is a terminal, else one now and then."""
    is_terminal = sys.stderr.isatty()
    told = time.monotonic()

    def show(line: str) -> None:
        nonlocal told
        if is_terminal:
            click.echo(f"\r\x1b[K{line}", err=True, nl=False)
        elif time.monotonic() - told >= PROGRESS_LINES_S:
            told = time.monotonic()
            click.echo(line, err=True)

    try:
        yield show
    finally:
        if is_terminal:
            click.echo(err=True)


def check_writable(file: Path) -> None:
    """Raises ClickException when the result could not be written: better now than after the run."""
    is_new = not file.exists()
    try:
        with file.open("ab"):
            pass
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror}") from None
    if is_new:
        with suppress(OSError):
            file.unlink()
