"""A process with a store, which dies by SIGKILL between any two statements: `python -m tests.accounts.mortal`.

It reads requests and writes answers, a line of JSON each. `["begin", path]` makes a child that serves what follows until it
dies; then the parent says so, and waits for the next. A fork is made in a millisecond, a new interpreter is not.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

import gateway.accounts.threads as threads
from gateway.accounts.model import Charge
from gateway.accounts.sqlite import open_sqlite
from gateway.accounts.store import Store
from gateway.core.errors import GatewayError
from tests.support.checkout import ROOT

NOW = 1_700_000_000_000
DIED = "died"


class Asked(msgspec.Struct, array_like=True):
    """What the child is to do; `die_at`: after so many more statements, or right after it was done."""

    what: str
    request: str = ""
    numbers: tuple[int, ...] = ()
    die_at: int | None = None


_to_live: int | None = None
"""Statements until death."""


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _count(_statement: str) -> None:
    global _to_live  # noqa: PLW0603  # the trace has no other place
    if _to_live is not None:
        if _to_live == 0:
            _die()
        _to_live -= 1


def _connect(path: Path) -> sqlite3.Connection:
    connection = _honest(path)
    connection.set_trace_callback(_count)
    return connection


_honest = threads.connect


async def _act(store: Store, asked: Asked) -> object:
    first, second = (*asked.numbers, 0, 0)[:2]
    match asked.what:
        case "grant":
            await store.grant("acme", first, "", NOW)
        case "reserve":
            charge = Charge(asked.request, "acme", "k", "espeak")
            return await store.reserve(charge, first, second, NOW)
        case "post":
            await store.post(asked.request, first, 1, NOW)
        case "end":
            await store.end(asked.request, NOW)
        case "recover":
            return await store.recover(NOW)
        case _:
            assert asked.what == "nothing"
    return None


async def _serve(path: str) -> None:
    global _to_live  # noqa: PLW0603
    store = await open_sqlite(Path(path))
    while line := _read():
        asked = msgspec.json.decode(line, type=Asked)
        _to_live = asked.die_at
        try:
            answer = await _act(store, asked)
        except (GatewayError, ValueError) as error:
            answer = type(error).__name__
        if asked.die_at is not None:
            _die()
        _write(answer)


def _read() -> bytes:
    """A line, and not a byte more: the next one may be another process's."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return b""
        line += byte
    return line


def _write(answer: object) -> None:
    os.write(1, msgspec.json.encode(answer) + b"\n")


def main() -> None:
    """Serve until there is nothing more to read."""
    threads.connect = _connect
    while line := _read():
        _, path = msgspec.json.decode(line, type=tuple[str, str])
        child = os.fork()
        if child == 0:
            asyncio.run(_serve(path))
            os._exit(0)
        os.waitpid(child, 0)
        _write(DIED)


class Mortal:
    """Such a process, as its tests see it."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.accounts.mortal"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(
        self,
        type_: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def begin(self, path: Path) -> None:
        """A new process on this database; the last one must be dead."""
        self._send(["begin", str(path)])

    def ask(self, *asked: object) -> object:
        """Have something done, as in `Asked`; `DIED` when the process did."""
        self._send(asked)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return msgspec.json.decode(line)

    def kill(self) -> None:
        """End it now, between two requests."""
        assert self.ask("nothing", "", (), 0) == DIED

    def _send(self, message: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(message) + b"\n")
        self._process.stdin.flush()


if __name__ == "__main__":
    main()
