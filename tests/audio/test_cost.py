"""The table of costs has a row for each codec, and both of its columns are of the same sound."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from gateway import encoding
from gateway.core.vocabulary import Codec
from tests.audio.listening import tone


@pytest.mark.parametrize("codec", Codec)
def test_all_codecs_can_be_measured(codec: Codec) -> None:
    cost = encoding.measure(codec, tone(11_025, 22_050).tobytes(), 22_050, rounds=1)
    assert cost.format.codec is codec
    assert min(cost.ours_ms, cost.bare_ms, cost.kbit_s) > 0


def test_it_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hum() -> tuple[bytes, int]:
        return tone(4_410, 22_050).tobytes(), 22_050

    monkeypatch.setattr(encoding, "speech", hum)
    lines = CliRunner().invoke(encoding.main, ["--rounds", "1"]).output.splitlines()
    assert [line.split("`")[1] for line in lines[2:]] == [*Codec]


async def test_it_is_measured_with_speech() -> None:
    pcm, rate = await encoding.speech()
    assert len(pcm) > 2 * 15 * rate
