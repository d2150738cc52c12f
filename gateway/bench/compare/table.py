"""The comparison as text for a terminal."""

from __future__ import annotations

import textwrap
from itertools import groupby

from gateway.bench.compare.results import Claim, Comparison
from gateway.bench.compare.samples import short

WIDTH = 100
INDENT = "    "


def table(result: Comparison) -> str:
    """Every claim with its verdict and its figures, and what is wrong with the run, if anything."""
    lines = [part for claim in result.claims for part in (*_claim(claim), "")]
    return "\n".join([*lines, *warnings(result)]) + "\n"


def warnings(result: Comparison) -> list[str]:
    """What a reader must know before believing the figures."""
    found = []
    if not result.is_complete:
        found.append("INCOMPLETE: the run ended early.")
    late = [c for c in result.claims if c.health is not None and not c.health.is_valid]
    if late:
        which = ", ".join(f"{c.number} ({c.health.lag_p99_ms:.1f} ms)" for c in late if c.health)
        found.append(
            f"INVALID: the harness was late by more than 5 ms (p99) in claim {which}; "
            "run it again on a machine with nothing else to do."
        )
    if not result.is_pinned:
        found.append("Server and harness shared all cores.")
    return found


def _claim(claim: Claim) -> list[str]:
    judgement = claim.judgement
    head = f"{claim.number:>2}. {claim.claim}"
    verdict = f"    → {judgement.verdict.upper()}"
    said = textwrap.wrap(judgement.answer, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)
    rows = []
    for quantity, group in groupby(judgement.figures, lambda one: one.quantity):
        rows.append(f"{INDENT}{quantity}")
        rows += [
            f"{INDENT}  {one.way:<46.46} {short(one.value):>9} {one.unit:<12} "
            f"{short(one.low)} to {short(one.high)}, n = {one.n}"
            for one in group
        ]
    failed = [f"{INDENT}failed: {count} × {what}" for what, count in claim.failures.items()]
    return [head, verdict, *said, *rows, *failed]
