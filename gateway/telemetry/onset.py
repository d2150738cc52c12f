"""When speech can first be heard, found while it streams by: the rule of published time-to-first-audio figures.

The first window of 10 ms whose root mean square, its own mean removed, is above 0.01 of full scale; windows begin every
millisecond. The onset is where that window begins. A window is kept as the sums of ten hops, so each sample is looked at
once; digital silence in front is skipped at the speed of memory.
"""

from __future__ import annotations

from collections import deque
from operator import mul

HOP_MS = 1
WINDOW_HOPS = 10
THRESHOLD = 0.01
"""Of full scale."""
SEARCH_S = 2.0
"""So much audio is searched; what is silent for longer is called inaudible."""
SAMPLE_BYTES = 2

_POWER = (THRESHOLD * 32_768) ** 2


class Onset:
    """The search in one stream of mono s16le PCM at `sample_rate` Hz, behind `silence_s` of silence."""

    def __init__(self, sample_rate: int, silence_s: float = 0.0) -> None:
        self._rate = sample_rate
        self._hop = max(1, round(sample_rate * HOP_MS / 1_000))
        self._window: deque[tuple[int, int]] = deque(maxlen=WINDOW_HOPS)
        """The sum and the sum of squares of each of the last hops."""
        self._hops = 0
        self._silence_s = silence_s
        if silence_s:
            self._skip(WINDOW_HOPS)
            self._hops = 0
        self._rest = b""
        """Samples that do not fill a hop yet."""
        self.at_s: float | None = None
        """Where the first audible window begins, once it was found."""
        self.is_over = False
        """True when the search has ended, found or not."""

    def hear(self, pcm: bytes) -> None:
        """Go on with the next whole samples. Does nothing once the search is over."""
        if self.is_over:
            return
        pcm = self._rest + pcm
        silent = (len(pcm) - len(pcm.lstrip(b"\0"))) // (self._hop * SAMPLE_BYTES)
        self._skip(silent)
        samples = memoryview(pcm).cast("h")
        end = len(samples) // self._hop * self._hop
        for start in range(silent * self._hop, end, self._hop):
            hop = samples[start : start + self._hop]
            self._window.append((sum(hop), sum(map(mul, hop, hop))))
            self._hops += 1
            if len(self._window) == WINDOW_HOPS and self._power() > _POWER:
                begins_s = (self._hops - WINDOW_HOPS) * self._hop / self._rate
                self.at_s = self._silence_s + begins_s
                break
        self._rest = pcm[end * SAMPLE_BYTES :]
        self.is_over = self.at_s is not None or self._hops * self._hop >= SEARCH_S * self._rate

    def _skip(self, hops: int) -> None:
        self._window.extend([(0, 0)] * min(hops, WINDOW_HOPS))
        self._hops += hops

    def _power(self) -> float:
        """The mean square of the window, its own mean removed."""
        count = WINDOW_HOPS * self._hop
        total = sum(hop[0] for hop in self._window)
        squares = sum(hop[1] for hop in self._window)
        return squares / count - (total / count) ** 2
