"""The native protocol's messages as the lines of an HTTP body: one JSON object a line, or server-sent events.

Both are the messages of `gateway.dialects.native` about one context, with audio in base64. No line has a line break in it,
not even one that only some readers take for one: Node's readline also breaks at U+2028 and U+2029, Python's splitlines at
U+0085 too. JSON may escape every character (RFC 8259 §7), so these are.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import assert_never

import msgspec

from gateway.core.errors import Problem
from gateway.core.events import Event
from gateway.dialects.native import DEFAULT_CONTEXT, Tagged, Telling, problem_message

_BREAKS_LINES = re.compile("[\u0085\u2028\u2029]")
_ENCODER = msgspec.json.Encoder()


class LineForm(StrEnum):
    """A form of the body, by its media type."""

    NDJSON = "application/x-ndjson"
    SSE = "text/event-stream"


class Lines:
    """One answer: events in, lines out."""

    def __init__(self, form: LineForm) -> None:
        self.form = form
        self._telling = Telling()

    @property
    def keep_alive(self) -> bytes | None:
        """What says nothing but that somebody is there; None = the form has no such thing."""
        return b": keep-alive\n\n" if self.form is LineForm.SSE else None

    def encode(self, event: Event) -> bytes:
        """The whole lines of an event; each message is one."""
        messages = self._telling.messages(DEFAULT_CONTEXT, event)
        return b"".join(self._line(message) for message in messages)

    def encode_error(self, problem: Problem) -> bytes:
        """The whole line of an error that no event tells of."""
        return self._line(problem_message(problem, DEFAULT_CONTEXT))

    def _line(self, message: Tagged) -> bytes:
        line = _ENCODER.encode(message)
        if not line.isascii():
            line = _BREAKS_LINES.sub(_escaped, line.decode()).encode()
        match self.form:
            case LineForm.NDJSON:
                return line + b"\n"
            case LineForm.SSE:
                # WHATWG HTML §9.2.6. No `id`: a POST is not repeated by itself, and positions are in the messages.
                tag = str(message.__struct_config__.tag).encode()
                return b"event: " + tag + b"\ndata: " + line + b"\n\n"
            case _:
                assert_never(self.form)


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
