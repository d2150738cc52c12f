"""What the translator promises beyond the dialogues: every error, every codec, every form in which keys are shown."""

from __future__ import annotations

import msgspec
import pytest

from gateway.core.errors import GatewayError, Unauthorized, UnknownModel, all_errors
from gateway.core.limits import Limits
from gateway.core.params import BufferingRequest, Catalog, FormatRequest
from gateway.core.vocabulary import Codec, PushBoundary
from gateway.dialects.base import Frame, NotUnderstood, Renew, Verdict
from gateway.dialects.http import HttpRequest
from gateway.dialects.sarvam_ws import CONTENT_TYPES, SarvamConversation, SarvamHandshake
from tests.support.sarvam import tone_catalog
from tests.support.server import Message

HANDSHAKE = SarvamHandshake()


@pytest.fixture
def catalog() -> Catalog:
    return tone_catalog()


def told(frames: list[Frame]) -> Message:
    (frame,) = frames
    message = msgspec.json.decode(frame, type=Message)
    data = message["data"]
    assert isinstance(data, dict)
    return data


def config(**data: object) -> str:
    return msgspec.json.encode({"type": "config", "data": data}).decode()


def asked(catalog: Catalog, **data: object) -> Renew:
    said = SarvamConversation(catalog, Limits()).decode(config(**data))
    assert isinstance(said.intent, Renew)
    return said.intent


def request(query: dict[str, str] | None = None, **headers: str) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest("GET", "/text-to-speech/ws", query or {}, named)


@pytest.mark.parametrize("error", all_errors(), ids=lambda error: error.code)
def test_every_error_is_one_that_strict_clients_take(
    error: type[GatewayError], catalog: Catalog
) -> None:
    """They refuse a code that is no number, and the plugins of agents raise by it."""
    conversation = SarvamConversation(catalog, Limits())
    data = told(conversation.encode_error(error("why").problem, None, None))
    assert data["message"]
    assert isinstance(data["code"], int)
    assert 400 <= data["code"] <= 599
    ends = conversation.is_over
    assert ends == (error.code in {"invalid_message", "invalid_value"})


def test_every_codec_has_a_name() -> None:
    assert set(CONTENT_TYPES) == set(Codec)


def test_buffering_means_what_the_documentation_says(catalog: Catalog) -> None:
    asked_ = asked(catalog, min_buffer_size=60, max_chunk_length=200).parameters.buffering
    assert asked_ == BufferingRequest(
        release_chars=60,
        max_chars=200,
        max_delay_ms=0,
        idle_ms=0,
        push_boundary=PushBoundary.AFTER_TERMINATOR,
    )
    usual = asked(catalog).parameters.buffering
    assert isinstance(usual, BufferingRequest)
    assert (usual.release_chars, usual.max_chars) == (50, 150)
    contrary = asked(catalog, min_buffer_size=200, max_chunk_length=50).parameters.buffering
    assert isinstance(contrary, BufferingRequest)
    assert (contrary.release_chars, contrary.max_chars) == (50, 50)


@pytest.mark.parametrize(
    ("data", "becomes"),
    [
        (
            {"output_audio_codec": "opus", "speech_sample_rate": 22050},
            (Codec.OPUS, 24_000, 128_000),
        ),
        ({"output_audio_codec": "opus"}, (Codec.OPUS, 24_000, 128_000)),
        ({"output_audio_codec": "mp3", "speech_sample_rate": 8000}, (Codec.MP3, 8_000, 64_000)),
        ({}, (Codec.MP3, 22_050, 128_000)),
        ({"output_audio_bitrate": "192k"}, (Codec.MP3, 22_050, 160_000)),
        ({"speech_sample_rate": "16000"}, (Codec.MP3, 16_000, 128_000)),
    ],
)
def test_what_a_codec_cannot_do_becomes_what_it_can(
    data: dict[str, object], becomes: tuple[Codec, int, int], catalog: Catalog
) -> None:
    format = asked(catalog, **data).parameters.format
    assert isinstance(format, FormatRequest)
    assert (format.codec, format.sample_rate, format.bitrate) == becomes


def test_keys_are_taken_where_clients_show_them() -> None:
    def shown(request: HttpRequest, *offered: str) -> set[str]:
        return set(HANDSHAKE.credentials(request, offered))

    assert shown(request(api_subscription_key="k")) == {"k"}
    assert shown(request(authorization="Bearer k")) == {"k"}
    assert shown(request(), "api-subscription-key.k") == {"k"}
    assert shown(request(api_subscription_key="k"), "api-subscription-key.k") == {"k"}
    assert shown(request({"api-subscription-key": "k"})) == set(), "addresses end up in logs"
    with pytest.raises(Unauthorized):
        shown(request(authorization="Basic k"))


def test_an_offered_key_is_echoed_to_the_letter(catalog: Catalog) -> None:
    def echoed(*offered: str) -> str | None:
        return HANDSHAKE.agree(request(), offered, catalog, Limits()).subprotocol

    assert echoed("api-subscription-key.sk_A-1") == "api-subscription-key.sk_A-1"
    assert echoed("chat", "api-subscription-key.k") == "api-subscription-key.k"
    assert echoed("chat") is echoed() is None


def test_an_unknown_model_is_refused_before_anything_is_accepted(catalog: Catalog) -> None:
    with pytest.raises(UnknownModel):
        HANDSHAKE.agree(request({"model": "bulbul:v9"}), (), catalog, Limits())


def test_refusals_are_in_the_vendors_envelope() -> None:
    refusal = HANDSHAKE.refuse(Unauthorized("no key").problem, "req_1", 0.0)
    assert refusal.status == 403
    assert msgspec.json.decode(refusal.body)["error"]["code"] == "invalid_api_key_error"


def test_unsupported_controls_can_be_errors(catalog: Catalog) -> None:
    strict = SarvamConversation(catalog, Limits(), refuse_unsupported=True)
    strict.decode(config(pitch=0.0, loudness=1.0))
    with pytest.raises(NotUnderstood):
        strict.decode(config(pitch=0.5))


def test_who_is_idle_leaves_in_peace_and_who_is_cut_off_does_not(catalog: Catalog) -> None:
    codes = {
        verdict: SarvamConversation(catalog, Limits()).close_code(verdict) for verdict in Verdict
    }
    assert {codes[v] for v in (Verdict.IDLE, Verdict.FIRST_MESSAGE_LATE, Verdict.REFUSED)} == {1000}
    assert codes[Verdict.DRAINING] == 1012
    assert codes[Verdict.SEND_STALLED] == codes[Verdict.SESSION_OVER] == 1008
