"""One comparison, from the questions to the result, complete or not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from random import Random

import msgspec

from gateway.bench.compare.apis import APIS, Api
from gateway.bench.compare.lab import Lab
from gateway.bench.compare.plan import Plan
from gateway.bench.compare.question import Question
from gateway.bench.compare.results import Claim, Comparison, Judgement, Verdict
from gateway.bench.compare.samples import Sample
from gateway.bench.compare.target import Target, TargetFailed, own_target, target_at
from gateway.bench.machine import this_machine
from gateway.bench.subjects import Layout, SubjectFailed, harness_on, layouts

FAILED_SHARE_MAX = 0.01
"""A claim of which more utterances failed is not decided by the others."""
NOT_REACHED = "The run ended before this was measured."

OnStep = Callable[[str], None]


def steps(plan: Plan, api: Api = APIS["native"]) -> int:
    """How many steps a run has."""
    return plan.repeats * len(api.questions)


class Run:
    """A comparison under way. `result` may be asked for at any time, of what there is by then."""

    def __init__(
        self,
        plan: Plan,
        url: str | None,
        questions: Sequence[Question] | None = None,
        *,
        key: str | None = None,
        api: Api = APIS["native"],
    ) -> None:
        self._plan = plan
        self._url = url
        self._key = key
        self._claims: list[Claim] = []
        self._begun = time.monotonic()
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._layout, _ = layouts()
        self._check = api.check
        self._questions = api.questions if questions is None else questions
        self._is_complete = False

    async def run(self, on_step: OnStep) -> None:
        """Measure everything. Raises SubjectFailed or TargetFailed; what was measured by then stays."""
        with harness_on(self._layout), _target(self._url, self._key, self._layout) as target:
            await self._check(target, self._plan)
            lab = Lab(target, self._plan, self._layout, is_own=self._url is None)
            try:
                async with lab.watched():
                    for question in self._questions:
                        await self._answer(question, lab, on_step)
            except* (SubjectFailed, TargetFailed) as group:
                raise group.exceptions[0] from None
            except* OSError as group:
                raise TargetFailed(f"{target.origin} is gone: {group.exceptions[0]}") from None
        self._is_complete = True

    async def _answer(self, question: Question, lab: Lab, on_step: OnStep) -> None:
        samples: list[Sample] = []
        lab.renew()
        begun = time.monotonic()
        try:
            for repeat in range(self._plan.repeats):
                on_step(f"{question.number:>2} {question.claim[:40]}")
                chance = Random(f"{self._plan.seed}/{question.number}/{repeat}")
                samples.append(await question.measure(lab, chance))
        finally:
            lab.close()
            claim = answered(question, samples, lab)
            seconds = time.monotonic() - begun
            self._claims.append(msgspec.structs.replace(claim, seconds=seconds))
            lab.forget()

    def result(self) -> Comparison:
        """What there is."""
        reached = {claim.number for claim in self._claims}
        missing = [
            _row(question, Judgement(Verdict.UNDECIDED, NOT_REACHED))
            for question in self._questions
            if question.number not in reached
        ]
        measured = [claim.health for claim in self._claims if claim.health is not None]
        return Comparison(
            started=self._started,
            seconds=time.monotonic() - self._begun,
            target=self._url or "its own gateway",
            plan=self._plan,
            machine=this_machine(),
            is_pinned=self._layout.is_pinned,
            is_complete=self._is_complete,
            is_valid=all(health.is_valid for health in measured),
            claims=[*self._claims, *missing],
        )


@contextmanager
def _target(url: str | None, key: str | None, layout: Layout) -> Iterator[Target]:
    if url is not None:
        yield target_at(url, key)
        return
    with own_target(layout) as target:
        yield target


def _row(question: Question, judgement: Judgement) -> Claim:
    return Claim(
        question.number,
        question.claim,
        question.made_in,
        question.method,
        judgement,
        rule=question.rule,
    )


def answered(question: Question, samples: Sequence[Sample], lab: Lab) -> Claim:
    """The row of a question. Too many failures leave it undecided, whatever the others say."""
    row = _row(question, question.judge(samples))
    if sum(lab.failures.values()) > FAILED_SHARE_MAX * lab.utterances:
        judged = msgspec.structs.replace(
            row.judgement,
            verdict=Verdict.UNDECIDED,
            answer=f"Too many utterances failed. {row.judgement.answer}",
        )
        row = msgspec.structs.replace(row, judgement=judged)
    return msgspec.structs.replace(
        row, health=lab.health(), failures=dict(lab.failures), utterances=lab.utterances
    )
