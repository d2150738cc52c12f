"""Prometheus's own judge of expressions, rules and metrics, and which metrics and labels an expression names."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from tests.support.checkout import ROOT

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed (Debian's package prometheus has it)",
)
_KEYWORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right"}
_GROUPS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_MATCHERS = re.compile(r"\{([^}]*)\}")


def promtool(*words: str | Path, given: bytes = b"", folder: Path = ROOT) -> tuple[int, str]:
    """Exit code and everything that it says."""
    done = subprocess.run(
        ["promtool", *words],
        input=given,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout.decode()


def not_promql(expressions: Iterable[str], tmp_path: Path) -> str:
    """What promtool has against these expressions; empty = nothing."""
    rules = [{"record": f"one:{n}", "expr": each} for n, each in enumerate(expressions)]
    assert rules
    file = tmp_path / "rules.yml"
    file.write_bytes(msgspec.json.encode({"groups": [{"name": "all", "rules": rules}]}))
    status, said = promtool("check", "rules", file)
    return said if status else ""


def metrics_in(expression: str) -> set[str]:
    """The names of the series that an expression selects."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\[[^\]]*\]", "", _MATCHERS.sub("", _GROUPS.sub("", bare)))
    return set(re.findall(r"\b[a-zA-Z_:]\w*\b(?!\s*\()", bare)) - _KEYWORDS


def labels_in(expression: str) -> set[str]:
    """The labels that an expression asks for or groups by."""
    bare = re.sub(r'"[^"]*"', "", expression)
    asked = {
        match.split("=")[0].strip(" !~")
        for part in _MATCHERS.findall(bare)
        for match in part.split(",")
    }
    grouped = {label.strip() for part in _GROUPS.findall(bare) for label in part.split(",")}
    return (asked | grouped) - {""}
