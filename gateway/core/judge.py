"""Who is asked whether one dot ends a sentence.

The scanner finds candidates and knows what no library knows of streams; what is an abbreviation in which language, a
library knows better. `Judge` is all that the scanner sees of it, so that another one can be put in its place and
measured with the same harness.
"""

from __future__ import annotations

import re
from typing import Protocol

import sentencex

LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Judge(Protocol):
    """Decides one candidate at a time."""

    def ends_sentence(self, language: str, window: str, positions: range) -> bool:
        """Whether a sentence of `window` ends at one of `positions`.

        `window` is a few hundred characters at most, begins where a sentence begins and goes a word or less beyond the
        candidate. Pure; never raises, whatever the text or the language.
        """
        ...


class SentencexJudge:
    """`sentencex`: 31 languages with rules of their own, fallback chains for some 300 more."""

    def ends_sentence(self, language: str, window: str, positions: range) -> bool:
        # A lone surrogate cannot be handed to Rust; U+FFFD is as long and means as little.
        sentences = sentencex.segment(language, LONE_SURROGATE.sub("\ufffd", window))
        end = 0
        for sentence in sentences:
            end += len(sentence)
            if end >= positions.stop:
                return False
            if end in positions:
                return True
        return False
