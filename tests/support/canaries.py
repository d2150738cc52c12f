"""Every secret that is made in a test is marked, and what must not have it is looked at, whatever the test is about.

Keys and single-use tokens begin with `KEY`, tokens to resume a session by with `RESUME`. No log record may have either, at any
level; no metric, and nothing that a server in the test's loop sends, may have a `KEY`, but for the answer that mints a token.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from types import SimpleNamespace

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.accounts import credentials
from gateway.runtime import lobby
from gateway.telemetry.log import JsonFormatter

KEY, RESUME = "canary-key-", "canary-resume-"
LOGGERS = ("gateway", "uvicorn", "asyncio")
MINTING = "/tokens"

seen: list[str] = []
"""Where a secret was seen that must not be there."""


def look(where: str, what: str | bytes, *marks: str) -> None:
    """Whether something has one of these marks."""
    text = what if isinstance(what, str) else what.decode("latin-1")
    if any(mark in text for mark in marks or (KEY, RESUME)):
        seen.append(where)


class Watching(logging.Handler):
    """Looks at each record as the gateway would write it."""

    def emit(self, record: logging.LogRecord) -> None:
        look(f"a log record of {record.name}", JsonFormatter().format(record))


def watched(app: ASGIApp) -> ASGIApp:
    """An application whose answers are looked at."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"].endswith(MINTING):
            await app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            for part in (message.get("body"), message.get("bytes"), message.get("text")):
                if part:
                    look(f"an answer of {scope['path']}", part, KEY)
            for name, value in message.get("headers", ()):
                look(f"a header of {scope['path']}", name + value, KEY)
            await send(message)

        await app(scope, receive, told)

    return serve


def mark_secrets() -> None:
    """From now on, for as long as the process lives."""
    for module, mark in ((credentials, KEY), (lobby, RESUME)):
        module.secrets = SimpleNamespace(  # type: ignore[attr-defined]
            token_hex=secrets.token_hex, token_urlsafe=_marked(mark)
        )
    for name in LOGGERS:
        logging.getLogger(name).addHandler(Watching(logging.DEBUG))
    # The others' own lines below that are for those who work on them.
    logging.getLogger("gateway").setLevel(logging.DEBUG)


def _marked(mark: str) -> Callable[[int], str]:
    def token_urlsafe(size: int) -> str:
        honest = secrets.token_urlsafe(size)
        return mark + honest[len(mark) :]

    return token_urlsafe


def judge() -> None:
    """Raises AssertionError when a secret was seen since the last time."""
    found = seen.copy()
    seen.clear()
    assert not found, f"a secret was seen in {', '.join(found)}"
