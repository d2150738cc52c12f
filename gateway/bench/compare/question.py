"""What a claim is before it has figures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random

from gateway.bench.compare.lab import Lab
from gateway.bench.compare.results import Judgement
from gateway.bench.compare.samples import Sample

Measure = Callable[[Lab, Random], Awaitable[Sample]]
Judge = Callable[[Sequence[Sample]], Judgement]


@dataclass(frozen=True, slots=True)
class Question:
    """A claim, and how it is answered. `rule` says which figures make which verdict, beforehand. `measure` takes one
    repeat, with chance of its own.

    `judge` is a pure function of all repeats, of which there may be none.
    """

    number: int
    claim: str
    made_in: str
    method: str
    rule: str
    measure: Measure
    judge: Judge
