"""What espeak-ng makes of the readings, phoneme by phoneme: as it says the same in words, and not as it said it before."""

from __future__ import annotations

import re
import subprocess
import sys

import espeakng_loader
import pytest

from gateway.core.vocabulary import Cleanup
from tests.support.cleaning import clean

# The library may abort its process and keeps state, so each text is read in a process of its own.
PHONEMES = """
import ctypes, os, sys
library, data, voice, text = sys.argv[1:]
os.chdir(data)
lib = ctypes.CDLL(library)
assert lib.espeak_Initialize(2, 60, b".", 0x8000) > 0
assert lib.espeak_SetVoiceByName(voice.encode()) == 0
lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
left = ctypes.c_char_p(text.encode())
while left.value:
    print((lib.espeak_TextToPhonemes(ctypes.byref(left), 1, 2) or b"").decode())
"""


def phonemes(language: str, text: str) -> str:
    """The sounds, without stress and pauses."""
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            PHONEMES,
            espeakng_loader.get_library_path(),
            str(espeakng_loader.get_data_path()) + "/..",
            language,
            text,
        ],
        capture_output=True,
        check=True,
        timeout=10,
    )
    return re.sub(r"[\sˈˌ|_-]", "", said.stdout.decode())


@pytest.mark.parametrize(
    ("language", "written", "words"),
    [
        ("en-us", "$5.99", "five dollars ninety nine"),
        ("en-us", "$1.5M", "one point five million dollars"),
        ("en-us", "3:05 pm", "three oh five pm"),
        ("en-us", "100 km/h", "one hundred kilometers per hour"),
        ("en-us", "the 1990s", "the nineteen nineties"),
        ("de", "am 17. Mai", "am siebzehnten Mai"),
        ("de", "15.30 Uhr", "fünfzehn Uhr dreißig"),
        ("de", "$5", "fünf Dollar"),
        ("fr", "12h30", "douze heures trente"),
        ("fr", "1\u202f234", "1234"),
        ("es", "$5", "cinco dólares"),
        ("it", "5 km", "cinque chilometri"),
        ("pt-br", "R$ 5", "cinco reais"),
        ("hi", "₹5", "5 रुपये"),
    ],
)
def test_the_engine_says_what_people_say(language: str, written: str, words: str) -> None:
    read = clean(written, Cleanup.SPEECH, language).text
    assert phonemes(language, read) == phonemes(language, words)
    assert phonemes(language, written) != phonemes(language, words)
