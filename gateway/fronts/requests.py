"""A request off ASGI: its head as dialects see it, and its body within its bounds."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from gateway.core.errors import InvalidMessage, MessageTooLarge, RequestTimeout
from gateway.core.limits import Limits
from gateway.dialects.http import HttpRequest


def read_head(scope: Scope) -> HttpRequest:
    """A request without its body; a handshake is a GET (RFC 6455 §4.1)."""
    headers: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1"), value.decode("latin-1").strip()
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    return HttpRequest(
        method=scope.get("method", "GET"),
        path=scope["path"],
        query=dict(query),
        headers=headers,
        path_params=scope.get("path_params", {}),
    )


async def read_body(scope: Scope, receive: Receive, limits: Limits) -> bytes:
    """The request's body. Raises MessageTooLarge, at once if it says so itself; RequestTimeout when it does not arrive in
    time, InvalidMessage when it does not at all."""
    parts: list[bytes] = []
    size = 0
    too_large = MessageTooLarge(
        "the request body is too large", allowed=f"at most {limits.body_bytes_max} bytes"
    )
    # The parser has seen to it that a length is one number.
    if int(dict(scope["headers"]).get(b"content-length", b"0")) > limits.body_bytes_max:
        raise too_large
    try:
        async with asyncio.timeout(limits.body_read_ms / 1_000):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise InvalidMessage("the request ended before its body did")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limits.body_bytes_max:
                    raise too_large
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise RequestTimeout(
            "the request body took too long", allowed=f"within {limits.body_read_ms} ms"
        ) from None
