"""When speech can first be heard: the rule that published time-to-first-audio figures use, so that ours compare.

The first window of 10 ms (at every millisecond) whose root mean square, its own mean removed, is above 0.01 of full
scale (-40 dBFS). The onset is where that window begins, so it may be up to 10 ms early, for everyone alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW_S = 0.010
HOP_S = 0.001
THRESHOLD = 0.01
"""Of full scale."""

Samples = NDArray[np.float32]
"""Mono, full scale is 1.0."""

_BLOCK_HOPS = 1_000
"""So many windows are looked at together: enough for numpy, and little wasted after an early onset."""


def audible_onset(samples: NDArray[np.floating[Any]], sample_rate: int) -> int | None:
    """The index of the first audible sample, full scale being 1.0; None when there is none.

    A signal shorter than a window is one window.
    """
    window = round(WINDOW_S * sample_rate)
    hop = max(round(HOP_S * sample_rate), 1)
    if 0 < len(samples) < window:
        return 0 if float(np.std(samples)) > THRESHOLD else None
    for start in range(0, len(samples) - window + 1, hop * _BLOCK_HOPS):
        block = samples[start : start + hop * (_BLOCK_HOPS - 1) + window].astype(np.float64)
        windows = np.lib.stride_tricks.sliding_window_view(block, window)[::hop]
        loud = np.flatnonzero(windows.std(axis=1) > THRESHOLD)
        if loud.size:
            return start + int(loud[0]) * hop
    return None
