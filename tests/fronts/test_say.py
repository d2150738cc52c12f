"""`gateway say`: the name of the file chooses the codec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.core.vocabulary import Codec
from gateway.runtime.outlet import TELEPHONY
from gateway.say import CODECS_BY_SUFFIX
from tests.audio.listening import decode, format_of

RATES = {Codec.OPUS: 24_000, **dict.fromkeys(TELEPHONY, 8_000)}


def test_every_codec_has_a_name() -> None:
    assert set(CODECS_BY_SUFFIX.values()) == {*Codec}


@pytest.mark.slow
@pytest.mark.parametrize("suffix", CODECS_BY_SUFFIX)
def test_the_file_is_what_its_name_says(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"hello{suffix}"
    said = CliRunner().invoke(main, ["say", "Hello.", "--model", "tone", "-o", str(file)])
    assert said.exit_code == 0, said.output
    codec = CODECS_BY_SUFFIX[suffix]
    heard = decode(format_of(codec, RATES.get(codec, 22_050)), file.read_bytes())
    assert len(heard) > 2_000
    assert np.abs(heard.astype(int)).max() > 3_000
