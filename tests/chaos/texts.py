"""Texts that nobody writes and everybody sends: all of Unicode, real sentences of many languages, and what hurts engines."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator

import msgspec

from tests.support.checkout import ROOT

CHARS_MAX = 250
CONTROLS = "".join(
    map(chr, [*range(1, 32), *range(127, 160), 0x200B, 0x200D, 0x202E, 0x2066, 0xFEFF])
)
MARKS = ".,;:!?…。、，！？؟।॥-–—\"'“”‘’«»()[]{}<>/\\|*_~^`@#$%&+=·•"
TAGS = (
    '<speak>', '</speak>', '<break time="9s"/>', '<prosody rate="x-slow">', '</prosody>', "<!--", "-->",
    "<![CDATA[", "]]>", "&lt;", "&#0;", "&#xD800;", "&bogus;", '<say-as interpret-as="digits">', "<mark name=''/>",
    "[[h@'loU]]", "[[", "]]", "<", ">", "&",
)  # fmt: skip
HURTING = (
    "s'",
    "a.",
    "é.",
    "U.S.",
    "i.e.",
    "1e9",
    "0x",
    "³",
    "½",
    "№",
    "Mr.",
    "\n\n",
    "'",
    "’s",
    "--",
    "…",
    "$1,000.5",
    "3.14",
)


def texts(seed: int, count: int) -> Iterator[str]:
    """So many texts, none of them empty; the same seed gives the same."""
    chance = random.Random(seed)
    sentences = _sentences()
    kinds: list[Callable[[], str]] = [
        lambda: _some(chance, lambda: _anything(chance), 120),
        lambda: _block(chance),
        lambda: _some(chance, lambda: chance.choice(CONTROLS + "ab "), 80),
        lambda: (
            chance.choice(("x", "ß", "漢", "ก", "אל", "7", "é", "ab1")) * chance.randint(20, 400)
        ),
        lambda: _some(chance, lambda: chance.choice(MARKS), 300),
        lambda: chance.choice(MARKS) * chance.randint(1, 500),
        lambda: _some(chance, lambda: chance.choice((*TAGS, "word ", "two, ", "one")), 40),
        lambda: _some(chance, lambda: chance.choice(HURTING), 90),
        lambda: chance.choice(sentences),
        lambda: _torn(chance, chance.choice(sentences)),
    ]
    for _ in range(count):
        parts = [chance.choice(kinds)() for _ in range(chance.choice((1, 1, 1, 2, 3)))]
        yield chance.choice(("", " ", "\n\n")).join(parts)[:CHARS_MAX] or "?"


def _anything(chance: random.Random) -> str:
    """Any character but the halves of one."""
    while 0xD800 <= (code := chance.randint(1, sys.maxunicode)) < 0xE000:
        pass
    return chr(code)


def _block(chance: random.Random) -> str:
    """Characters that stand together in Unicode, as those of a script do."""
    first = (
        chance.randrange(0, 0x3000, 0x40)
        if chance.random() < 0.7
        else chance.randrange(0x3000, 0xD7C0, 0x40)
    )
    return _some(
        chance,
        lambda: chr(max(1, first + chance.randrange(0x40))) if chance.random() < 0.85 else " ",
        150,
    )


def _some(chance: random.Random, one: Callable[[], str], most: int) -> str:
    return "".join(one() for _ in range(chance.randint(1, most)))


def _torn(chance: random.Random, sentence: str) -> str:
    """A sentence with something foreign in the middle of it."""
    at = chance.randrange(len(sentence) + 1)
    return sentence[:at] + _some(chance, lambda: _anything(chance), 5) + sentence[at:]


def _sentences() -> list[str]:
    """Of the treebanks by which the segmenter is measured: twenty languages."""
    found: list[str] = []
    for file in sorted((ROOT / "tests" / "data" / "segmentation").glob("ud_*.json")):
        found += _strings(msgspec.json.decode(file.read_bytes()))
    return found


def _strings(tree: object) -> list[str]:
    """Whatever is text with a blank in it, or long, somewhere in JSON."""
    if isinstance(tree, dict):
        return [text for value in tree.values() for text in _strings(value)]
    if isinstance(tree, list):
        return [text for value in tree for text in _strings(value)]
    return [tree] if isinstance(tree, str) and len(tree) > 20 else []
