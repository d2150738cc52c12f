"""Bring a SQLite database to the version that the code expects: `user_version` counts the steps that were taken."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from typing import NamedTuple

_NAME = re.compile(r"(\d{4})_\w+\.sql")


class DatabaseUnusable(Exception):
    """The file cannot be used as the accounts' database; the message says why."""


class Step(NamedTuple):
    """A migration: its number, counted from 1, and its statements."""

    number: int
    statements: tuple[str, ...]


def steps() -> list[Step]:
    """All migrations, in their order."""
    found = sorted(
        Step(int(match[1]), tuple(_statements(file.read_text(encoding="utf-8"))))
        for file in files("gateway.accounts.migrations").iterdir()
        if (match := _NAME.fullmatch(file.name))
    )
    assert [step.number for step in found] == list(range(1, len(found) + 1))
    return found


def _statements(script: str) -> Iterator[str]:
    """The statements of a script. (`executescript` would commit before it.)"""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def migrate(connection: sqlite3.Connection) -> None:
    """Take the steps that are missing, all or none; of several processes that try at once, one does. `connection` is in
    autocommit mode. Raises DatabaseUnusable when the database is newer than the code."""
    todo = steps()
    if _version(connection) == len(todo):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        _take(connection, todo)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _take(connection: sqlite3.Connection, todo: list[Step]) -> None:
    version = _version(connection)
    if version > len(todo):
        raise DatabaseUnusable(
            f"it has version {version}, and this gateway knows none above {len(todo)}"
        )
    for step in todo[version:]:
        for statement in step.statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(todo)}")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    assert isinstance(version, int)
    return version
