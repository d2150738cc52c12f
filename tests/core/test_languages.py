"""Every language that the engines speak is known to the segmenter."""

from __future__ import annotations

from pathlib import Path

import espeakng_loader
import pytest

from gateway.core.languages import base_language, known_language

VOICES = Path(espeakng_loader.get_data_path()) / "lang"


def test_every_language_of_espeak_is_known() -> None:
    codes = {
        line.split()[1]
        for voice in VOICES.rglob("*")
        if voice.is_file()
        for line in voice.read_text(encoding="utf-8").splitlines()
        if line.startswith("language ")
    }
    assert len(codes) > 100
    assert {code for code in codes if not known_language(code)} == set()


@pytest.mark.parametrize(
    ("code", "base"),
    [
        ("en-US", "en"),
        ("pt_BR", "pt"),
        ("cmn-latn-pinyin", "zh"),
        ("yue", "zh"),
        ("zh-Hant-TW", "zh"),
        ("nb-NO", "no"),
        ("hyw", "hy"),
        ("xx", "en"),
        ("", "en"),
    ],
)
def test_codes_are_reduced_to_the_language(code: str, base: str) -> None:
    assert base_language(code) == base


def test_an_unknown_language_is_told() -> None:
    assert not known_language("xx-YY")
