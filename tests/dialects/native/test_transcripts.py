"""The native protocol, dialogue by dialogue. `UPDATE_GOLDEN=1` makes what is played in memory the expectation."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from gateway.core.vocabulary import CloseReason, CutReason
from gateway.dialects.native import MESSAGES, Subprotocol, Tagged
from tests.support.spoken_codes import error_codes, warning_codes
from tests.support.transcripts import Transcript, play_in_memory, play_over_socket

ALL = [Transcript.read(path) for path in sorted(Path(__file__).parent.glob("*.txt"))]


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


NOT_IN_MSGPACK = {
    "base64": "audio in base64",
    "surrogates": "half characters, which UTF-8 has not",
    "not_understood": "bytes that are no JSON",
    "too_much": "the size of a message in bytes",
}
IN_BOTH = [transcript for transcript in ALL if _name(transcript) not in NOT_IN_MSGPACK]


@pytest.mark.virtual_time
@pytest.mark.parametrize("transcript", IN_BOTH, ids=_name)
async def test_messagepack_is_the_same_dialogue(transcript: Transcript) -> None:
    played = await play_in_memory(transcript, Subprotocol.MSGPACK)
    if difference := transcript.diff(played):
        pytest.fail(difference, pytrace=False)


@pytest.mark.socket
async def test_messagepack_over_a_socket() -> None:
    (transcript,) = (transcript for transcript in ALL if _name(transcript) == "words")
    if difference := transcript.diff(await play_over_socket(transcript, Subprotocol.MSGPACK)):
        pytest.fail(difference, pytrace=False)


NOT_IN_A_DIALOGUE = {
    "not_found": "an answer to paths",
    "origin_forbidden": "an answer to web pages",
    "metrics_forbidden": "an answer to addresses",
    "method_not_allowed": "an answer to methods",
    "not_offered": "an answer to paths of vendors",
    "not_acceptable": "an answer to headers",
    "request_timeout": "an answer to requests that do not come",
    "url_too_long": "an answer to URLs",
    "headers_too_large": "an answer to headers",
    "unauthorized": "an answer to requests and handshakes: tests/accounts/test_access.py",
    "credits_exhausted": "needs an account: tests/accounts/test_charging.py",
    "forbidden": "so is this",
    "rate_limited": "and this",
    "accounts_unavailable": "a database that fails: tests/accounts/test_sqlite.py",
    "too_many_lexicons": "an answer to POST: tests/fronts/test_lexicons.py",
    "resume_gone": "needs a connection that breaks: tests/runtime/test_resume.py",
    "resume_expired": "needs one, too",
    "idempotency_key_reused": "an answer to headers: tests/fronts/test_replays.py",
    "idempotency_key_in_use": "another one",
    "idempotency_key_spent": "another one",
    "internal": "a bug of ours, which ends the connection",
}


def _values(field: str, mark: str = "< ") -> set[str]:
    """What a field of the messages says, over all transcripts."""
    said = re.compile(f'"{field}":"([^"]*)"')
    return {
        match
        for transcript in ALL
        for line in transcript.lines
        if line.startswith(mark)
        for match in said.findall(line)
    }


def test_every_message_occurs() -> None:
    tags = {str(message.__struct_config__.tag) for message in Tagged.__subclasses__()}
    needs_two_connections = {"resumed"}
    assert tags - {"audio"} - needs_two_connections == _values("type") - {"audio"}
    assert any("< audio number=" in line for t in ALL for line in t.lines)
    assert any("< audio base64" in line for t in ALL for line in t.lines)
    assert set(MESSAGES) - {"resume"} <= _values("type", "> ")


def test_every_error_warning_and_reason_occurs() -> None:
    assert error_codes() - set(NOT_IN_A_DIALOGUE) == _values("code") - warning_codes()
    assert warning_codes() <= _values("code")
    assert set(CutReason) <= _values("reason")
    assert {CloseReason.FINISHED, CloseReason.IDLE} <= _values("reason")
    assert {"finished", "cancelled", "failed"} == _values("status")
