"""What a check has seen, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Status(StrEnum):
    """How it is, from the best to the worst."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the report. Neither part holds a text, a key, or a value that could be one.

    `check` is stable, `saw` and `advice` are words for people; where there is nothing to do, `advice` is empty.
    """

    check: str
    status: Status
    saw: str
    advice: str = ""


class Report(msgspec.Struct, frozen=True):
    """All findings, with the status of the worst."""

    status: Status
    findings: tuple[Finding, ...]


def ok(check: str, saw: str) -> Finding:
    """All is well."""
    return Finding(check, Status.OK, saw)


def warn(check: str, saw: str, advice: str) -> Finding:
    """It works, and will not work well, or not for long, or for too many."""
    return Finding(check, Status.WARN, saw, advice)


def fail(check: str, saw: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(check, Status.FAIL, saw, advice)


def report(findings: Sequence[Finding]) -> Report:
    """The report of these findings, in their order."""
    severity = list(Status)
    worst = max((each.status for each in findings), key=severity.index, default=Status.OK)
    return Report(worst, tuple(findings))
