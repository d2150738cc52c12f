"""The whole file in JSON, and the bodies that are understood."""

from __future__ import annotations

import base64

import msgspec
import pytest

from gateway.core.errors import GatewayError, TextTooLong
from gateway.core.limits import Limits
from gateway.dialects.http import Agreed, Answering, HttpRequest
from gateway.dialects.sarvam_http import InJson, SarvamAudios, SarvamFile, SarvamStream
from tests.dialects.sarvam.catalog import CATALOG

FILE, STREAM = SarvamFile(), SarvamStream()
LIMITS = Limits()
Both = SarvamFile | SarvamStream


def understand(exchange: Both, body: object, limits: Limits = LIMITS) -> Agreed:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return exchange.understand(HttpRequest("POST", "/", {}, {}, raw), CATALOG, limits)


@pytest.mark.parametrize("sizes", [(), (0,), (1,), (2,), (3,), (1, 1, 1, 1), (5, 0, 7, 2), (300,)])
def test_base64_in_parts_is_base64_of_the_whole(sizes: tuple[int, ...]) -> None:
    data = bytes(range(256)) * 2
    wrapping, sent, at = InJson("20261120_x"), b"", 0
    for size in sizes:
        sent += wrapping.take(data[at : at + size])
        at += size
    answer = msgspec.json.decode(sent + wrapping.end(), type=SarvamAudios)
    assert answer.request_id == "20261120_x"
    assert [base64.b64decode(audio, validate=True) for audio in answer.audios] == [data[:at]]


@pytest.mark.parametrize(
    ("exchange", "model", "chars_max"),
    [
        (FILE, "bulbul:v2", 1_500),
        (FILE, "bulbul:v3", 2_500),
        (FILE, "bulbul:v4-flash", 2_500),
        (STREAM, "bulbul:v2", 3_500),
        (STREAM, "bulbul:v3", 3_500),
    ],
)
def test_texts_have_the_documented_length(exchange: Both, model: str, chars_max: int) -> None:
    # Characters are code points, however many bytes they are.
    for chars in (chars_max - 1, chars_max):
        assert len(understand(exchange, {"text": "क" * chars, "model": model}).text) == chars
    with pytest.raises(TextTooLong) as refused:
        understand(exchange, {"text": "क" * (chars_max + 1), "model": model})
    assert str(chars_max) in (refused.value.problem.allowed or "")


@pytest.mark.parametrize("exchange", [FILE, STREAM])
def test_or_less_where_the_gateway_takes_less(exchange: Both) -> None:
    limits = Limits(text_chars_max=10, whole_chars_max=10)
    understand(exchange, {"text": "a" * 10}, limits)
    with pytest.raises(TextTooLong):
        understand(exchange, {"text": "a" * 11}, limits)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"", "invalid_message", None),
        (b"[]", "invalid_message", None),
        ({}, "text_missing", "text"),
        ({"text": ""}, "text_missing", "text"),
        ({"text": 5}, "invalid_value", "text"),
        ({"text": None}, "invalid_value", "text"),
        ({"text": "a", "pace": "fast"}, "invalid_value", "pace"),
        ({"text": "a", "pitch": "high"}, "invalid_value", "pitch"),
        ({"text": "a", "speech_sample_rate": 1.5}, "invalid_value", "speech_sample_rate"),
        ({"text": "a", "enable_preprocessing": 1}, "invalid_value", "enable_preprocessing"),
        ({"text": "a", "speaker": "x" * 65}, "invalid_value", "speaker"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(body: object, code: str, field: str | None) -> None:
    for exchange in (FILE, STREAM):
        with pytest.raises(GatewayError) as refused:
            understand(exchange, body)
        assert (refused.value.problem.code, refused.value.problem.field) == (code, field)


def test_a_dictionary_is_a_lexicon() -> None:
    assert understand(STREAM, {"text": "a", "dict_id": "p_5cb7faa6"}).lexicon == "p_5cb7faa6"
    assert understand(STREAM, {"text": "a", "dict_id": None}).lexicon is None


def test_unknown_fields_are_ignored_and_named() -> None:
    agreed = understand(FILE, {"text": "a", "pitch": 0.1, "min_buffer_size": 50})
    head = dict(FILE.describe(agreed, Answering("req_1", "audio/wav", 1.0, 2.0)))
    assert head == {
        "content-type": "application/json",
        "x-ignored-parameters": "pitch, min_buffer_size",
    }


def test_what_was_adjusted_is_named() -> None:
    agreed = understand(
        STREAM, {"text": "a", "output_audio_bitrate": "192k", "speech_sample_rate": "8000"}
    )
    head = dict(STREAM.describe(agreed, Answering("req_1", "audio/mpeg", 1.0, 2.0)))
    assert head == {
        "content-type": "audio/mpeg",
        "x-adjusted-parameters": "output_audio_bitrate=64k",
    }


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ({}, []),
        ({"api-subscription-key": "k"}, ["k"]),
        ({"authorization": "Bearer k"}, ["k"]),
        ({"authorization": "bearer  k"}, ["k"]),
        ({"api-subscription-key": "k", "authorization": "Bearer other"}, ["k", "other"]),
    ],
)
def test_where_keys_are_shown(headers: dict[str, str], shown: list[str]) -> None:
    assert list(FILE.credentials(HttpRequest("POST", "/", {}, headers))) == shown


def test_another_way_is_refused() -> None:
    with pytest.raises(GatewayError) as refused:
        list(STREAM.credentials(HttpRequest("POST", "/", {}, {"authorization": "Basic k"})))
    assert refused.value.problem.code == "unauthorized"


def test_a_wrong_speaker_on_the_wire() -> None:
    with pytest.raises(GatewayError) as refused:
        understand(STREAM, {"text": "a", "speaker": "anushka"})
    refusal = STREAM.refuse(refused.value.problem, "req_1f2e3d4c5b6a798887766554", 0.0)
    error = msgspec.json.decode(refusal.body)["error"]
    assert refusal.status == 400
    assert error["code"] == "invalid_request_error"
    assert error["message"].startswith("Speaker 'anushka' is not compatible with model bulbul:v3.")
    assert "rupali" in error["message"]
