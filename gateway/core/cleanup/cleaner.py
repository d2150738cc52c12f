"""From text as an LLM writes it to text as it is spoken, character by character and with a map back.

A cleaner reads forwards, once. What cannot be decided yet is held back, at most `HELD_CHARS_MAX` source characters: each
rule reads so far ahead and no further, and what is then not complete is taken for ordinary text. Thus the cleaned text
and its map depend on the text and on where it was flushed, settled or cleared, never on how it was split into pushes.

Letters and digits stay, in their order, except in what is not spoken at all: blocks of code, targets of links, addresses
beyond the host, tags. With SPEECH they also change where a number, date, amount or address is written out.
"""

from __future__ import annotations

import re

from gateway.core.cleanup.markdown import Markdown
from gateway.core.cleanup.notices import code_notice
from gateway.core.cleanup.sourcemap import SourceMap
from gateway.core.cleanup.speech import Speech
from gateway.core.cleanup.window import Window
from gateway.core.vocabulary import Cleanup

HELD_CHARS_MAX = 200
"""Source characters that wait for what follows them."""
LEFT_CHARS = 16
"""Source characters before the current one that rules may read."""

_SPEAKABLE = re.compile(r"[^\W_]")


class Cleaner:
    """Cleans one stream of text, written in `language`. Positions count code points since construction.

    With `say_code` a block of code is replaced by a notice in that language, otherwise by nothing. With OFF the text
    passes unchanged.
    """

    def __init__(self, mode: Cleanup, language: str, *, say_code: bool = False) -> None:
        self._markdown: Markdown | None = None
        if mode is not Cleanup.OFF:
            notice = code_notice(language) if say_code else ""
            speech = Speech(language) if mode is Cleanup.SPEECH else None
            self._markdown = Markdown(notice, speech)
        self._map = SourceMap()
        self._text = ""
        self._at = 0
        """The first held character; before it are those that rules may still read."""
        self._last = ""

    @property
    def held(self) -> int:
        """Source characters pushed and not decided yet, at most HELD_CHARS_MAX."""
        return len(self._text) - self._at

    def push(self, text: str) -> str:
        """Append source text; returns the cleaned text that is decided by now."""
        if self._markdown is None:
            self._map.copy(len(text))
            return text
        self._text = self._text[max(0, self._at - LEFT_CHARS) :] + text
        self._at = min(self._at, LEFT_CHARS)
        return self._advance(self._markdown)

    def settle(self) -> str:
        """Decide what is held, if it can be heard, as if nothing followed; the text goes on. For when text is late."""
        if self._markdown is None or not _SPEAKABLE.search(self._text, self._at):
            return ""
        return self._advance(self._markdown, whole=True)

    def flush(self) -> str:
        """Decide what is held: the text ends here, and what follows is a new one. Calling twice is fine."""
        if self._markdown is None:
            return ""
        cleaned = self._advance(self._markdown, whole=True)
        self._map.end()
        self._forget_left()
        self._markdown.restart(flushed=True)
        return cleaned

    def clear(self) -> None:
        """Forget what is held; what follows is a new text. Positions go on: the source so far is dealt with."""
        if self._markdown is None:
            return
        self._map.replace(self.held, 0)
        self._map.settle()
        self._at = len(self._text)
        self._forget_left()
        self._markdown.restart()

    def source_range(self, start: int, end: int) -> tuple[int, int]:
        """The source of the cleaned text [start:end).

        Consecutive ranges of cleaned text give consecutive ranges of source, which together are all of it: what was
        removed belongs to the range behind it, at a flush to the one before it. What was written out belongs as a whole
        to the range that has its beginning.
        """
        return self._map.range(start, end)

    def source_word(self, start: int, end: int) -> tuple[int, int]:
        """The source of a word at [start:end) of the cleaned text, without marks that were removed around it.

        Words of one expansion ("five dollars" for "$5") all give the whole of what was written.
        """
        return self._map.word(start, end)

    def forget(self, cleaned_position: int) -> None:
        """No range that begins before this position will be asked for."""
        self._map.forget(cleaned_position)

    def _forget_left(self) -> None:
        self._text, self._at, self._last = "", 0, ""

    def _advance(self, markdown: Markdown, *, whole: bool = False) -> str:
        cleaned: list[str] = []
        text = self._text
        while self._at < len(text):
            mark = markdown.seek(text, self._at)
            self._take(mark, None, cleaned)
            if mark == len(text):
                break
            stop = min(len(text), mark + HELD_CHARS_MAX)
            window = Window(
                text=text,
                at=mark,
                stop=stop,
                whole=whole or stop == mark + HELD_CHARS_MAX,
                base=self._map.source - mark,
                last=self._last,
            )
            edits = markdown.read(window)
            if edits is None:
                break
            for end, replacement in edits:
                self._take(end, replacement, cleaned)
        return "".join(cleaned)

    def _take(self, end: int, replacement: str | None, cleaned: list[str]) -> None:
        """The source up to `end` becomes `replacement`; None = it stays."""
        if end == self._at:
            return
        if replacement is None:
            replacement = self._text[self._at : end]
            self._map.copy(end - self._at)
        else:
            self._map.replace(end - self._at, len(replacement))
        self._at = end
        if replacement:
            cleaned.append(replacement)
            self._last = replacement[-1]
