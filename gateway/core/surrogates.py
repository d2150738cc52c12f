"""UTF-16 halves that a client cut apart.

A JavaScript client that slices strings by UTF-16 unit sends the two halves of an emoji in two messages. Offsets and
engines want code points, so a trailing high half waits for its other half, and a half that stays alone becomes U+FFFD.
"""

from __future__ import annotations

import re

REPLACEMENT = "\ufffd"
_ANY = re.compile("[\ud800-\udfff]")
_PAIR_OR_LONE = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")


def _mend(match: re.Match[str]) -> str:
    found = match.group()
    if len(found) == 1:
        return REPLACEMENT
    high, low = ord(found[0]) - 0xD800, ord(found[1]) - 0xDC00
    return chr(0x10000 + (high << 10) + low)


class SurrogateJoiner:
    """Holds at most one high half between two pushes."""

    def __init__(self) -> None:
        self._held = ""

    @property
    def holds(self) -> bool:
        """True while a high half waits for its other half."""
        return bool(self._held)

    def push(self, text: str) -> str:
        """The text without any surrogate, less a trailing high half."""
        if self._held:
            text, self._held = self._held + text, ""
        elif _ANY.search(text) is None:
            return text
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._held = text[:-1], text[-1]
        return _PAIR_OR_LONE.sub(_mend, text)

    def flush(self) -> str:
        """What a half that stayed alone becomes; nothing is held afterwards."""
        held, self._held = self._held, ""
        return REPLACEMENT if held else ""
