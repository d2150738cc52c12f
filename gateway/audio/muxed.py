"""Codecs that FFmpeg encodes and wraps: Opus in Ogg, AAC in ADTS, FLAC in its own files.

They keep the last 20 to 100 ms inside until more comes. What `drain` does about it is to end codec and container, which
makes everything leave, and to begin new ones when more audio comes. Ogg streams may follow one another (RFC 3533 §4) and
say how much of their beginning and end is not to be heard (RFC 7845 §4), so a chain of them is exact to the sample. FLAC
files are exact too, each by itself. ADTS is bare frames, and cannot tell a decoder what to leave out.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import av
import msgspec
from av.audio.stream import AudioStream
from av.container import OutputContainer

from gateway.audio.frames import SAMPLE_BYTES, pcm_frame

_ONE_SAMPLE = b"\0\0"
_AAC_FRAME = 1_024


class _Outbox:
    """What the container wrote. It can not be sought in, so the container writes what a stream needs."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep a copy: the container uses its buffer again."""
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        data, self._parts = b"".join(self._parts), []
        return data


class _File(io.BytesIO):
    """A whole file: the container goes back to its header at the end, so nothing leaves before."""

    def take(self) -> bytes:
        """Nothing."""
        return b""


class Recipe(msgspec.Struct, frozen=True):
    """How FFmpeg is to make a codec and its container, by names and options that are FFmpeg's own."""

    container: str
    codec: str
    sample_format: str
    media_type: str
    container_options: Mapping[str, str] = {}
    codec_options: Mapping[str, str] = {}
    delay_samples: int = 0
    serial_option: str | None = None
    """The container's option for the number that streams of a chain must not share."""
    empty_is_valid: bool = False
    """Decoders take a stream that has a header and no audio."""


OPUS = Recipe(
    container="ogg",
    codec="libopus",
    sample_format="s16",
    media_type="audio/ogg;codecs=opus",
    # In µs: a page for each frame of 20 ms, or the first one would come after a second. `bitexact`: no serial by chance.
    container_options={"page_duration": "20000", "fflags": "bitexact"},
    # `voip` would cost three times as much, and without a constraint `audio` takes twice the bitrate it is given.
    codec_options={"application": "audio", "vbr": "constrained", "compression_level": "5"},
    serial_option="serial_offset",
)
AAC = Recipe(
    container="adts",
    codec="aac",
    sample_format="fltp",
    media_type="audio/aac",
    codec_options={"aac_coder": "fast"},  # the other takes five times as long
    delay_samples=_AAC_FRAME,
)
FLAC = Recipe(
    container="flac",
    codec="flac",
    sample_format="s16",
    media_type="audio/flac",
    container_options={"metadata_header_padding": "0"},
    empty_is_valid=True,
)


