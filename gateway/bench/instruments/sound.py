"""From bytes to samples, keeping count of which payload completed which sample.

A decoder is fed as the bytes came, so that `counts` says how much a player could have played after each payload. MP3 is
decoded frame by frame by FFmpeg and keeps its encoder's and decoder's delay: what a player of a stream would play.
"""

from __future__ import annotations

from collections.abc import Sequence

import av
import msgspec
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet

from gateway.bench.instruments.onset import Samples
from gateway.bench.instruments.timeline import SAMPLE_BYTES, Codec, Form

_RIFF_HEADER_BYTES = 12
_CHUNK_HEADER_BYTES = 8
_FULL_SCALE = 32_768

MP3_FRAME_BYTES_MAX = 1_441
"""Of Layer III: 320 kbit/s at 32 kHz with padding."""


class NotAudio(Exception):
    """The bytes are not what the codec's name promised."""


class Heard(msgspec.Struct, frozen=True):
    """Decoded audio: `counts[i]` samples were there after payload i, and all of `samples` in the end.

    `counts` may end below the total: what the decoder gives only when it learns that nothing more comes.
    `header_bytes` came before the first audio byte. `odd_bytes` at the end were no whole sample.
    """

    samples: Samples
    counts: list[int]
    header_bytes: int
    odd_bytes: int


def decode(payloads: Sequence[bytes], form: Form) -> Heard:
    """Decode mono audio in the pieces in which it came. Raises NotAudio."""
    match form.codec:
        case Codec.PCM_S16LE:
            return _pcm(payloads, header_bytes=0)
        case Codec.WAV:
            return _pcm(payloads, wav_header_bytes(b"".join(payloads)))
        case Codec.MP3:
            return _mp3(payloads, form.sample_rate)


def wav_header_bytes(data: bytes) -> int:
    """How many bytes come before the samples. Raises NotAudio when `data`, the whole file, has no data chunk."""
    if not data:
        return 0
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise NotAudio("no RIFF/WAVE header")
    at = _RIFF_HEADER_BYTES
    while at + _CHUNK_HEADER_BYTES <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += _CHUNK_HEADER_BYTES
        if data[at - _CHUNK_HEADER_BYTES : at - 4] == b"data":
            return at
        at += size + size % 2
    raise NotAudio("a WAV file without a data chunk")


def _pcm(payloads: Sequence[bytes], header_bytes: int) -> Heard:
    data = b"".join(payloads)[header_bytes:]
    odd_bytes = len(data) % SAMPLE_BYTES
    samples = np.frombuffer(data[: len(data) - odd_bytes], "<i2").astype(np.float32)
    ends = np.cumsum([len(payload) for payload in payloads], dtype=np.int64)
    counts = np.maximum(ends - header_bytes, 0) // SAMPLE_BYTES
    return Heard(samples / np.float32(_FULL_SCALE), counts.tolist(), header_bytes, odd_bytes)


def _mp3(payloads: Sequence[bytes], sample_rate: int) -> Heard:
    context = av.CodecContext.create("mp3float", "r")
    assert isinstance(context, AudioCodecContext)
    parts: list[Samples] = []
    counts: list[int] = []
    for payload in payloads:
        # To the parser, an empty payload would mean that nothing more comes.
        packets = context.parse(payload) if payload else []
        new = [part for packet in packets for part in _mp3_frames(context, packet, sample_rate)]
        parts += new
        counts.append((counts[-1] if counts else 0) + sum(map(len, new)))
    for packet in context.parse(None):
        try:
            parts += _mp3_frames(context, packet, sample_rate)
        except NotAudio:
            if packet.size > MP3_FRAME_BYTES_MAX:
                raise
            # The stream was cut within a frame, which no player would play either.
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    return Heard(samples, counts, header_bytes=0, odd_bytes=0)


def _mp3_frames(
    context: AudioCodecContext, packet: Packet[AudioStream], sample_rate: int
) -> list[Samples]:
    try:
        frames = context.decode(packet)
    except FFmpegError as error:
        raise NotAudio(f"MP3 that cannot be decoded: {error}") from None
    for frame in frames:
        if frame.sample_rate != sample_rate:
            raise NotAudio(f"MP3 at {frame.sample_rate} Hz, not {sample_rate} Hz")
    return [frame.to_ndarray()[0].astype(np.float32) for frame in frames]
