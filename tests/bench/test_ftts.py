"""First token to speech: the answers, where the time of each went, and what is not heard."""

from __future__ import annotations

import os

import pytest

from gateway.bench.ftts import (
    ANSWER_WORDS,
    Answer,
    NotHeard,
    answers_of_the_corpus,
    heard,
    run,
    table,
)
from gateway.bench.instruments.timeline import (
    Failure,
    Form,
    Message,
    Payload,
    Sent,
    Timeline,
    Trouble,
    Wire,
)
from gateway.bench.subjects import Gateway
from tests.support.server import running_server

FORM = Form(sample_rate=8_000)
SILENT, LOUD = bytes(1_600), b"\x00\x40\x00\xc0" * 400
"""A tenth of a second each."""


def test_answers_are_as_long_as_those_of_the_published_figure() -> None:
    answers = answers_of_the_corpus()
    assert len(answers) >= 100
    assert len({answer.text for answer in answers}) == len(answers)
    words = [len(answer.text.split()) for answer in answers]
    assert min(words) >= ANSWER_WORDS


def timeline(wire: Wire, **changes: object) -> Timeline:
    """Two tokens at 1.0 and 1.5 s, silent audio at 2.0 s and loud audio behind it."""
    made = Timeline(wire, FORM, intended=1.0, begun=1.0, finished=2.2)
    made.sent = [Sent(1.0, "One, "), Sent(1.5, "two.")]
    made.heard = [Payload(2.0, SILENT), Payload(2.05, LOUD)]
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_http_waits_for_all_of_the_text() -> None:
    found = heard(timeline(Wire.HTTP))
    assert (found.text, found.made) == pytest.approx((500, 500))
    assert found.silence == pytest.approx(100, abs=10)
    assert found.ftts == found.text + found.made + found.silence


def test_a_segment_waits_for_its_own_text() -> None:
    segments = [
        Message(1.9, "segment", {"text_start": 0, "text_end": 5}),
        Message(2.04, "segment", {"text_start": 5, "text_end": 9}),
    ]
    silent, loud = timeline(Wire.WEBSOCKET).heard
    found = heard(timeline(Wire.WEBSOCKET, heard=[segments[0], silent, segments[1], loud]))
    assert (found.text, found.made) == pytest.approx((0, 1_000))


@pytest.mark.parametrize(
    "changes", [{"trouble": Trouble(Failure.REFUSED, "no")}, {"heard": [Payload(2.0, SILENT)]}]
)
def test_what_is_not_heard_is_no_figure(changes: dict[str, object]) -> None:
    with pytest.raises(NotHeard):
        heard(timeline(Wire.HTTP, **changes))


@pytest.mark.socket
async def test_every_answer_is_heard_in_every_way() -> None:
    answers = [Answer("One, two, three. Four and five and six, seven and eight.")] * 5
    async with running_server() as server:
        found = await run(Gateway("127.0.0.1", server.port, os.getpid()), answers, 1_000.0)
    assert {way: len(times) for way, times in found.items()} == {
        "WebSocket, balanced": 5,
        "WebSocket, latency": 5,
        "HTTP": 5,
    }
    assert len(table(found).splitlines()) == 5


@pytest.mark.socket
async def test_a_gateway_that_refuses_is_an_error() -> None:
    async with running_server() as server:
        with pytest.raises(NotHeard, match="refused"):
            await run(
                Gateway("127.0.0.1", server.port, os.getpid()), [Answer("One.", "xx")], 1_000.0
            )
