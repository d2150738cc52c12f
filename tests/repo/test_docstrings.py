"""Docstrings that are tables or specifications say all there is to say, and nothing else."""

from __future__ import annotations

import ast
import inspect
import re

from gateway.core import errors
from gateway.core.limits import Limits


def test_the_error_tree_in_the_docstring_is_the_tree() -> None:
    lines = re.findall(
        r"^ *(│?) +[├└]── (\w+) +([a-z_]+) +(\d{3})\b", errors.__doc__ or "", re.MULTILINE
    )
    drawn = {
        (name, code, int(status), "CallerError" if branch else "ServerError")
        for branch, name, code, status in lines
    }
    real = {
        (error.__name__, error.code, error.status, error.__mro__[1].__name__)
        for error in errors.all_errors()
    }
    assert drawn == real


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in errors.all_errors()]
    assert len(codes) == len(set(codes))


def test_every_limit_says_what_it_bounds() -> None:
    (definition,) = ast.parse(inspect.getsource(Limits)).body
    assert isinstance(definition, ast.ClassDef)
    undocumented = []
    for node, following in zip(definition.body, [*definition.body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign):
            continue
        match following:
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case _:
                undocumented.append(ast.unparse(node.target))
    assert undocumented == []
