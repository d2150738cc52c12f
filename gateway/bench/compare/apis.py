"""Whose wire is compared: the native protocol's, a vendor's, or all of them in one report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from gateway.bench.compare import claims
from gateway.bench.compare.claims import sarvam
from gateway.bench.compare.plan import Plan
from gateway.bench.compare.question import Question
from gateway.bench.compare.target import Target, check


class Api(NamedTuple):
    """What is asked, and how it is found out that the target understands it. The latter raises TargetFailed."""

    questions: Sequence[Question]
    check: Callable[[Target, Plan], Awaitable[None]]


async def _native(target: Target, plan: Plan) -> None:
    await check(target, plan.model)


async def _sarvam(target: Target, plan: Plan) -> None:
    await sarvam.check(target)


async def _all(target: Target, plan: Plan) -> None:
    await _native(target, plan)
    await _sarvam(target, plan)


APIS: Mapping[str, Api] = {
    "native": Api(claims.QUESTIONS, _native),
    "sarvam": Api(sarvam.QUESTIONS, _sarvam),
    "all": Api((*claims.QUESTIONS, *sarvam.QUESTIONS), _all),
}
