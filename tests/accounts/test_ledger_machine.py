"""The ledger against a model of it, while processes are killed between any two statements.

Two processes work on one database. One is killed, again and again, in the middle of what it does; what it was doing was done
or was not, and everything else is as it was. The other one lives, and nobody ever takes what it has set aside.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tests.accounts.mortal import DIED, Mortal

AMOUNTS = st.integers(1, 60)
MEMORY = next((folder for folder in ("/dev/shm",) if Path(folder).is_dir()), None)
"""Where a file needs no disk: a process that is killed leaves the kernel's memory as it is."""
STATEMENTS = st.integers(0, 12)
"""More than any of the things has that are done."""


@dataclass
class Request:
    """A request as the model knows it."""

    lives: bool
    posted: int = 0
    pending: int = 0
    is_open: bool = False
    has_ended: bool = False


class LedgerMachine(RuleBasedStateMachine):
    """`lives` chooses the process: the one that is never killed, or the other one."""

    processes: dict[bool, Mortal]

    requests = Bundle("requests")

    @initialize(target=requests)
    def begin(self) -> MultipleResults[str]:
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-", dir=MEMORY))
        self.granted = 0
        self.known: dict[str, Request] = {}
        for process in self.processes.values():
            process.begin(self.folder / "accounts.db")
            assert process.ask("recover") == 0
        self.database = sqlite3.connect(self.folder / "accounts.db", isolation_level=None)
        # So that something can be spent from the first step on; what is refused is found soon enough.
        self.grant(True, 300)
        return multiple(*(self._new(lives) for lives in (True, False, False)))

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.database.close()
            for process in self.processes.values():
                process.kill()
            shutil.rmtree(self.folder)

    @property
    def available(self) -> int:
        return self.granted - sum(each.posted + each.pending for each in self.known.values())

    @rule(lives=st.booleans(), amount=st.integers(1, 400))
    def grant(self, lives: bool, amount: int) -> None:
        assert self.processes[lives].ask("grant", "", (amount,)) is None
        self.granted += amount

    @rule(target=requests, lives=st.booleans())
    def new_request(self, lives: bool) -> str:
        return self._new(lives)

    def _new(self, lives: bool) -> str:
        id = f"req_{len(self.known)}"
        self.known[id] = Request(lives)
        return id

    @rule(id=requests, need=AMOUNTS, more=AMOUNTS)
    def reserve(self, id: str, need: int, more: int) -> None:
        request = self.known[id]
        amount = min(need + more, self.available)
        answer = self.processes[request.lives].ask("reserve", id, (need, need + more))
        if amount < need:
            assert answer == "CreditsExhausted"
        elif request.has_ended:
            assert answer == "ValueError"
        else:
            assert answer == amount
            request.pending += amount
            request.is_open = True

    @rule(id=requests, amount=AMOUNTS)
    def post(self, id: str, amount: int) -> None:
        request = self.known[id]
        answer = self.processes[request.lives].ask("post", id, (amount,))
        if request.is_open and amount <= request.pending:
            assert answer is None
            request.pending -= amount
            request.posted += amount
        else:
            assert answer == "ValueError"

    @rule(id=requests)
    def end(self, id: str) -> None:
        request = self.known[id]
        assert self.processes[request.lives].ask("end", id) is None
        self._ended(request)

    @rule(id=requests)
    def nobody_goes_on_with_anothers(self, id: str) -> None:
        request = self.known[id]
        if request.is_open:
            other = self.processes[not request.lives]
            assert other.ask("post", id, (1,)) == "ValueError"

    @rule(lives=st.booleans())
    def the_living_are_left_alone(self, lives: bool) -> None:
        assert self.processes[lives].ask("recover") == 0

    @rule(at=STATEMENTS, amount=st.integers(1, 400), restarts=st.booleans())
    def die_granting(self, at: int, amount: int, restarts: bool) -> None:
        assert self.processes[False].ask("grant", "", (amount,), at) == DIED
        (granted,) = self._row("SELECT coalesce(sum(granted), 0) FROM balances")
        assert granted in {self.granted, self.granted + amount}
        self.granted = granted
        self._recover(restarts)

    @rule(id=requests, at=STATEMENTS, amount=AMOUNTS, restarts=st.booleans())
    def die_reserving(self, id: str, at: int, amount: int, restarts: bool) -> None:
        request = self.known[id]
        if request.lives:
            return
        got = min(amount, self.available)
        assert self.processes[False].ask("reserve", id, (1, amount), at) == DIED
        row = self._row("SELECT pending FROM requests WHERE id = ?", id)
        may_be: set[tuple[int, ...]] = (
            {(request.pending,)} if request.is_open or request.has_ended else {()}
        )
        if got and not request.has_ended:
            may_be.add((request.pending + got,))
        assert row in may_be
        request.is_open = request.is_open or (row != () and not request.has_ended)
        request.pending = sum(row)
        self._recover(restarts)

    @rule(id=requests, at=STATEMENTS, share=st.floats(0.1, 1), restarts=st.booleans())
    def die_posting(self, id: str, at: int, share: float, restarts: bool) -> None:
        request = self.known[id]
        if request.lives or not request.pending:
            return
        amount = max(1, int(request.pending * share))
        assert self.processes[False].ask("post", id, (amount,), at) == DIED
        (posted,) = self._row("SELECT posted FROM requests WHERE id = ?", id)
        assert posted in {request.posted, request.posted + amount}
        request.pending -= posted - request.posted
        request.posted = posted
        self._recover(restarts)

    @rule(id=consumes(requests), at=STATEMENTS, restarts=st.booleans())
    def die_ending(self, id: str, at: int, restarts: bool) -> None:
        request = self.known[id]
        if request.lives or not request.is_open:
            return
        assert self.processes[False].ask("end", id, (), at) == DIED
        (ended,) = self._row("SELECT ended_ms IS NOT NULL FROM requests WHERE id = ?", id)
        if ended:
            self._ended(request)
        self._recover(restarts)

    @rule(at=STATEMENTS)
    def die_recovering(self, at: int) -> None:
        """And before that, to have something to recover."""
        self.processes[False].kill()
        self.processes[False].begin(self.folder / "accounts.db")
        assert self.processes[False].ask("recover", "", (), at) == DIED
        for request in self.known.values():
            if not request.lives:
                self._ended(request)
        self.processes[False].begin(self.folder / "accounts.db")
        self.processes[False].ask("recover")

    def _recover(self, restarts: bool) -> None:
        """The dead process comes back; it, or the one that lives, gives back what it had set aside."""
        self.processes[False].begin(self.folder / "accounts.db")
        left = [each for each in self.known.values() if each.is_open and not each.lives]
        assert self.processes[not restarts].ask("recover") == len(left)
        for request in left:
            self._ended(request)

    def _ended(self, request: Request) -> None:
        if request.is_open:
            request.pending, request.is_open, request.has_ended = 0, False, True

    def _row(self, query: str, *values: str) -> tuple[int, ...]:
        row = self.database.execute(query, values).fetchone()
        return () if row is None else tuple(row)

    @invariant()
    def the_books_are_as_the_model(self) -> None:
        if not hasattr(self, "folder"):
            return
        rows = self.database.execute(
            "SELECT id, posted, pending, ended_ms IS NOT NULL FROM requests"
        )
        assert {id: tuple(rest) for id, *rest in rows} == {
            id: (each.posted, each.pending, each.has_ended)
            for id, each in self.known.items()
            if each.is_open or each.has_ended
        }

    @invariant()
    def sums_are_the_sums_of_entries(self) -> None:
        if not hasattr(self, "folder"):
            return
        sums = dict(
            self.database.execute("SELECT kind, sum(millicredits) FROM entries GROUP BY kind")
        )
        granted, posted = sums.get("grant", 0), sums.get("post", 0)
        pending = sums.get("reserve", 0) - posted - sums.get("void", 0)
        row = self._row("SELECT granted, posted, pending FROM balances")
        assert row == ((granted, posted, pending) if granted else ())
        assert granted == self.granted
        counted = "SELECT coalesce(sum(requests), 0), coalesce(sum(millicredits), 0) FROM days"
        known = self._row("SELECT count(*), coalesce(sum(posted), 0) FROM requests")
        assert self._row(counted) == known
        assert 0 <= posted + pending <= granted


@pytest.fixture
def processes() -> Iterator[dict[bool, Mortal]]:
    with ExitStack() as stack:
        yield {lives: stack.enter_context(Mortal()) for lives in (True, False)}


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_books_are_right_whoever_dies_when(processes: dict[bool, Mortal]) -> None:
    LedgerMachine.processes = processes
    run_state_machine_as_test(
        LedgerMachine, settings=settings(max_examples=20, stateful_step_count=30)
    )


def test_entries_are_only_added(processes: dict[bool, Mortal], tmp_path: Path) -> None:
    processes[True].begin(tmp_path / "accounts.db")
    processes[True].ask("grant", "", (5,))
    with closing(sqlite3.connect(tmp_path / "accounts.db")) as database:
        for change in ("UPDATE entries SET millicredits = 6", "DELETE FROM entries"):
            with pytest.raises(sqlite3.IntegrityError, match="only added"):
                database.execute(change)
    processes[True].kill()
