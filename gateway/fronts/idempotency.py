"""By what a request is known that comes again: its `Idempotency-Key`, and what it asks for."""

from __future__ import annotations

import hashlib
import re

import msgspec
from starlette.types import Scope

from gateway.core.errors import InvalidValue
from gateway.core.params import Settings
from gateway.dialects.base import SpeechRequest
from gateway.dialects.lines import LineForm

KEY_CHARS_MAX = 255
KEY = "[!-~]+"
"""All of it."""


def idempotency_key(scope: Scope) -> str | None:
    """The key of a request; None = it has none. Raises InvalidValue."""
    values = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    if not values:
        return None
    key: str = values[0].decode("latin-1")
    if len(values) > 1 or len(key) > KEY_CHARS_MAX or not re.fullmatch(KEY, key):
        raise InvalidValue(
            "this is no key",
            field="Idempotency-Key",
            allowed=f"one, of 1 to {KEY_CHARS_MAX} visible ASCII characters",
        )
    return key


def fingerprint(asked: SpeechRequest, settings: Settings, form: LineForm | None) -> bytes:
    """Equal for requests that ask for the same speech in the same form, however much of it their clients have."""
    what = hashlib.sha256(msgspec.json.encode((settings, form, asked.whole)))
    # A lone surrogate is a character as good as any here.
    what.update(asked.text.encode("utf-8", "surrogatepass"))
    return what.digest()
