"""Dictionaries: the forms in which they are uploaded, and what becomes of their words."""

from __future__ import annotations

import msgspec
import pytest

from gateway.core.errors import GatewayError, InvalidMessage, InvalidValue, MessageTooLarge
from gateway.core.lexicon import Rule
from gateway.core.limits import Limits
from gateway.dialects.sarvam_dictionaries import (
    WORDS_MAX,
    Pronunciations,
    SarvamDictionaries,
    SarvamDictionary,
)
from gateway.dialects.sarvam_upload import FILE_BYTES_MAX, PARTS_MAX, uploaded
from tests.dialects.sarvam.catalog import CATALOG
from tests.limits.borders import border

WORDS = SarvamDictionaries(CATALOG)
LIMITS = Limits()
FORM = "multipart/form-data; boundary=border"
HINDI: Pronunciations = {"hi-IN": {"AI": "ए आई"}}


def part(
    data: bytes, name: str = "file", type_: str | None = "application/json", file: str = "d.json"
) -> bytes:
    lines = [f'Content-Disposition: form-data; name="{name}"; filename="{file}"']
    if type_ is not None:
        lines.append(f"Content-Type: {type_}")
    return "\r\n".join(["--border", *lines, "", ""]).encode() + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--border--\r\n"


def read(pronunciations: object) -> tuple[Rule, ...]:
    data = msgspec.json.encode({"pronunciations": pronunciations})
    return WORDS.read(FORM, form(part(data)), LIMITS)


def many(words: int, beginning: str = "word") -> Pronunciations:
    """So many words, half of each language."""
    every = [f"{beginning}{number}" for number in range(words)]
    return {
        "hi-IN": dict.fromkeys(every[::2], "शब्द"),
        "en-IN": dict.fromkeys(every[1::2], "word"),
    }


def test_a_file_becomes_rules_and_back() -> None:
    rules = read({"hi-IN": {"AI": "ए आई", "API": "ए पी आई"}, "en-IN": {"SQL": "sequel"}})
    assert rules == (
        Rule("hi-in", "AI", "ए आई"),
        Rule("hi-in", "API", "ए पी आई"),
        Rule("en-in", "SQL", "sequel"),
    )
    assert WORDS.written(rules) == {
        "hi-IN": {"AI": "ए आई", "API": "ए पी आई"},
        "en-IN": {"SQL": "sequel"},
    }


def test_a_language_that_the_engine_calls_otherwise_comes_back_as_it_was() -> None:
    model = CATALOG.models["bulbul:v3"]
    voices = {
        name: msgspec.structs.replace(
            voice,
            spoken={
                code: msgspec.structs.replace(
                    spoken, language="or" if code == "od-in" else spoken.language
                )
                for code, spoken in voice.spoken.items()
            },
        )
        for name, voice in model.voices.items()
    }
    catalog = msgspec.structs.replace(
        CATALOG, models={"bulbul:v3": msgspec.structs.replace(model, voices=voices)}
    )
    words = SarvamDictionaries(catalog)
    data = msgspec.json.encode({"pronunciations": {"od-IN": {"AI": "ଏଆଇ"}}})
    rules = words.read(FORM, form(part(data)), LIMITS)
    assert [rule.language for rule in rules] == ["or"]
    assert words.written(rules) == {"od-IN": {"AI": "ଏଆଇ"}}


@pytest.mark.parametrize("type_", ["application/json", "application/octet-stream", None])
def test_a_file_may_be_called_what_clients_call_it(type_: str | None) -> None:
    data = msgspec.json.encode(SarvamDictionary(HINDI))
    assert WORDS.read(FORM, form(part(data, type_=type_)), LIMITS)


@pytest.mark.parametrize(
    ("type_", "body", "error", "field"),
    [
        ("", b"", InvalidMessage, None),
        ("application/json", b"{}", InvalidMessage, None),
        ("multipart/form-data", b"", InvalidMessage, None),
        (FORM, b"", InvalidMessage, None),
        (FORM, b"nonsense", InvalidMessage, None),
        (FORM, part(b"{}"), InvalidMessage, None),
        (FORM, form(), InvalidValue, "file"),
        (FORM, form(part(b"{}", name="other")), InvalidValue, "file"),
        (FORM, form(part(b"{}"), part(b"{}")), InvalidValue, "file"),
        (FORM, form(part(b"{}", type_="audio/wav")), InvalidValue, "file"),
        (FORM, form(part(b"not json")), InvalidMessage, None),
        (FORM, form(part(b"{}")), InvalidValue, "pronunciations"),
        (f"{FORM}{'y' * 300}", b"", InvalidMessage, None),
    ],
)
def test_what_is_no_form_with_a_file_is_refused(
    type_: str, body: bytes, error: type[GatewayError], field: str | None
) -> None:
    with pytest.raises(error) as refused:
        WORDS.read(type_, body, LIMITS)
    assert refused.value.problem.field == field


@pytest.mark.parametrize(
    ("pronunciations", "code", "field"),
    [
        ({}, "invalid_value", "file"),
        ({"hi-IN": {}}, "invalid_value", "file"),
        ({"fr-FR": {"AI": "IA"}}, "unsupported", "pronunciations"),
        ({"hi-IN": {"": "ए"}}, "invalid_value", "pronunciations.hi-IN."),
        ({"hi-IN": {"AI": "..."}}, "invalid_value", "pronunciations.hi-IN.AI"),
        ({"hi-IN": {"AI": 5}}, "invalid_value", "pronunciations[...][...]"),
        ({"hi-IN": "AI"}, "invalid_value", "pronunciations[...]"),
        ([], "invalid_value", "pronunciations"),
    ],
)
def test_words_that_cannot_be_are_refused_by_name(
    pronunciations: object, code: str, field: str
) -> None:
    with pytest.raises(GatewayError) as refused:
        read(pronunciations)
    assert (refused.value.problem.code, refused.value.problem.field) == (code, field)


@border("dialects.sarvam_dictionaries.WORDS_MAX")
def test_how_many_words_a_dictionary_may_have(more: int) -> None:
    if more <= 0:
        assert len(read(many(WORDS_MAX + more))) == WORDS_MAX + more
        return
    with pytest.raises(InvalidValue):
        read(many(WORDS_MAX + more))


@border("dialects.sarvam_upload.FILE_BYTES_MAX")
def test_how_large_a_file_may_be(more: int) -> None:
    size = FILE_BYTES_MAX + more
    if more <= 0:
        assert len(uploaded(FORM, form(part(b"x" * size)))) == size
        return
    with pytest.raises(MessageTooLarge):
        uploaded(FORM, form(part(b"x" * size)))


@border("dialects.sarvam_upload.PARTS_MAX")
def test_how_many_fields_a_form_may_have(more: int) -> None:
    others = [part(b"", name="other")] * (PARTS_MAX + more - 1)
    if more <= 0:
        assert uploaded(FORM, form(*others, part(b"{}"))) == b"{}"
        return
    with pytest.raises(InvalidMessage):
        uploaded(FORM, form(*others, part(b"{}")))
