"""Answers that are not speech: JSON, errors, and the headers that every answer has."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Iterable

from starlette.types import Scope, Send

from gateway.accounts.caller import LOCAL, Caller
from gateway.core.errors import Draining, MethodNotAllowed, Problem, Unauthorized

Headers = list[tuple[bytes, bytes]]

EVERY_ANSWER: Headers = [
    (b"cache-control", b"no-store, no-transform"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-accel-buffering", b"no"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
"""Nothing of ours may be stored, guessed at, held back by a proxy, or put into other people's pages."""


_NOT_FOR_HEADERS = re.compile(r"[^\x20-\x7e]")


def new_request_id() -> str:
    """A name for one request or connection, for logs and support."""
    return f"req_{secrets.token_hex(12)}"


def headers(request_id: str, media_type: str, more: Iterable[tuple[str, str]] = ()) -> Headers:
    """The headers of an answer. What a header cannot carry, in names that callers made up, becomes a question mark."""
    return said_headers(request_id, [("content-type", media_type), *more])


def said_headers(request_id: str, said: Iterable[tuple[str, str]]) -> Headers:
    """The same where a dialect says all of it: one that every answer has gives way to one of its name."""
    own = [(name.encode(), _NOT_FOR_HEADERS.sub("?", value).encode()) for name, value in said]
    names = {name for name, _ in own}
    usual: Headers = [(b"x-request-id", request_id.encode()), *EVERY_ANSWER]
    return [*own, *(header for header in usual if header[0] not in names)]


def address_of(scope: Scope) -> str:
    """Where a request comes from; empty = nobody knows."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def owner_of(scope: Scope, caller: Caller) -> str:
    """Whom the work of a connection is counted to: its key or, where there are no keys, the address it comes from."""
    return address_of(scope) if caller is LOCAL else caller.key


def error_headers(problem: Problem, request_id: str) -> Headers:
    """The headers of an error in JSON."""
    return headers(request_id, "application/json", error_details(problem))


def error_details(problem: Problem) -> list[tuple[str, str]]:
    """What the headers of an error tell, whatever its body: Retry-After (seconds, rounded up: RFC 9110 §10.2.3) where it helps,
    Allow where the method was wrong, which must have it (§15.5.6), as WWW-Authenticate must be where a key is missing
    (§15.5.2). Who goes away lets go of the connection, too."""
    more = []
    if problem.code == MethodNotAllowed.code and problem.allowed is not None:
        more.append(("allow", problem.allowed))
    if problem.code == Unauthorized.code:
        more.append(("www-authenticate", "Bearer"))
    if problem.code == Draining.code:
        more.append(("connection", "close"))
    if problem.retry_after_ms is not None:
        more.append(("retry-after", str(math.ceil(problem.retry_after_ms / 1_000))))
    return more


async def send_json(
    send: Send, status: int, body: bytes, head: Headers, *, prefix: str = "http.response"
) -> None:
    """A complete JSON answer. `prefix` is `websocket.http.response` when a handshake is refused."""
    head = [*head, (b"content-length", str(len(body)).encode())]
    await send({"type": f"{prefix}.start", "status": status, "headers": head})
    await send({"type": f"{prefix}.body", "body": body})
