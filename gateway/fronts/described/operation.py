"""What a description says of one path and method, and of a dialect whose paths they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from gateway.core import errors as e
from gateway.dialects.http import Words
from gateway.fronts.described.schemas import Json
from gateway.fronts.idempotency import KEY, KEY_CHARS_MAX

JSON = "application/json"
TEXT = (
    *(e.InvalidMessage, e.InvalidValue, e.TextMissing, e.TextTooLong, e.MessageTooLarge),
    *(e.UnknownVoice, e.UnknownModel, e.UnknownLexicon, e.Unsupported),
)
"""What is refused where a text is sent with how to speak it."""
ACCOUNT = (e.Unauthorized, e.Forbidden, e.RateLimited, e.AccountsUnavailable)
"""And where a key is asked for."""
SPEECH = (
    *(*TEXT, *ACCOUNT, e.Overloaded, e.Draining),
    *(e.EngineLost, e.EngineTimeout, e.SegmentRejected, e.EngineFailed, e.CreditsExhausted),
    *(e.IdempotencyKeyReused, e.IdempotencyKeyInUse, e.IdempotencyKeySpent),
)
"""And where it is spoken."""
IDEMPOTENCY_KEY: Json = {
    "description": "Names this request. When it comes again it is answered by the same speech, a few times.",
    "schema": {"type": "string", "pattern": f"^{KEY}$", "maxLength": KEY_CHARS_MAX},
}


class Operation(msgspec.Struct, frozen=True):
    """What one path does by one method. `gives`: media types with what is in them, a struct, a schema or None for any
    bytes; without any it never succeeds. `headers` of a success beside those of every answer; `asks` has parameters by where
    they are and their names. `examples` are bodies that it takes, `also_takes` has the schemas of those of other media types.
    """

    method: str
    path: str
    name: str
    summary: str
    gives: Mapping[str, type[msgspec.Struct] | Json | None]
    refuses: tuple[type[e.GatewayError], ...] = ()
    takes: type[msgspec.Struct] | None = None
    headers: tuple[str, ...] = ()
    asks: Mapping[tuple[str, str], Json] = {}
    examples: tuple[Json, ...] = ()
    also_takes: Mapping[str, Json] = {}


SECURITY: Mapping[str, Json] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key, or a single-use token."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
"""How a key is shown; a gateway that is open asks for none."""


class Dialect(msgspec.Struct, frozen=True):
    """Operations in a dialect, each at all of the `bases`, which are beginnings of paths. `error` is the body in which `words` say
    no, `security` has the ways to show a key and `headers` those of its own, by names that no other dialect has for others.
    `refine` writes into the schemas what structs do not say."""

    name: str
    operations: tuple[Operation, ...]
    error: type[msgspec.Struct]
    words: Words
    bases: tuple[str, ...] = ("",)
    security: Mapping[str, Json] = msgspec.field(default_factory=lambda: SECURITY)
    headers: Mapping[str, Json] = {}
    refine: Callable[[Json], None] = lambda schemas: None


def every_base(dialect: str, *bases: str) -> tuple[str, ...]:
    """The bases of a dialect whose vendor has these: there, and below `/<dialect>`."""
    return tuple(root + base for root in ("", f"/{dialect}") for base in bases or ("",))
