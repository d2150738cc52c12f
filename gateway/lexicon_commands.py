"""`gateway lexicons`: the lexicons in the accounts' database. A gateway may run on it at the same time."""

from __future__ import annotations

import os
from pathlib import Path

import click
import msgspec

from gateway.accounts.clock import now_ms
from gateway.accounts.lexicons import KeptLexicon, LexiconKind
from gateway.accounts.store import Store
from gateway.administration import config_option, on_store
from gateway.config import ConfigError, load_config
from gateway.core.errors import GatewayError
from gateway.core.lexicon import LexiconLimits, Rule, judged, merged
from gateway.core.limits import Limits
from gateway.dialects.pls import MEDIA_TYPE
from gateway.fronts.lexicons import LexiconBody, new_lexicon, read_lexicon

XML = frozenset({".pls", ".xml"})


@click.group("lexicons")
def lexicons_group() -> None:
    """Show and change the lexicons of an account: words that are spoken otherwise than they are written."""


@lexicons_group.command("list")
@click.argument("account")
@click.option("--json", "as_json", is_flag=True, help="As JSON; times in ms since 1970.")
@config_option
def list_command(account: str, as_json: bool, file: Path | None) -> None:
    """List the lexicons of ACCOUNT."""
    found = on_store(file, lambda store: store.list_lexicons(account, LexiconKind.NATIVE))
    if as_json:
        click.echo(msgspec.json.encode({"lexicons": found}))
        return
    for entry in found:
        click.echo(f"{entry.id}  version {entry.version:<5} {entry.rules:>4} rules  {entry.name}")


@lexicons_group.command("show")
@click.argument("account")
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="As JSON, which `import` reads.")
@config_option
def show_command(account: str, id: str, as_json: bool, file: Path | None) -> None:
    """Show the rules of a lexicon."""
    kept = _there(on_store(file, lambda store: store.find_lexicon(account, id)), id)
    if as_json:
        click.echo(msgspec.json.encode(LexiconBody(kept.lexicon.rules, kept.name)))
        return
    for rule in kept.lexicon.rules:
        click.echo(f"{rule.language:<8} {rule.word} = {_as_spoken(rule)}")


@lexicons_group.command("add")
@click.argument("account")
@click.argument("word")
@click.argument("alias")
@click.option("--language", required=True, help="Of the text, such as en or hi-in.")
@click.option("--into", help="Lexicon that the rule is added to; without it, a new one is made.")
@click.option("--name", default="", help="Of a new one.")
@config_option
def add_command(
    account: str,
    word: str,
    alias: str,
    language: str,
    into: str | None,
    name: str,
    file: Path | None,
) -> None:
    """Speak ALIAS instead of WORD. A rule for the same word is replaced."""
    rules = _judged((Rule(language, word, alias),), _limits(file))
    _put(file, account, into, LexiconBody(rules, name))


@lexicons_group.command("import")
@click.argument("account")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--into", help="Lexicon that the rules are added to; without it, a new one is made.")
@click.option("--name", help="Of a new one.  [default: the file's]")
@config_option
def import_command(
    account: str, source: Path, into: str | None, name: str | None, file: Path | None
) -> None:
    """Take the rules of a file: W3C PLS (.pls, .xml), or JSON as `show --json` gives it."""
    limits = _limits(file)
    with source.open("rb") as opened:
        content = opened.read(limits.lexicon_bytes_max + 1)
    if len(content) > limits.lexicon_bytes_max:
        raise click.ClickException(f"{source} has more than {limits.lexicon_bytes_max} bytes")
    type_ = MEDIA_TYPE if source.suffix.lower() in XML else "application/json"
    try:
        body = read_lexicon(content, type_, name or source.stem, limits)
    except GatewayError as error:
        raise _refused(error) from None
    name = name or body.name or source.stem
    _put(file, account, into, msgspec.structs.replace(body, name=name))


@lexicons_group.command("remove")
@click.argument("account")
@click.argument("id")
@config_option
def remove_command(account: str, id: str, file: Path | None) -> None:
    """Remove a lexicon. Speech that is under way keeps it."""

    async def remove(store: Store) -> bool:
        _there(await store.find_lexicon(account, id), id)
        return await store.remove_lexicon(account, id)

    on_store(file, remove)
    click.echo(f"lexicon {id} is removed")


def _put(file: Path | None, account: str, into: str | None, body: LexiconBody) -> None:
    """Make a lexicon, or add to one, and say which."""
    limits, now = _limits(file), now_ms()

    def change(kept: KeptLexicon) -> KeptLexicon:
        rules = merged(_there(kept, into or "").lexicon.rules, body.rules)
        return kept.changed(_judged(rules, limits), now)

    async def put(store: Store) -> KeptLexicon:
        if into is not None:
            return _there(await store.change_lexicon(account, into, change), into)
        new = new_lexicon(account, body.name, body.rules, now)
        await store.add_lexicon(new, lexicons_max=limits.lexicons_max)
        return new

    kept = on_store(file, put)
    lexicon = kept.lexicon
    click.echo(f"version {lexicon.version}, {len(lexicon.rules)} rules", err=True)
    click.echo(lexicon.id)


def _there(kept: KeptLexicon | None, id: str) -> KeptLexicon:
    if kept is None or kept.kind is not LexiconKind.NATIVE:
        raise click.ClickException(
            f"the account has no lexicon {id!r}; `gateway lexicons list` shows them"
        )
    return kept


def _judged(rules: tuple[Rule, ...], limits: Limits) -> tuple[Rule, ...]:
    try:
        return judged(rules, LexiconLimits.of(limits))
    except GatewayError as error:
        raise _refused(error) from None


def _refused(error: GatewayError) -> click.ClickException:
    problem = error.problem
    parts = (problem.field, problem.message, problem.allowed)
    return click.ClickException(": ".join(part for part in parts if part))


def _limits(file: Path | None) -> Limits:
    try:
        return load_config(os.environ, file).limits
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


def _as_spoken(rule: Rule) -> str:
    phonemes = None if rule.phonemes is None else f"[[{rule.phonemes}]]"
    return ", ".join(each for each in (rule.alias, phonemes) if each is not None)
