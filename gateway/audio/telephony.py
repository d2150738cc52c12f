"""G.711, the codec of telephone lines: 8 bits for each sample on a curve, without a header.

FFmpeg's coders give the nearest value of the curve for all samples that G.711 knows (14 bits for mu-law, 13 for A-law).
"""

from __future__ import annotations

import av
from av.audio.codeccontext import AudioCodecContext

from gateway.audio.frames import pcm_frame


class LawEncoder:
    """Mu-law or A-law: one byte per sample. `coder` is FFmpeg's name of it, `name` that of RFC 3551."""

    delay_samples = 0
    is_cheap = True
    outlives_clear = True

    def __init__(self, coder: str, name: str, sample_rate: int) -> None:
        self.media_type = f"audio/{name};rate={sample_rate};channels=1"
        self._coder = coder
        self._sample_rate = sample_rate
        self._context: AudioCodecContext | None = None

    def encode(self, pcm: bytes) -> bytes:
        """Take whole samples, give a byte for each."""
        if not pcm:
            return b""
        if self._context is None:
            self._context = self._new_context()
        packets = self._context.encode(pcm_frame(pcm, self._sample_rate))
        return b"".join(bytes(packet) for packet in packets)

    def drain(self) -> bytes:
        """Nothing is ever held back; only the coder is dropped."""
        self._context = None
        return b""

    def finish(self) -> bytes:
        """Nothing closes the stream."""
        return self.drain()

    def _new_context(self) -> AudioCodecContext:
        context = av.CodecContext.create(self._coder, "w")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate = self._sample_rate
        context.layout = "mono"
        context.format = "s16"
        return context
