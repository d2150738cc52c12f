"""The WAV header, byte by byte where players look."""

from __future__ import annotations

import io
import struct
import wave

from gateway.audio.raw import WavEncoder, WavFileEncoder, wav_header


def test_a_stream_has_one_header_of_unknown_length() -> None:
    encoder = WavEncoder(24_000)
    data = encoder.encode(b"\1\0") + encoder.encode(b"\2\0") + encoder.drain() + encoder.finish()
    assert data == wav_header(24_000) + b"\1\0\2\0"
    assert data.count(b"RIFF") == 1
    assert struct.unpack_from("<I", data, 4) == struct.unpack_from("<I", data, 40) == (2**32 - 1,)


def test_a_file_has_exact_sizes() -> None:
    encoder = WavFileEncoder(8_000)
    assert encoder.encode(bytes(20)) == encoder.drain() == b""
    data = encoder.encode(bytes(6)) + encoder.finish()
    assert struct.unpack_from("<I", data, 4) == (len(data) - 8,)
    assert struct.unpack_from("<I", data, 40) == (26,)
    with wave.open(io.BytesIO(data)) as file:
        assert file.getparams()[:4] == (1, 2, 8_000, 13)


def test_the_header_is_44_bytes_and_names_the_byte_rate() -> None:
    assert len(wav_header(44_100)) == 44
    assert struct.unpack_from("<I", wav_header(44_100), 28) == (88_200,)
