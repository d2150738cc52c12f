"""What grows: a straight line through measurements, and how sure its slope is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

WARM_UP_SHARE = 0.2
"""Of the measurements are left out at the beginning: caches fill, and the allocator learns."""


class Slope(msgspec.Struct, frozen=True):
    """Growth per thousand sessions with its 95 % interval."""

    per_thousand: float
    low: float
    high: float

    @property
    def is_growth(self) -> bool:
        """Whether it is certainly more than nothing."""
        return self.low > 0


def slope(sessions: Sequence[int], values: Sequence[float]) -> Slope:
    """By least squares, after the warm-up. Needs six measurements.

    Errors of neighbours are alike (memory that was got stays for a while), which makes the plain interval too narrow; it
    is widened by their correlation, as if there were fewer measurements (Bayley and Hammersley for a first-order process).
    """
    skip = int(len(values) * WARM_UP_SHARE)
    x = np.asarray(sessions[skip:], dtype=np.float64) / 1_000
    y = np.asarray(values[skip:], dtype=np.float64)
    assert len(x) >= 5
    middle = x - x.mean()
    y = y - y[0]  # What never changes is then exactly 0, and so is its slope.
    spread = float(middle @ middle)
    gradient = float(middle @ y) / spread
    errors = y - y.mean() - gradient * middle
    total = float(errors @ errors)
    correlation = max(0.0, float(errors[1:] @ errors[:-1]) / total) if total else 0.0
    independent = max(3.0, len(x) * (1 - correlation) / (1 + correlation))
    error = math.sqrt(total / len(x) * (len(x) / independent) / spread)
    # Student's t for 95 %, close enough from three degrees of freedom on.
    reach = (1.96 + 2.5 / (independent - 2)) * error
    return Slope(gradient, gradient - reach, gradient + reach)
