"""The codes that the gateway's source can utter, for tests that hold documents and transcripts complete."""

from __future__ import annotations

import ast

from gateway.core.errors import all_errors
from tests.support.checkout import ROOT


def error_codes() -> set[str]:
    """The code of every error there is."""
    return {error.code for error in all_errors()}


def warning_codes() -> set[str]:
    """The code of every warning: each `Warned` is made with its code in plain sight."""
    codes: set[str] = set()
    for path in (ROOT / "gateway").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "Warned"
            ):
                code = node.args[0]
                assert isinstance(code, ast.Constant), f"{path}: a warning without a plain code"
                codes.add(str(code.value))
    return codes
