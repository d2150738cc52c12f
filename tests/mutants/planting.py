"""A planted bug: one change of one place, in words and in code.

The code is quoted as it stands, so that a refactoring that moves it fails `test_planted.py` at once and the bug is
planted anew in the new code, instead of silently testing nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Planted:
    """`old` in `file` becomes `new`, and one of `tests` must fail."""

    name: str
    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
