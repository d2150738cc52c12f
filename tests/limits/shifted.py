"""Whether tests at a border are as strict as they say: `python -m tests.limits.shifted [NAME ...]`.

Every limit, and every bound without a key, is made one larger and one smaller for the gateway alone, and then one of its
tests must fail. Takes some minutes, so it is no test itself. Exits with 1 when a shift goes unnoticed.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

from gateway.core.limits import Limits
from tests.limits.borders import AROUND
from tests.support.checkout import ROOT

SHIFT = "SHIFTED_LIMIT"
"""The environment variable by which the tests are told: a name and what is added to it."""


GIVEN = {
    "accounts.gate.USES_REMEMBERED_MAX",
    "accounts.quotas.REMEMBERED_MAX",
    "accounts.threads.BATCH_MAX",
    "accounts.threads.JOBS_PENDING_MAX",
    "token_session_ms",
    "audio.farm.JOBS_PENDING_MAX",
    "audio.threads",
    "dialects.native.Name",
    "engines.espeak.AUDIO_MS_MAX",
    "engines.espeak.TEXT_CHARS_MAX",
    "server.BACKLOG",
    "server.shutdown_ms",
}
"""Bounds that their tests hand over themselves, or that are a part of a type: nothing else could be moved."""


class Shift:
    """A plugin that leaves only the tests of one bound, and moves that bound under them."""

    def __init__(self, name: str, by: int) -> None:
        self._name = name
        self._by = by

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Only these."""
        items[:] = [
            item
            for item in items
            if any(self._name in mark.args for mark in item.iter_markers("border"))
        ]

    @pytest.fixture(autouse=True)
    def shifted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The tests have read the constants already: only the gateway sees another."""
        if self._name in Limits.__struct_fields__:
            honest = Limits.__dict__[self._name]
            by = self._by
            moved = property(lambda limits: honest.__get__(limits, Limits) + by)
            monkeypatch.setattr(Limits, self._name, moved)
            return
        module, _, constant = f"gateway.{self._name}".rpartition(".")
        holder = importlib.import_module(module)
        unit = 0.001 if constant.endswith("_S") else 1
        monkeypatch.setattr(holder, constant, getattr(holder, constant) + self._by * unit)


def pytest_configure(config: pytest.Config) -> None:
    """Called by pytest, which is told of this module by `-p`."""
    name, _, by = os.environ[SHIFT].partition(" ")
    config.pluginmanager.register(Shift(name, int(by)))


def unnoticed(name: str, by: int) -> bool:
    """Whether all tests of a bound pass although it was moved."""
    files = [
        str(file)
        for file in (ROOT / "tests").rglob("test_*.py")
        if "@border(" in (source := file.read_text(encoding="utf-8")) and f'"{name}"' in source
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "tests.limits.shifted", "-p"]
    found = subprocess.run(
        [*command, "no:cacheprovider", "--timeout=20", *files],
        cwd=ROOT,
        env={**os.environ, SHIFT: f"{name} {by}"},
        capture_output=True,
        check=False,
    )
    return found.returncode != 1


def main(names: list[str]) -> int:
    """How many shifts went unnoticed, or are none and were noticed."""
    missed = 0
    for name in names:
        for by in AROUND:
            if unnoticed(name, by) != (by == 0):
                missed += 1
                sys.stdout.write(f"{name} {by:+}: {'noticed' if by == 0 else 'nobody noticed'}\n")
                sys.stdout.flush()
    sys.stdout.write(f"{len(names)} bounds, {missed} not as they should be\n")
    return missed


if __name__ == "__main__":
    from tests.limits.test_every_limit import tried

    sys.exit(bool(main(sys.argv[1:] or sorted(tried() - GIVEN))))
