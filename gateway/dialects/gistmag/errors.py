"""GistMag's errors: two keys, and the few statuses of its table."""

from __future__ import annotations

import math

import msgspec

from gateway.core.errors import (
    CreditsExhausted,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    NotOffered,
    Problem,
    RateLimited,
    Unauthorized,
)
from gateway.dialects.http import Headers, Refusal, RequestRate


class GistMagErrorBody(msgspec.Struct, frozen=True):
    """Every error."""

    error: str
    message: str


_TITLES = {
    400: "Invalid request",
    401: "Invalid API key",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    429: "Rate limit exceeded",
    500: "Internal server error",
    501: "Not implemented",
    503: "Service unavailable",
}
_STATUSES = {
    Unauthorized.code: 401,
    Forbidden.code: 401,
    NotFound.code: 404,
    MethodNotAllowed.code: 405,
    NotOffered.code: 501,
    CreditsExhausted.code: 429,
}
_AS_THEY_ARE = frozenset({408, 409, 429, 503})
_FIELDS = {"voice": "voice_name", "volume": "volume_gain_db"}
"""What the core calls a field that has another name here."""


class GistMagWords:
    """How GistMag says no."""

    def refuse(self, problem: Problem, request_id: str, at_s: float) -> Refusal:
        """Two keys: what kind of error it is, and what is wrong."""
        status = _status(problem)
        title = "Insufficient credits" if problem.code == CreditsExhausted.code else _TITLES[status]
        body = msgspec.json.encode(GistMagErrorBody(title, _in_words(problem)))
        head = [("content-type", "application/json")]
        if problem.code == RateLimited.code and problem.limit and problem.retry_after_ms:
            rate = RequestRate(problem.limit, 0, problem.retry_after_ms / 1_000)
            head += rate_headers(rate, at_s)
        return Refusal(status, body, head)


def rate_headers(rate: RequestRate | None, at_s: float) -> Headers:
    """What a key may still ask for; nothing where it may ask for anything."""
    if rate is None:
        return []
    return [
        ("x-ratelimit-limit", str(rate.limit)),
        ("x-ratelimit-remaining", str(rate.left)),
        ("x-ratelimit-reset", str(math.ceil(at_s + rate.whole_in_s))),
    ]


def _status(problem: Problem) -> int:
    """The one of the vendor's that says it; what these have no word for keeps its own."""
    if problem.code in _STATUSES:
        return _STATUSES[problem.code]
    if problem.status in _AS_THEY_ARE:
        return problem.status
    if problem.status < 500:
        return 400
    return 503 if problem.retryable else 500


def _in_words(problem: Problem) -> str:
    if problem.code == Unauthorized.code:
        return f"{problem.message}; send yours as api_key in the body, or in the query of a GET"
    field = _FIELDS.get(problem.field or "", problem.field)
    parts = [f"{field}: " if field else "", problem.message]
    if problem.allowed is not None:
        parts.append(f"; allowed: {problem.allowed}")
    return "".join(parts)
