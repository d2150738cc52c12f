"""What a server said, as lines for a transcript: one of the native protocol, and one of Sarvam's.

What an answer does not promise is not shown: how audio is split into frames and how words are split into messages
between them. Frames in a row are one line with the checksum of their bytes, after one line with their words; that
sequence numbers and sample positions have no gap, and that words come before their audio, is checked here.
"""

from __future__ import annotations

import zlib
from base64 import b64decode
from collections import defaultdict
from dataclasses import dataclass, field
from typing import cast

import msgspec

from gateway.dialects.base import Frame
from gateway.dialects.native import AudioMessage
from tests.support.server import Message, audio_frame

OMITTED = "…"


@dataclass(slots=True)
class _Run:
    """Audio of one context in a row, with the words in it."""

    source: str
    sample_start: int
    sample_end: int
    crc: int = 0
    words: Message | None = None

    def lines(self) -> list[str]:
        lines = [] if self.words is None else [_line(self.words)]
        if self.sample_end > self.sample_start:
            samples = f"samples={self.sample_start}..{self.sample_end}"
            lines.append(f"< audio {self.source} {samples} crc32={self.crc:08x}")
        return lines


@dataclass(slots=True)
class Page:
    """The answers to one step after the other. Settings that are as in `ready`, limits and `session` are left out, and
    timings unless the dialogue is `timed`."""

    full: bool = False
    timed: bool = False
    _lines: list[str] = field(default_factory=list)
    _runs: dict[str, _Run] = field(default_factory=dict)
    _settings: Message = field(default_factory=dict)
    _numbers: dict[int, str] = field(default_factory=dict)
    _sequence: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _sample: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def write(self, frame: Frame) -> None:
        """One more frame came. Raises AssertionError for a gap."""
        if isinstance(frame, bytes):
            audio = audio_frame(frame)
            assert (audio.version, audio.flags) == (1, 0)
            self._audio(
                self._numbers[audio.number],
                f"number={audio.number}",
                audio.sequence,
                audio.sample_start,
                audio.sample_count,
                audio.data,
            )
            return
        message = msgspec.json.decode(frame, type=Message)
        match message["type"]:
            case "audio":
                base64 = msgspec.convert(message, AudioMessage)
                self._audio(
                    base64.context,
                    f"base64 context={base64.context}",
                    base64.sequence,
                    base64.sample_start,
                    base64.sample_count,
                    base64.data,
                )
            case "words":
                self._words(message)
            case _:
                self._close_runs()
                self._lines.append(_line(self._shortened(message)))

    def close(self, code: int, reason: str) -> None:
        """The server closed the connection."""
        self._close_runs()
        self._lines.append(f"< close {code} {reason}".rstrip())

    def lines(self) -> list[str]:
        """The answers to this step so far."""
        return [*self._lines, *(line for run in self._runs.values() for line in run.lines())]

    def turn(self) -> list[str]:
        """The answers to this step; what follows belongs to the next one."""
        self._close_runs()
        lines, self._lines = self._lines, []
        return lines

    def _run(self, context: str, source: str) -> _Run:
        at = self._sample[context]
        return self._runs.setdefault(context, _Run(source, at, at))

    def _audio(
        self, context: str, source: str, sequence: int, sample_start: int, count: int, data: bytes
    ) -> None:
        assert sequence == self._sequence[context], f"sequence {sequence} after a gap"
        assert sample_start == self._sample[context], f"sample {sample_start} after a gap"
        assert len(data) == 2 * count
        run = self._run(context, source)
        run.source = source
        run.crc = zlib.crc32(data, run.crc)
        run.sample_end = self._sample[context] = sample_start + count
        self._sequence[context] += 1

    def _words(self, message: Message) -> None:
        context = cast("str", message["context"])
        words = cast("list[dict[str, int]]", message["words"])
        assert all(word["sample"] >= self._sample[context] for word in words), "late words"
        run = self._run(context, "")
        if run.words is not None:
            words = [*cast("list[dict[str, int]]", run.words["words"]), *words]
        run.words = {**message, "words": words}

    def _close_runs(self) -> None:
        self._lines = self.lines()
        self._runs.clear()

    def _shortened(self, message: Message) -> Message:
        if message["type"] == "started":
            name = cast("str", message["context"])
            if self._numbers.get(cast("int", message["number"])) != name:
                self._numbers[cast("int", message["number"])] = name
                self._sequence[name] = self._sample[name] = 0
            settings = cast("Message", message["settings"])
            return {**message, "settings": _difference(settings, self._settings)}
        if message["type"] == "ready":
            self._settings = cast("Message", message["settings"])
            hidden = {"session": OMITTED, "contexts_free": OMITTED}
            if not self.full:
                hidden |= {"settings": OMITTED, "limits": OMITTED}
            return {**message, **hidden}
        if message["type"] == "ended" and not self.timed:
            return {**message, "timings": OMITTED}
        return message


@dataclass(slots=True)
class SarvamPage:
    """The answers of Sarvam's dialect. Frames of audio in a row are one line: PCM with its samples and checksum, what a codec
    has made by its name, as its bytes may be others elsewhere. A header alone is said to be one."""

    _lines: list[str] = field(default_factory=list)
    _audio: bytes = b""
    _head: str = ""

    def write(self, frame: Frame) -> None:
        """One more frame came."""
        message = msgspec.json.decode(frame, type=Message)
        data = cast("Message", message["data"])
        data.pop("request_id", None)
        if message["type"] != "audio":
            self._close_run()
            self._lines.append(_line(message))
            return
        audio = b64decode(cast("str", data.pop("audio")))
        head = f"< audio {data.pop('content_type')}"
        if audio.startswith(b"RIFF"):
            assert len(audio) == 44
            head += " header"
        if data:
            head += f" {msgspec.json.encode(data).decode()}"
        if self._head and not data and head == self._head.partition(" {")[0]:
            self._audio += audio
            return
        self._close_run()
        self._head, self._audio = head, audio

    def close(self, code: int, reason: str) -> None:
        """The server closed the connection."""
        self._close_run()
        self._lines.append(f"< close {code} {reason}".rstrip())

    def lines(self) -> list[str]:
        """The answers to this step so far."""
        return [*self._lines, *self._run()]

    def turn(self) -> list[str]:
        """The answers to this step; what follows belongs to the next one."""
        self._close_run()
        lines, self._lines = self._lines, []
        return lines

    def _run(self) -> list[str]:
        if not self._head:
            return []
        if "audio/pcm" not in self._head:
            return [self._head]
        what, _, more = self._head.partition(" {")
        audio = f"{what} samples={len(self._audio) // 2} crc32={zlib.crc32(self._audio):08x}"
        return [f"{audio} {{{more}" if more else audio]

    def _close_run(self) -> None:
        self._lines = self.lines()
        self._head, self._audio = "", b""


def _difference(new: Message, old: Message) -> object:
    """`new` less what is as in `old`."""
    changed: Message = {}
    for name, value in new.items():
        before = old.get(name)
        if value != before:
            is_section = isinstance(value, dict) and isinstance(before, dict)
            changed[name] = _difference(value, before) if is_section else value  # type: ignore[arg-type]
    return {OMITTED: OMITTED, **changed} if changed else OMITTED


def _line(message: Message) -> str:
    return f"< {msgspec.json.encode(message).decode()}"
