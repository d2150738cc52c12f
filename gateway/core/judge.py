"""Who is asked whether one dot ends a sentence.

The scanner finds candidates and knows what no library knows of streams; what is an abbreviation in which language, a
library knows better. `Judge` is all that the scanner sees of it, so that another one can be put in its place and
measured with the same harness.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Protocol

import sentencex

_BLANK = re.compile(r"[^\S ]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Judge(Hashable, Protocol):
    """Decides one candidate at a time. Hashable, because its verdicts on single words are remembered."""

    def ends_sentence(self, language: str, window: str, positions: range) -> bool:
        """Whether a sentence of `window` ends at one of `positions`.

        `window` is a few hundred characters at most, begins where a sentence begins and goes a word or less beyond the
        candidate. Pure; never raises, whatever the text or the language.
        """
        ...


class SentencexJudge:
    """`sentencex`: 31 languages with rules of their own, fallback chains for some 300 more."""

    def ends_sentence(self, language: str, window: str, positions: range) -> bool:
        # Any blank of more than one byte before a dot makes 1.0.32 panic, and a lone surrogate cannot be handed to Rust
        # at all; what replaces them is as long and means the same.
        window = _LONE_SURROGATE.sub("\ufffd", _BLANK.sub(" ", window))
        sentences = sentencex.segment(language, window)
        end = 0
        for sentence in sentences:
            end += len(sentence)
            if end >= positions.stop:
                return False
            if end in positions:
                return True
        return False
