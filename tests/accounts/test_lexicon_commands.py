"""`gateway lexicons`, as an operator runs it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.dialects.test_pls import lexeme


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_ACCOUNTS__DATABASE", str(tmp_path / "accounts.db"))


def run(*arguments: str, good: bool = True) -> Result:
    result = CliRunner().invoke(main, ("lexicons", *arguments))
    assert (result.exit_code == 0) == good, result.output
    return result


def add(word: str, alias: str, *more: str) -> str:
    return run("add", "acme", word, alias, "--language", "en", *more).stdout.strip()


def rules_of(id: str) -> list[tuple[str, str]]:
    shown = msgspec.json.decode(run("show", "acme", id, "--json").stdout)
    return [(rule["word"], rule["alias"]) for rule in shown["rules"]]


def test_rules_are_added_shown_and_removed() -> None:
    id = add("SQL", "squirrel", "--name", "brands")
    assert add("PR", "pull request", "--into", id) == id
    assert add("SQL", "sequel", "--into", id) == id
    assert rules_of(id) == [("SQL", "sequel"), ("PR", "pull request")]
    assert "en       SQL = sequel" in run("show", "acme", id).output
    (listed,) = msgspec.json.decode(run("list", "acme", "--json").stdout)["lexicons"]
    assert (listed["id"], listed["name"], listed["version"], listed["rules"]) == (
        id,
        "brands",
        3,
        2,
    )
    assert "version 3        2 rules  brands" in run("list", "acme").output
    run("remove", "acme", id)
    assert run("list", "acme").output == ""


def test_files_are_imported(tmp_path: Path) -> None:
    pls, json = tmp_path / "w3c.pls", tmp_path / "again.json"
    pls.write_bytes(lexeme("<grapheme>W3C</grapheme><alias>the consortium</alias>"))
    first = run("import", "acme", str(pls)).stdout.strip()
    json.write_bytes(run("show", "acme", first, "--json").stdout_bytes)
    second = run("import", "acme", str(json)).stdout.strip()
    third = run("import", "acme", str(json), "--name", "third").stdout.strip()
    assert rules_of(first) == rules_of(second) == [("W3C", "the consortium")]
    add("SQL", "sequel", "--into", third)
    assert run("import", "acme", str(pls), "--into", third).stdout.strip() == third
    assert rules_of(third) == [("W3C", "the consortium"), ("SQL", "sequel")]
    names = [
        each["name"]
        for each in msgspec.json.decode(run("list", "acme", "--json").stdout)["lexicons"]
    ]
    assert names == ["w3c", "w3c", "third"]


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    id = add("SQL", "sequel")
    for arguments, said in (
        (("show", "other", id), "the account has no lexicon"),
        (("remove", "acme", "lx_0"), "the account has no lexicon"),
        (("add", "acme", "a", "b", "--language", "en", "--into", "lx_0"), "no lexicon"),
        (("add", "acme", "a", "...", "--language", "en"), "rules[0].alias"),
        (("add", "acme", "a", "b", "--language", "!"), "rules[0].language"),
    ):
        assert said in run(*arguments, good=False).output
    for content, said in (
        (b"[]", "not a JSON object"),
        (b"x" * 300_000, "has more than 262144 bytes"),
        (b'{"rules":[{"language":"en","word":"","alias":"b"}]}', "rules[0].word"),
    ):
        (tmp_path / "bad.json").write_bytes(content)
        assert said in run("import", "acme", str(tmp_path / "bad.json"), good=False).output
    assert rules_of(id) == [("SQL", "sequel")]


def test_limits_hold_here_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_LIMITS__LEXICONS_MAX", "1")
    monkeypatch.setenv("GATEWAY_LIMITS__LEXICON_RULES_MAX", "1")
    id = add("a", "b")
    assert (
        "at most"
        in run("add", "acme", "c", "d", "--language", "en", "--into", id, good=False).output
    )
    assert "remove one" in run("add", "acme", "c", "d", "--language", "en", good=False).output
    assert rules_of(id) == [("a", "b")]


def test_without_a_database_there_is_nothing_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEWAY_ACCOUNTS__DATABASE")
    assert "accounts.database names no file" in run("list", "acme", good=False).output
