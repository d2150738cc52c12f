"""The door to libespeak-ng (1.52): a ctypes binding of the few functions that worker processes need.

The library is not safe to call from two threads, keeps state between utterances and aborts the process on some texts.
So it is opened only in worker processes that are made to be lost, never in the server.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable, Iterator
from operator import itemgetter

RawWord = tuple[int, int]
"""Where a word begins: sample and character, both counted from 0 at the start of the call."""

OnAudio = Callable[[bytes, list[RawWord]], None]

_OUTPUT_SYNCHRONOUS = 2
_OPTION_DO_NOT_EXIT = 0x8000
_TEXT_UTF8 = 1
_FLAG_PHONEMES = 0x100
_FLAG_END_PAUSE = 0x1000
_POSITION_CHARACTER = 1
_EVENT_END_OF_LIST = 0
_EVENT_WORD = 1
_RANDOM_SEED = 1
_PARAMETER_RATE, _PARAMETER_VOLUME, _PARAMETER_PITCH, _PARAMETER_PITCH_RANGE = 1, 2, 3, 4


class EspeakError(Exception):
    """The library refused a call."""


_VOICE = struct.Struct("@PPP4BiP")
"""Addresses of name, languages and file; gender, age, variant, padding; score and a private address."""
_EVENT = struct.Struct("@iIiiiiP8s")
"""Type, message, text position from 1, length, milliseconds, sample, user data, id."""

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """The library, initialised. One per process; `data_folder` holds the folder `espeak-ng-data`.

    `buffer_ms` is the audio per callback (60 at least). Changes the working directory. Raises EspeakError when the data is
    missing or broken.
    """

    def __init__(self, library_path: str, data_folder: str, buffer_ms: int) -> None:
        lib = ctypes.CDLL(library_path)
        lib.espeak_ListVoices.argtypes = [ctypes.c_char_p]
        lib.espeak_ListVoices.restype = ctypes.POINTER(ctypes.c_void_p)
        lib.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        lib.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
        lib.espeak_Synth.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]
        self._lib = lib
        os.chdir(
            data_folder
        )  # The library has room for 160 bytes of path; a virtual environment may lie deeper.
        self.sample_rate: int = lib.espeak_Initialize(
            _OUTPUT_SYNCHRONOUS, buffer_ms, b".", _OPTION_DO_NOT_EXIT
        )
        if self.sample_rate <= 0:
            raise EspeakError("the voice data cannot be read")
        # It takes the time for one, and some variants breathe by chance.
        lib.espeak_ng_SetRandSeed(_RANDOM_SEED)
        self._on_audio: OnAudio = lambda pcm, words: None
        self._callback = _Callback(self._deliver)
        lib.espeak_SetSynthCallback(self._callback)

    def voices(self) -> Iterator[tuple[str, str, int, list[str]]]:
        """Every voice: its file below the data folder's `lang`, name, gender (1 male, 2 female), and languages, its own first."""
        yield from self._list(None)

    def variants(self) -> Iterator[str]:
        """The names that may follow a voice's file after a `+`."""
        wanted = ctypes.create_string_buffer(b"variant")
        spec = _VOICE.pack(0, ctypes.addressof(wanted), 0, 0, 0, 0, 0, 0, 0)
        for file, _, _, _ in self._list(spec):
            yield file.removeprefix("!v/")

    def _list(self, spec: bytes | None) -> Iterator[tuple[str, str, int, list[str]]]:
        for row in self._lib.espeak_ListVoices(spec):
            if row is None:
                return
            name, languages, file, gender, *_ = _VOICE.unpack(ctypes.string_at(row, _VOICE.size))
            codes = [code for _, code in sorted(_languages(languages), key=itemgetter(0))]
            yield _string_at(file), _string_at(name), gender, codes

    def select(self, voice: str, rate: int, pitch: int, pitch_range: int, volume: int) -> None:
        """Set the voice (`file` or `file+variant`), words per minute, pitch and its range 0-99, volume in percent.

        Raises EspeakError for a voice that the library does not know. It does not notice an unknown variant, and follows
        paths in its name: pass names from `voices` and `variants` only.
        """
        if self._lib.espeak_SetVoiceByName(voice.encode()) != 0:
            raise EspeakError(f"no voice {voice!r}")
        for parameter, value in (
            (_PARAMETER_RATE, rate),
            (_PARAMETER_PITCH, pitch),
            (_PARAMETER_PITCH_RANGE, pitch_range),
            (_PARAMETER_VOLUME, volume),
        ):
            self._lib.espeak_SetParameter(parameter, value, 0)

    def speak(
        self, text: bytes, end_pause: bool, on_audio: OnAudio, *, phonemes: bool = False
    ) -> None:
        """Speak UTF-8 text without NUL; with `phonemes` what is in it between [[ and ]] are some. `on_audio` gets samples and the words that begin in them, several times."""
        self._on_audio = on_audio
        flags = _TEXT_UTF8
        flags |= _FLAG_END_PAUSE if end_pause else 0
        flags |= _FLAG_PHONEMES if phonemes else 0
        status = self._lib.espeak_Synth(
            text, len(text) + 1, 0, _POSITION_CHARACTER, 0, flags, None, None
        )
        if status != 0:
            raise EspeakError(f"synthesis refused with status {status}")

    def _deliver(self, samples: int | None, count: int, events: int) -> int:
        words: list[RawWord] = []
        while True:
            type_, _, position, _, _, sample, _, _ = _EVENT.unpack(
                ctypes.string_at(events, _EVENT.size)
            )
            if type_ == _EVENT_END_OF_LIST:
                break
            if type_ == _EVENT_WORD:
                words.append((sample, position - 1))
            events += _EVENT.size
        pcm = ctypes.string_at(samples, 2 * count) if samples else b""
        if pcm or words:
            self._on_audio(pcm, words)
        return 0


def _languages(address: int) -> Iterator[tuple[int, str]]:
    """The list that the library packs as (priority byte, zero-terminated code), up to a priority of 0."""
    while priority := ctypes.string_at(address, 1)[0]:
        code = _string_at(address + 1)
        yield priority, code
        address += 1 + len(code) + 1


def _string_at(address: int) -> str:
    return ctypes.string_at(address).decode()
