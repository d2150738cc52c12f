"""Commands that work on the accounts' database: `gateway keys`. A gateway may run on it at the same time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from gateway.accounts.clock import now_ms
from gateway.accounts.credentials import Kind, new_credential
from gateway.accounts.migrate import DatabaseUnusable
from gateway.accounts.model import KeptKey, Key, Scope
from gateway.accounts.sqlite import open_sqlite
from gateway.accounts.store import Store
from gateway.config import ConfigError, load_config
from gateway.core.errors import GatewayError

T = TypeVar("T")

DAY_MS = 86_400_000
NAME_CHARS_MAX = 100

config_option = click.option(
    "--config",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Configuration in TOML; its accounts.database names the database.",
)


@asynccontextmanager
async def opened(file: Path | None) -> AsyncIterator[Store]:
    """The store that the configuration names. Raises ConfigError or DatabaseUnusable."""
    path = load_config(os.environ, file).accounts.database
    if not path:
        raise ConfigError(
            "accounts.database names no file; set it, or GATEWAY_ACCOUNTS__DATABASE, here and for the server"
        )
    store = await open_sqlite(Path(path))
    try:
        yield store
    finally:
        await store.aclose()


def on_store(file: Path | None, act: Callable[[Store], Awaitable[T]]) -> T:
    """Do something with the store. Raises click's exception for all that can go wrong."""

    async def run() -> T:
        async with opened(file) as store:
            return await act(store)

    try:
        return asyncio.run(run())
    except (ConfigError, DatabaseUnusable, GatewayError) as error:
        raise click.ClickException(str(error)) from None


@click.group("keys")
def keys_group() -> None:
    """Make, list and revoke the keys that callers show."""


@keys_group.command("create")
@click.argument("name")
@click.option("--account", help="Account that its use is counted to; without it, one of its own.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it may be used for; may be given again.  [default: all]",
)
@click.option("--days", type=click.IntRange(1, 36_500), help="It expires after so many days.")
@config_option
def create_command(
    name: str, account: str | None, scopes: tuple[str, ...], days: int | None, file: Path | None
) -> None:
    """Make a key and print it. It is shown this once; only its digest is kept."""
    if not 0 < len(name) <= NAME_CHARS_MAX:
        raise click.ClickException(f"a name has 1 to {NAME_CHARS_MAX} characters")
    credential, now = new_credential(Kind.KEY), now_ms()
    key = Key(
        id=credential.id,
        account=account or credential.id,
        name=name,
        scopes=tuple(scope for scope in Scope if scope in scopes or not scopes),
        created_ms=now,
        expires_ms=None if days is None else now + days * DAY_MS,
    )
    on_store(file, lambda store: store.add_key(KeptKey(key, credential.digest)))
    click.echo(f"key {key.id}, account {key.account}; it is not shown again:", err=True)
    click.echo(credential.text)


@keys_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON; times in ms since 1970.")
@config_option
def list_command(as_json: bool, file: Path | None) -> None:
    """List all keys, without their secrets."""
    keys = on_store(file, lambda store: store.list_keys())
    if as_json:
        click.echo(msgspec.json.encode({"keys": keys}))
        return
    now = now_ms()
    for key in keys:
        state = "good" if key.is_good(now) else "expired" if key.revoked_ms is None else "revoked"
        used = "never used" if key.used_ms is None else f"used {_day(key.used_ms)}"
        until = "" if key.expires_ms is None else f", until {_day(key.expires_ms)}"
        scopes = ",".join(key.scopes)
        click.echo(f"{key.id}  {state:<8} {scopes:<14} {key.account:<18} {key.name}: {used}{until}")


@keys_group.command("revoke")
@click.argument("id")
@config_option
def revoke_command(id: str, file: Path | None) -> None:
    """Revoke the key of this ID. Running gateways refuse it from the next request on."""
    key = on_store(file, lambda store: store.revoke_key(id.removeprefix("sg_"), now_ms()))
    if key is None:
        raise click.ClickException(f"there is no key {id!r}; `gateway keys list` shows them")
    click.echo(f"key {key.id} ({key.name}) is revoked")


def _day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%Y-%m-%d %H:%M}"
