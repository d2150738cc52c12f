"""Planted bugs of the accounts: doors that stand open, and sums that do not add up."""

from __future__ import annotations

from tests.mutants.planting import Planted

GATE = ("tests/accounts/test_gate.py",)
ACCESS = ("tests/accounts/test_access.py",)
QUOTAS = ("tests/accounts/test_quotas.py",)
STORE = ("tests/accounts/test_store.py",)
LEDGER = ("tests/accounts/test_store_ledger.py",)
MACHINE = ("tests/accounts/test_ledger_machine.py",)
CHARGING = ("tests/accounts/test_charging.py",)
METER = ("tests/accounts/test_meter.py",)

BUGS = (
    Planted(
        "any-secret",
        "a key is good by its id alone",
        "gateway/accounts/gate.py",
        "if kept is None or not is_known:",
        "if kept is None:",
        GATE,
    ),
    Planted(
        "tokens-make-tokens",
        "a token has all scopes of its key",
        "gateway/accounts/gate.py",
        "if scope is not Scope.TOKENS",
        "if scope",
        GATE,
    ),
    Planted(
        "tokens-last",
        "a token can be used again",
        "gateway/accounts/sqlite.py",
        '"DELETE FROM tokens WHERE id = ? AND digest = ? AND expires_ms > ? RETURNING key",',
        '"SELECT key FROM tokens WHERE id = ? AND digest = ? AND expires_ms > ?",',
        STORE,
    ),
    Planted(
        "revoked-lives",
        "a revoked key keeps its tokens",
        "gateway/accounts/sqlite.py",
        '            database.execute("DELETE FROM tokens WHERE key = ?", (id,))\n',
        "",
        STORE,
    ),
    Planted(
        "keys-in-urls",
        "a key may stand in a query",
        "gateway/fronts/authentication.py",
        'if shown.startswith(f"{Kind.KEY}_"):',
        "if not shown:",
        ACCESS,
    ),
    Planted(
        "anybody-resumes",
        "every key may resume any session",
        "gateway/runtime/mux.py",
        "principal=caller.key,",
        'principal="local",',
        ACCESS,
    ),
    Planted(
        "broken-is-closed",
        "a connection that broke counts as closed by its client",
        "gateway/guard/losing.py",
        "ABNORMAL = 1006",
        "ABNORMAL = 1005",
        ACCESS,
    ),
    Planted(
        "refused-is-counted",
        "a request that is refused counts against its key",
        "gateway/accounts/quotas.py",
        "        wait_s = rate.wait_s(caller.key, count, now, most)\n",
        "        wait_s = rate.wait_s(caller.key, count, now, most)\n        rate.take(caller.key, count, now, most)\n",
        QUOTAS,
    ),
    Planted(
        "gone-but-counted",
        "a WebSocket counts for its address until what it began is over",
        "gateway/fronts/counted.py",
        "                leave()\n            return message",
        "                pass\n            return message",
        ("tests/limits/test_transport.py",),
    ),
    Planted(
        "limits-of-all",
        "a limit of a single key is not heeded",
        "gateway/accounts/gate.py",
        "Caller(key.id, key.account, key.scopes, limits=key.limits)",
        "Caller(key.id, key.account, key.scopes)",
        QUOTAS,
    ),
    Planted(
        "places-leak",
        "a context that has ended still counts",
        "gateway/runtime/house.py",
        "        self.quotas.close_context(caller)\n\n    def new_speaker",
        "\n    def new_speaker",
        QUOTAS,
    ),
    Planted(
        "the-living-are-voided",
        "what a living process has set aside is given back",
        "gateway/accounts/ledger_sql.py",
        "if other == owner or lives(other):",
        "if other == owner:",
        MACHINE,
    ),
    Planted(
        "more-than-there-is",
        "as much is set aside as is wanted",
        "gateway/accounts/ledger_sql.py",
        "amount = min(want, had.available)",
        "amount = max(need, want)",
        LEDGER,
    ),
    Planted(
        "ids-again",
        "a request that has ended may go on",
        "gateway/accounts/ledger_sql.py",
        "WHERE ended_ms IS NULL AND owner = excluded.owner AND account = excluded.account",
        "WHERE owner = excluded.owner AND account = excluded.account",
        LEDGER,
    ),
    Planted(
        "void-unwritten",
        "what is void has no entry",
        "gateway/accounts/ledger_sql.py",
        '        database.execute(_ENTER, (account, "void", pending, request, now_ms, note))\n',
        "",
        MACHINE,
    ),
    Planted(
        "sound-before-money",
        "audio does not wait for its commit",
        "gateway/runtime/speaker.py",
        "if paid is not None and not isinstance(report, Begun):",
        "if paid is not None and isinstance(report, Finished):",
        CHARGING,
    ),
    Planted(
        "failures-cost",
        "a piece that failed is posted",
        "gateway/runtime/speaker.py",
        "elif isinstance(report, Finished) and self._meter is not None:",
        "elif isinstance(report, Finished | Failed) and self._meter is not None:",
        CHARGING,
    ),
    Planted(
        "left-set-aside",
        "what is left at the end stays set aside",
        "gateway/runtime/speaker.py",
        "            self._meter.close()\n",
        "            pass\n",
        CHARGING,
    ),
    Planted(
        "on-after-a-gap",
        "a smaller piece is made behind one that there was no credit for",
        "gateway/accounts/ledger.py",
        "        self._problem = problem\n",
        "",
        METER,
    ),
    Planted(
        "steps-by-pieces",
        "each piece begins steps of its own",
        "gateway/accounts/ledger.py",
        "self._post(self.millicredits - spent)",
        "self._post(self._cost(chars))",
        METER,
    ),
    Planted(
        "paid-again",
        "what was paid before is paid again",
        "gateway/accounts/pricing.py",
        "return max(0, self.of(chars) - self.of(paid_chars))",
        "return self.of(chars)",
        METER,
    ),
    Planted(
        "sums-of-the-last-day",
        "what is posted counts for the day on which it is",
        "gateway/accounts/migrations/0003_usage.sql",
        "AND day = NEW.begun_ms / 86400000",
        "AND day = (SELECT max(at_ms) FROM entries) / 86400000",
        LEDGER,
    ),
    Planted(
        "sums-of-all-keys",
        "a key is told of what its account's other keys had",
        "gateway/accounts/ledger_sql.py",
        "WHERE account = :account AND (:key IS NULL OR key = :key)",
        "WHERE account = :account AND (:key IS NULL OR key <> '')",
        LEDGER,
    ),
)
