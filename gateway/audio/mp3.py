"""MP3 by LAME: constant bitrate, mono, bare frames without a Xing or ID3 tag, so that any piece of it is a stream.

LAME always holds the last few ten milliseconds back, and a decoder holds more. What `drain` does about it is to end the
LAME stream, which pads it with silence until every sample so far is decodable, and to start another one when more audio
comes. The frames of both, one after the other, are one stream to a decoder; a listener gets up to a frame and
`delay_samples` of silence where a drain was, which is why one should drain where speech pauses.
"""

from __future__ import annotations

import lameenc  # type: ignore[import-not-found]  # A C extension without stubs.

_FASTEST = 7
"""LAME's own scale from 2 (best) to 7: a quarter of the CPU that the best takes, 0.9 ms per second of speech at 22,050 Hz."""
_ENCODER_DELAY = 576
_DECODER_DELAY = 529
_ONE_SAMPLE = b"\0\0"


class Mp3Encoder:
    """One MP3 stream. `sample_rate` in Hz and `bitrate` in bit/s are a pair that `core.formats` has judged.

    LAME's state is made at the first samples and dropped at each drain: an encoder that waits holds next to nothing.
    """

    media_type = "audio/mpeg"
    delay_samples = _ENCODER_DELAY + _DECODER_DELAY
    is_cheap = False
    outlives_clear = False

    def __init__(self, sample_rate: int, bitrate: int) -> None:
        self._sample_rate = sample_rate
        self._bitrate = bitrate
        self._lame: lameenc.Encoder | None = None
        self._is_empty = True

    def encode(self, pcm: bytes) -> bytes:
        """Take whole samples, give the frames that are complete."""
        if not pcm:
            return b""
        if self._lame is None:
            self._lame = self._new_lame()
            self._is_empty = False
        return bytes(self._lame.encode(pcm))

    def drain(self) -> bytes:
        """End the LAME stream, if one is open: the frames that make all samples so far decodable."""
        lame, self._lame = self._lame, None
        return b"" if lame is None else bytes(lame.flush())

    def finish(self) -> bytes:
        """Drain. A stream that never had a sample becomes one sample of silence.

        That is because an MP3 of no frames is no MP3, and decoders want at least two frames to recognize one.
        """
        silence = self.encode(_ONE_SAMPLE) if self._is_empty else b""
        return silence + self.drain()

    def _new_lame(self) -> lameenc.Encoder:
        lame = lameenc.Encoder()
        lame.silence()
        lame.set_channels(1)
        lame.set_in_sample_rate(self._sample_rate)
        lame.set_out_sample_rate(self._sample_rate)
        lame.set_bit_rate(self._bitrate // 1_000)
        lame.set_quality(_FASTEST)
        return lame
