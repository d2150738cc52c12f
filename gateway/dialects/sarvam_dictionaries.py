"""Pronunciation dictionaries as Sarvam has them: a file of words by language, kept as a lexicon.

A word stands for itself alone, and only text in the language of its block is changed by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from gateway.core.errors import GatewayError, InvalidValue, Unsupported
from gateway.core.lexicon import LexiconLimits, Rule, judged
from gateway.core.limits import Limits
from gateway.core.params import Catalog
from gateway.dialects.sarvam_upload import FIELD, uploaded
from gateway.dialects.wire import convert, decode_object

DICTIONARIES_MAX = 10
"""The vendor's own bound, for each user."""
WORDS_MAX = 100
"""The vendor's own bound, for each dictionary."""
_RULE = re.compile(r"rules\[(\d+)\]")

Pronunciations = dict[str, dict[str, str]]


class SarvamDictionary(msgspec.Struct, frozen=True):
    """What is uploaded, and what `GET` gives back."""

    pronunciations: Pronunciations


class SarvamDictionaryCreated(msgspec.Struct, frozen=True):
    """The answer of `POST`."""

    dictionary_id: str


class SarvamDictionaryList(msgspec.Struct, frozen=True):
    """The answer of `GET` without an id."""

    dictionary_count: int
    dictionaries: tuple[str, ...]


class SarvamDictionaryUpdated(msgspec.Struct, frozen=True):
    """The answer of `PUT`: all of the dictionary as it is now."""

    dictionary_id: str
    updated_pronunciations: Pronunciations


class SarvamDictionaryDeleted(msgspec.Struct, frozen=True):
    """The answer of `DELETE`."""

    success: bool
    message: str


def dictionary_id(digits: str) -> str:
    """The id of a new dictionary, of eight random hexadecimal digits."""
    return f"p_{digits}"


class SarvamDictionaries:
    """Between files and rules. `catalog` has the languages."""

    def __init__(self, catalog: Catalog) -> None:
        model = catalog.models[catalog.default_model]
        voice = model.voices[model.default_voice]
        self._codes = {code.lower(): code for code in voice.languages}
        # What the engine calls a language decides by which rules its text is spoken.
        self._ours = {code: spoken.language for code, spoken in voice.spoken.items()}
        self._theirs = {ours: self._codes[code] for code, ours in self._ours.items()}

    def read(self, content_type: str, body: bytes, limits: Limits) -> tuple[Rule, ...]:
        """The rules in an uploaded file. Raises InvalidMessage, InvalidValue, Unsupported or MessageTooLarge."""
        file = convert(decode_object(uploaded(content_type, body)), SarvamDictionary)
        rules = [
            Rule(self._language(code), word, alias)
            for code, words in file.pronunciations.items()
            for word, alias in words.items()
        ]
        if not rules:
            raise InvalidValue("the file has no words", field=FIELD, allowed="at least one word")
        return self.judged(rules, limits)

    def judged(self, rules: Iterable[Rule], limits: Limits) -> tuple[Rule, ...]:
        """The rules as they are kept. Raises InvalidValue."""
        bounds = LexiconLimits(
            WORDS_MAX, limits.lexicon_word_chars_max, limits.lexicon_alias_chars_max
        )
        asked = list(rules)
        try:
            return judged(asked, bounds)
        except GatewayError as error:
            raise self._in_their_words(error, asked) from None

    def written(self, rules: Iterable[Rule]) -> Pronunciations:
        """The rules by language and word."""
        blocks: Pronunciations = {}
        for rule in rules:
            assert rule.alias is not None, "their files have no phonemes"
            code = self._theirs.get(rule.language, rule.language)
            blocks.setdefault(code, {})[rule.word] = rule.alias
        return blocks

    def _language(self, code: str) -> str:
        if code.lower() not in self._ours:
            raise Unsupported(
                f"there is no language {code[:35]!r}",
                field="pronunciations",
                allowed=", ".join(self._codes.values()),
            )
        return self._ours[code.lower()]

    def _in_their_words(self, error: GatewayError, rules: list[Rule]) -> InvalidValue:
        problem = error.problem
        at = _RULE.match(problem.field or "")
        field = "pronunciations"
        if at is not None:
            rule = rules[int(at[1])]
            field += f".{self._theirs.get(rule.language, rule.language)}.{rule.word[:64]}"
        return InvalidValue(problem.message, field=field, allowed=problem.allowed)
