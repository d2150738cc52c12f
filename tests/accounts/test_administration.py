"""`gateway keys`, as an operator runs it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from gateway.accounts.clock import now_ms
from gateway.accounts.credentials import read_credential
from gateway.accounts.model import Charge
from gateway.accounts.sqlite import open_sqlite
from gateway.cli import main


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "accounts.db"
    monkeypatch.setenv("GATEWAY_ACCOUNTS__DATABASE", str(path))
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def listed() -> list[dict[str, object]]:
    return msgspec.json.decode(
        run("keys", "list", "--json").stdout, type=dict[str, list[dict[str, object]]]
    )["keys"]


def test_a_key_is_shown_once(database: Path) -> None:
    made = run("keys", "create", "phone bot", "--scope", "speech", "--days", "30")
    credential = read_credential(made.stdout.strip())
    assert credential is not None
    (key,) = listed()
    assert key["id"] == key["account"] == credential.id
    assert key["scopes"] == ["speech"]
    shown = run("keys", "list").output
    assert f"{credential.id}  good" in shown
    assert "phone bot: never used, until " in shown
    for file in database.parent.iterdir():
        assert credential.secret.encode() not in file.read_bytes()
    assert credential.secret not in made.stderr + shown


def test_keys_may_share_an_account(database: Path) -> None:
    for name in ("old", "new"):
        assert run("keys", "create", name, "--account", "acme").exit_code == 0
    assert [(key["name"], key["account"]) for key in listed()] == [("old", "acme"), ("new", "acme")]


def test_revoked_is_said(database: Path) -> None:
    credential = read_credential(run("keys", "create", "a").stdout.strip())
    assert credential is not None
    for name in (credential.id, f"sg_{credential.id}"):
        assert run("keys", "revoke", name).exit_code == 0
    assert "revoked" in run("keys", "list").output


def test_a_key_may_have_limits_of_its_own(database: Path) -> None:
    run("keys", "create", "a", "--requests-per-minute", "60", "--contexts", "0")
    (key,) = listed()
    assert key["limits"] == {
        "requests_per_minute": 60,
        "chars_per_minute": None,
        "contexts_max": 0,
    }
    assert "requests_per_minute 60, contexts_max any" in run("keys", "list").output
    told = run("keys", "limit", str(key["id"]), "--chars-per-minute", "500").output
    assert told == f"key {key['id']} (a), chars_per_minute 500\n"
    assert "as configured" in run("keys", "limit", str(key["id"])).output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("keys", "revoke", "nobody"), "there is no key 'nobody'"),
        (("keys", "limit", "nobody"), "there is no key 'nobody'"),
        (("keys", "limit", "a", "--contexts", "-1"), "-1 is not in the range"),
        (("keys", "create", ""), "a name has 1 to 100 characters"),
        (("keys", "create", "a", "--scope", "all"), "'all' is not one of 'speech', 'tokens'"),
        (("keys", "create", "a", "--days", "0"), "0 is not in the range"),
    ],
)
def test_what_is_wrong_is_said(database: Path, arguments: tuple[str, ...], said: str) -> None:
    answer = run(*arguments)
    assert answer.exit_code != 0
    assert said in answer.output


def test_without_a_database_the_way_to_one_is_said(tmp_path: Path) -> None:
    answer = run("keys", "list")
    assert answer.exit_code == 1
    assert "GATEWAY_ACCOUNTS__DATABASE" in answer.output


def test_a_file_that_is_none_is_said(database: Path) -> None:
    database.write_bytes(b"nonsense" * 1_000)
    answer = run("keys", "list")
    assert answer.exit_code == 1
    assert str(database) in answer.output


def test_credits_are_granted_and_shown(database: Path) -> None:
    assert run("keys", "create", "a", "--account", "acme").exit_code == 0
    run("credits", "grant", "acme", "1000", "--note", "trial")
    answer = run("credits", "grant", "acme", "2.505")
    assert "1,002.505 available" in answer.output
    assert run("credits", "show").output == run("credits", "show", "acme").output == answer.output
    shown = msgspec.json.decode(run("credits", "show", "--json").stdout)
    assert shown == {
        "accounts": [{"account": "acme", "granted": 1_002_505, "posted": 0, "pending": 0}]
    }
    assert "0.000 available" in run("credits", "show", "nobody").output


@pytest.mark.parametrize("amount", ["0", "-1", "0.0001", "many", "NaN", "Infinity", "1e30"])
def test_what_is_no_amount_is_refused(database: Path, amount: str) -> None:
    answer = run("credits", "grant", "acme", "--", amount)
    assert answer.exit_code == 1
    assert "is no amount of credits" in answer.output
    assert run("credits", "show").output == ""


def test_what_processes_left_behind_that_are_gone_is_given_back(database: Path) -> None:
    run("credits", "grant", "acme", "10")

    async def leave() -> None:
        store = await open_sqlite(database)
        await store.reserve(Charge("req_1", "acme", "k", "espeak"), 1, 4_000, now_ms())
        await store.post("req_1", 1_500, 1_500, now_ms())
        await store.aclose()

    asyncio.run(leave())
    assert "8.500 available" in run("credits", "show").output
    assert "1 requests" in run("usage").output
    used = msgspec.json.decode(run("usage", "--json").stdout)["usage"]
    assert [(each["key"], each["chars"], each["millicredits"]) for each in used] == [
        ("k", 1_500, 1_500)
    ]
