"""`gateway keys`, as an operator runs it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from gateway.accounts.credentials import read_credential
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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("keys", "revoke", "nobody"), "there is no key 'nobody'"),
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
