"""Vendors' HTTP routes, exchange by exchange. `UPDATE_GOLDEN=1` makes what is played in memory the expectation."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.exchanges import play_in_memory, play_over_socket
from tests.support.transcripts import Transcript

FOLDER = Path(__file__).parent
ALL = [Transcript.read(path) for path in sorted(FOLDER.glob("*/*.http.txt"))]


def _name(transcript: Transcript) -> str:
    return f"{transcript.path.parent.name}/{transcript.path.name.partition('.')[0]}"


@pytest.mark.parametrize("transcript", ALL, ids=_name)
async def test_in_memory(transcript: Transcript, tmp_path: Path) -> None:
    played = await play_in_memory(transcript, tmp_path)
    if os.environ.get("UPDATE_GOLDEN"):
        transcript.write(played)
        return
    if difference := transcript.diff(played):
        pytest.fail(difference, pytrace=False)


@pytest.mark.socket
@pytest.mark.parametrize("transcript", ALL, ids=_name)
async def test_over_a_socket(transcript: Transcript, tmp_path: Path) -> None:
    if difference := transcript.diff(await play_over_socket(transcript, tmp_path)):
        pytest.fail(difference, pytrace=False)
