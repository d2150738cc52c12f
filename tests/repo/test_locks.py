"""The locks: exact, hashed, free of addresses, and in step with pyproject.toml."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.checkout import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = [
    "requirements.lock",
    "requirements-bench.lock",
    "requirements-otel.lock",
    "requirements-dev.lock",
]


CLIENTS = [
    str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("tests/sdk/environments/*.lock"))
]
"""Of vendors' clients, each in an environment of its own."""


def entries(lock: str) -> list[str]:
    """The lock's requirements, each with its hashes on one line, without comments."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    return text.replace("\\\n", "").splitlines()


def pins(lock: str) -> list[Requirement]:
    return [Requirement(entry.split(" --hash=")[0].strip()) for entry in entries(lock)]


@pytest.mark.parametrize("lock", [*LOCKS, *CLIENTS])
def test_a_lock_names_no_address_and_sets_no_option(lock: str) -> None:
    assert "://" not in (ROOT / lock).read_text()
    assert [entry for entry in entries(lock) if not re.match(r"[a-z0-9]", entry)] == []


@pytest.mark.parametrize("lock", CLIENTS)
def test_a_clients_lock_has_the_client_that_is_asked_for(lock: str) -> None:
    (wanted,) = (ROOT / lock).with_suffix(".in").read_text().split()
    assert f"{Requirement(wanted).name}{Requirement(wanted).specifier}" in {
        f"{pin.name}{pin.specifier}" for pin in pins(lock)
    }


@pytest.mark.parametrize("lock", [*LOCKS, *CLIENTS])
def test_every_entry_is_one_version_with_hashes(lock: str) -> None:
    assert pins(lock)
    assert [entry for entry in entries(lock) if "==" not in entry] == []
    assert [entry for entry in entries(lock) if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.lock", PROJECT["project"]["dependencies"]),
        ("requirements-bench.lock", PROJECT["project"]["dependencies"]),
        ("requirements-bench.lock", PROJECT["project"]["optional-dependencies"]["bench"]),
        ("requirements-otel.lock", PROJECT["project"]["dependencies"]),
        ("requirements-otel.lock", PROJECT["project"]["optional-dependencies"]["otel"]),
        ("requirements-dev.lock", PROJECT["project"]["dependencies"]),
        ("requirements-dev.lock", PROJECT["project"]["optional-dependencies"]["otel"]),
        ("requirements-dev.lock", PROJECT["project"]["optional-dependencies"]["bench"]),
        ("requirements-dev.lock", PROJECT["dependency-groups"]["dev"]),
    ],
)
def test_a_lock_satisfies_what_the_project_asks_for(lock: str, wanted: list[str]) -> None:
    for requirement in map(Requirement, wanted):
        locked = [
            next(iter(pin.specifier)).version
            for pin in pins(lock)
            if canonicalize_name(pin.name) == canonicalize_name(requirement.name)
        ]
        assert locked, f"{lock} lacks {requirement.name}: run make lock"
        for version in locked:
            assert requirement.specifier.contains(version), f"{lock} is behind: run make lock"


def test_tests_run_on_the_versions_that_users_get() -> None:
    served, measured, traced, developed = (
        {(pin.name, str(pin.specifier)) for pin in pins(lock)} for lock in LOCKS
    )
    assert served <= measured <= developed
    assert served <= traced <= developed
