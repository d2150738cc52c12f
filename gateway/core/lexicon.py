"""How words are to be spoken: rules that a caller keeps, and what a rule may be.

A rule says for one language what is spoken instead of a word, or of several. `gateway.core.replacing` applies them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.core.errors import InvalidValue
from gateway.core.limits import Limits

PHONEMES_CHARS_MAX = 60
"""No word has as many; where a text is cut for the library, phonemes stay whole."""

_PHONEMES = re.compile(rf"(?=.*[A-Za-z])[!-Z\\^-~]{{1,{PHONEMES_CHARS_MAX}}}")
_LANGUAGE = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8})*")
_SPEAKABLE = re.compile(r"[^\W_]")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """In text of this language (BCP 47, lower case) `alias` is spoken instead of `word`, or, by an engine that can, `phonemes`,
    which are written as that engine writes them. There is one of the two at least.

    A word in lower case stands for any case, one with a capital for itself alone.
    """

    language: Annotated[str, Meta(min_length=2, max_length=35)]
    word: str
    alias: str | None = None
    phonemes: str | None = None


class Lexicon(msgspec.Struct, frozen=True):
    """A caller's rules as they are from one change to the next. With `exact` each word stands for itself alone, whatever its
    case."""

    id: str
    version: int
    rules: tuple[Rule, ...]
    exact: bool = False


class LexiconInUse(msgspec.Struct, frozen=True):
    """Which lexicon a context speaks by, as it was when the context read it."""

    id: str
    version: int


class LexiconLimits(msgspec.Struct, frozen=True):
    """How many rules a lexicon may have, and how many characters a rule."""

    rules_max: int
    word_chars_max: int
    alias_chars_max: int

    @classmethod
    def of(cls, limits: Limits) -> LexiconLimits:
        """Those of the gateway's own lexicons."""
        return cls(
            limits.lexicon_rules_max, limits.lexicon_word_chars_max, limits.lexicon_alias_chars_max
        )


def judged(rules: Iterable[Rule], limits: LexiconLimits) -> tuple[Rule, ...]:
    """The rules as they are kept: languages in lower case, each run of blanks as one. Raises InvalidValue, with the number
    of the rule in its field, for what no text can match or nobody can say, and for what is said twice."""
    kept = tuple(_judged(rules, limits))
    if len(kept) > limits.rules_max:
        raise InvalidValue(
            f"there are {len(kept)} rules", field="rules", allowed=f"at most {limits.rules_max}"
        )
    return kept


def _judged(rules: Iterable[Rule], limits: LexiconLimits) -> Iterator[Rule]:
    seen: set[tuple[str, str]] = set()
    for number, rule in enumerate(rules):
        path = f"rules[{number}]"
        language = rule.language.lower()
        if not _LANGUAGE.fullmatch(language):
            raise InvalidValue(
                f"there is no language {rule.language!r}",
                field=f"{path}.language",
                allowed='a BCP 47 code, such as "en" or "hi-in"',
            )
        word = _text(rule.word, f"{path}.word", limits.word_chars_max)
        alias = _alias(rule, f"{path}.alias", limits)
        if (language, word) in seen:
            raise InvalidValue(
                f"there are two rules for {word!r} in {language}",
                field=f"{path}.word",
                allowed="one rule for a word",
            )
        seen.add((language, word))
        yield Rule(language, word, alias, _phonemes(rule, f"{path}.phonemes"))


def _alias(rule: Rule, field: str, limits: LexiconLimits) -> str | None:
    if rule.alias is None:
        if rule.phonemes is None:
            raise InvalidValue("there is nothing to speak", field=field, allowed="a text")
        return None
    alias = _text(rule.alias, field, limits.alias_chars_max)
    if not _SPEAKABLE.search(alias):
        raise InvalidValue(
            "there is nothing in it to speak", field=field, allowed="at least one letter or digit"
        )
    return alias


def _phonemes(rule: Rule, field: str) -> str | None:
    if rule.phonemes is not None and not _PHONEMES.fullmatch(rule.phonemes):
        raise InvalidValue(
            "these are no phonemes",
            field=field,
            allowed=f"1 to {PHONEMES_CHARS_MAX} ASCII characters, a letter among them, without blanks and brackets",
        )
    return rule.phonemes


def _text(written: str, field: str, chars_max: int) -> str:
    if _UNPRINTABLE.search(written):
        raise InvalidValue(
            "there is a character in it that nobody can write", field=field, allowed="plain text"
        )
    # Judged as it came, so that a blank costs what any character costs.
    if len(written) > chars_max:
        raise InvalidValue(
            f"it has {len(written)} characters",
            field=field,
            allowed=f"at most {chars_max} characters",
        )
    text = " ".join(written.split())
    if not text:
        raise InvalidValue("it is empty", field=field, allowed="at least one character")
    return text


def merged(older: Iterable[Rule], newer: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules of both; of two for one word in one language the newer one."""
    rules = {(rule.language, rule.word): rule for rule in (*older, *newer)}
    return tuple(rules.values())


def rules_for(lexicon: Lexicon, language: str) -> Iterator[Rule]:
    """The rules for text in this language, one for each word: those of "en" hold for "en-us" too, and those of "en-us" go
    before them."""
    code = language.lower()
    meant: dict[str, Rule] = {}
    for rule in lexicon.rules:
        if code != rule.language and not code.startswith(f"{rule.language}-"):
            continue
        other = meant.get(rule.word)
        if other is None or len(other.language) < len(rule.language):
            meant[rule.word] = rule
    yield from meant.values()
