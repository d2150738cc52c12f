"""First token to speech: how long after a language model's first token its answer is heard, over both protocols.

    python -m gateway.bench.ftts [--answers FILE]

A model writes an answer at a constant rate. Over WebSocket each token leaves as it comes; over HTTP the request leaves
with the last one. Engine, format and texts are the same, and the clock stops at the first sample that can be heard. The
answers are turns of the corpus, joined until they have as many words as answers have on average where this figure is
published (about 77), each beginning with another turn; or those of a JSON file: a list of objects with `text`.

Four answers are under way at a time, on a connection each: enough to be done in three minutes, too few to be in each
other's way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean

import click
import msgspec
import uvloop

from gateway.bench.instruments.http import HttpClient
from gateway.bench.instruments.metrics import measure
from gateway.bench.instruments.timeline import Timeline, clock
from gateway.bench.instruments.utterance import Client, Utterance
from gateway.bench.instruments.websocket import WebSocketClient
from gateway.bench.latency import nearest_rank
from gateway.bench.subjects import Gateway, harness_on, layouts, running_gateway
from gateway.bench.workload.corpus import LANGUAGES, load
from gateway.bench.workload.tokens import trickled

TOKENS_PER_S = 70.0
ANSWER_WORDS = 77
AT_ONCE = 4
PRESETS = ("balanced", "latency")
HEAD = ("way", "n", "mean ms", "p50", "p95", "max", "text", "cut and made", "silence")


class Answer(msgspec.Struct, frozen=True):
    """What the model writes."""

    text: str
    lang: str = "en"


class Heard(msgspec.Struct, frozen=True):
    """One answer, from its first token on, in milliseconds: `text` until the last character of the first segment had come
    (over HTTP: of everything), `made` more until its first audio came (what had to follow for the cut to be known,
    synthesis, the wire), `silence` more until something is heard."""

    text: float
    made: float
    silence: float

    @property
    def ftts(self) -> float:
        return self.text + self.made + self.silence


class NotHeard(Exception):
    """An answer failed; the message says how."""


def answers_of_the_corpus() -> list[Answer]:
    """As many answers as the corpus has turns."""
    answers = []
    for language in LANGUAGES:
        lines = [line.text for line in load([language])]
        for first in range(len(lines)):
            answer = ""
            for line in lines[first:] + lines[:first]:
                if len(answer.split()) >= ANSWER_WORDS:
                    break
                answer += f"{line} "
            answers.append(Answer(answer, language))
    return answers


def heard(timeline: Timeline) -> Heard:
    """Where the time went. Raises NotHeard when something failed."""
    metrics = measure(timeline)
    if metrics.trouble is not None or metrics.ftts_s is None:
        raise NotHeard(str(metrics.trouble or "inaudible"))
    begun = timeline.sent[0].at
    first_audio = timeline.payloads[0].at
    segments = timeline.messages("segment")
    complete = timeline.sent[-1].at
    if segments:
        complete = segments[0].at - metrics.commit_s[0]
    return Heard(
        text=1_000 * (complete - begun),
        made=1_000 * (first_audio - complete),
        silence=1_000 * (metrics.ftts_s - (first_audio - begun)),
    )


async def run(
    gateway: Gateway, answers: Sequence[Answer], tokens_per_s: float
) -> dict[str, list[Heard]]:
    """Every answer in every way, one way after the other. Raises NotHeard."""
    address = f"{gateway.host}:{gateway.port}/v1/speech"
    found = {}
    for preset in PRESETS:
        found[f"WebSocket, {preset}"] = await _all_heard(
            partial(WebSocketClient, f"ws://{address}"), answers, tokens_per_s, preset
        )
    found["HTTP"] = await _all_heard(
        partial(HttpClient, f"http://{address}"), answers, tokens_per_s, "balanced"
    )
    return found


async def _all_heard(
    new_client: Callable[[], Client], answers: Sequence[Answer], tokens_per_s: float, preset: str
) -> list[Heard]:
    found: list[Heard] = []
    waiting = iter(answers)

    async def speak_on() -> None:
        client = new_client()
        for answer in waiting:
            # Unpaced, so that an answer is over soon after it is written.
            utterance = Utterance(
                trickled(answer.text, tokens_per_s),
                parameters={
                    "language": answer.lang,
                    "lead_ms": None,
                    "buffering": {"preset": preset},
                },
            )
            found.append(heard(await client.speak(utterance, clock())))
        client.close()

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(speak_on())
    except* NotHeard as group:
        raise group.exceptions[0] from None
    return found


def table(found: dict[str, list[Heard]]) -> str:
    """The figures as Markdown."""
    rows: list[Sequence[object]] = [HEAD, ["---"] * len(HEAD)]
    for way, answers in found.items():
        times = sorted(answer.ftts for answer in answers)
        figures = (
            fmean(times),
            nearest_rank(times, 0.5),
            nearest_rank(times, 0.95),
            times[-1],
            fmean(answer.text for answer in answers),
            fmean(answer.made for answer in answers),
            fmean(answer.silence for answer in answers),
        )
        rows.append((way, len(times), *(f"{figure:.0f}" for figure in figures)))
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


@click.command()
@click.option("--answers", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tokens-per-second", default=TOKENS_PER_S, show_default=True)
def main(file: Path | None, tokens_per_second: float) -> None:
    """Measure a gateway of its own and print the table."""
    answers = answers_of_the_corpus()
    if file is not None:
        answers = msgspec.json.decode(file.read_bytes(), type=list[Answer])
    layout, _ = layouts()
    with harness_on(layout), running_gateway(layout) as gateway:
        try:
            found = uvloop.run(run(gateway, answers, tokens_per_second))
        except NotHeard as error:
            raise click.ClickException(str(error)) from None
    click.echo(table(found))


if __name__ == "__main__":
    main()
