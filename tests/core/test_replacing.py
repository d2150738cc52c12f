"""Which words a rule is about, whatever is written around them, and where they stand."""

from __future__ import annotations

import unicodedata
from typing import Literal

import pytest

from gateway.core.intake import Cut, Intake
from gateway.core.lexicon import Lexicon, Rule
from gateway.core.params import Segmentation, TextSettings
from gateway.core.replacing import SPOKEN_CHARS_MAX, Replaced, Replacer
from gateway.core.vocabulary import Cleanup, CutKind, CutReason, PushBoundary
from tests.limits.borders import border


def replacer(*rules: tuple[str, str], exact: bool = False, language: str = "en") -> Replacer:
    kept = tuple(Rule(language, word, alias) for word, alias in rules)
    return Replacer(Lexicon("lx", 1, kept, exact=exact), language)


def spoken(text: str, *rules: tuple[str, str], exact: bool = False) -> str:
    return "".join(part.text for part in replacer(*rules, exact=exact).apply(text))


def as_written(part: Replaced, text: str, word: str) -> str:
    """What of the text the first such spoken word stands for."""
    at = part.text.index(word)
    start, end = part.word(at, at + len(word))
    return text[part.start : part.end][start:end]


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("SQL.", "sql", "X."),
        ("(SQL)", "sql", "(X)"),
        ("MySQL SQLite SQL2 _SQL", "sql", "MySQL SQLite SQL2 _SQL"),
        ("Siobhan's and non-SQL", "Siobhan", "X's and non-SQL"),
        ("non-SQL", "sql", "non-X"),
        ("C and C++", "C++", "C and X"),
        ("New\n  York", "new york", "X"),
        ("New, York", "new york", "New, York"),
        ("e.g. this, eg", "e.g.", "X this, eg"),
        ("A & B", "&", "A X B"),
        ("naïve naïveté", "naïve", "X naïveté"),
        # Vowel signs, accents and joiners belong to the word.
        ("हिन्दी हिन्द", "हिन्द", "हिन्दी X"),
        ("तमिलनाडु में तमिल", "तमिल", "तमिलनाडु में X"),
        ("क्\u200dष क्", "क्", "क्\u200dष X"),
        ("தமிழ்நாடு தமிழ்", "தமிழ்", "தமிழ்நாடு X"),
        ("cafe\u0301 cafe", "cafe", "cafe\u0301 X"),
        # Where no blanks are written between words, each character is one.
        ("我在北京工作", "北京", "我在X工作"),
        ("กรุงเทพฯ", "กรุงเทพ", "Xฯ"),
        ("です。た\u3099", "た", "です。た\u3099"),
        ("서울에서 서울", "서울", "서울에서 X"),
        ("𞤀𞤁𞤂 𞤀𞤁", "𞤀𞤁", "𞤀𞤁𞤂 X"),
    ],
)
def test_whole_words_only(text: str, word: str, expected: str) -> None:
    assert spoken(text, (word, "X")) == expected


def test_lower_case_stands_for_any_case_and_a_capital_for_itself() -> None:
    rules = ("nasa", "nassa"), ("Polish", "from Poland"), ("polish", "rub"), ("ΟΔΟΣ", "street")
    assert spoken("NASA Nasa nasa", *rules) == "nassa nassa nassa"
    assert spoken("Polish polish POLISH", *rules) == "from Poland rub rub"
    assert spoken("ΟΔΟΣ οδος", *rules) == "street οδος"
    assert spoken("NASA nasa", *rules, exact=True) == "NASA nassa"


def test_the_longest_match_counts_and_what_was_put_in_is_left_alone() -> None:
    rules = ("new", "gnu"), ("new york", "Gotham"), ("new york city", "new york"), ("york", "new")
    assert spoken("new york city new york new york", *rules) == "new york Gotham Gotham"
    assert spoken("new new york cities", *rules) == "gnu Gotham cities"
    assert spoken("a b", ("a", "b"), ("b", "a")) == "b a"


def test_equally_long_ones_are_decided_by_the_case() -> None:
    assert spoken("US us", ("us", "we"), ("US", "America")) == "America we"


@pytest.mark.parametrize("mark", [".*", "a|b", "(?:x", "[a-z]+", "\\w", "$1", "\\1", "a{9999}"])
def test_marks_of_patterns_are_plain_text(mark: str) -> None:
    assert spoken(f"see {mark} here abc", (mark, "X")) == "see X here abc"
    assert spoken("see it", ("it", f"X{mark}")) == f"see X{mark}"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_however_an_accent_was_typed(form: Literal["NFC", "NFD"]) -> None:
    forms: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
    for written in forms:
        word = unicodedata.normalize(written, "Zoë")
        assert spoken(unicodedata.normalize(form, "Zoë!"), (word, "Zoey")) == "Zoey!"


def test_words_are_marked_where_they_are_written() -> None:
    text = "Ask Siobhan's boss about C++ in New York."
    (part,) = replacer(
        ("Siobhan", "Shivawn"), ("C++", "see plus plus"), ("new york", "Gotham")
    ).apply(text)
    assert part.text == "Ask Shivawn's boss about see plus plus in Gotham."
    assert part.applied == 3
    for word, written in {
        "Ask": "Ask",
        "Shivawn's": "Siobhan's",
        "boss": "boss",
        "see": "C++",
        "plus": "C++",
        "Gotham.": "New York.",
    }.items():
        assert as_written(part, text, word) == written


