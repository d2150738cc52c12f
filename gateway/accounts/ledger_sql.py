"""The ledger in SQLite: what is done to it within a transaction.

    (none) ──reserve──► open ──reserve, post──► open ──end──► ended: what is pending is void

A request belongs to the process that opened it, its owner, who alone may go on with it. An owner holds a lease as long as
it lives; requests of owners without one are ended by whoever looks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime

from gateway.accounts.model import Balance, Charge, RouteSums, Sum, Usage
from gateway.core.errors import CreditsExhausted

DAY_MS = 86_400_000
_RESERVE = """
INSERT INTO requests (id, account, key, model, route, owner, begun_ms, ended_ms, chars, posted, pending)
VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 0, 0, ?)
ON CONFLICT (id) DO UPDATE SET pending = pending + excluded.pending
WHERE ended_ms IS NULL AND owner = excluded.owner AND account = excluded.account
"""
_POST = """
UPDATE requests SET pending = pending - ?, posted = posted + ?, chars = chars + ?
WHERE id = ? AND owner = ? AND ended_ms IS NULL
RETURNING account
"""
_END = """
UPDATE requests SET pending = 0, ended_ms = ? WHERE id = ? AND ended_ms IS NULL
"""
_RECORD = """
INSERT INTO requests (id, account, key, model, route, owner, begun_ms, ended_ms, chars, posted, pending)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)
"""
_ENTER = """
INSERT INTO entries (account, kind, millicredits, request, at_ms, note) VALUES (?, ?, ?, ?, ?, ?)
"""
_USAGE = """
SELECT account, key, model, count(*), sum(chars), sum(posted) FROM requests
WHERE begun_ms >= ? GROUP BY account, key, model ORDER BY account, key, model
"""
_SUMS = """
SELECT route, model,
    sum(requests) FILTER (WHERE day = :today), sum(chars) FILTER (WHERE day = :today),
    sum(millicredits) FILTER (WHERE day = :today),
    sum(requests) FILTER (WHERE day >= :month), sum(chars) FILTER (WHERE day >= :month),
    sum(millicredits) FILTER (WHERE day >= :month),
    sum(requests), sum(chars), sum(millicredits)
FROM days WHERE account = :account AND (:key IS NULL OR key = :key)
GROUP BY route, model ORDER BY route, model
"""


def grant(
    database: sqlite3.Connection, account: str, millicredits: int, note: str, now_ms: int
) -> Balance:
    """More credits for an account, which may be new."""
    database.execute(
        "INSERT INTO balances (account, granted, posted, pending) VALUES (?, ?, 0, 0) "
        "ON CONFLICT (account) DO UPDATE SET granted = granted + excluded.granted",
        (account, millicredits),
    )
    database.execute(_ENTER, (account, "grant", millicredits, None, now_ms, note))
    return balance(database, account)


def balance(database: sqlite3.Connection, account: str) -> Balance:
    """What an account has; one that nobody knows has nothing."""
    row = database.execute(
        "SELECT granted, posted, pending FROM balances WHERE account = ?", (account,)
    ).fetchone()
    return Balance(account, *(row or ()))


def balances(database: sqlite3.Connection) -> list[Balance]:
    """All accounts that were ever granted anything."""
    rows = database.execute("SELECT account, granted, posted, pending FROM balances")
    return [Balance(*row) for row in rows]


def reserve(
    database: sqlite3.Connection, charge: Charge, owner: str, need: int, want: int, now_ms: int
) -> int:
    """Set aside `want` for a request, or what there is if that is at least `need`; how much it was. Opens the request with
    the first one. Raises CreditsExhausted, or ValueError when the request has ended or is another's."""
    had = balance(database, charge.account)
    if had.available < need:
        raise CreditsExhausted(
            "the account has too few credits for the next piece",
            allowed=f"{had.available / 1_000:g} credits are left, {need / 1_000:g} are needed",
        )
    amount = min(want, had.available)
    opened = database.execute(
        _RESERVE,
        (*_who(charge), owner, now_ms, amount),
    )
    if opened.rowcount != 1:
        raise ValueError(f"request {charge.request} has ended, or is another's")
    _move(database, charge.account, pending=amount)
    database.execute(_ENTER, (charge.account, "reserve", amount, charge.request, now_ms, ""))
    return amount


