"""How problems are told, and the ids of requests."""

from __future__ import annotations

import re
import uuid

import msgspec
import pytest

from gateway.core.errors import GatewayError, InvalidValue, all_errors
from gateway.dialects.sarvam_errors import SarvamErrorBody, SarvamWords, said_of, vendor_id

CODES = {
    *("invalid_request_error", "invalid_api_key_error", "authentication_error", "not_found_error"),
    *("unprocessable_entity_error", "insufficient_quota_error", "rate_limit_exceeded_error"),
    *("internal_server_error", "model_call_error", "gateway_timeout_error"),
    "billing_service_unavailable_error",
}
"""The enumeration of the vendor."""
ID, AT_S = "req_1f2e3d4c5b6a798887766554", 1_795_104_000.0


@pytest.mark.parametrize("error", all_errors(), ids=lambda error: error.code)
def test_every_error_has_a_status_and_one_of_their_codes(error: type[GatewayError]) -> None:
    problem = error("no").problem
    status, code = said_of(problem)
    assert code in CODES
    assert status // 100 == problem.status // 100
    assert status != 401


@pytest.mark.parametrize(
    ("code", "status", "theirs"),
    [
        ("invalid_message", 400, "invalid_request_error"),
        ("text_too_long", 400, "invalid_request_error"),
        ("unknown_voice", 400, "invalid_request_error"),
        ("unsupported", 400, "invalid_request_error"),
        ("unauthorized", 403, "invalid_api_key_error"),
        ("not_found", 404, "not_found_error"),
        ("message_too_large", 413, "invalid_request_error"),
        ("invalid_value", 422, "unprocessable_entity_error"),
        ("text_missing", 422, "unprocessable_entity_error"),
        ("credits_exhausted", 429, "insufficient_quota_error"),
        ("rate_limited", 429, "rate_limit_exceeded_error"),
        ("internal", 500, "internal_server_error"),
        ("overloaded", 503, "rate_limit_exceeded_error"),
    ],
)
def test_the_documented_ones_are_as_documented(code: str, status: int, theirs: str) -> None:
    (error,) = (each for each in all_errors() if each.code == code)
    assert said_of(error("no").problem) == (status, theirs)


def test_the_envelope() -> None:
    problem = InvalidValue("pace is 9", field="pace", allowed="0.5 to 2").problem
    refusal = SarvamWords().refuse(problem, ID, AT_S)
    assert refusal.status == 422
    assert refusal.headers == [("content-type", "application/json")]
    error = msgspec.json.decode(refusal.body, type=SarvamErrorBody).error
    assert error.message == "pace is 9; allowed: 0.5 to 2"
    assert error.param == "pace"
    assert error.request_id == vendor_id(ID, AT_S)


def test_an_id_is_a_day_and_a_uuid_in_which_ours_can_be_found() -> None:
    theirs = vendor_id(ID, AT_S)
    assert re.fullmatch(r"\d{8}_[0-9a-f-]{36}", theirs)
    day, _, rest = theirs.partition("_")
    assert day == "20261119"
    assert uuid.UUID(rest).version == 4
    assert uuid.UUID(rest).variant == uuid.RFC_4122
    digits = rest.replace("-", "")
    assert f"req_{digits[:12]}{digits[13:16]}{digits[17:26]}" == ID
