"""From a format to what makes it."""

from __future__ import annotations

from typing import assert_never

from gateway.audio.encoder import Encoder
from gateway.audio.mp3 import Mp3Encoder
from gateway.audio.raw import PcmEncoder, WavEncoder, WavFileEncoder
from gateway.core.params import Format
from gateway.core.vocabulary import Codec


def new_encoder(format: Format, *, whole_file: bool = False) -> Encoder:
    """Give a fresh encoder. With `whole_file` nobody listens before the end, so sizes in the container are exact.

    Only WAV has such sizes: its encoder then gives everything at `finish`. Making an encoder is cheap; codec state is
    made at the first audio.
    """
    match format.codec:
        case Codec.PCM_S16LE:
            return PcmEncoder(format.sample_rate)
        case Codec.WAV if whole_file:
            return WavFileEncoder(format.sample_rate)
        case Codec.WAV:
            return WavEncoder(format.sample_rate)
        case Codec.MP3:
            return Mp3Encoder(format.sample_rate, format.bitrate)
        case _:
            assert_never(format.codec)


def media_type(format: Format) -> str:
    """The Content-Type of audio in this format."""
    return new_encoder(format).media_type
