"""Arithmetic on sample positions, exact in integers. A sample rate in Hz, a position in samples from the first one."""

from __future__ import annotations


def samples_out(samples_in: int, rate_in: int, rate_out: int) -> int:
    """How many samples at `rate_out` cover `samples_in` samples at `rate_in`: the duration, rounded up."""
    return -(-samples_in * rate_out // rate_in)
