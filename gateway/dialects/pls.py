"""Lexicons in XML, as the W3C's Pronunciation Lexicon Specification 1.0 has them (https://www.w3.org/TR/pronunciation-lexicon/).

Read are each lexeme's graphemes with its alias: the preferred one, else the first (§4.7). What a document declares of its own
(a DTD, and entities in it) is refused before anything of it is expanded.
"""

from __future__ import annotations

from typing import NoReturn
from xml.parsers import expat

from gateway.core.errors import InvalidMessage, InvalidValue, Unsupported
from gateway.core.lexicon import Rule

MEDIA_TYPE = "application/pls+xml"
_PLS = "http://www.w3.org/2005/01/pronunciation-lexicon "
_LANG = "http://www.w3.org/XML/1998/namespace lang"
_READ = frozenset({f"{_PLS}grapheme", f"{_PLS}alias"})


def read_pls(document: bytes) -> tuple[Rule, ...]:
    """The rules of a document. Raises InvalidMessage for what is not XML or declares something, InvalidValue for what is no
    lexicon, Unsupported for a lexeme that has phonemes alone."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_declarations
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # The latter two of an encoding.
        raise InvalidMessage(f"not XML: {error}", allowed="a document of PLS 1.0") from None
    return tuple(reader.rules)


def _refuse_declarations(*_: object) -> NoReturn:
    raise InvalidMessage(
        "the document declares types or entities of its own", allowed="XML without a DOCTYPE"
    )


class _Reader:
    """Hears of one document, part by part."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self._language: str | None = None
        self._lexemes = 0
        self._words: list[str] = []
        self._aliases: list[str] = []
        self._preferred: str | None = None
        self._has_phonemes = False
        self._parts: list[str] | None = None
        """What is in the grapheme or alias that is being read."""
        self._prefers = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if self._language is None:
            self._language = _language_of(name, attributes)
        elif name == f"{_PLS}lexeme":
            self._words, self._aliases, self._preferred = [], [], None
            self._has_phonemes = False
        elif name == f"{_PLS}phoneme":
            self._has_phonemes = True
        elif name in _READ:
            self._parts = []
            self._prefers = attributes.get("prefer") == "true"

    def text(self, text: str) -> None:
        """Characters between two marks."""
        if self._parts is not None:
            self._parts.append(text)

    def end(self, name: str) -> None:
        """An element ends."""
        if name == f"{_PLS}lexeme":
            self._end_lexeme()
        elif name in _READ and self._parts is not None:
            text, self._parts = "".join(self._parts), None
            if name == f"{_PLS}grapheme":
                self._words.append(text)
            else:
                self._aliases.append(text)
                if self._prefers and self._preferred is None:
                    self._preferred = text

    def _end_lexeme(self) -> None:
        number, self._lexemes = self._lexemes, self._lexemes + 1
        alias = self._preferred if self._preferred is not None else next(iter(self._aliases), None)
        if alias is None:
            if self._has_phonemes:
                raise Unsupported(
                    f"lexeme {number + 1} has phonemes and no alias",
                    field=f"lexeme[{number}].phoneme",
                    allowed="an alias: a text that sounds like it",
                )
            return  # A lexeme may have no pronunciation (§4.4), and then says nothing.
        assert self._language is not None
        self.rules += [Rule(self._language, word, alias) for word in self._words]


def _language_of(root: str, attributes: dict[str, str]) -> str:
    if root != f"{_PLS}lexicon":
        raise InvalidValue(
            f"the document is a {root.rpartition(' ')[2]!r}",
            field="lexicon",
            allowed=f"a lexicon of {_PLS.strip()}",
        )
    language = attributes.get(_LANG)
    if not language:
        raise InvalidValue(
            "the lexicon says of no language", field="lexicon.xml:lang", allowed="a BCP 47 code"
        )
    return language
