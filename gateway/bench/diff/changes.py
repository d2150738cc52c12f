"""Which figures of two runs differ by more than chance, and which differences are for the worse."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from gateway.bench.compare.claims.smoothing import CADENCE
from gateway.bench.compare.results import Figure
from gateway.bench.compare.samples import ROUNDS, SEED
from gateway.bench.diff.reading import Run
from gateway.bench.instruments.stats import Interval, change_of_medians
from gateway.bench.peers.results import AUDIO

LOWER_IS_BETTER = frozenset({"ms", "s", "bytes", "KiB", "frames", "stalls"})
HIGHER_IS_BETTER = frozenset({"s/s", "utterances/s", "%"})
WITHOUT_DIRECTION = frozenset({AUDIO, CADENCE})
"""Quantities that are neither good nor bad, whatever their unit."""
RELATION = "later"
"""In the name of what compares two ways in one run; what is good in it depends on whom one asks."""


class Judged(StrEnum):
    """What a change is. `WORSE` and `BETTER` need the whole interval beyond the margin, `CHANGED` only apart from zero."""

    WORSE = "worse"
    BETTER = "better"
    CHANGED = "changed"
    ALIKE = "not told apart"


class Change(msgspec.Struct, frozen=True):
    """One figure of both runs; `change` is new less old, in the figure's unit."""

    old: Figure
    new: Figure
    change: Interval
    judged: Judged


class SectionChange(msgspec.Struct, frozen=True):
    """One section of both runs. `gone` and `added` are figures that only one of them has."""

    heading: str
    verdicts: tuple[str | None, str | None]
    failed: tuple[int, int]
    changes: list[Change]
    gone: list[Figure] = []
    added: list[Figure] = []


class Difference(msgspec.Struct, frozen=True):
    """Everything. `warnings` say what besides the code may have changed the figures."""

    warnings: list[str]
    sections: list[SectionChange]

    def count(self, judged: Judged) -> int:
        """How many figures changed like this."""
        return sum(one.judged is judged for section in self.sections for one in section.changes)

    @property
    def compared(self) -> int:
        """How many figures both runs have."""
        return sum(len(section.changes) for section in self.sections)


def difference(old: Run, new: Run, margin: float) -> Difference:
    """What changed. `margin` is the share of the old value up to which a change is neither better nor worse."""
    before = {section.heading: section for section in old.sections}
    sections = []
    for section in new.sections:
        earlier = before.pop(section.heading, None)
        if earlier is None:
            sections.append(
                SectionChange(
                    section.heading,
                    (None, section.verdict),
                    (0, section.failed),
                    [],
                    [],
                    section.figures,
                )
            )
            continue
        by_name = {_name(one): one for one in earlier.figures}
        pairs = [(by_name.pop(_name(one), None), one) for one in section.figures]
        sections.append(
            SectionChange(
                section.heading,
                (earlier.verdict, section.verdict),
                (earlier.failed, section.failed),
                [_change(was, one, margin) for was, one in pairs if was is not None],
                gone=list(by_name.values()),
                added=[one for was, one in pairs if was is None],
            )
        )
    sections += [
        SectionChange(left.heading, (left.verdict, None), (left.failed, 0), [], left.figures)
        for left in before.values()
    ]
    return Difference(list(_warnings(old, new)), sections)


def _name(one: Figure) -> tuple[str, str, str]:
    return one.quantity, one.way, one.unit


def _change(old: Figure, new: Figure, margin: float) -> Change:
    change = change_of_medians(old.repeats, new.repeats, seed=SEED, rounds=ROUNDS)
    return Change(old, new, change, _judge(change, margin * abs(old.value), _direction(new)))


def _judge(change: Interval, slack: float, direction: int) -> Judged:
    if change.low <= 0 <= change.high:
        return Judged.ALIKE
    if direction and change.low > slack:
        return Judged.BETTER if direction > 0 else Judged.WORSE
    if direction and change.high < -slack:
        return Judged.WORSE if direction > 0 else Judged.BETTER
    return Judged.CHANGED


def _direction(one: Figure) -> int:
    """1 where more is better, -1 where less is, 0 where neither is."""
    if one.quantity in WITHOUT_DIRECTION or RELATION in f"{one.way} {one.quantity}".split():
        return 0
    return (one.unit in HIGHER_IS_BETTER) - (one.unit in LOWER_IS_BETTER)


def _warnings(old: Run, new: Run) -> Iterator[str]:
    for name, run in (("old", old), ("new", new)):
        for flaw in run.flaws:
            yield f"the {name} result {flaw}"
    before, after = _circumstances(old), _circumstances(new)
    for name in before | after:
        was, now = before.get(name), after.get(name)
        if was != now:
            yield f"{name} differs: {_said(was)}, now {_said(now)}"


def _circumstances(run: Run) -> dict[str, object]:
    machine = msgspec.structs.asdict(run.machine)
    packages = machine.pop("packages")
    return {**machine, **packages, **run.settings}


def _said(value: object) -> str:
    return "nothing" if value is None else str(value)
