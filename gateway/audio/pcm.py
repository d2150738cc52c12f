"""Sample rate conversion of a stream, exact to the sample.

A resampling filter looks ahead: the last samples of what it was given wait for the next ones. `drain` cannot wait, so it
takes the missing samples from a second filter that is fed the recent past (`_history`) and a made-up future. The first
filter is dropped, because it holds 150 KB and a drained context may be idle for minutes. When more comes, a new one is
fed the history first, and of its output as many samples are skipped as have left already (`_skip`): what follows a drain
is what would have followed without it. All filters agree on the instants of their samples because the history begins at a
multiple of `_period`, the number of input samples after which an output sample falls on an input sample again.
"""

from __future__ import annotations

from array import array
from math import gcd

import av
from av.audio.resampler import AudioResampler

from gateway.audio.frames import SAMPLE_BYTES, pcm_frame
from gateway.core.timeline import samples_out

_SAMPLE_MIN, _SAMPLE_MAX = -32_768, 32_767

HELD_SAMPLES_MAX = 40
"""The most that is held back between drains, in samples of the lower of the two rates. The filter has 32 taps there."""


class Resampler:
    """Mono s16le from `rate_in` to `rate_out` Hz. One per context, so that pieces join without a click.

    After each `drain` the samples given out since the start are exactly `samples_out(samples taken)`. Equal rates cost
    nothing. Not thread-safe.
    """

    def __init__(self, rate_in: int, rate_out: int) -> None:
        self._rate_in = rate_in
        self._rate_out = rate_out
        self._period = rate_in // gcd(rate_in, rate_out)
        self._reach = 2 * HELD_SAMPLES_MAX * max(1, -(-rate_in // rate_out))
        self._filter: AudioResampler | None = None
        self._history = b""
        self._taken = 0
        self._given = 0
        self._skip = 0

    def convert(self, pcm: bytes) -> bytes:
        """Take whole samples, give those that are ready, possibly none."""
        if self._rate_in == self._rate_out or not pcm:
            return pcm
        if self._filter is None:
            self._filter = self._new_filter()
            self._skip = self._given_of_history()
            out = self._run(self._filter, self._history + pcm)
        else:
            out = self._run(self._filter, pcm)
        self._remember(pcm)
        skipped = min(self._skip, len(out) // SAMPLE_BYTES)
        self._skip -= skipped
        self._given += len(out) // SAMPLE_BYTES - skipped
        return out[skipped * SAMPLE_BYTES :]

    def drain(self) -> bytes:
        """Give all that is still inside; converting may go on afterwards. Twice is fine: the second gives nothing."""
        if self._filter is None:
            return b""
        self._filter = None
        missing = self._out(self._taken) - self._given
        out = self._run(self._new_filter(), self._history + _future(self._history, self._reach))
        out = out[self._given_of_history() * SAMPLE_BYTES :][: missing * SAMPLE_BYTES]
        assert len(out) == missing * SAMPLE_BYTES, "the made-up future is too short"
        self._given += missing
        return out

    def _out(self, samples: int) -> int:
        return samples_out(samples, self._rate_in, self._rate_out)

    def _new_filter(self) -> AudioResampler:
        return AudioResampler(format="s16", layout="mono", rate=self._rate_out)

    def _given_of_history(self) -> int:
        """How many of the samples that a filter makes of the history have left already."""
        return self._given - self._out(self._taken - len(self._history) // SAMPLE_BYTES)

    def _remember(self, pcm: bytes) -> None:
        self._taken += len(pcm) // SAMPLE_BYTES
        seen = self._history + pcm
        keep_from = max(0, self._taken - self._reach) // self._period * self._period
        self._history = seen[len(seen) - (self._taken - keep_from) * SAMPLE_BYTES :]

    def _run(self, filter: AudioResampler, pcm: bytes) -> bytes:
        resampled = filter.resample(pcm_frame(pcm, self._rate_in))
        return b"".join(_samples(frame) for frame in resampled)


def _samples(frame: av.AudioFrame) -> bytes:
    """The frame's samples without the padding that its buffer may end in."""
    return bytes(memoryview(frame.planes[0])[: frame.samples * SAMPLE_BYTES])


def _future(history: bytes, samples: int) -> bytes:
    """Samples that go on where `history` ends: its reflection through the last sample, so that level and slope hold."""
    past = array("h", history)
    last = past[-1]
    future = array("h", [last]) * samples
    for ahead, sample in enumerate(past[-2 : -2 - samples : -1]):
        future[ahead] = min(max(2 * last - sample, _SAMPLE_MIN), _SAMPLE_MAX)
    return future.tobytes()
