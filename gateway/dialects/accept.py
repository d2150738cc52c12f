"""Which form of an answer the caller takes: proactive negotiation by `Accept` (RFC 9110 §12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway.core.errors import NotAcceptable

RANGES_MAX = 64
"""Media ranges of an `Accept` that are looked at; browsers send a handful."""
_RANGE = re.compile(
    r"\s*(?P<type>[^\s/;]+)/(?P<subtype>[^\s/;]+)\s*(?P<parameters>;.*)?", re.DOTALL
)
_QUALITY = re.compile(r";\s*q=(?P<q>[01](\.\d{0,3})?)\s*(;|$)", re.IGNORECASE)


class _Range(NamedTuple):
    type: str
    subtype: str
    quality: float

    @property
    def precision(self) -> int:
        """0 for `*/*`, 1 for `audio/*`, 2 for a type by its name."""
        return (self.type != "*") + (self.subtype != "*")

    def covers(self, offer: str) -> bool:
        type, _, subtype = offer.partition("/")
        return self.type in {"*", type} and self.subtype in {"*", subtype}


def choose(accept: str, offers: Sequence[str]) -> str:
    """The offer, a media type without parameters, that the caller likes best. Without an `Accept` that is the first.

    Of equals the one that was named, not only covered by a `*`, and of those the first. Parameters other than `q` do not
    matter. Raises NotAcceptable, which names the offers.
    """
    if not accept:
        return offers[0]
    ranges = list(_ranges(accept))

    def liking(offer: str) -> tuple[float, int]:
        # The most precise range that covers an offer decides, whatever others say.
        covering = [range_ for range_ in ranges if range_.covers(offer)]
        best = max(covering, key=lambda range_: range_.precision, default=_Range("*", "*", 0.0))
        return best.quality, best.precision

    chosen = max(offers, key=liking)
    if liking(chosen)[0] > 0:
        return chosen
    raise NotAcceptable(
        "the answer has no form that Accept takes", field="Accept", allowed=", ".join(offers)
    )


def _ranges(accept: str) -> Iterator[_Range]:
    """The media ranges that can be read; others are as if they were not there."""
    for part in accept.lower().split(",", RANGES_MAX)[:RANGES_MAX]:
        match = _RANGE.fullmatch(part)
        if match and (match["type"] != "*" or match["subtype"] == "*"):
            quality = _QUALITY.search(match["parameters"] or "")
            yield _Range(match["type"], match["subtype"], float(quality["q"]) if quality else 1.0)
