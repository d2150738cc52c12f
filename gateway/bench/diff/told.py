"""The difference as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.bench.compare.samples import short
from gateway.bench.diff.changes import Change, Difference, Judged, SectionChange

INDENT = "    "
BY_CHANCE = (
    "With three repeats one interval in six misses zero by chance alone, with many one in twenty."
)
"""Found by drawing pairs of alike runs whose repeats differ by a tenth; see the method."""


def told(difference: Difference, *, every: bool) -> str:
    """Verdicts and figures that changed, or every figure; warnings first, a count last."""
    lines = [f"WARNING: {warning}" for warning in difference.warnings]
    for section in difference.sections:
        said = list(_section(section, every=every))
        if said or every:
            lines += ["", _heading(section), *said]
    return "\n".join([*lines, "", _count(difference)]) + "\n"


def _heading(section: SectionChange) -> str:
    old, new = section.verdicts
    if old == new:
        return section.heading + (f": {new}" if new else "")
    return f"{section.heading}: {old or 'not asked'} → {new or 'not asked'}"


def _section(section: SectionChange, *, every: bool) -> Iterator[str]:
    """The lines below the heading; one is given also where only the verdict changed."""
    old, new = section.verdicts
    if old != new:
        yield f"{INDENT}the verdict changed"
    if section.failed[0] != section.failed[1]:
        yield f"{INDENT}failed utterances: {section.failed[0]} → {section.failed[1]}"
    for change in section.changes:
        if every or change.judged is not Judged.ALIKE:
            yield INDENT + _figure(change)
    for word, figures in (("no longer there", section.gone), ("new", section.added)):
        for one in figures:
            yield f"{INDENT}{one.quantity:<32.32} {one.way:<30.30} {word}: {short(one.value)} {one.unit}"


def _figure(one: Change) -> str:
    old, new, change = one.old, one.new, one.change
    share = f"{change.value / old.value:+.0%}" if old.value else ""
    return (
        f"{new.quantity:<32.32} {new.way:<30.30} {short(old.value):>7} → {short(new.value):<7} {new.unit:<10} "
        f"{short(change.value)} ({short(change.low)} to {short(change.high)}) {share:>6}  {one.judged}"
    )


def _count(difference: Difference) -> str:
    return (
        f"{difference.compared} figures: {difference.count(Judged.WORSE)} worse, "
        f"{difference.count(Judged.BETTER)} better, {difference.count(Judged.CHANGED)} otherwise changed. "
        + BY_CHANCE
    )
