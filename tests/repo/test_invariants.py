"""The table of what always holds names tests that exist."""

from __future__ import annotations

import re

import pytest

from tests.support.checkout import ROOT

TESTS = ROOT / "tests"
NAMED = sorted(
    set(
        re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", (TESTS / "README.md").read_text(encoding="utf-8"))
    )
)


def test_tests_are_named() -> None:
    assert len(NAMED) > 40


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_what_is_named_exists(file: str, test: str) -> None:
    source = (TESTS / file).read_text(encoding="utf-8")
    assert re.search(rf"def {test}\(" if test else r"def test_|\.TestCase", source)
