"""Every way the gateway says no, as one tree. The code is stable; the dialect chooses the vendor's words.

GatewayError
├── CallerError                        the caller must change the request
│   ├── InvalidMessage                 invalid_message     400  not JSON, not an object, no type
│   ├── InvalidValue                   invalid_value       422  wrong type or out of range, `field` names it
│   ├── TextMissing                    text_missing        422  no text, or an empty one
│   ├── TextTooLong                    text_too_long       413  more characters than one request may carry
│   ├── MessageTooLarge                message_too_large   413  more bytes than one message may carry
│   ├── UrlTooLong                     url_too_long        414  more bytes than a URL may have
│   ├── HeadersTooLarge                headers_too_large   431  more headers than a request may have, or larger ones
│   ├── RequestTimeout                 request_timeout     408  the request took too long to arrive
│   ├── UnknownVoice                   unknown_voice       404  with near matches
│   ├── UnknownModel                   unknown_model       404  with near matches
│   ├── Unsupported                    unsupported         422  a real control that this model or route has not
│   ├── FormatFixed                    format_fixed        409  a setting that cannot change once text is accepted
│   ├── UnknownLexicon                 unknown_lexicon     404  the caller has no such lexicon
│   ├── TooManyLexicons                too_many_lexicons   409  the account has as many as it may
│   ├── InputEnded                     input_ended         409  text, flush or end after the end of input
│   ├── ContextUnknown                 context_unknown     404  a command for a context that never was
│   ├── TooManyContexts                too_many_contexts   429  per connection
│   ├── TextBacklogFull                text_backlog_full   429  too much unspoken text; `allowed` is the room left
│   ├── TooManyPending                 too_many_pending    429  too many unanswered commands
│   ├── Unauthorized                   unauthorized        401  no key, or none that is good
│   ├── CreditsExhausted               credits_exhausted   402  the account has too few credits for the next piece
│   ├── Forbidden                      forbidden           403  the key may not be used for this
│   ├── RateLimited                    rate_limited        429  more than the key may; `retry_after_ms`
│   ├── OriginForbidden                origin_forbidden    403  a web page of an origin that is not allowed
│   ├── MetricsForbidden               metrics_forbidden   403  /metrics is not for this address
│   ├── ResumeGone                     resume_gone         410  what the client misses is no longer kept
│   ├── ResumeExpired                  resume_expired      410  the session waited in vain; what was not spoken is told
│   ├── IdempotencyKeyReused           idempotency_key_reused 409 it came with another request before
│   ├── IdempotencyKeyInUse            idempotency_key_in_use 409 its last request is still being answered
│   ├── IdempotencyKeySpent            idempotency_key_spent  409 it was answered too often
│   ├── NotFound                       not_found           404  no such path
│   ├── MethodNotAllowed               method_not_allowed  405
│   └── NotAcceptable                  not_acceptable      406  no form of the answer is one that `Accept` takes
└── ServerError                        trying again may help when `retryable`
    ├── NotOffered                     not_offered         501  a vendor has it, this gateway has not
    ├── Overloaded                     overloaded          503  admission refused; `retry_after_ms`
    ├── Draining                       draining            503  the server is going away
    ├── AccountsUnavailable            accounts_unavailable 503  the database of the accounts cannot be asked
    ├── EngineLost                     engine_lost         503  no worker could be had for the segment
    ├── EngineTimeout                  engine_timeout      504  a worker hung and was killed
    ├── SegmentRejected                segment_rejected    500  this text kills the engine each time
    ├── EngineFailed                   engine_failed       500  the engine said no
    └── Internal                       internal            500  our bug
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from gateway.core.vocabulary import Fault, KeyTrouble


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error as data: what reports and events carry and what dialects translate.

    `field` is the path of the value at fault, `allowed` says in words what would be accepted,
    `retry_after_ms` is given where waiting helps. For dialects that tell more: `reason` is what is wrong with a key,
    `suggestions` are names that may have been meant, `limit` is the number that was passed.
    """

    code: str
    message: str
    fault: Fault
    status: int
    retryable: bool = False
    field: str | None = None
    allowed: str | None = None
    retry_after_ms: int | None = None
    reason: KeyTrouble | None = None
    suggestions: tuple[str, ...] = ()
    limit: int | None = None


class GatewayError(Exception):
    """Base of the tree. Raise a leaf; catch this at the edge, and hand `.problem` to the dialect."""

    code: ClassVar[str] = "internal"
    fault: ClassVar[Fault] = Fault.SERVER
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        allowed: str | None = None,
        retry_after_ms: int | None = None,
        reason: KeyTrouble | None = None,
        suggestions: tuple[str, ...] = (),
        limit: int | None = None,
    ) -> None:
        super().__init__(message)
        self.problem = Problem(
            code=self.code,
            message=message,
            fault=self.fault,
            status=self.status,
            retryable=self.retryable,
            field=field,
            allowed=allowed,
            retry_after_ms=retry_after_ms,
            reason=reason,
            suggestions=suggestions,
            limit=limit,
        )


class CallerError(GatewayError):
    """The caller must change the request before it can succeed."""

    fault = Fault.CALLER
    status = 400


class InvalidMessage(CallerError):
    """The bytes are not a message of this protocol at all."""

    code = "invalid_message"


class InvalidValue(CallerError):
    """A field has the wrong type or a value outside its range."""

    code, status = "invalid_value", 422


class TextMissing(CallerError):
    """A request to speak came without any text."""

    code, status = "text_missing", 422


