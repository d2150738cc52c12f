"""Lexicons in XML, as the W3C's Pronunciation Lexicon Specification 1.0 has them (https://www.w3.org/TR/pronunciation-lexicon/).

Read are each lexeme's graphemes with its alias and, in the alphabets of espeak-ng, its phonemes: the preferred ones, else
the first (§4.7). Phonemes in other alphabets (IPA) no engine here can read. What a document declares of its own
(a DTD, and entities in it) is refused before anything of it is expanded.
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn
from xml.parsers import expat

from gateway.core.errors import InvalidMessage, InvalidValue, Unsupported
from gateway.core.lexicon import Rule

MEDIA_TYPE = "application/pls+xml"
_PLS = "http://www.w3.org/2005/01/pronunciation-lexicon "
_LANG = "http://www.w3.org/XML/1998/namespace lang"
_GRAPHEME, _ALIAS, _PHONEME = (f"{_PLS}{name}" for name in ("grapheme", "alias", "phoneme"))
PHONEMES = "x-espeak-ng"
"""The alphabet of phonemes that are read."""


def read_pls(document: bytes) -> tuple[Rule, ...]:
    """The rules of a document. Raises InvalidMessage for what is not XML or declares something, InvalidValue for what is no
    lexicon, Unsupported for a lexeme that has phonemes alone, in other alphabets."""
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


class _Said(NamedTuple):
    """What stands in an element, by its name."""

    kind: str
    text: str
    is_preferred: bool


class _Reader:
    """Hears of one document, part by part."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self._language: str | None = None
        self._lexemes = 0
        self._alphabet = ""
        self._words: list[str] = []
        self._said: list[_Said] = []
        self._has_others = False
        """There are phonemes that are not read."""
        self._reading: _Said | None = None
        self._parts: list[str] = []
        """What is in the element that is being read."""

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if self._language is None:
            self._language = _language_of(name, attributes)
            self._alphabet = attributes.get("alphabet", "")
        elif name == f"{_PLS}lexeme":
            self._words, self._said, self._has_others = [], [], False
        elif name == _PHONEME and attributes.get("alphabet", self._alphabet) != PHONEMES:
            self._has_others = True
        elif name in {_GRAPHEME, _ALIAS, _PHONEME}:
            self._reading = _Said(name, "", attributes.get("prefer") == "true")
            self._parts = []

    def text(self, text: str) -> None:
        """Characters between two marks."""
        if self._reading is not None:
            self._parts.append(text)

    def end(self, name: str) -> None:
        """An element ends."""
        if name == f"{_PLS}lexeme":
            self._end_lexeme()
        elif self._reading is not None and name == self._reading.kind:
            said, self._reading = self._reading._replace(text="".join(self._parts)), None
            if name == _GRAPHEME:
                self._words.append(said.text)
            else:
                self._said.append(said)

    def _end_lexeme(self) -> None:
        number, self._lexemes = self._lexemes, self._lexemes + 1
        best = _best(self._said)
        if best is None:
            if self._has_others:
                raise Unsupported(
                    f"lexeme {number + 1} has phonemes in another alphabet, and no alias",
                    field=f"lexeme[{number}].phoneme",
                    allowed=f"an alias, a text that sounds like it, or phonemes in {PHONEMES}",
                )
            return  # A lexeme may have no pronunciation (§4.4), and then says nothing.
        assert self._language is not None
        alias = _best([said for said in self._said if said.kind == _ALIAS])
        for word in self._words:
            self.rules.append(
                Rule(
                    *(self._language, word, None if alias is None else alias.text),
                    best.text.strip() if best.kind == _PHONEME else None,
                )
            )


def _best(said: list[_Said]) -> _Said | None:
    return next((each for each in said if each.is_preferred), said[0] if said else None)


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
