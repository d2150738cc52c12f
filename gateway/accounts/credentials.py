"""What callers show: keys (`sg_id.secret`) and single-use tokens (`st_id.secret`).

The id names a credential in lists and logs; the secret is 256 random bits, is shown once, and is kept as its digest. A
plain SHA-256 is enough for that: there is no guessing among 2²⁵⁶.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from enum import StrEnum
from typing import NamedTuple

ID_BYTES = 8
SECRET_BYTES = 32
_SYNTAX = re.compile(r"(sg|st)_([0-9a-f]{16})\.([A-Za-z0-9_-]{43})", re.ASCII)


class Kind(StrEnum):
    """What kind of credential it is: what its text begins with."""

    KEY = "sg"
    TOKEN = "st"  # noqa: S105  # no secret, its prefix


class Credential(NamedTuple):
    """A credential as its owner holds it. Its parts are printed nowhere but where it was made."""

    kind: Kind
    id: str
    secret: str

    def __repr__(self) -> str:
        """Without the secret, for whoever writes one down by mistake."""
        return f"{self.kind}_{self.id}.…"

    @property
    def text(self) -> str:
        """What the caller shows."""
        return f"{self.kind}_{self.id}.{self.secret}"

    @property
    def digest(self) -> bytes:
        """What is kept of the secret."""
        return hashlib.sha256(self.secret.encode("ascii")).digest()

    def matches(self, digest: bytes) -> bool:
        """Whether this is the credential of which `digest` was kept, in a time that does not tell how nearly."""
        return hmac.compare_digest(self.digest, digest)


def new_credential(kind: Kind) -> Credential:
    """A credential that nobody has yet."""
    return Credential(kind, secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES))


def read_credential(text: str) -> Credential | None:
    """What a caller showed; None = it has not the form of a credential."""
    match = _SYNTAX.fullmatch(text)
    if match is None:
        return None
    kind, id, secret = match.groups()
    return Credential(Kind(kind), id, secret)
