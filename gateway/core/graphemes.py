"""Where text may be cut without cutting what a reader takes for one character.

The rules of Unicode's annex 29 for extended grapheme clusters, as far as a cut needs them: told from the two characters
at the border and, for flags and Indic conjuncts, from what stands before it.
"""

from __future__ import annotations

import unicodedata

_ZWJ = "\u200d"
_EXTENDING = frozenset("\u200c\u200d\u0e33\u0eb3\uff9e\uff9f")
_VIRAMAS = frozenset("\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d\u1039\u17d2\u1a60")
_PREPENDED = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e")


def border_before(text: str, index: int) -> int:
    """The last place up to `index` where `text` may be cut; 0 if one cluster reaches from the beginning beyond it."""
    while 0 < index < len(text) and _joined(text, index):
        index -= 1
    return index


def _joined(text: str, index: int) -> bool:
    """Whether the characters before and after `index` belong together."""
    before, after = text[index - 1], text[index]
    if after < "\u0300":
        return (before == "\r" and after == "\n") or before in _PREPENDED
    if after in _EXTENDING or unicodedata.category(after) in ("Mn", "Me", "Mc"):
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":
        return True
    if before == _ZWJ or before in _PREPENDED:
        return True
    if "\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff":
        return True
    if before in _VIRAMAS and unicodedata.category(after) == "Lo":
        return True
    if _is_flag_half(before) and _is_flag_half(after):
        return _flag_halves_before(text, index) % 2 == 1
    return _hangul_joined(before, after)


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flag_halves_before(text: str, index: int) -> int:
    start = index
    while start > 0 and _is_flag_half(text[start - 1]):
        start -= 1
    return index - start


def _hangul_joined(before: str, after: str) -> bool:
    """Leading consonants join each other, vowels and syllables; vowels and finals join what they follow."""
    if (
        "\u1100" <= after <= "\u115f"
        or "\ua960" <= after <= "\ua97c"
        or "\uac00" <= after <= "\ud7a3"
    ):
        return "\u1100" <= before <= "\u115f" or "\ua960" <= before <= "\ua97c"
    if "\u1160" <= after <= "\u11ff" or "\ud7b0" <= after <= "\ud7fb":
        return "\u1100" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7fb"
    return False
