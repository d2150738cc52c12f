"""What a rule sees and what it says."""

from __future__ import annotations

import re
from typing import NamedTuple


class Edit(NamedTuple):
    """The source from the previous edit's end up to `end` becomes `text`; None = it stays as it is."""

    end: int
    text: str | None = None


class Window(NamedTuple):
    """The part of the text that a rule may read: a few characters before `at`, and on to `stop`.

    When not `whole`, text may follow that belongs to it. A rule that would look at `stop` then gives None, which means
    "ask again when there is more". What it decides must not depend on how much more there is already.
    """

    text: str
    at: int
    stop: int
    whole: bool
    base: int
    """The source position of text[0]."""
    last: str
    """The last cleaned character, "" at the beginning of an utterance."""

    def waits(self, end: int) -> bool:
        """Whether a rule that read up to `end` must wait for the character there."""
        return end >= self.stop and not self.whole

    def char(self, index: int) -> str:
        """The character at `index`, "" where the text ends."""
        return self.text[index] if index < self.stop else ""

    def match(self, pattern: re.Pattern[str], index: int) -> re.Match[str] | None:
        return pattern.match(self.text, index, self.stop)

    def end_of(self, pattern: re.Pattern[str], index: int) -> int:
        """Where `pattern` ends that matches, possibly nothing, at `index`."""
        match = pattern.match(self.text, index, self.stop)
        assert match is not None
        return match.end()

    def ends_line(self, index: int) -> bool:
        return index >= self.stop or self.text[index] == "\n"


Edits = list[Edit]
