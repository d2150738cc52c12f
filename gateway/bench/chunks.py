"""What `chunk_size` is worth on GistMag's stream: how soon the first byte comes, and how long all of them take.

    python -m gateway.bench.chunks

Each size is asked for a short and a long text, in turn, on one gateway that does nothing else. Smaller pieces are finished
sooner; the length of the text should make no difference to the first byte.
"""

from __future__ import annotations

import http.client
import sys
from collections.abc import Sequence
from statistics import median

import msgspec

from gateway.bench.instruments.timeline import clock
from gateway.bench.subjects import Gateway, harness_on, layouts, running_gateway

SIZES = (20, 50, 100, 200, 350, 500)
ROUNDS = 15
SENTENCES = (
    "The harbour was quiet when the first boats came in, and nobody spoke. ",
    "It had rained all night. ",
    "Somewhere behind the warehouses a radio played a song that everybody had known, although nobody could say when. ",
)
TEXTS = {"600 characters": "".join(SENTENCES) * 3, "6,000 characters": "".join(SENTENCES) * 29}


class Row(msgspec.Struct, frozen=True):
    """Medians in milliseconds of one size and text."""

    chunk_size: int
    text: str
    first_ms: float
    whole_ms: float


def measure(gateway: Gateway) -> list[Row]:
    """All sizes and texts, each as often. Raises OSError and AssertionError when a request fails."""
    cases = [(size, name) for size in SIZES for name in TEXTS]
    times: dict[tuple[int, str], list[tuple[float, float]]] = {case: [] for case in cases}
    for _ in range(ROUNDS):
        for size, name in cases:
            times[size, name].append(_ask(gateway, TEXTS[name], size))
    return [
        Row(*case, median(first for first, _ in each), median(whole for _, whole in each))
        for case, each in times.items()
    ]


def _ask(gateway: Gateway, text: str, chunk_size: int) -> tuple[float, float]:
    """Milliseconds to the first byte and to the last, on a connection that is open already."""
    connection = http.client.HTTPConnection(gateway.host, gateway.port, timeout=60)
    connection.connect()
    body = msgspec.json.encode({"text": text, "chunk_size": chunk_size})
    begun = clock()
    connection.request("POST", "/tts/stream", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.status
    answer.read(1)
    first = clock()
    answer.read()
    whole = clock()
    connection.close()
    return (first - begun) * 1_000, (whole - begun) * 1_000


def table(rows: Sequence[Row]) -> str:
    """In Markdown, a line for each size."""
    names = list(dict.fromkeys(row.text for row in rows))
    cells = {(row.chunk_size, row.text): row for row in rows}
    heads = [f"{name}: first byte | all" for name in names]
    lines = [f"| `chunk_size` | {' | '.join(heads)} |", "|---" * (1 + 2 * len(names)) + "|"]
    for size in dict.fromkeys(row.chunk_size for row in rows):
        told = [
            f"{each.first_ms:.1f} ms | {each.whole_ms:.0f} ms"
            for each in (cells[size, name] for name in names)
        ]
        lines.append(f"| {size} | {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print."""
    _, together = layouts()
    with harness_on(together), running_gateway(together) as gateway:
        sys.stdout.write(table(measure(gateway)))


if __name__ == "__main__":
    main()
