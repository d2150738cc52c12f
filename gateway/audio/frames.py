"""PCM in the shape that FFmpeg takes."""

from __future__ import annotations

import av

SAMPLE_BYTES = 2


def pcm_frame(pcm: bytes, sample_rate: int) -> av.AudioFrame:
    """Whole samples of mono s16le as a frame."""
    assert len(pcm) % SAMPLE_BYTES == 0, "half a sample"
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(pcm) // SAMPLE_BYTES)
    frame.sample_rate = sample_rate
    frame.planes[0].update(pcm)
    return frame