class MuxedEncoder:
    """One stream, or a row of them, by a recipe. `bitrate` in bit/s, 0 where the codec has none.

    `frame_samples` is the length of a frame where the codec lets one choose. `whole_file`: everything leaves at `finish`,
    and the header has what is only known then. `serial` is the number of the first stream in a chain; others follow it.
    Codec and container are made at the first samples and dropped at each drain.
    """

    is_cheap = False
    outlives_clear = False

    def __init__(
        self,
        recipe: Recipe,
        sample_rate: int,
        bitrate: int = 0,
        *,
        frame_samples: int | None = None,
        whole_file: bool = False,
        serial: int = 0,
    ) -> None:
        self.media_type = recipe.media_type
        self.delay_samples = recipe.delay_samples
        self._recipe = recipe
        self._sample_rate = sample_rate
        self._bitrate = bitrate
        self._whole_file = whole_file
        self._codec_options = dict(recipe.codec_options)
        if frame_samples is not None:
            self._codec_options["frame_size"] = str(frame_samples)
        self._serial = serial
        self._samples = 0
        """In the container that is open."""
        self._is_empty = True
        self._sink: _Outbox | _File = _Outbox()
        self._container: OutputContainer | None = None
        self._stream: AudioStream | None = None

    def encode(self, pcm: bytes) -> bytes:
        """Take whole samples, give what is complete."""
        if not pcm:
            return b""
        container, stream = self._open()
        frame = pcm_frame(pcm, self._sample_rate)
        frame.pts = self._samples
        self._samples += frame.samples
        container.mux(stream.encode(frame))
        return self._sink.take()

    def drain(self) -> bytes:
        """End codec and container, if they are open."""
        if self._container is None or self._stream is None:
            return b""
        container, stream = self._container, self._stream
        container.mux(stream.encode(None))
        return self._close(container)

    def finish(self) -> bytes:
        """Drain. A stream that never had a sample becomes an empty one, or where decoders refuse that, one sample."""
        if not self._is_empty:
            return self.drain()
        if not self._recipe.empty_is_valid:
            return self.encode(_ONE_SAMPLE) + self.drain()
        container, _ = self._open()
        container.start_encoding()
        return self.drain()

    def __del__(self) -> None:
        """Container and stream hold each other, and with them up to 8 MB until the garbage collector comes by."""
        if self._container is not None:
            self._container.close()

    def _open(self) -> tuple[OutputContainer, AudioStream]:
        if self._container is None or self._stream is None:
            recipe = self._recipe
            self._sink = _File() if self._whole_file else _Outbox()
            options = dict(recipe.container_options)
            if recipe.serial_option is not None:
                options[recipe.serial_option] = str(self._serial)
            self._serial += 1
            self._container = av.open(self._sink, "w", format=recipe.container, options=options)
            stream = self._container.add_stream(
                recipe.codec, rate=self._sample_rate, options=self._codec_options
            )
            assert isinstance(stream, AudioStream)
            stream.layout = "mono"
            stream.format = recipe.sample_format
            if self._bitrate:
                stream.bit_rate = self._bitrate
            self._stream = stream
            self._samples = 0
            self._is_empty = False
        return self._container, self._stream

    def _close(self, container: OutputContainer) -> bytes:
        container.close()
        self._container = self._stream = None
        sink, self._sink = self._sink, _Outbox()
        return sink.getvalue() if isinstance(sink, _File) else sink.take()


class OpusStreamEncoder(MuxedEncoder):
    """Opus in one Ogg stream, however often it is drained.

    As nothing ends then, silence must push out what is inside: up to the end of the frame that has the last sample behind
    the coder's look-ahead of 6.5 ms (RFC 7845 §4.2), and one frame more, as Ogg's writer holds the last page back. That
    makes 26.5 to 46.5 ms of silence, which stays in the stream.
    """

    outlives_clear = True

    def __init__(self, sample_rate: int, bitrate: int, *, serial: int = 0) -> None:
        super().__init__(OPUS, sample_rate, bitrate, serial=serial)
        self._frame = sample_rate // 50
        self._look_ahead = sample_rate * 13 // 2_000
        self._drained_at = 0

    def drain(self) -> bytes:
        """Let silence push everything out. The stream goes on."""
        if self._samples == self._drained_at:
            return b""
        frames = -(-(self._samples + self._look_ahead) // self._frame) + 1
        data = self.encode(bytes(SAMPLE_BYTES * (frames * self._frame - self._samples)))
        self._drained_at = self._samples
        return data

    def finish(self) -> bytes:
        """End the stream."""
        silence = self.encode(_ONE_SAMPLE) if self._is_empty else b""
        return silence + super().drain()


def flac_frame_samples(sample_rate: int) -> int:
    """The length of a frame in a stream, by whose length the audio is late: 16 to 36 ms, of the sizes that FLAC abbreviates.

    Shorter frames cost bytes: at 22,050 Hz 576 samples take no more than 4,608, and 192 take 8 % more.
    """
    if sample_rate < 16_000:
        return 192
    return 576 if sample_rate < 32_000 else 1_152
