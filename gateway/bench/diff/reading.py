"""Results as they were written, brought to the form in which any two of one kind can be compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from gateway.bench.compare import results as compare
from gateway.bench.compare.results import Comparison, Figure
from gateway.bench.peers import results as peers
from gateway.bench.results import Machine


class CannotRead(Exception):
    """This file is no result that can be compared; the message is one line."""


class Section(msgspec.Struct, frozen=True):
    """Figures under one heading, and the verdict on them where there is one."""

    heading: str
    figures: list[Figure]
    verdict: str | None = None
    failed: int = 0
    """Utterances that are in no figure."""


class Run(msgspec.Struct, frozen=True):
    """One result. `settings` are what must be alike for the figures to be compared, by name; `flaws` what is wrong with it."""

    kind: str
    started: str
    machine: Machine
    settings: dict[str, object]
    sections: list[Section]
    flaws: list[str] = []


class _Head(msgspec.Struct):
    version: int
    kind: str = ""


def read(file: Path) -> Run:
    """The result in a file. Raises CannotRead."""
    try:
        written = file.read_bytes()
        head = msgspec.json.decode(written, type=_Head)
    except OSError as error:
        raise CannotRead(f"{file} cannot be read: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise CannotRead(f"{file} is no result of a benchmark: {error}") from None
    if head.kind == "" and b'"claims"' in written:
        head.kind = compare.KIND  # Version 1 did not say.
    if head.kind not in _KINDS:
        raise CannotRead(f"{file} is no result that keeps its repeats: {', '.join(_KINDS)} are")
    version, decode = _KINDS[head.kind]
    if head.version != version:
        raise CannotRead(
            f"{file} has version {head.version} of a {head.kind} result, and this reads {version}: measure again"
        )
    try:
        run = decode(written)
    except msgspec.DecodeError as error:
        raise CannotRead(f"{file} is damaged: {error}") from None
    for section in run.sections:
        for one in section.figures:
            if not (one.repeats and all(one.repeats)):
                raise CannotRead(f"{file} is damaged: {one.quantity} of {one.way} has no values")
    return run


def _comparison(written: bytes) -> Run:
    result = msgspec.json.decode(written, type=Comparison)
    flaws = []
    if not result.is_complete:
        flaws.append("is incomplete")
    if not result.is_valid:
        flaws.append("is invalid: its harness was late")
    return Run(
        kind=result.kind,
        started=result.started,
        machine=result.machine,
        settings={
            "target": result.target,
            "is_pinned": result.is_pinned,
            **msgspec.structs.asdict(result.plan),
        },
        sections=[
            Section(
                f"{claim.number}. {claim.claim}",
                claim.judgement.figures,
                claim.judgement.verdict,
                sum(claim.failures.values()),
            )
            for claim in result.claims
        ],
        flaws=flaws,
    )


def _peers(written: bytes) -> Run:
    result = msgspec.json.decode(written, type=peers.PeersResult)
    return Run(
        kind=result.kind,
        started=result.started,
        machine=result.machine,
        settings=msgspec.structs.asdict(result.plan),
        sections=[
            Section(server.name, server.figures, failed=sum(server.failures.values()))
            for server in result.servers
        ],
    )


_KINDS: dict[str, tuple[int, Callable[[bytes], Run]]] = {
    compare.KIND: (compare.VERSION, _comparison),
    peers.KIND: (peers.VERSION, _peers),
}
"""By kind: the version that is read, and how."""
