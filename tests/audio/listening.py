"""Ears for the tests: sounds to put in, and decoders to hear what came out."""

from __future__ import annotations

import io
import wave

import av
import numpy as np
from numpy.typing import NDArray

from gateway.core.vocabulary import Codec

Samples = NDArray[np.int16]
AMPLITUDE = 12_000


def tone(samples: int, rate: int, hz: float = 440.0, amplitude: int = AMPLITUDE) -> Samples:
    """A sine that begins at phase 0."""
    return np.round(amplitude * np.sin(2 * np.pi * hz * np.arange(samples) / rate)).astype("<i2")


def decode(codec: Codec, data: bytes) -> Samples:
    """What a player hears: by the standard library for WAV, by FFmpeg for MP3."""
    match codec:
        case Codec.PCM_S16LE:
            return np.frombuffer(data, "<i2")
        case Codec.WAV:
            with wave.open(io.BytesIO(data)) as file:
                assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
                return np.frombuffer(file.readframes(file.getnframes()), "<i2")
        case Codec.MP3:
            return decode_mp3(data)[0]


def decode_mp3(data: bytes) -> tuple[Samples, int, int]:
    """The samples, the sample rate in Hz and the bitrate in bit/s."""
    with av.open(io.BytesIO(data), "r", format="mp3") as container:
        (stream,) = container.streams.audio
        assert stream.codec_context.layout.name == "mono"
        frames = [frame.to_ndarray()[0] for frame in container.decode(stream)]
        samples = np.round(np.concatenate(frames) * 32_767).astype("<i2")
        return samples, stream.codec_context.sample_rate, stream.codec_context.bit_rate or 0


def signal_to_noise_db(heard: Samples, said: Samples) -> float:
    """How much louder what was said is than what is wrong with what was heard; both of one length, aligned."""
    wrong = heard.astype(float) - said
    return float(10 * np.log10(np.mean(said.astype(float) ** 2) / max(np.mean(wrong**2), 1e-9)))
