"""Planted bugs of the accounts: doors that stand open, and sums that do not add up."""

from __future__ import annotations

from tests.mutants.planting import Planted

GATE = ("tests/accounts/test_gate.py",)
ACCESS = ("tests/accounts/test_access.py",)
QUOTAS = ("tests/accounts/test_quotas.py",)
STORE = ("tests/accounts/test_store.py",)

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
        "self._principal = caller.key",
        'self._principal = "local"',
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
        "        wait_s = rate.wait_s(caller.key, count, now)\n",
        "        wait_s = rate.wait_s(caller.key, count, now)\n        rate.take(caller.key, count, now)\n",
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
)
