"""What a run beside peers says, as it is written to results.json. A change of meaning raises `VERSION`."""

from __future__ import annotations

import msgspec

from gateway.bench.compare.results import Figure
from gateway.bench.results import Machine

KIND = "peers"
VERSION = 1

TTFB = "time to first byte of audio"
THROUGHPUT = "audio per second"
AUDIO = "audio per utterance"


class Plan(msgspec.Struct, frozen=True):
    """How much of everything; times in seconds."""

    name: str
    seed: int = 1
    repeats: int = 3
    codecs: tuple[str, ...] = ("wav", "mp3")
    texts: tuple[str, ...] = ("short", "medium", "long")
    streams: tuple[int, ...] = (1, 16)
    window_s: float = 1.0


DEFAULT = Plan("default")
QUICK = Plan("quick", repeats=1, texts=("medium",), window_s=0.5)


class Server(msgspec.Struct, frozen=True):
    """One way to ask a server. In `figures`, a way is a cell: codec, text, streams. `failures`: what is in no figure."""

    name: str
    about: str
    figures: list[Figure]
    utterances: int = 0
    failures: dict[str, int] = {}


class PeersResult(msgspec.Struct, frozen=True):
    """Everything; the first server is the one that the others are measured by.

    `foreign_cores` is what other processes took of the machine meanwhile, on average.
    """

    started: str
    seconds: float
    plan: Plan
    machine: Machine
    foreign_cores: float
    servers: list[Server]
    version: int = VERSION
    kind: str = KIND


def cell(codec: str, text: str, streams: int) -> str:
    """Its name."""
    return f"{codec}, {text}, {streams} stream{'s' * (streams > 1)}"
