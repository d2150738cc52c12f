"""What the order of work is worth: a gateway that serves whoever runs dry first, beside one that serves whoever came
first. The same build, the same texts, one after the other in one run.

    python -m gateway.bench.order

Two scenes. A crowd of streams that each ask for the next MP3 as soon as they have the last one: how long does the first
byte of each take? And agents with short answers over WebSocket, alone and beside bulk readers over HTTP: how much later
do the agents hear something because of the readers?
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import msgspec
import uvloop

from gateway.bench.instruments.timeline import clock
from gateway.bench.latency import Latency, latency, ratio
from gateway.bench.load import closed_loops
from gateway.bench.plan import LONG, MEDIUM, SHORT
from gateway.bench.streams import Refused, Stream, Way
from gateway.bench.subjects import EVERYBODY, Gateway, harness_on, layouts, running_gateway

ORDERS = ("deadline", "arrival")
CROWD = 128
AGENTS = 16
READERS = 16
LEAD_MS = 4_000
THINK_S = 0.1
RAMP_S = 3.0
WINDOW_S = 30.0
MODEL = "espeak"


class Scene(msgspec.Struct, frozen=True):
    """First bytes in one order of work."""

    order: str
    crowd: Latency
    agents_alone: Latency
    agents_beside_readers: Latency


async def measure(gateway: Gateway, order: str) -> Scene:
    """Both scenes on one gateway. Raises Refused when a request fails."""
    crowd = await closed_loops(
        gateway,
        [Stream(gateway, Way.HTTP_WARM, MODEL, "mp3") for _ in range(CROWD)],
        MEDIUM,
        ramp_s_min=RAMP_S,
        window_s=WINDOW_S,
    )
    return Scene(
        order, crowd.first, await _agents(gateway, readers=0), await _agents(gateway, READERS)
    )


async def _agents(gateway: Gateway, readers: int) -> Latency:
    agents = [
        Stream(gateway, Way.WEBSOCKET_WARM, MODEL, "mp3", lead_ms=LEAD_MS) for _ in range(AGENTS)
    ]
    bulk = [Stream(gateway, Way.HTTP_WARM, MODEL, "mp3") for _ in range(readers)]
    try:
        async with asyncio.TaskGroup() as tasks:
            loops = [tasks.create_task(_repeat(stream, SHORT, THINK_S)) for stream in agents]
            loops += [tasks.create_task(_repeat(stream, LONG, 0.0)) for stream in bulk]
            await asyncio.sleep(RAMP_S)
            opened = clock()
            await asyncio.sleep(WINDOW_S)
            for loop in loops:
                loop.cancel()
    except* Refused as group:
        raise group.exceptions[0] from None
    finally:
        for stream in (*agents, *bulk):
            stream.vanish()
    firsts = [first for agent in agents for first in agent.count().firsts]
    return latency([first.ms for first in firsts if first.at >= opened])


async def _repeat(stream: Stream, text: str, think_s: float) -> None:
    await stream.open()
    while True:
        await stream.speak(text)
        await asyncio.sleep(think_s)


def table(scenes: Sequence[Scene]) -> str:
    """The scenes in Markdown, and how many times longer things take in the order of arrival."""
    deadline, arrival = scenes
    rows = [
        (f"{CROWD} streams", deadline.crowd, arrival.crowd),
        (f"{AGENTS} agents alone", deadline.agents_alone, arrival.agents_alone),
        (
            f"{AGENTS} agents beside {READERS} readers",
            deadline.agents_beside_readers,
            arrival.agents_beside_readers,
        ),
    ]
    lines = [
        "| first byte, MP3 | p50 | p99 | by arrival: p50 | p99 | ratio of p50 |",
        "|---|---|---|---|---|---|",
    ]
    for name, ours, other in rows:
        cells = [_ms(ours.p50_ms), _ms(ours.p99_ms), _ms(other.p50_ms), _ms(other.p99_ms)]
        lines.append(f"| {name} | {' | '.join(cells)} | {_times(other.p50_ms, ours.p50_ms)} |")
    for scene in scenes:
        costs = _times(scene.agents_beside_readers.p99_ms, scene.agents_alone.p99_ms)
        lines.append(
            f"\nBy {scene.order}: beside the readers the agents' p99 is {costs} that without."
        )
    return "\n".join(lines) + "\n"


def _ms(value: float | None) -> str:
    return "too few" if value is None else f"{value:.1f} ms"


def _times(value: float | None, base: float | None) -> str:
    found = ratio(value, base)
    return "too few" if found is None else f"{found:.1f} x"


def main() -> None:
    """Measure and print."""
    _, together = layouts()
    scenes = []
    with harness_on(together):
        for order in ORDERS:
            settings = {"GATEWAY_SERVER__ORDER": order, **EVERYBODY}
            with running_gateway(together, settings) as gateway:
                scenes.append(uvloop.run(measure(gateway, order)))
    sys.stdout.write(table(scenes))


if __name__ == "__main__":
    main()
