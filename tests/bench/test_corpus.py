"""What the corpus promises: enough of everything, in every language, and nothing that belongs to anybody."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from gateway.bench.workload.corpus import LANGUAGES, Has, load

LINES = load()


def test_there_are_a_hundred_turns_and_none_twice() -> None:
    assert len(LINES) >= 100
    assert len({line.id for line in LINES}) == len(LINES)
    assert len({line.text for line in LINES}) == len(LINES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_everything_that_is_hard(language: str) -> None:
    lines = load([language])
    assert len(lines) >= 20
    has = Counter(has for line in lines for has in line.has)
    assert all(has[each] >= 2 for each in Has), has
    assert any(not line.has for line in lines)


def test_what_a_line_is_said_to_have_is_in_it() -> None:
    for line in LINES:
        has_digits = re.search(r"\d", re.sub(r"\S+\.(com|org)\S*", "", line.text)) is not None
        assert has_digits == bool({Has.NUMBER, Has.DATE} & line.has), line
        assert ("example." in line.text) == (Has.URL in line.has), line


def test_addresses_are_of_domains_reserved_for_examples() -> None:
    for line in LINES:
        for host in re.findall(r"(?:www\.|@|https?://)([\w.]+\.\w+)", line.text):
            assert re.search(r"(^|\.)example\.(com|org)$", host), line


def test_turns_are_as_long_as_an_agents() -> None:
    assert all(20 <= len(line.text) <= 300 for line in LINES)
    assert len([line for line in LINES if len(line.text) >= 150]) >= 15


def test_hindi_is_written_in_its_own_script() -> None:
    assert all(re.search("[\u0900-\u097f]", line.text) for line in load(["hi"]))


def test_languages_can_be_chosen() -> None:
    assert {line.language for line in load(["de", "fr"])} == {"de", "fr"}
