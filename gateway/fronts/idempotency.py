"""By what a request is known that comes again: its `Idempotency-Key`, and what it asks for."""

from __future__ import annotations

import hashlib
import re

import msgspec
from starlette.types import Scope

from gateway.core.errors import InvalidValue
from gateway.dialects.http import Agreed

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


def fingerprint(agreed: Agreed) -> bytes:
    """Equal for requests that ask for the same speech in the same form, however much of it their clients have."""
    what = hashlib.sha256(msgspec.json.encode((agreed.settings, agreed.form, agreed.whole)))
    # A lone surrogate is a character as good as any here.
    what.update(agreed.text.encode("utf-8", "surrogatepass"))
    return what.digest()
