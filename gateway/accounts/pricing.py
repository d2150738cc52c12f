"""What characters cost, in thousandths of a credit. Pure."""

from __future__ import annotations

import msgspec


class Price(msgspec.Struct, frozen=True):
    """What a model's speech costs. Characters are counted in started steps of `step_chars`: with 1 each counts, with 1,000
    a text of 1,001 characters costs as much as one of 2,000."""

    millicredits_per_char: int = 1
    step_chars: int = 1

    def of(self, chars: int) -> int:
        """What so many characters of one request cost together."""
        steps = -(-chars // self.step_chars)
        return steps * self.step_chars * self.millicredits_per_char

    def beyond(self, paid_chars: int, chars: int) -> int:
        """What they cost when the first `paid_chars` were paid for before."""
        return max(0, self.of(chars) - self.of(paid_chars))


FREE = Price(0)
"""What costs nothing, and is only counted."""
