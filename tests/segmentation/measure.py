"""How well streamed text is cut: the arithmetic behind `evaluate` and the thresholds test.

Texts are fed in random pieces of 1 to 6 characters with a fixed seed, as tokens arrive. A boundary is named by the
number of non-blank characters before it, so that blanks may go to either side; the end of a text does not count. The
delay of a boundary is the number of characters fed when its piece came out, less the position of the true boundary.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec

from gateway.core.params import Segmentation
from gateway.core.segmenter import Piece, Segmenter

DATA = Path(__file__).parent.parent / "data" / "segmentation"
FEED_CHARS_MAX = 6

SENTENCES = Segmentation(schedule=(1,), max_chars=500)
"""Every sentence end is used and, but for the cap, nothing else is."""


class Case(msgspec.Struct, frozen=True):
    """A text, and the sentences it is made of if somebody has said so."""

    text: str
    lang: str = "en"
    sentences: tuple[str, ...] = ()


class Score(msgspec.Struct):
    """Boundaries found, missed and made up, added up over any number of texts."""

    hits: int = 0
    misses: int = 0
    false: int = 0
    exact: int = 0
    cases: int = 0
    lossless: int = 0
    delays: list[int] = msgspec.field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.hits / max(1, self.hits + self.false)

    @property
    def recall(self) -> float:
        return self.hits / max(1, self.hits + self.misses)

    @property
    def f1(self) -> float:
        return 2 * self.hits / max(1, 2 * self.hits + self.misses + self.false)

    def add(self, other: Score) -> None:
        self.hits += other.hits
        self.misses += other.misses
        self.false += other.false
        self.exact += other.exact
        self.cases += other.cases
        self.lossless += other.lossless
        self.delays += other.delays


class Sizes(msgspec.Struct):
    """The pieces of any number of texts: what was fed before the first left, and how long they are."""

    first_fed: list[int] = msgspec.field(default_factory=list)
    firsts: list[Piece] = msgspec.field(default_factory=list)
    later_chars: list[int] = msgspec.field(default_factory=list)
    lossless: int = 0

    @property
    def first_chars(self) -> list[int]:
        return [len(piece.text) for piece in self.firsts]

    @property
    def longest(self) -> int:
        return max(self.first_chars + self.later_chars)


def load(name: str) -> list[Case]:
    """The cases of one data file."""
    return msgspec.json.decode((DATA / f"{name}.json").read_bytes(), type=list[Case])


@cache
def sets() -> dict[str, list[Case]]:
    """Every set by name, the golden rules in two: English and the rest."""
    golden = load("pysbd_golden")
    names = sorted(path.stem for path in DATA.glob("*.json") if path.stem != "MANIFEST")
    return {
        "golden_english": [case for case in golden if case.lang == "en"],
        "golden_other": [case for case in golden if case.lang != "en"],
    } | {name: load(name) for name in names if name != "pysbd_golden"}


def stream(case: Case, params: Segmentation, seed: int) -> Iterator[tuple[Piece, int]]:
    """Feed a text in random pieces; each piece that comes out, with the characters fed by then."""
    chance = random.Random(seed)
    segmenter = Segmenter(params, case.lang)
    fed = 0
    while fed < len(case.text):
        size = chance.randint(1, FEED_CHARS_MAX)
        token = case.text[fed : fed + size]
        fed += len(token)
        for piece in segmenter.push(token, 0.0):
            yield piece, fed
    for piece in segmenter.flush():
        yield piece, fed


def _solid(text: str) -> int:
    return sum(map(len, text.split()))


def _true_ends(case: Case) -> dict[int, int]:
    """Non-blank characters before each true boundary → its position in the text."""
    ends: dict[int, int] = {}
    wanted, solid = 0, 0
    borders = []
    for sentence in case.sentences[:-1]:
        wanted += _solid(sentence)
        borders.append(wanted)
    total = _solid(case.text)
    remaining = iter(border for border in borders if border < total)
    border = next(remaining, None)
    for index, char in enumerate(case.text):
        if not char.isspace():
            solid += 1
            if solid == border:
                ends[border] = index + 1
                border = next(remaining, None)
    return ends


def score(case: Case, seed: int, params: Segmentation = SENTENCES) -> Score:
    """Compare the pieces of one text with its sentences."""
    truth = _true_ends(case)
    total = _solid(case.text)
    found: dict[int, int] = {}
    texts, solid = [], 0
    for piece, fed in stream(case, params, seed):
        texts.append(piece.text)
        solid += _solid(piece.text)
        if 0 < solid < total:
            found.setdefault(solid, fed)
    hits = truth.keys() & found.keys()
    return Score(
        hits=len(hits),
        misses=len(truth) - len(hits),
        false=len(found) - len(hits),
        exact=int(truth.keys() == found.keys()),
        cases=1,
        lossless=int("".join(texts) == case.text),
        delays=[found[key] - truth[key] for key in hits],
    )


def score_all(cases: list[Case], params: Segmentation = SENTENCES) -> Score:
    """The sum over all cases; the seed of a case is its number."""
    total = Score()
    for number, case in enumerate(cases):
        total.add(score(case, number, params))
    return total


def pool(scores: Mapping[str, Score]) -> Score:
    """The sum over the treebanks; Thai writes no sentence ends."""
    total = Score()
    for name, one in scores.items():
        if name.startswith("ud_") and "thai" not in name:
            total.add(one)
    return total


def sizes_all(cases: list[Case], params: Segmentation) -> Sizes:
    """The pieces of all cases; the seed of a case is its number."""
    sizes = Sizes()
    for number, case in enumerate(cases):
        pieces = list(stream(case, params, number))
        first, fed = pieces[0]
        sizes.firsts.append(first)
        sizes.first_fed.append(fed)
        sizes.later_chars += [len(piece.text) for piece, _ in pieces[1:]]
        sizes.lossless += "".join(piece.text for piece, _ in pieces) == case.text
    return sizes


def percentile(values: list[int], share: float) -> int:
    """The smallest value that `share` of the values do not exceed; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0
