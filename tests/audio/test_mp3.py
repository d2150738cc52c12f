"""What LAME really gives at every rate and bitrate, so that the table of formats promises neither more nor less."""

from __future__ import annotations

import pytest

from gateway.audio.mp3 import Mp3Encoder
from gateway.core.formats import MP3_BITRATES
from tests.audio.listening import decode_mp3, tone

ALL_BITRATES = sorted({bitrate for bitrates in MP3_BITRATES.values() for bitrate in bitrates})


def encode(rate: int, bitrate: int) -> bytes:
    encoder = Mp3Encoder(rate, bitrate)
    return encoder.encode(tone(rate // 4, rate).tobytes()) + encoder.finish()


@pytest.mark.parametrize("rate", MP3_BITRATES)
def test_a_bitrate_is_in_the_table_exactly_when_a_decoder_sees_it(rate: int) -> None:
    for bitrate in ALL_BITRATES:
        _, heard_rate, heard_bitrate = decode_mp3(encode(rate, bitrate))
        assert heard_rate == rate
        assert (heard_bitrate == bitrate) == (bitrate in MP3_BITRATES[rate]), bitrate


@pytest.mark.parametrize("rate", MP3_BITRATES)
def test_the_bitrate_is_constant(rate: int) -> None:
    bitrate = MP3_BITRATES[rate][-1]
    data = encode(rate, bitrate)
    seconds = len(decode_mp3(data)[0]) / rate
    assert len(data) * 8 / seconds == pytest.approx(bitrate, rel=0.01)


def test_a_stream_is_bare_frames() -> None:
    data = encode(22_050, 64_000)
    assert data[0] == 0xFF
    assert data[1] & 0xE0 == 0xE0
    assert b"Xing" not in data
    assert b"Info" not in data
    assert b"LAME" not in data[:256]


def test_the_first_frames_leave_within_100_ms_of_audio() -> None:
    encoder = Mp3Encoder(22_050, 64_000)
    assert encoder.encode(tone(2_205, 22_050).tobytes())


def test_codec_state_exists_only_between_audio_and_drain() -> None:
    encoder = Mp3Encoder(22_050, 64_000)

    def holds_state() -> bool:
        return encoder._lame is not None

    assert not holds_state()
    encoder.encode(b"")
    assert not holds_state()
    encoder.encode(b"\0\0")
    assert holds_state()
    encoder.drain()
    assert not holds_state()
