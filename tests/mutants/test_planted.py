"""The planted bugs still fit the code; whether they are noticed, `python -m tests.mutants` tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.planted import PLANTED
from tests.mutants.planting import Planted

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_its_code_is_there_once(bug: Planted) -> None:
    assert (ROOT / bug.file).read_text(encoding="utf-8").count(bug.old) == 1
    assert bug.new != bug.old
    assert all((ROOT / path.partition("::")[0]).exists() for path in bug.tests)


def test_names_are_unique() -> None:
    assert len({bug.name for bug in PLANTED}) == len(PLANTED) >= 15
