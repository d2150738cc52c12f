"""What `Accept` chooses, and what wins where it says several things."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from gateway.core.errors import NotAcceptable
from gateway.dialects.accept import RANGES_MAX, choose
from gateway.fronts.requests import read_head

AUDIO, NDJSON, SSE = OFFERS = ("audio/mpeg", "application/x-ndjson", "text/event-stream")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", AUDIO),
        ("*/*", AUDIO),
        ("audio/*", AUDIO),
        ("Audio/MPEG", AUDIO),
        ("text/event-stream", SSE),
        ("text/*", SSE),
        ("application/x-ndjson", NDJSON),
        ("application/x-ndjson; charset=utf-8", NDJSON),
        ("application/json, application/x-ndjson", NDJSON),
        # What is named goes before what a * covers, and then quality decides.
        ("text/event-stream, */*", SSE),
        ("*/*, text/event-stream;q=1.0", SSE),
        ("text/event-stream;q=0.9, */*", AUDIO),
        ("text/event-stream;q=0.5, application/x-ndjson;q=0.6", NDJSON),
        ("text/event-stream, application/x-ndjson", NDJSON),
        ("text/event-stream, application/x-ndjson, audio/mpeg", AUDIO),
        # The most precise range decides about an offer, and 0 means no.
        ("*/*, audio/*;q=0", NDJSON),
        ("audio/mpeg;q=0, audio/*, text/event-stream;q=0.001", SSE),
        ("text/event-stream;level=1;q=0.2, application/x-ndjson;q=0.1", SSE),
        # What cannot be read is as if it was not there.
        ("nonsense, , ;q=1, text/event-stream", SSE),
        ("audio/mpeg;q=high", AUDIO),
    ],
)
def test_the_best_liked_is_chosen(accept: str, chosen: str) -> None:
    assert choose(accept, OFFERS) == chosen


@pytest.mark.parametrize(
    "accept", ["application/json", "audio/wav", "*/*;q=0", "audio/mpeg;q=0.000", "mp3", "*/mpeg"]
)
def test_nothing_that_can_be_had_is_refused_with_what_can(accept: str) -> None:
    with pytest.raises(NotAcceptable) as refused:
        choose(accept, OFFERS)
    assert refused.value.problem.allowed == ", ".join(OFFERS)


@pytest.mark.parametrize(("others", "found"), [(-2, True), (-1, True), (0, False)])
def test_no_more_ranges_are_read_than_anybody_has(others: int, found: bool) -> None:
    accept = "image/png," * (RANGES_MAX + others) + "text/event-stream"
    if found:
        assert choose(accept, OFFERS) == SSE
    else:
        with pytest.raises(NotAcceptable):
            choose(accept, OFFERS)


@given(st.text(st.sampled_from("*/;=,q01. \taudio-mpeg\xff"), max_size=200))
def test_no_header_does_anything_else(accept: str) -> None:
    with suppress(NotAcceptable):
        assert choose(accept, OFFERS) in OFFERS


def test_several_headers_are_one() -> None:
    headers = [(b"accept", b"audio/wav"), (b"a", b"b"), (b"accept", b"text/*")]
    scope = {"method": "POST", "path": "/", "query_string": b"", "headers": headers}
    assert read_head(scope).headers["accept"] == "audio/wav, text/*"
