"""Sarvam's conversations, dialogue by dialogue. `UPDATE_GOLDEN=1` makes what is played in memory the expectation."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.transcripts import Transcript, play_in_memory, play_over_socket

ALL = [Transcript.read(path) for path in sorted(Path(__file__).parent.glob("*.ws.txt"))]


def _name(transcript: Transcript) -> str:
    return transcript.path.stem


@pytest.mark.virtual_time
@pytest.mark.parametrize("transcript", ALL, ids=_name)
async def test_in_memory(transcript: Transcript) -> None:
    played = await play_in_memory(transcript)
    if os.environ.get("UPDATE_GOLDEN"):
        transcript.write(played)
        return
    if difference := transcript.diff(played):
        pytest.fail(difference, pytrace=False)


@pytest.mark.socket
@pytest.mark.parametrize("transcript", [t for t in ALL if not t.options.time], ids=_name)
async def test_over_a_socket(transcript: Transcript) -> None:
    if difference := transcript.diff(await play_over_socket(transcript)):
        pytest.fail(difference, pytrace=False)
