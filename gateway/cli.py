"""The command line: `gateway serve`, `say`, `voices`, `segments`, `doctor`, `keys`, `credits`, `usage`, `lexicons`, `bench`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

import click
import msgspec
from msgspec import UNSET

from gateway import __version__
from gateway.administration import credits_group, keys_group, usage_command
from gateway.bench.extra import bench_extra
from gateway.bench.sessions.options import load_command
from gateway.config import Config, ConfigError, judge_exposure, load_config
from gateway.core.errors import GatewayError
from gateway.core.intake import Cut
from gateway.core.params import BufferingRequest, FormatRequest, Parameters, TextSettings
from gateway.core.resolve import segmentation
from gateway.core.vocabulary import Cleanup, Preset
from gateway.doctor.command import doctor_command
from gateway.fronts.segments import cut_all
from gateway.fronts.system import VoiceInfo, list_voices
from gateway.lexicon_commands import lexicons_group
from gateway.rehearsal import rehearse
from gateway.say import CannotPlay, SpeechFailed, codec_for, find_player, say

ConfigFile = click.Path(exists=True, dir_okay=False, path_type=Path)


def _choice(names: type[StrEnum]) -> click.Choice[str]:
    return click.Choice([name.value for name in names])


def _config(file: Path | None, **server: object) -> Config:
    """The configuration, with what the command line says about the server."""
    try:
        config = load_config(os.environ, file)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    given = {name: value for name, value in server.items() if value is not None}
    return msgspec.structs.replace(config, server=msgspec.structs.replace(config.server, **given))


@click.group()
@click.version_option(__version__, prog_name="gateway")
def main() -> None:
    """Speech Gateway: streaming text-to-speech over HTTP and WebSocket."""


@main.command("serve")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), help="0 picks one.  [default: 8080]")
@click.option("--config", "file", type=ConfigFile, help="Configuration in TOML.")
@click.option(
    "--insecure",
    is_flag=True,
    default=None,
    help="Let everybody in who reaches the port, where nobody needs a key.",
)
def serve_command(
    host: str | None, port: int | None, file: Path | None, insecure: bool | None
) -> None:
    """Serve both protocols until SIGTERM."""
    from gateway.server import serve
    from gateway.telemetry.log import configure_logging

    config = _config(file, host=host, port=port, insecure=insecure)
    configure_logging(config.server.log_level)
    try:
        judge_exposure(config)
        started = serve(config)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {config.server.host}:{config.server.port}: {error.strerror}"
        ) from None
    if not started:
        sys.exit(3)


@main.command("say")
@click.argument("text", required=False)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File (.mp3, .ogg, .opus, .aac, .flac, .wav, .pcm, .ulaw, .alaw), or - for standard output; without it a player is started.",
)
@click.option("--model", help="Model; `gateway voices` lists them.")
@click.option("--voice", help="Voice.")
@click.option("--language", help="Language, where no voice is named.")
@click.option("--speed", type=float, help="1.0 is natural.")
@click.option("--pitch", type=float, help="Semitones.")
@click.option("--volume", type=float, help="1.0 is natural.")
@click.option("--config", "file", type=ConfigFile, help="Configuration in TOML.")
def say_command(text: str | None, output: Path | None, file: Path | None, **asked: Any) -> None:
    """Speak TEXT, or standard input as it arrives."""
    parameters = Parameters(
        format=FormatRequest(codec=codec_for(output)),
        **{name: UNSET if value is None else value for name, value in asked.items()},
    )
    config = _config(file)
    try:
        if output is None:
            with subprocess.Popen(find_player(), stdin=subprocess.PIPE) as player:  # noqa: S603  # found on PATH by a fixed name
                assert player.stdin is not None
                _say(config, text, parameters, player.stdin.write)
        elif str(output) == "-":
            _say(config, text, parameters, sys.stdout.buffer.write)
            sys.stdout.buffer.flush()
        else:
            with output.open("wb") as stream:
                _say(config, text, parameters, stream.write)
    except (GatewayError, SpeechFailed, ConfigError, CannotPlay, OSError) as error:
        detail = error.problem.allowed if isinstance(error, GatewayError) else None
        raise click.ClickException(f"{error} ({detail})" if detail else str(error)) from None


def _say(
    config: Config, text: str | None, parameters: Parameters, write: Callable[[bytes], object]
) -> None:
    samples = asyncio.run(say(config, text, parameters, write))
    if not samples:
        click.echo("nothing in this text can be spoken", err=True)


@main.command("voices")
@click.option("--language", help="Only voices that speak it.")
@click.option("--json", "as_json", is_flag=True, help="As GET /v1/speech/voices gives it.")
@click.option("--config", "file", type=ConfigFile, help="Configuration in TOML.")
def voices_command(language: str | None, as_json: bool, file: Path | None) -> None:
    """List the voices of all models."""
    from gateway.app import open_house

    async def listed() -> list[VoiceInfo]:
        async with open_house(_config(file)) as house:
            return list_voices(house.catalog)

    try:
        voices = asyncio.run(listed())
    except (ConfigError, GatewayError) as error:
        raise click.ClickException(str(error)) from None
    if language:
        wanted = language.lower()
        voices = [voice for voice in voices if wanted in {voice.language, *voice.languages}]
    if as_json:
        click.echo(msgspec.json.encode({"voices": voices}))
        return
    for voice in voices:
        click.echo(f"{voice.id:<24} {voice.language:<12} {voice.model:<10} {voice.name}")


@main.command("segments")
@click.argument("file", type=click.File(encoding="utf-8", errors="replace"), default="-")
@click.option("--language", default="en", show_default=True)
@click.option("--preset", type=_choice(Preset), default="balanced", show_default=True)
@click.option("--cleanup", type=_choice(Cleanup), default="off", show_default=True)
@click.option("--max-chars", type=int, help="No segment is longer.")
@click.option(
    "--tokens-per-second",
    type=click.FloatRange(min=0.1),
    help="Let the text come at the pace of an LLM, and say when each segment leaves.",
)
def segments_command(
    file: TextIO,
    language: str,
    preset: str,
    cleanup: str,
    max_chars: int | None,
    tokens_per_second: float | None,
) -> None:
    """Show how FILE (or standard input) would be cut, and why, without speaking it."""
    text = file.read()
    asked = BufferingRequest(
        preset=Preset(preset), max_chars=UNSET if max_chars is None else max_chars
    )
    try:
        settings = TextSettings(
            language=language, segmentation=segmentation(asked), cleanup=Cleanup(cleanup)
        )
    except GatewayError as error:
        raise click.ClickException(f"{error} ({error.problem.allowed})") from None
    if tokens_per_second is None:
        for cut in asyncio.run(cut_all(text, settings)):
            click.echo(_row(cut))
        return
    for leaves_at, came, cut in rehearse(text, settings, tokens_per_second):
        click.echo(f"{leaves_at:8.2f} s {came:6} chars  {_row(cut)}")


def _row(cut: Cut) -> str:
    return f"{cut.start:6}-{cut.end:<6} {cut.reason:<9} {cut.kind:<9} {cut.text!r}"


@main.group("bench", invoke_without_command=True)
@click.option("--quick", is_flag=True, help="Half a minute instead of three: a look, no figures.")
@click.option("--model", default="espeak", show_default=True, help="Model that speaks.")
@click.option(
    "--json",
    "file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="File for the result, every figure in it.",
)
@click.pass_context
def bench_group(context: click.Context, quick: bool, model: str, file: Path | None) -> None:
    """Measure a gateway of its own beside the bare engine and print the tables."""
    if context.invoked_subcommand is not None:
        return
    from gateway.bench.command import bench
    from gateway.bench.plan import DEFAULT, QUICK

    bench(msgspec.structs.replace(QUICK if quick else DEFAULT, model=model), file)


@bench_group.command("compare")
@click.option(
    "--target", "url", help="Gateway to compare, as http://host:port; without it, one of its own."
)
@click.option("--key", help="Shown to the target as its protocol has it, and written nowhere.")
@click.option(
    "--api",
    type=click.Choice(["native", "sarvam", "all"]),
    default="native",
    show_default=True,
    help="Whose wire is compared, with what its documentation claims.",
)
@click.option(
    "--full", is_flag=True, help="Half an hour instead of three minutes: narrower intervals."
)
@click.option("--model", default="espeak", show_default=True, help="Model that speaks.")
@click.option("--seed", default=1, show_default=True, help="The same seed asks the same.")
@click.option(
    "--output",
    "-o",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default="bench-compare",
    show_default=True,
    help="Directory for results.json and report.html.",
)
def compare_command(
    url: str | None, key: str | None, api: str, full: bool, model: str, seed: int, directory: Path
) -> None:
    """Measure HTTP against WebSocket, and say which claims about them hold."""
    with bench_extra():
        from gateway.bench.compare.command import compare
        from gateway.bench.compare.plan import DEFAULT, FULL

    plan = msgspec.structs.replace(FULL if full else DEFAULT, model=model, seed=seed)
    compare(plan, url, directory, key, api)


@bench_group.command("peers")
@click.option("--quick", is_flag=True, help="Half a minute instead of five: a look, no figures.")
@click.option("--seed", default=1, show_default=True, help="The same seed asks in the same order.")
@click.option(
    "--output",
    "-o",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default="bench-peers",
    show_default=True,
    help="Directory for results.json and README.md.",
)
def peers_command(quick: bool, seed: int, directory: Path) -> None:
    """Measure the gateway beside a server that one would write in an evening."""
    with bench_extra():
        from gateway.bench.peers.command import peers
        from gateway.bench.peers.results import DEFAULT, QUICK

    peers(msgspec.structs.replace(QUICK if quick else DEFAULT, seed=seed), directory)


ResultFile = click.Path(dir_okay=False, path_type=Path)


@bench_group.command("diff")
@click.argument("old", type=ResultFile)
@click.argument("new", type=ResultFile)
@click.option(
    "--margin",
    type=click.FloatRange(0, 100),
    default=5.0,
    show_default=True,
    help="Percent of the old value up to which a change is neither better nor worse.",
)
@click.option("--all", "every", is_flag=True, help="Also the figures that did not change.")
@click.option("--fail-on-worse", is_flag=True, help="Exit with 1 when a figure is worse.")
def diff_command(old: Path, new: Path, margin: float, every: bool, fail_on_worse: bool) -> None:
    """Say what changed between two results (results.json) of `bench compare` or `bench peers`."""
    with bench_extra():
        from gateway.bench.diff.command import diff

    diff(old, new, margin=margin / 100, every=every, fail_on_worse=fail_on_worse)


bench_group.add_command(load_command)
for command in (keys_group, credits_group, usage_command, lexicons_group):
    main.add_command(command)
main.add_command(doctor_command)