def test_phonemes_are_spoken_where_an_engine_takes_them() -> None:
    rules = (Rule("en", "SQL", "sequel", "s'i:kw@l"), Rule("en", "PR", phonemes="p'i:A@"))
    lexicon, text = Lexicon("lx", 1, rules), "[[PR]] my SQL, SQL."
    (part,) = Replacer(lexicon, "en", phonemes=True).apply(text)
    assert part.text == "[[[[p'i:A@]]]] my [[s'i:kw@l]], [[s'i:kw@l]]."
    said = [part.text[start:end] for start, end in part.phonemes]
    assert said == ["[[p'i:A@]]", "[[s'i:kw@l]]", "[[s'i:kw@l]]"]
    assert as_written(part, text, "[[s'i:kw@l]]") == "SQL"
    (part,) = Replacer(lexicon, "en").apply(text)
    assert (part.text, part.phonemes) == ("[[PR]] my sequel, sequel.", ())


@pytest.mark.parametrize(
    ("text", "after", "goes_on", "expected"),
    [
        ("sql sql", "", False, "X X"),
        ("sql sql", "y", False, "sql X"),
        ("sql sql", " ", False, "X X"),
        ("sql sql", "ि", False, "sql X"),
        ("sql sql", "y", True, "sql sql"),
        ("sql sql ", "y", True, "sql X "),
        ("北京", "京", True, "北京"),
    ],
)
def test_the_rest_of_a_word_is_none(text: str, after: str, goes_on: bool, expected: str) -> None:
    (part,) = replacer(("sql", "X"), ("北", "Y")).apply(text, after=after, goes_on=goes_on)
    assert part.text == expected.replace("北", "Y")


@border("core.replacing.SPOKEN_CHARS_MAX")
def test_how_much_is_spoken_in_one_go(more: int) -> None:
    text = "aa " * 10 + "b" * (SPOKEN_CHARS_MAX - 10 * 41 + more)
    parts = replacer(("aa", "y" * 40)).apply(text)
    assert len(parts) == (2 if more > 0 else 1)
    assert "".join(part.text for part in parts) == text.replace("aa", "y" * 40)
    assert all(len(part.text) <= SPOKEN_CHARS_MAX for part in parts)
    if more > 0:
        assert [text[part.start : part.end] for part in parts] == [
            "aa " * 9 + "aa",
            " " + "b" * (len(text) - 30),
        ]


def settings(cleanup: Cleanup = Cleanup.OFF, **segmentation: object) -> TextSettings:
    return TextSettings(
        language="en",
        cleanup=cleanup,
        segmentation=Segmentation(**segmentation),  # type: ignore[arg-type]  # any field
    )


def cut(text: str, intake: Intake) -> list[Cut]:
    return [*intake.push(text, 0.0), *intake.flush(CutReason.END, 0.0)]


def test_cuts_know_the_callers_text_behind_clean_up_and_rules() -> None:
    source = "It is **Siobhan's** for $5."
    intake = Intake(settings(Cleanup.SPEECH), replacer(("Siobhan", "Shivawn"), ("5", "five")))
    (piece,) = cut(source, intake)
    assert piece.text == "It is Shivawn's for five dollars."
    assert (piece.source, piece.applied) == (source, 2)
    for word, written in {"Shivawn's": "Siobhan's", "five": "$5", "dollars": "$5"}.items():
        at = piece.text.index(word)
        start, end = piece.word(at, at + len(word))
        assert piece.source[start:end] == written


@pytest.mark.parametrize("cleanup", Cleanup)
def test_a_piece_that_became_too_long_is_divided(cleanup: Cleanup) -> None:
    source = "tla **tla** " * 12 + "tla."
    intake = Intake(
        settings(cleanup, max_chars=200, first_chars_max=200),
        replacer(("tla", "three letter abbreviation of some length")),
    )
    cuts = cut(source, intake)
    assert len(cuts) > 1
    assert "".join(each.source for each in cuts) == source
    assert [each.start for each in cuts[1:]] == [each.end for each in cuts[:-1]]
    assert all(len(each.text) <= SPOKEN_CHARS_MAX for each in cuts)
    assert sum(each.applied for each in cuts) == 25
    inner = [each for each in cuts if each.reason is CutReason.SIZE]
    assert inner
    assert all(each.kind is CutKind.WORD for each in inner)
    for each in cuts:
        at = each.text.rindex("length")
        start, end = each.word(at, at + 6)
        assert each.source[start:end].strip("*.") == "tla"
        each.forget()


def test_a_sign_that_becomes_a_word_is_spoken() -> None:
    (piece,) = cut("&", Intake(settings(), replacer(("&", "and"))))
    assert (piece.text, piece.speakable) == ("and", True)


def test_a_word_is_whole_only_if_nothing_stands_beside_it() -> None:
    """Where a word is longer than a piece may be, neither end of a piece is a border of words."""
    intake = Intake(settings(max_chars=20, first_chars_max=20), replacer(("ab" * 10, "X")))
    cuts = cut("ab" * 30, intake)
    assert len(cuts) == 3
    assert [each.applied for each in cuts] == [0, 0, 0]


def test_what_is_released_at_once_is_a_text_of_its_own() -> None:
    intake = Intake(
        settings(push_boundary=PushBoundary.RELEASE), replacer(("sql", "sequel"), ("my", "our"))
    )
    texts = [piece.text for push in ("my ", "sql", "!") for piece in intake.push(push, 0.0)]
    assert texts == ["our ", "sequel", "!"]
    intake.flush(CutReason.FLUSH, 0.0)
    assert [piece.text for piece in intake.push("sql", 0.0)] == ["sequel"]


def test_other_rules_hold_for_other_text() -> None:
    intake = Intake(settings(), replacer(("sql", "sequel")))
    assert [piece.text for piece in cut("sql", intake)] == ["sequel"]
    intake.reconfigure(settings(), None)
    assert [piece.text for piece in cut("sql", intake)] == ["sql"]