def post(
    database: sqlite3.Connection, request: str, owner: str, amount: int, chars: int, now_ms: int
) -> None:
    """So much of what was set aside is spent, maybe nothing, for so many characters. Raises ValueError when the request is
    not open or has not so much."""
    try:
        row = database.execute(_POST, (amount, amount, chars, request, owner)).fetchone()
    except sqlite3.IntegrityError:
        raise ValueError(f"request {request} has less than that set aside") from None
    if row is None:
        raise ValueError(f"request {request} is not open here")
    if amount:
        _move(database, row[0], pending=-amount, posted=amount)
        database.execute(_ENTER, (row[0], "post", amount, request, now_ms, ""))


def end(database: sqlite3.Connection, request: str, now_ms: int, note: str = "") -> None:
    """The request is over, and what it has still set aside is void. Twice is fine."""
    row = database.execute(
        "SELECT account, pending FROM requests WHERE id = ? AND ended_ms IS NULL", (request,)
    ).fetchone()
    if row is None:
        return
    account, pending = row
    database.execute(_END, (now_ms, request))
    if pending:
        _move(database, account, pending=-pending)
        database.execute(_ENTER, (account, "void", pending, request, now_ms, note))


def record(
    database: sqlite3.Connection, charge: Charge, owner: str, chars: int, begun_ms: int, now_ms: int
) -> None:
    """A request that was free."""
    try:
        database.execute(_RECORD, (*_who(charge), owner, begun_ms, now_ms, chars))
    except sqlite3.IntegrityError:
        raise ValueError(f"there is a request {charge.request} already") from None


def recover(
    database: sqlite3.Connection, owner: str, lives: Callable[[str], bool], now_ms: int
) -> int:
    """End what owners other than `owner` have left behind that do not live any more; how many requests it was."""
    left = 0
    owners = database.execute("SELECT DISTINCT owner FROM requests WHERE ended_ms IS NULL")
    for (other,) in owners.fetchall():
        if other == owner or lives(other):
            continue
        open_ones = database.execute(
            "SELECT id FROM requests WHERE owner = ? AND ended_ms IS NULL", (other,)
        )
        for (request,) in open_ones.fetchall():
            end(database, request, now_ms, "its process is gone")
            left += 1
    return left


def usage(database: sqlite3.Connection, since_ms: int) -> list[Usage]:
    """What was spoken by requests that began no earlier, by account, key and model."""
    return [Usage(*row) for row in database.execute(_USAGE, (since_ms,))]


def sums(
    database: sqlite3.Connection, account: str, key: str | None, now_ms: int
) -> list[RouteSums]:
    """What an account had spoken, or one key of it, by route and model."""
    today = now_ms // DAY_MS
    month = today + 1 - datetime.fromtimestamp(now_ms / 1_000, UTC).day
    asked = {"account": account, "key": key, "today": today, "month": month}
    rows = database.execute(_SUMS, asked)
    return [
        RouteSums(route, model, *(Sum(*(each or 0 for each in n[at : at + 3])) for at in (0, 3, 6)))
        for route, model, *n in rows
    ]


def _who(charge: Charge) -> tuple[str, ...]:
    return charge.request, charge.account, charge.key, charge.model, charge.route


def _move(database: sqlite3.Connection, account: str, *, pending: int = 0, posted: int = 0) -> None:
    database.execute(
        "UPDATE balances SET pending = pending + ?, posted = posted + ? WHERE account = ?",
        (pending, posted, account),
    )
