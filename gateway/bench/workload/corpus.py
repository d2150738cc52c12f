"""What agents say: turns in five languages with the things that are hard to speak. data/README.md has the licence."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from importlib.resources import files

import msgspec

LANGUAGES = ("en", "de", "fr", "es", "hi")


class Has(StrEnum):
    """What makes a turn hard to speak."""

    NUMBER = "number"
    DATE = "date"
    NAME = "name"
    URL = "url"
    LIST = "list"


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that an agent says, in one turn."""

    id: str
    language: str
    has: frozenset[Has]
    text: str


def load(languages: Sequence[str] = LANGUAGES) -> tuple[Line, ...]:
    """The lines in these languages (ISO 639-1), in the order of the file."""
    data = files("gateway.bench.workload").joinpath("data", "lines.jsonl").read_bytes()
    lines = msgspec.json.Decoder(Line).decode_lines(data)
    return tuple(line for line in lines if line.language in languages)
