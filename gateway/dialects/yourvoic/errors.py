"""How YourVoic says no: an envelope with a code, what kind of trouble it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from gateway.core.errors import Problem
from gateway.core.vocabulary import KeyTrouble
from gateway.dialects.http import Refusal

JSON = "application/json"
FIELDS: Mapping[str, str] = {"format.sample_rate": "sample_rate", "format.codec": "format"}
"""What fields of ours are called here, where that is something else."""


class Said(NamedTuple):
    """How an error of ours is said: the status, the vendor's code and kind, and what to do."""

    status: int
    code: str
    category: str
    resolution: str


_KEY, _INPUT, _MONEY = "authentication", "validation", "billing"
_RATE, _WHERE, _OURS = "rate_limit", "routing", "server"
_WAIT = "Try again after the time in Retry-After, or after a second."
SAID: Mapping[str, Said] = {
    "text_missing": Said(400, "MISSING_TEXT", _INPUT, "Send the text to speak in `text`."),
    "unknown_voice": Said(400, "INVALID_VOICE", _INPUT, "Take a name of GET /v1/voices."),
    "unknown_model": Said(400, "INVALID_MODEL", _INPUT, "Take an id of GET /v1/models."),
    "invalid_message": Said(400, "INVALID_REQUEST", _INPUT, "Send one JSON object."),
    "unauthorized": Said(401, "INVALID_API_KEY", _KEY, "Show a key as it was given out."),
    "forbidden": Said(403, "API_KEY_DISABLED", _KEY, "Show a key that may speak."),
    "credits_exhausted": Said(402, "INSUFFICIENT_CREDITS", _MONEY, "Have credits granted."),
    "text_too_long": Said(413, "TEXT_TOO_LONG", _INPUT, "Send the text in several requests."),
    "message_too_large": Said(413, "REQUEST_TOO_LARGE", _INPUT, "Send a smaller body."),
    "invalid_value": Said(422, "VALIDATION_ERROR", _INPUT, "Correct the field in `details`."),
    "unsupported": Said(
        422, "UNSUPPORTED_PARAMETER", _INPUT, "Leave the field out, or take another model or route."
    ),
    "rate_limited": Said(429, "RATE_LIMIT_EXCEEDED", _RATE, _WAIT),
    "not_found": Said(404, "NOT_FOUND", _WHERE, "Compare the path with the documentation."),
    "method_not_allowed": Said(405, "METHOD_NOT_ALLOWED", _WHERE, "Use a method of Allow."),
    "request_timeout": Said(408, "REQUEST_TIMEOUT", _INPUT, "Send the body at once."),
    "idempotency_key_reused": Said(
        409, "IDEMPOTENCY_KEY_REUSED", _INPUT, "Take a new key for a new request."
    ),
    "idempotency_key_in_use": Said(409, "IDEMPOTENCY_KEY_IN_USE", _INPUT, _WAIT),
    "idempotency_key_spent": Said(409, "IDEMPOTENCY_KEY_SPENT", _INPUT, "Take a new key."),
    "overloaded": Said(503, "SERVICE_OVERLOADED", _OURS, _WAIT),
    "draining": Said(503, "SERVICE_UNAVAILABLE", _OURS, _WAIT),
    "accounts_unavailable": Said(503, "SERVICE_UNAVAILABLE", _OURS, _WAIT),
    "engine_lost": Said(503, "SERVICE_UNAVAILABLE", _OURS, _WAIT),
    "engine_timeout": Said(503, "SERVICE_UNAVAILABLE", _OURS, _WAIT),
    "segment_rejected": Said(500, "SYNTHESIS_FAILED", _OURS, "Change the text."),
    "engine_failed": Said(500, "SYNTHESIS_FAILED", _OURS, "Try again, or change the text."),
    "internal": Said(500, "INTERNAL_ERROR", _OURS, "Tell the operator the `request_id`."),
}
"""By our codes. What is not here cannot happen over these routes."""
_KEYS: Mapping[KeyTrouble, Said] = {
    KeyTrouble.MISSING: Said(401, "MISSING_API_KEY", _KEY, "Send a key in the header X-API-Key."),
    KeyTrouble.EXPIRED: Said(401, "API_KEY_EXPIRED", _KEY, "Show a key that has not expired."),
    KeyTrouble.REVOKED: Said(401, "API_KEY_REVOKED", _KEY, "Show a key that was not revoked."),
}
_NO_LANGUAGE = Said(400, "INVALID_LANGUAGE", _INPUT, "Take a code of GET /v1/languages.")


class YourVoicDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known beyond the code. `retry_after` is in seconds, as in the header."""

    field: str | None = None
    allowed: str | None = None
    limit: int | None = None
    suggestions: tuple[str, ...] = ()
    retry_after: int | None = None


class YourVoicError(msgspec.Struct, frozen=True):
    """What went wrong, and what to do."""

    code: str
    message: str
    category: str
    resolution: str
    details: YourVoicDetails


class YourVoicErrorBody(msgspec.Struct, frozen=True):
    """The JSON body of every error. `timestamp` is in seconds since 1970."""

    success: Literal[False]
    error: YourVoicError
    request_id: str
    timestamp: float


class YourVoicWords:
    """The `Words` of all routes."""

    def refuse(self, problem: Problem, request_id: str, at_s: float) -> Refusal:
        """The envelope."""
        said = _said(problem)
        field = problem.field
        wait_ms = problem.retry_after_ms
        details = YourVoicDetails(
            None if field is None else FIELDS.get(field, field),
            problem.allowed,
            problem.limit,
            problem.suggestions,
            None if wait_ms is None else -(-wait_ms // 1_000),
        )
        error = YourVoicError(said.code, problem.message, said.category, said.resolution, details)
        body = YourVoicErrorBody(False, error, request_id, at_s)
        return Refusal(said.status, msgspec.json.encode(body), [("content-type", JSON)])


def _said(problem: Problem) -> Said:
    if problem.reason is not None:
        return _KEYS[problem.reason]
    if problem.code == "unsupported" and problem.field == "language":
        return _NO_LANGUAGE
    return SAID.get(problem.code, SAID["internal"])
