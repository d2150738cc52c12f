"""What a rule may be, and which rules are meant for a language."""

from __future__ import annotations

import pytest

from gateway.core.errors import InvalidValue
from gateway.core.lexicon import (
    PHONEMES_CHARS_MAX,
    Lexicon,
    LexiconLimits,
    Rule,
    judged,
    merged,
    rules_for,
)
from tests.limits.borders import border

LIMITS = LexiconLimits(rules_max=3, word_chars_max=20, alias_chars_max=20)


def test_rules_are_kept_with_their_blanks_as_one_and_their_language_in_lower_case() -> None:
    written = [Rule("hi-IN", " New \n York ", "  न्यू  यॉर्क ")]
    assert judged(written, LIMITS) == (Rule("hi-in", "New York", "न्यू यॉर्क"),)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (Rule("", "a", "b"), "language"),
        (Rule("english please", "a", "b"), "language"),
        (Rule("*", "a", "b"), "language"),
        (Rule("en", "", "b"), "word"),
        (Rule("en", " \t\n", "b"), "word"),
        (Rule("en", "a\0b", "b"), "word"),
        (Rule("en", "\ud800", "b"), "word"),
        (Rule("en", "a" * 10_000, "b"), "word"),
        (Rule("en", "a", ""), "alias"),
        (Rule("en", "a", "..."), "alias"),
        (Rule("en", "a", "b\x01"), "alias"),
        (Rule("en", "a", "b" * 10_000), "alias"),
        (Rule("en", "a"), "alias"),
        *(
            (Rule("en", "a", "b", phonemes), "phonemes")
            for phonemes in ("", "a b", "[[a", "a]]", "é", "':", "a\n", "a\0")
        ),
    ],
)
def test_what_no_text_matches_or_nobody_can_say_is_refused(rule: Rule, field: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        judged([Rule("en", "x", "y"), rule], LIMITS)
    assert refused.value.problem.field == f"rules[1].{field}"


@border("core.lexicon.PHONEMES_CHARS_MAX")
def test_how_long_phonemes_are(more: int) -> None:
    rule = Rule("en", "a", phonemes="a" * (PHONEMES_CHARS_MAX + more))
    if more > 0:
        with pytest.raises(InvalidValue):
            judged([rule], LIMITS)
    else:
        assert judged([rule], LIMITS) == (rule,)


def test_a_word_has_one_rule_in_each_language() -> None:
    judged([Rule("en", "a", "b"), Rule("de", "a", "b"), Rule("en", "A", "b")], LIMITS)
    with pytest.raises(InvalidValue, match="two rules"):
        judged([Rule("en", "a  b", "c"), Rule("EN", "a b", "d")], LIMITS)


def test_the_nearest_language_counts() -> None:
    rules = (
        Rule("en-us", "data", "day ta"),
        Rule("en", "data", "dah ta"),
        Rule("en", "SQL", "sequel"),
        Rule("e", "data", "no"),
        Rule("en-u", "data", "no"),
        Rule("hi", "data", "no"),
    )
    meant = {rule.word: rule.alias for rule in rules_for(Lexicon("lx", 1, rules), "en-US")}
    assert meant == {"data": "day ta", "SQL": "sequel"}
    assert [rule.alias for rule in rules_for(Lexicon("lx", 1, rules), "en-gb")] == [
        "dah ta",
        "sequel",
    ]
    assert list(rules_for(Lexicon("lx", 1, rules), "ta")) == []


def test_of_two_rules_for_a_word_the_newer_one_counts() -> None:
    older = (Rule("en", "a", "b"), Rule("en", "c", "d"))
    newer = (Rule("en", "c", "e"), Rule("de", "a", "f"))
    assert merged(older, newer) == (older[0], *newer)