class TextTooLong(CallerError):
    """More characters than one request may carry."""

    code, status = "text_too_long", 413


class MessageTooLarge(CallerError):
    """More bytes than one message or body may carry."""

    code, status = "message_too_large", 413


class UrlTooLong(CallerError):
    """More bytes than the target of a request may have."""

    code, status = "url_too_long", 414


class HeadersTooLarge(CallerError):
    """More headers than a request may have, or larger ones."""

    code, status = "headers_too_large", 431


class RequestTimeout(CallerError):
    """The request took too long to arrive."""

    code, status, retryable = "request_timeout", 408, True


class UnknownVoice(CallerError):
    """No model has this voice."""

    code, status = "unknown_voice", 404


class UnknownModel(CallerError):
    """No model has this name."""

    code, status = "unknown_model", 404


class UnknownLexicon(CallerError):
    """There is no lexicon of this id that the caller may use."""

    code, status = "unknown_lexicon", 404


class TooManyLexicons(CallerError):
    """The account has as many lexicons as it may have."""

    code, status = "too_many_lexicons", 409


class Unsupported(CallerError):
    """A control or value that exists, but not on this model, route or codec."""

    code, status = "unsupported", 422


class FormatFixed(CallerError):
    """A setting that is fixed once the context has accepted text."""

    code, status = "format_fixed", 409


class InputEnded(CallerError):
    """A command that needs an open input came after the end of input."""

    code, status = "input_ended", 409


class ContextUnknown(CallerError):
    """A command names a context that this connection never had or has forgotten."""

    code, status = "context_unknown", 404


class TooManyContexts(CallerError):
    """The connection has as many open contexts as it may."""

    code, status, retryable = "too_many_contexts", 429, True


class TextBacklogFull(CallerError):
    """The context holds as much unspoken text as it may; send the rest when some was spoken."""

    code, status, retryable = "text_backlog_full", 429, True


class TooManyPending(CallerError):
    """The context holds as many unanswered commands as it may; read before sending more."""

    code, status, retryable = "too_many_pending", 429, True


class Unauthorized(CallerError):
    """No key was shown, or one that is not good."""

    code, status = "unauthorized", 401


class CreditsExhausted(CallerError):
    """The account has too few credits for the next piece of text."""

    code, status = "credits_exhausted", 402


class Forbidden(CallerError):
    """The key is good, but not for this."""

    code, status = "forbidden", 403


class RateLimited(CallerError):
    """More than the key may have now; it is known when that is over."""

    code, status, retryable = "rate_limited", 429, True


class OriginForbidden(CallerError):
    """A web page of an origin that is not allowed."""

    code, status = "origin_forbidden", 403


class MetricsForbidden(CallerError):
    """Figures are told to the addresses that the configuration names."""

    code, status = "metrics_forbidden", 403


class ResumeGone(CallerError):
    """The session lives, but what its client misses is no longer kept."""

    code, status = "resume_gone", 410


class ResumeExpired(CallerError):
    """The session is over: it waited too long for its client."""

    code, status = "resume_expired", 410


class IdempotencyKeyReused(CallerError):
    """The key came with another request before."""

    code, status = "idempotency_key_reused", 409


class IdempotencyKeyInUse(CallerError):
    """The last request with this key is still being answered."""

    code, status, retryable = "idempotency_key_in_use", 409, True


class IdempotencyKeySpent(CallerError):
    """The key was answered as often as it may be."""

    code, status = "idempotency_key_spent", 409


class NotFound(CallerError):
    """There is nothing at this path, or by this token or id."""

    code, status = "not_found", 404


class MethodNotAllowed(CallerError):
    """The path exists, the method does not."""

    code, status = "method_not_allowed", 405


class NotAcceptable(CallerError):
    """The answer has no form that the caller takes."""

    code, status = "not_acceptable", 406


class ServerError(GatewayError):
    """Not the caller's doing."""


class NotOffered(ServerError):
    """Another system of this protocol has it; this gateway has not."""

    code, status = "not_offered", 501


class Overloaded(ServerError):
    """Admission said no, so that those already admitted stay on time."""

    code, status, retryable = "overloaded", 503, True


class Draining(ServerError):
    """The server is going away; another replica will answer."""

    code, status, retryable = "draining", 503, True


class AccountsUnavailable(ServerError):
    """The database of the accounts cannot be asked now."""

    code, status, retryable = "accounts_unavailable", 503, True


class EngineLost(ServerError):
    """The engine's worker is gone and no other could make the segment."""

    code, status, retryable = "engine_lost", 503, True


class EngineTimeout(ServerError):
    """The engine made no progress within its time and was stopped."""

    code, status, retryable = "engine_timeout", 504, True


class SegmentRejected(ServerError):
    """The engine dies of this text each time it is tried; other text is unaffected."""

    code = "segment_rejected"


class EngineFailed(ServerError):
    """The engine refused the segment."""

    code = "engine_failed"


class Internal(ServerError):
    """A bug of ours; the log has the request id."""

    code = "internal"


def all_errors() -> list[type[GatewayError]]:
    """Every leaf of the tree, for the tests that hold docs and dialects complete."""
    leaves: list[type[GatewayError]] = []
    todo: list[type[GatewayError]] = [GatewayError]
    while todo:
        children = todo.pop().__subclasses__()
        todo.extend(children)
        leaves.extend(child for child in children if not child.__subclasses__())
    return sorted(leaves, key=lambda error: error.code)
