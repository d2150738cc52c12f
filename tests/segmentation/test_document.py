"""docs/segmentation.md shows what the segmenter does."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.core.params import BufferingRequest
from gateway.core.resolve import segmentation
from gateway.core.segmenter import Segmenter
from tests.support.checkout import ROOT
from tests.support.documents import Row, blocks, named, table

DOCUMENT = ROOT / "docs" / "segmentation.md"
TOKEN_CHARS = 4


def shown(heading: str) -> list[Row]:
    return table(DOCUMENT, heading)


def text() -> str:
    """The text of the examples: what the first of them is made of."""
    return shown("What each parameter does")[0]["pieces"].replace("¦", "")


def cut(row: Row, pushes: list[str]) -> str:
    asked = msgspec.json.decode(named(row), type=BufferingRequest)
    segmenter = Segmenter(segmentation(asked), "en")
    pieces = [piece for push in pushes for piece in segmenter.push(push, 0.0)]
    return "¦".join(piece.text for piece in [*pieces, *segmenter.flush()])


@pytest.mark.parametrize("row", shown("What each parameter does"), ids=named)
def test_parameters_do_what_is_shown(row: Row) -> None:
    tokens = [text()[at : at + TOKEN_CHARS] for at in range(0, len(text()), TOKEN_CHARS)]
    assert cut(row, tokens) == row["pieces"]


@pytest.mark.parametrize("row", shown("Push boundary"), ids=named)
def test_borders_of_messages_mean_what_is_shown(row: Row) -> None:
    (messages,) = (block.text for block in blocks(DOCUMENT) if block.info == "json")
    assert cut(row, msgspec.json.decode(messages, type=list[str])) == row["pieces"]


def test_the_command_prints_what_is_shown() -> None:
    (block,) = (block for block in blocks(DOCUMENT) if block.info == "segments")
    command, _, printed = block.text.partition("\n")
    words = command.removeprefix("$ ./run ").split()
    ran = CliRunner().invoke(main, words[:-1], input=text())
    assert ran.output == printed
