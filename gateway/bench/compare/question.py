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
    """A claim, and how it is answered. `measure` takes one repeat, with chance of its own; None = it cannot be measured.

    `judge` is a pure function of all repeats, of which there may be none.
    """

    number: int
    claim: str
    made_in: str
    method: str
    measure: Measure | None
    judge: Judge
