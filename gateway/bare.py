"""The bare engine and encoder: what the benchmark's figures are ratios of.

`python -m gateway.bare` makes the segments that a session would order, in the same worker processes and encode threads
as the server, again and again. Nothing is cut, paced, framed or sent. The benchmark starts it as a process of its own
and speaks with it over its standard streams: it prints a line when its window opens, its `Output` as JSON when the
window closes, and ends when its standard input does, so that its CPU time can be read from outside at both moments.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

import click
import msgspec
import uvloop

from gateway.app import open_house
from gateway.audio.registry import new_encoder
from gateway.config import Config
from gateway.core.commands import EndInput, PushText
from gateway.core.limits import Limits
from gateway.core.params import HTTP_DEFAULTS, FormatRequest, Parameters, Settings
from gateway.core.resolve import resolve
from gateway.core.session import SAMPLE_BYTES, Session
from gateway.core.synthesis import Finished, Produced, Synthesize
from gateway.core.vocabulary import Codec
from gateway.runtime.house import House

CODECS = (Codec.PCM_S16LE, Codec.WAV, Codec.MP3, Codec.AAC, Codec.FLAC)
"""Those that are encoded at the engine's own rate; the others would need a resampler."""
FIRST_MS = 120
"""Audio of an utterance that is encoded first, by itself: as much as MP3 needs to give anything."""


class Output(msgspec.Struct, frozen=True):
    """What was made in the window: its length, the audio in it, and each utterance's time to its first encoded byte."""

    seconds: float
    audio_s: float
    first_ms: list[float]


@dataclass(slots=True)
class _Made:
    """What all streams together have made so far."""

    samples: int = 0
    first_ms: list[float] = field(default_factory=list)


def orders(text: str, settings: Settings, limits: Limits) -> list[Synthesize]:
    """The orders that a session places for this text."""
    session = Session(settings, limits, now=0.0)
    session.submit(PushText(text), now=0.0)
    session.submit(EndInput(), now=0.0)
    placed: list[Synthesize] = []
    while isinstance(order := session.next_order(now=0.0), Synthesize):
        placed.append(order)
        session.report(Finished(order.segment), now=0.0)
    return placed


async def measure(
    parameters: Parameters,
    text: str,
    *,
    streams: int,
    ramp_s: float,
    window_s: float,
    on_open: Callable[[], None],
    on_close: Callable[[Output], None],
) -> None:
    """Make utterances in `streams` closed loops and tell when, after the ramp, the window opens and when it closes.

    All processes are still there while `on_close` runs; it may block.
    """
    clock = time.perf_counter
    async with open_house(Config()) as house, asyncio.TaskGroup() as tasks:
        settings = resolve(parameters, house.catalog, HTTP_DEFAULTS)
        planned = orders(text, settings, house.limits)
        made = _Made()
        loops = [tasks.create_task(_repeat(house, settings, planned, made)) for _ in range(streams)]
        await asyncio.sleep(ramp_s)
        opened, samples, firsts = clock(), made.samples, len(made.first_ms)
        on_open()
        await asyncio.sleep(window_s)
        audio_s = (made.samples - samples) / settings.engine_rate
        on_close(Output(clock() - opened, audio_s, made.first_ms[firsts:]))
        for loop in loops:
            loop.cancel()


async def _repeat(house: House, settings: Settings, planned: list[Synthesize], made: _Made) -> None:
    while True:
        await _speak(house, settings, planned, made)


async def _speak(house: House, settings: Settings, planned: list[Synthesize], made: _Made) -> None:
    """One utterance: each segment is encoded while it is made, and the next one follows."""
    begun = time.perf_counter()
    encoder = new_encoder(settings.format)
    first_bytes = settings.engine_rate * FIRST_MS // 1_000 * SAMPLE_BYTES
    silent = True

    async def encode(pcm: bytes, deadline: float) -> bytes:
        made.samples += len(pcm) // SAMPLE_BYTES
        if encoder.is_cheap:
            return encoder.encode(pcm)
        return await house.farm.run(deadline, partial(encoder.encode, pcm))

    for order in planned:
        async with aclosing(house.engines[settings.engine].synthesize(order)) as reports:
            async for report in reports:
                if not isinstance(report, Produced):
                    continue
                pcm = report.pcm
                if silent:
                    if await encode(pcm[:first_bytes], deadline=begun):
                        silent = False
                        made.first_ms.append((time.perf_counter() - begun) * 1_000)
                    pcm = pcm[first_bytes:]
                await encode(pcm, deadline=math.inf)
    encoder.finish()


@click.command()
@click.argument("text")
@click.option("--model", required=True)
@click.option("--codec", type=click.Choice([codec.value for codec in CODECS]), required=True)
@click.option("--streams", type=click.IntRange(1, 1_024), required=True)
@click.option("--ramp-s", type=float, required=True)
@click.option("--window-s", type=float, required=True)
def main(text: str, model: str, codec: str, streams: int, ramp_s: float, window_s: float) -> None:
    """Make TEXT for a while and print what came of it."""
    parameters = Parameters(model=model, format=FormatRequest(codec=Codec(codec)))

    def say(line: Output | None) -> None:
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        sys.stdout.flush()

    def say_and_wait(output: Output) -> None:
        say(output)
        sys.stdin.read()

    uvloop.run(
        measure(
            parameters,
            text,
            streams=streams,
            ramp_s=ramp_s,
            window_s=window_s,
            on_open=lambda: say(None),
            on_close=say_and_wait,
        )
    )


if __name__ == "__main__":
    main()
