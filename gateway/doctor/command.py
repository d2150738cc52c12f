"""`gateway doctor`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from gateway.config import Config
from gateway.doctor.finding import Finding, Report, Status, report
from gateway.doctor.machine import check_clock, check_cores, check_files, check_memory
from gateway.doctor.port import check_port
from gateway.doctor.settings import check_config, check_exposure, check_tracing
from gateway.doctor.speech import check_codecs, check_speech
from gateway.doctor.target import check_target


@click.command("doctor")
@click.option("--config", "file", type=click.Path(path_type=Path), help="Configuration in TOML.")
@click.option("--host", help="As for `gateway serve`.")
@click.option("--port", type=click.IntRange(0, 65_535), help="As for `gateway serve`.")
@click.option("--target", "url", help="A running gateway to ask, too, as http://host:port.")
@click.option("--json", "as_json", is_flag=True, help="The findings as one JSON object.")
def doctor_command(
    file: Path | None, host: str | None, port: int | None, url: str | None, as_json: bool
) -> None:
    """Look for what is wrong with this machine and its configuration; 1 when something is.

    May run before the server does, or beside it.
    """
    # What engines and libraries log is in the findings.
    logging.disable(logging.CRITICAL)
    try:
        found = report(list(_examine(file, host, port, url)))
    finally:
        logging.disable(logging.NOTSET)
    click.echo(msgspec.json.encode(found) if as_json else _in_words(found))
    if found.status is Status.FAIL:
        sys.exit(1)


def _examine(
    file: Path | None, host: str | None, port: int | None, url: str | None
) -> Iterator[Finding]:
    findings, config = check_config(os.environ, file)
    yield from findings
    if config is None:
        # The rest is worth knowing all the same; what it is measured by are the defaults then.
        config = Config()
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    config = msgspec.structs.replace(config, server=msgspec.structs.replace(config.server, **given))
    yield check_port(config)
    yield from check_exposure(config)
    yield from check_tracing(config)
    yield check_files(config)
    yield check_cores(config)
    yield check_memory(config)
    yield check_clock()
    yield from check_codecs()
    yield from asyncio.run(check_speech(config))
    if url is not None:
        yield from check_target(url)


def _in_words(found: Report) -> str:
    lines = []
    for each in found.findings:
        lines.append(f"{each.status:<5} {each.check:<9} {each.saw}")
        if each.advice:
            lines.append(f"{'':<15} -> {each.advice}")
    count = sum(each.status is not Status.OK for each in found.findings)
    return "\n".join([*lines, f"{found.status}: {count} of {len(found.findings)} need a look"])
