"""Commands that work on the accounts' database: `gateway keys`, `credits` and `usage`. A gateway may run on it at the same
time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from gateway.accounts.clock import now_ms
from gateway.accounts.credentials import Kind, new_credential
from gateway.accounts.migrate import DatabaseUnusable
from gateway.accounts.model import Balance, KeptKey, Key, KeyLimits, Scope, Usage
from gateway.accounts.sqlite import open_sqlite
from gateway.accounts.store import Store
from gateway.config import ConfigError, load_config
from gateway.core.errors import GatewayError

T = TypeVar("T")

DAY_MS = 86_400_000
NAME_CHARS_MAX = 100
MILLICREDITS_MAX = 10**15
"""Of one grant: thousands of them fit into a balance."""
PER_MINUTE_MAX, CONTEXTS_MAX = 100_000_000, 1_000_000
"""What a single key may be allowed, as in the configuration."""

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


def limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options that bound what one key may have."""
    for name, most, what in (
        ("--contexts", CONTEXTS_MAX, "Contexts that it may have open at once."),
        ("--chars-per-minute", PER_MINUTE_MAX, "Characters that it may have spoken in a minute."),
        ("--requests-per-minute", PER_MINUTE_MAX, "Requests and handshakes in a minute."),
    ):
        told = f"{what} 0 = any number.  [default: as configured for all keys]"
        command = click.option(name, type=click.IntRange(0, most), help=told)(command)
    return command


@click.group("keys")
def keys_group() -> None:
    """Make, list, limit and revoke the keys that callers show."""


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
@limit_options
@config_option
def create_command(
    name: str,
    account: str | None,
    scopes: tuple[str, ...],
    days: int | None,
    file: Path | None,
    requests_per_minute: int | None,
    chars_per_minute: int | None,
    contexts: int | None,
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
        limits=KeyLimits(requests_per_minute, chars_per_minute, contexts),
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
        click.echo(
            f"{key.id}  {state:<8} {scopes:<14} {key.account:<18} {key.name}: "
            f"{used}{until}{_limits(key.limits)}"
        )


@keys_group.command("limit")
@click.argument("id")
@limit_options
@config_option
def limit_command(
    id: str,
    file: Path | None,
    requests_per_minute: int | None,
    chars_per_minute: int | None,
    contexts: int | None,
) -> None:
    """Bound what the key of this ID may have, in place of the limits it had. Running gateways heed it from the next request
    or handshake on."""
    limits = KeyLimits(requests_per_minute, chars_per_minute, contexts)
    key = on_store(file, lambda store: store.limit_key(id.removeprefix("sg_"), limits))
    if key is None:
        raise click.ClickException(f"there is no key {id!r}; `gateway keys list` shows them")
    told = _limits(key.limits) or ", as configured for all keys"
    click.echo(f"key {key.id} ({key.name}){told}")


@keys_group.command("revoke")
@click.argument("id")
@config_option
def revoke_command(id: str, file: Path | None) -> None:
    """Revoke the key of this ID. Running gateways refuse it from the next request on."""
    key = on_store(file, lambda store: store.revoke_key(id.removeprefix("sg_"), now_ms()))
    if key is None:
        raise click.ClickException(f"there is no key {id!r}; `gateway keys list` shows them")
    click.echo(f"key {key.id} ({key.name}) is revoked")


@click.group("credits")
def credits_group() -> None:
    """Grant credits to accounts, and show what they have."""


@credits_group.command("grant")
@click.argument("account")
@click.argument("amount")
@click.option("--note", default="", help="Why; it is kept with the entry.")
@config_option
def grant_command(account: str, amount: str, note: str, file: Path | None) -> None:
    """Give ACCOUNT so many credits more. AMOUNT has up to three decimals."""
    millicredits = _millicredits(amount)
    granted = on_store(file, lambda store: store.grant(account, millicredits, note, now_ms()))
    click.echo(_told(granted))


@credits_group.command("show")
@click.argument("account", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON, in thousandths of a credit.")
@config_option
def show_command(account: str | None, as_json: bool, file: Path | None) -> None:
    """Show what ACCOUNT has, or all accounts that were granted anything."""

    async def asked(store: Store) -> list[Balance]:
        await store.recover(now_ms())
        return await store.balances() if account is None else [await store.balance(account)]

    found = on_store(file, asked)
    if as_json:
        click.echo(msgspec.json.encode({"accounts": found}))
        return
    for balance in found:
        click.echo(_told(balance))


@click.command("usage")
@click.option("--days", type=click.IntRange(1, 36_500), default=30, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON, in thousandths of a credit.")
@config_option
def usage_command(days: int, as_json: bool, file: Path | None) -> None:
    """Show what keys had spoken in the last days, by model."""

    async def asked(store: Store) -> list[Usage]:
        return await store.usage(now_ms() - days * DAY_MS)

    found = on_store(file, asked)
    if as_json:
        click.echo(msgspec.json.encode({"usage": found}))
        return
    for used in found:
        click.echo(
            f"{used.account:<18} {used.key:<18} {used.model:<10} {used.requests:>9,} requests "
            f"{used.chars:>13,} chars {used.millicredits / 1_000:>13,.3f} credits"
        )


def _millicredits(amount: str) -> int:
    """Raises click's exception for what is no amount."""
    try:
        millicredits = Decimal(amount) * 1_000
        whole = int(millicredits)
    except (InvalidOperation, ValueError, OverflowError):
        whole, millicredits = 0, Decimal(1)
    if whole != millicredits or not 0 < whole <= MILLICREDITS_MAX:
        raise click.ClickException(f"{amount!r} is no amount of credits, like 100 or 2.5")
    return whole


def _told(balance: Balance) -> str:
    has, spent, held = (
        f"{amount / 1_000:,.3f}" for amount in (balance.available, balance.posted, balance.pending)
    )
    return f"{balance.account:<18} {has:>15} available {spent:>15} spent {held:>12} set aside"


def _limits(limits: KeyLimits) -> str:
    own = msgspec.structs.asdict(limits).items()
    return "".join(f", {name} {most or 'any'}" for name, most in own if most is not None)


def _day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%Y-%m-%d %H:%M}"
