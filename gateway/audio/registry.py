"""From a format to what makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from gateway.audio.encoder import Encoder
from gateway.audio.mp3 import Mp3Encoder
from gateway.audio.muxed import AAC, FLAC, OPUS, MuxedEncoder, OpusStreamEncoder, flac_frame_samples
from gateway.audio.raw import PcmEncoder, WavEncoder, WavFileEncoder
from gateway.audio.telephony import LawEncoder
from gateway.core.params import Format
from gateway.core.vocabulary import Codec, Container


def new_encoder(format: Format, *, whole_file: bool = False, serial: int = 0) -> Encoder:
    """Give a fresh encoder. With `whole_file` nobody listens before the end, so sizes in the container are exact.

    Only WAV and FLAC have such sizes: their encoders then give everything at `finish`. Making an encoder is cheap; codec
    state is made at the first audio. `serial` is at least the number of containers that the context has had.
    """
    rate = format.sample_rate
    per_flush = format.container is Container.PER_FLUSH
    match format.codec:
        case Codec.PCM_S16LE:
            return PcmEncoder(rate)
        case Codec.WAV if whole_file:
            return WavFileEncoder(rate)
        case Codec.WAV:
            return WavEncoder(rate, per_flush=per_flush)
        case Codec.MULAW:
            return LawEncoder("pcm_mulaw", "PCMU", rate)
        case Codec.ALAW:
            return LawEncoder("pcm_alaw", "PCMA", rate)
        case Codec.MP3:
            return Mp3Encoder(rate, format.bitrate)
        case Codec.OPUS if per_flush:
            return MuxedEncoder(OPUS, rate, format.bitrate, serial=serial)
        case Codec.OPUS:
            return OpusStreamEncoder(rate, format.bitrate, serial=serial)
        case Codec.AAC:
            return MuxedEncoder(AAC, rate, format.bitrate)
        case Codec.FLAC if whole_file:
            return MuxedEncoder(FLAC, rate, whole_file=True)
        case Codec.FLAC:
            return MuxedEncoder(FLAC, rate, frame_samples=flac_frame_samples(rate))
        case _:
            assert_never(format.codec)


MEDIA_TYPES: Mapping[Codec, str] = {
    codec: new_encoder(Format(codec, 48_000)).media_type.partition(";")[0].lower()
    for codec in Codec
}
"""The types of audio without their parameters, as `Accept` may name them."""


def media_type(format: Format) -> str:
    """The Content-Type of audio in this format."""
    return new_encoder(format).media_type
