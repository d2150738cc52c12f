"""What Sarvam's clients are told when something goes wrong, and the ids of their requests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from gateway.core import errors as e
from gateway.core.errors import Problem
from gateway.core.vocabulary import Fault
from gateway.dialects.http import Headers, Refusal

INVALID = "invalid_request_error"
SCHEMA = "unprocessable_entity_error"
TOO_FAST = "rate_limit_exceeded_error"
FAILED = "internal_server_error"
SAID: Mapping[str, tuple[int, str]] = {
    e.InvalidValue.code: (422, SCHEMA),
    e.TextMissing.code: (422, SCHEMA),
    e.TextTooLong.code: (400, INVALID),
    e.UnknownVoice.code: (400, INVALID),
    e.UnknownModel.code: (400, INVALID),
    e.Unsupported.code: (400, INVALID),
    e.Unauthorized.code: (403, "invalid_api_key_error"),
    e.Forbidden.code: (403, "authentication_error"),
    e.OriginForbidden.code: (403, "authentication_error"),
    e.CreditsExhausted.code: (429, "insufficient_quota_error"),
    e.RateLimited.code: (429, TOO_FAST),
    e.TooManyContexts.code: (429, TOO_FAST),
    e.TextBacklogFull.code: (429, TOO_FAST),
    e.TooManyPending.code: (429, TOO_FAST),
    e.NotFound.code: (404, "not_found_error"),
    e.UnknownLexicon.code: (404, "not_found_error"),
    e.TooManyLexicons.code: (400, INVALID),
    e.Overloaded.code: (503, TOO_FAST),
    e.Draining.code: (503, TOO_FAST),
    e.AccountsUnavailable.code: (503, "billing_service_unavailable_error"),
    e.EngineLost.code: (503, "model_call_error"),
    e.EngineTimeout.code: (504, "gateway_timeout_error"),
    e.EngineFailed.code: (500, "model_call_error"),
    e.SegmentRejected.code: (500, "model_call_error"),
}
"""HTTP status and code, where these are not the usual ones of whose fault it is."""


KEY_PLACES = "a key is shown in api-subscription-key, or in Authorization: Bearer"
FIELDS: Mapping[str, str] = {"lexicon": "dict_id"}
"""What fields of ours are called here, where that is something else."""


class SarvamError(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error. `code` is one of an enumeration; `param` names the field at fault."""

    message: str
    code: str
    request_id: str
    param: str | None = None


class SarvamErrorBody(msgspec.Struct, frozen=True):
    """The body of every error."""

    error: SarvamError


def said_of(problem: Problem) -> tuple[int, str]:
    """The HTTP status and the vendor's code of a problem."""
    usual = INVALID if problem.fault is Fault.CALLER else FAILED
    return SAID.get(problem.code, (problem.status, usual))


def message_of(problem: Problem) -> str:
    """What is wrong and, where it is known, what would not be."""
    match problem.code:
        case e.UnknownLexicon.code:
            return "There is no dictionary of this id."
        case e.Unauthorized.code:
            return f"Invalid or missing credentials: {problem.message}; {KEY_PLACES}"
        case _ if problem.allowed is None:
            return problem.message
        case _:
            return f"{problem.message}; allowed: {problem.allowed}"


class SarvamWords:
    """How every route says no."""

    def refuse(self, problem: Problem, request_id: str, at_s: float) -> Refusal:
        """A problem as the answer to a request. `at_s` is the time since 1970."""
        status, code = said_of(problem)
        field = None if problem.field is None else FIELDS.get(problem.field, problem.field)
        said = SarvamError(message_of(problem), code, vendor_id(request_id, at_s), field)
        head: Headers = [("content-type", "application/json")]
        return Refusal(status, msgspec.json.encode(SarvamErrorBody(said)), head)


def vendor_id(request_id: str, at_s: float) -> str:
    """The id of a request as the vendor's look: the day in UTC and a UUID. Its first digits are those of our own id, without what
    a UUID says of itself (RFC 9562 §5.4), so that who has the one finds the other in the log."""
    digits = request_id.removeprefix("req_").ljust(30, "0")
    day = datetime.fromtimestamp(at_s, UTC)
    uuid = f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-8{digits[15:18]}-{digits[18:30]}"
    return f"{day:%Y%m%d}_{uuid}"
