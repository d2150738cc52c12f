"""Emoji as a pattern: whole sequences, with skin tones, selectors, flags and joiners, and nothing else.

A joiner is part of an emoji only behind one: in Indic scripts the same character shapes letters. Symbols that are text
unless a selector makes them emoji (©, ↔) count with the selector only. Letters and digits never count.
"""

from __future__ import annotations

import re

EMOJI = (
    "\u231a\u231b\u23e9-\u23f3\u23f8-\u23fa\u25fb-\u25fe\u2600-\u266c\u2670-\u2775\u2794-\u27bf\u2b1b\u2b1c\u2b50\u2b55"
    "\U0001f000-\U0001f0ff\U0001f18e\U0001f191-\U0001f19a\U0001f1e6-\U0001f202\U0001f21a\U0001f22f\U0001f232-\U0001f23a"
    "\U0001f250\U0001f251\U0001f300-\U0001faff"
)
"""As the inside of a character class."""
TEXT_SYMBOLS = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2194-\u2199\u21a9\u21aa\u2328\u23cf\u24c2\u25aa\u25ab\u25b6\u25c0\u2934\u2935"
    "\u2b05-\u2b07\u3030\u303d\u3297\u3299\U0001f170\U0001f171\U0001f17e\U0001f17f"
)
SELECTOR = "\ufe0f"
EXTENDERS = "\u200d\ufe0e\ufe0f\u20e3\U000e0020-\U000e007f"
"""What may follow an emoji and is no sign of its own."""

RUN = re.compile(
    rf"(?:[ \t\r]*+(?:[{EMOJI}]|[{TEXT_SYMBOLS}]{SELECTOR})[{EMOJI}{EXTENDERS}]*+)++[ \t\r]*+"
)
"""Emoji in a row with the blanks before, between and after them."""
