"""Ears for the tests: sounds to put in, and decoders to hear what came out."""

from __future__ import annotations

import io
import random
import re
import struct
import wave
from collections.abc import Iterator

import av
import msgspec
import numpy as np
from numpy.typing import NDArray

from gateway.core.formats import SHAPES, default_bitrate
from gateway.core.params import Format
from gateway.core.vocabulary import Codec, Container

Samples = NDArray[np.int16]
AMPLITUDE = 12_000
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LOSSLESS = frozenset({Codec.PCM_S16LE, Codec.WAV, Codec.FLAC})

_DEMUXERS = {Codec.MULAW: "mulaw", Codec.ALAW: "alaw", Codec.OPUS: "ogg", Codec.AAC: "aac"}
_FLAC_FILE = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
_WAV_STREAM = re.compile(rb"RIFF\xff\xff\xff\xffWAVE")
_OPUS_RATE = 48_000
"""FFmpeg decodes Opus at this rate, whatever it was encoded at."""


def tone(samples: int, rate: int, hz: float = 440.0, amplitude: int = AMPLITUDE) -> Samples:
    """A sine that begins at phase 0."""
    return np.round(amplitude * np.sin(2 * np.pi * hz * np.arange(samples) / rate)).astype("<i2")


def format_of(codec: Codec, rate: int, container: Container | None = None) -> Format:
    """The codec at this rate, with what it takes where nobody asks."""
    able = SHAPES[codec].containers
    return Format(
        codec, rate, default_bitrate(codec, rate), container or (able[0] if able else None)
    )


def delay_of(codec: Codec) -> int:
    """Samples of silence that nothing in a stream lets a decoder remove; by what is said of the codecs, not by our code."""
    return {Codec.MP3: 576 + 529, Codec.AAC: 1_024}.get(codec, 0)


def decode(format: Format, data: bytes) -> Samples:
    """What a player hears, at the format's rate: by the standard library for WAV, by FFmpeg for what is compressed.

    Files that follow one another are heard one after the other.
    """
    match format.codec:
        case Codec.PCM_S16LE:
            return np.frombuffer(data, "<i2")
        case Codec.WAV:
            return _joined([_decode_wav(file) for file in split_files(format, data)])
        case Codec.MP3:
            return decode_mp3(data)[0] if data else _joined([])
        case Codec.FLAC:
            return _joined([_decode(file, "flac") for file in split_files(format, data)])
        case Codec.OPUS:
            return _decode(data, "ogg")[:: _OPUS_RATE // format.sample_rate]
        case _:
            return _decode(data, _DEMUXERS[format.codec], format.sample_rate)


def split_files(format: Format, data: bytes) -> list[bytes]:
    """The FLAC files or streamed WAVs in `data`."""
    first_bytes = _FLAC_FILE if format.codec is Codec.FLAC else _WAV_STREAM
    starts = [match.start() for match in first_bytes.finditer(data)] or [0]
    assert not data or starts[0] == 0
    return [data[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


def decode_mp3(data: bytes) -> tuple[Samples, int, int]:
    """The samples, the sample rate in Hz and the bitrate in bit/s."""
    with av.open(io.BytesIO(data), "r", format="mp3") as container:
        (stream,) = container.streams.audio
        assert stream.codec_context.layout.name == "mono"
        frames = [frame.to_ndarray()[0] for frame in container.decode(stream)]
        samples = np.round(np.concatenate(frames) * 32_767).astype("<i2")
        return samples, stream.codec_context.sample_rate, stream.codec_context.bit_rate or 0


class Page(msgspec.Struct, frozen=True):
    """A page of Ogg (RFC 3533 §6). `granule` is a position in samples at 48 kHz, for Opus."""

    begins: bool
    ends: bool
    granule: int
    serial: int
    body: bytes


def ogg_pages(data: bytes) -> Iterator[Page]:
    """The pages of a chain of Ogg streams, which must be nothing else."""
    at = 0
    while at < len(data):
        magic, _, flags, granule, serial, _, _, count = struct.unpack_from("<4sBBqIIIB", data, at)
        assert magic == b"OggS"
        body = at + 27 + count
        at = body + sum(data[at + 27 : body])
        yield Page(bool(flags & 2), bool(flags & 4), granule, serial, data[body:at])


def signal_to_noise_db(heard: Samples, said: Samples) -> float:
    """How much louder what was said is than what is wrong with what was heard; both of one length, aligned."""
    wrong = heard.astype(float) - said
    return float(10 * np.log10(np.mean(said.astype(float) ** 2) / max(np.mean(wrong**2), 1e-9)))


def _decode_wav(data: bytes) -> Samples:
    """A streamed WAV's header says that nobody knew its length; by now we do."""
    if not data:
        return _joined([])
    if data[4:8] == b"\xff" * 4:
        sizes = struct.pack("<I", len(data) - 8), struct.pack("<I", len(data) - 44)
        data = data[:4] + sizes[0] + data[8:40] + sizes[1] + data[44:]
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def _decode(data: bytes, demuxer: str, rate: int | None = None) -> Samples:
    if not data:
        return _joined([])
    options = {"sample_rate": str(rate), "ch_layout": "mono"} if demuxer.endswith("law") else {}
    with av.open(io.BytesIO(data), "r", format=demuxer, options=options) as container:
        (stream,) = container.streams.audio
        assert stream.codec_context.layout.name == "mono"
        if demuxer != "ogg" and rate is not None:
            assert stream.codec_context.sample_rate == rate
        return _joined([_pcm(frame) for frame in container.decode(stream)])


def _pcm(frame: av.AudioFrame) -> Samples:
    samples = np.asarray(frame.to_ndarray()[0])
    if samples.dtype.kind == "f":
        return np.clip(np.round(samples * 32_767), -32_768, 32_767).astype("<i2")
    return samples.astype("<i2")


def _joined(parts: list[Samples]) -> Samples:
    return np.concatenate(parts) if parts else np.zeros(0, "<i2")


def random_texts(seed: int, count: int) -> list[str]:
    """One to five words each, which may be as short as a letter; the voice `words` has a tone for every word."""
    dice = random.Random(seed)

    def word() -> str:
        return "".join(dice.choices(LETTERS, k=dice.randint(1, 9)))

    return [
        " ".join(word() for _ in range(dice.randint(1, 5))) + dice.choice([*". , ! ?".split(), ""])
        for _ in range(count)
    ]


def last_word(pcm: Samples, rate: int) -> Samples:
    """The last 50 ms that are not silent."""
    end = int(np.flatnonzero(pcm)[-1]) + 1
    return pcm[max(0, end - rate // 20) : end]


def likeness(heard: Samples, said: Samples) -> float:
    """How much of a short sound there is in a longer one, at the best place: 1 = it is there."""
    heard_, said_ = heard.astype(float), said.astype(float)
    if len(heard_) < len(said_):
        return 0.0
    products = np.correlate(heard_, said_)
    energy = np.convolve(heard_**2, np.ones(len(said_)), "valid")
    return float(np.max(products / np.sqrt(np.maximum(energy, 1.0) * np.sum(said_**2))))


def last_sound(pcm: Samples) -> int:
    """Where its silence at the end begins."""
    return int(np.flatnonzero(pcm)[-1]) + 1
