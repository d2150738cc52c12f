"""Documents as data: their tables, their code blocks, and the words in which they give the type of a field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import inspect

Row = dict[str, str]


class Block(NamedTuple):
    """A fenced block: what stands behind its fence, its text, and the line it begins on."""

    info: str
    text: str
    line: int


def table(document: Path, heading: str) -> list[Row]:
    """The first table under a heading, as its rows by column. Raises AssertionError if there is none."""
    lines = iter(document.read_text(encoding="utf-8").splitlines())
    assert any(line.lstrip("#").strip() == heading for line in lines if line[:1] == "#"), (
        f"{document.name} has no heading {heading!r}"
    )
    rows: list[list[str]] = []
    for line in lines:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows or line.startswith("#"):
            break
    assert len(rows) > 2, f"{document.name} has no table under {heading!r}"
    names, _, *values = rows
    assert all(len(row) == len(names) for row in values), f"a ragged table under {heading!r}"
    return [dict(zip(names, row, strict=True)) for row in values]


def blocks(document: Path) -> Iterator[Block]:
    """The fenced code blocks."""
    info, text, begun = "", list[str](), 0
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("```"):
            text.append(line)
        elif begun:
            yield Block(info, "\n".join(text) + "\n", begun)
            begun = 0
        else:
            info, text, begun = line[3:].strip(), [], number


def named(row: Row) -> str:
    """What a row is about: its first cell without the backticks."""
    return next(iter(row.values())).strip("`")


def in_words(field_type: object) -> str:
    """A field's type and range, such as "integer, 1 to 8", "`http`, `websocket`" or "text or null"."""
    return _in_words(inspect.type_info(field_type))


def _in_words(type_: inspect.Type) -> str:
    match type_:
        case inspect.Metadata():
            return _in_words(type_.type)
        case inspect.IntType():
            steps = f", in steps of {type_.multiple_of}" if type_.multiple_of else ""
            return "integer" + _bounds(type_.ge, type_.le) + steps
        case inspect.FloatType():
            return "number" + _bounds(type_.ge, type_.le)
        case inspect.BoolType():
            return "true or false"
        case inspect.StrType():
            return "text" + _bounds(type_.min_length, type_.max_length, " characters")
        case inspect.BytesType():
            return "bytes"
        case inspect.EnumType():
            return ", ".join(f"`{member.value}`" for member in type_.cls)
        case inspect.LiteralType():
            return ", ".join(f"`{value}`" for value in type_.values)
        case inspect.VarTupleType():
            return f"list{_bounds(None, type_.max_length)}: {_in_words(type_.item_type)}"
        case inspect.TupleType():
            lowest, highest = (_in_words(item) for item in type_.item_types)
            assert lowest == highest, "only ranges are pairs"
            return f"[lowest, highest]: {lowest}"
        case inspect.UnionType():
            return " or ".join(_in_words(member) for member in type_.types)
        case inspect.NoneType():
            return "null"
        case _:
            return "object"


def _bounds(least: float | None, most: float | None, unit: str = "") -> str:
    if least is not None and most is not None:
        return f", {least:.15g} to {most:.15g}{unit}"
    if most is not None:
        return f", at most {most:.15g}{unit}"
    return "" if least is None else f", at least {least:.15g}{unit}"
