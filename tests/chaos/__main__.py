"""`python -m tests.chaos`: the long runs, each against a gateway of its own. docs/benchmarks/soak.md has what they found."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import click
import msgspec

from tests.chaos.clearing import clear_again_and_again
from tests.chaos.fuzzing import fuzz
from tests.chaos.killing import massacre
from tests.chaos.serving import espeak_gateway
from tests.chaos.soaking import NOBODY_REFUSED, SETTINGS, Look, save, soak
from tests.support.process import GatewayProcess

seeded = click.option("--seed", default=1, show_default=True, help="The same seed asks the same.")


def run(work: Callable[[GatewayProcess], Awaitable[object]], settings: dict[str, str]) -> None:
    """Do it with a gateway, and print what it gives."""

    async def working() -> None:
        async with espeak_gateway(**settings) as gateway:
            click.echo(msgspec.json.encode(await work(gateway)))

    asyncio.run(working())


@click.group()
def main() -> None:
    """Long runs of what `./test tests/chaos` does briefly."""


@main.command()
@click.option("--rounds", default=400, show_default=True)
@seeded
def kills(rounds: int, seed: int) -> None:
    """kill -9 of workers and nurseries under load."""
    click.echo(msgspec.json.encode(asyncio.run(massacre(rounds, seed))))


@main.command("fuzz")
@click.option("--count", default=5_000, show_default=True, help="Texts.")
@seeded
def fuzz_command(count: int, seed: int) -> None:
    """Strange texts through espeak-ng."""
    run(lambda gateway: fuzz(gateway, count, seed), NOBODY_REFUSED)


@main.command()
@click.option("--count", default=10_000, show_default=True, help="Of each model.")
@seeded
def clears(count: int, seed: int) -> None:
    """Clears at random moments."""
    for model in ("tone", "espeak"):
        run(
            lambda gateway, model=model: clear_again_and_again(gateway, model, count, seed),  # type: ignore[misc]  # a default is no parameter
            NOBODY_REFUSED,
        )


@main.command()
@click.option("--count", default=10_000, show_default=True, help="Sessions.")
@click.option("--every", default=250, show_default=True, help="Sessions between two looks.")
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), default="soak.json"
)
@seeded
def sessions(count: int, every: int, output: Path, seed: int) -> None:
    """Sessions of every kind and ending, and what grows with them."""

    def tell(look: Look) -> None:
        click.echo(f"{look.sessions} sessions: {look.rss_kb:.0f} kB, {look.vitals}", err=True)

    async def soaked(gateway: GatewayProcess) -> object:
        found = await soak(gateway, count, every, seed, tell)
        save(found, output)
        return {"kinds": found.kinds, "per thousand sessions": found.slopes()}

    run(soaked, SETTINGS)


main(prog_name="python -m tests.chaos")
