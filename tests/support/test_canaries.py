"""What looks for secrets finds them."""

from __future__ import annotations

import logging

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.accounts.credentials import Kind, new_credential, read_credential
from tests.support import canaries

KEY = new_credential(Kind.KEY)


def test_secrets_are_marked_and_are_secrets_all_the_same() -> None:
    assert read_credential(KEY.text) == KEY
    assert KEY.secret.startswith(canaries.KEY)
    assert KEY.secret != new_credential(Kind.KEY).secret


@pytest.mark.parametrize(
    ("logger", "level"), [("gateway.http", logging.DEBUG), ("uvicorn.error", logging.ERROR)]
)
def test_in_a_record(logger: str, level: int) -> None:
    logging.getLogger(logger).log(level, "hello", extra={"shown": {"key": KEY.text}})
    with pytest.raises(AssertionError, match="log record"):
        canaries.judge()
    canaries.judge()


@pytest.mark.parametrize(("path", "found"), [("/v1/speech", True), ("/v1/speech/tokens", False)])
@pytest.mark.parametrize(
    "message",
    [
        {"type": "http.response.body", "body": b"no key " + KEY.text.encode()},
        {"type": "websocket.send", "text": KEY.text},
        {"type": "websocket.send", "bytes": KEY.text.encode()},
        {"type": "http.response.start", "headers": [(b"x-key", KEY.text.encode())]},
    ],
)
async def test_in_what_is_sent(message: Message, path: str, found: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(message)

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {}

    await canaries.watched(app)({"type": "http", "path": path}, receive, send)
    assert sent == [message]
    if found:
        with pytest.raises(AssertionError, match=path):
            canaries.judge()
