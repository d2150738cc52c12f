"""What is read of W3C PLS, and what is refused before it can do any harm."""

from __future__ import annotations

import pytest

from gateway.core.errors import CallerError, InvalidMessage, InvalidValue, Unsupported
from gateway.core.lexicon import Rule
from gateway.dialects.pls import read_pls

NAMESPACE = "http://www.w3.org/2005/01/pronunciation-lexicon"


def document(inside: str, *, language: str = "en-US") -> bytes:
    return (
        f'<lexicon version="1.0" xmlns="{NAMESPACE}" alphabet="ipa" xml:lang="{language}">{inside}</lexicon>'
    ).encode()


def lexeme(inside: str) -> bytes:
    return document(f"<lexeme>{inside}</lexeme>")


def test_graphemes_and_aliases_are_rules() -> None:
    """The example of the specification's section 4.6, and what else may stand in a document."""
    read = read_pls(
        document(
            "<meta name='author' content='x'/><metadata><b:c xmlns:b='urn:b'>no<b:alias>no</b:alias></b:c></metadata>"
            "<!-- a comment --><lexeme xml:id='a' role='b'><grapheme>W3C</grapheme><grapheme>WWWC</grapheme>"
            "<alias>World <![CDATA[Wide & ]]>Web</alias><example>W3C is it.</example></lexeme>"
            "<lexeme><grapheme>caf&#233;</grapheme><alias>A&amp;B</alias><alias>no</alias></lexeme>"
        )
    )
    assert read == (
        Rule("en-US", "W3C", "World Wide & Web"),
        Rule("en-US", "WWWC", "World Wide & Web"),
        Rule("en-US", "café", "A&B"),
    )


ESPEAK = "<phoneme alphabet='x-espeak-ng'>p'i:Ar</phoneme>"


def test_phonemes_of_the_engine_are_read_beside_an_alias() -> None:
    word, alias = "<grapheme>PR</grapheme>", "<alias>P R</alias>"
    preferred = "<alias prefer='true'>pull request</alias>"
    for said, expected in (
        (ESPEAK, (None, "p'i:Ar")),
        (ESPEAK + alias, ("P R", "p'i:Ar")),
        (alias + ESPEAK, ("P R", None)),
        (ESPEAK + preferred, ("pull request", None)),
        ("<phoneme>piː ɑːr</phoneme>" + ESPEAK, (None, "p'i:Ar")),
    ):
        assert read_pls(lexeme(word + said)) == (Rule("en-US", "PR", *expected),)


def test_the_preferred_alias_counts_else_the_first_and_other_phonemes_never() -> None:
    word = "<grapheme>a</grapheme><phoneme prefer='true'>eɪ</phoneme>"
    for aliases, chosen in (
        ("<alias>one</alias><alias>two</alias>", "one"),
        ("<alias>one</alias><alias prefer='true'>two</alias><alias prefer='true'>x</alias>", "two"),
    ):
        assert read_pls(lexeme(word + aliases)) == (Rule("en-US", "a", chosen),)
    with pytest.raises(Unsupported) as refused:
        read_pls(document("<lexeme/><lexeme><grapheme>a</grapheme><phoneme>eɪ</phoneme></lexeme>"))
    assert refused.value.problem.field == "lexeme[1].phoneme"


def test_a_lexeme_without_a_pronunciation_says_nothing() -> None:
    assert read_pls(lexeme("<grapheme>a</grapheme>")) == ()
    assert read_pls(document("")) == ()


def test_other_encodings_are_read() -> None:
    said = lexeme("<grapheme>é</grapheme><alias>e</alias>").decode()
    for encoding in ("utf-16", "iso-8859-1"):
        head = f'<?xml version="1.0" encoding="{encoding}"?>'
        assert read_pls((head + said).encode(encoding)) == (Rule("en-US", "é", "e"),)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(10))


@pytest.mark.parametrize(
    ("written", "error"),
    [
        (b"", InvalidMessage),
        (b"{}", InvalidMessage),
        (document("")[:-3], InvalidMessage),
        (document("") + b"<more/>", InvalidMessage),
        (document("&nobody;"), InvalidMessage),
        (b"\xff\xfe\x00", InvalidMessage),
        (b'<?xml version="1.0" encoding="klingon"?>' + document(""), InvalidMessage),
        (f"<!DOCTYPE lexicon [{LAUGHS}]>".encode() + document("&l9;"), InvalidMessage),
        (
            b'<!DOCTYPE lexicon [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + document("&x;"),
            InvalidMessage,
        ),
        (b'<!DOCTYPE lexicon SYSTEM "http://127.0.0.1/x.dtd">' + document(""), InvalidMessage),
        (b"<lexicon/>", InvalidValue),
        (b'<speak xmlns="http://www.w3.org/2001/10/synthesis"/>', InvalidValue),
        (f'<lexicon xmlns="{NAMESPACE}"/>'.encode(), InvalidValue),
    ],
)
def test_what_is_no_lexicon_is_refused(written: bytes, error: type[CallerError]) -> None:
    with pytest.raises(error):
        read_pls(written)


def test_depth_is_no_danger() -> None:
    assert read_pls(document("<metadata>" * 20_000 + "</metadata>" * 20_000)) == ()
