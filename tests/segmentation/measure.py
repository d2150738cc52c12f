"""How well streamed text is cut: the arithmetic behind `evaluate` and the thresholds test.

Texts are fed in random pieces of 1 to 6 characters with a fixed seed, as tokens arrive. A boundary is named by the
number of non-blank characters before it, so that blanks may go to either side; the end of a text does not count. The
delay of a boundary is the number of characters fed when its piece came out, less the position of the true boundary.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec

from gateway.core.params import Segmentation
from gateway.core.segmenter import Piece, Segmenter

DATA = Path(__file__).parent.parent / "data" / "segmentation"
TREES = DATA / "trees"
TREEBANKS = ("ud_english_pud", "ud_english_ewt")
"""The treebanks that were parsed for their tight phrases."""
FEED_CHARS_MAX = 6
LONG_CHARS = 70
"""An English sentence so long does not leave as a whole as the first piece."""

SENTENCES = Segmentation(schedule=(1,), max_chars=500)
"""Every sentence end is used and, but for the cap, nothing else is."""

_BLANKS = re.compile(r"(?<=\S)\s+(?=\S)")

Cutter = Callable[[Iterator[str], str], Iterator[str]]
"""Whatever cuts tokens in a language into pieces. It takes no more tokens than it needs for the piece it gives next."""


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
    chars: int = 0
    cpu_s: float = 0.0
    delays: list[int] = msgspec.field(default_factory=list)

    @property
    def micros(self) -> float:
        """Processor time per character."""
        return self.cpu_s / max(1, self.chars) * 1e6

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
        self.chars += other.chars
        self.cpu_s += other.cpu_s
        self.delays += other.delays


class Sizes(msgspec.Struct):
    """The pieces of any number of texts: what was fed before the first left, and how long they are."""

    first_fed: list[int] = msgspec.field(default_factory=list)
    first_chars: list[int] = msgspec.field(default_factory=list)
    later_chars: list[int] = msgspec.field(default_factory=list)
    lossless: int = 0

    @property
    def longest(self) -> int:
        return max(self.first_chars + self.later_chars)


class Gaps(msgspec.Struct, frozen=True):
    """A long sentence, where its blanks begin, and which of these are inside a tight phrase."""

    text: str
    all: tuple[int, ...]
    tight: frozenset[int]


class Feed:
    """A text in random pieces, as tokens arrive: iterate, and `chars` says how many characters have been taken."""

    def __init__(self, text: str, seed: int) -> None:
        chance = random.Random(seed)
        self._tokens: list[str] = []
        self.chars = begin = 0
        while begin < len(text):
            end = begin + chance.randint(1, FEED_CHARS_MAX)
            self._tokens.append(text[begin:end])
            begin = end

    def __iter__(self) -> Iterator[str]:
        for token in self._tokens:
            self.chars += len(token)
            yield token


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


def blanks(sentence: str) -> tuple[int, ...]:
    """Where the blanks inside a sentence begin."""
    return tuple(blank.start() for blank in _BLANKS.finditer(sentence))


def long_sentences(name: str) -> list[str]:
    """The long sentences of a set, in order."""
    return [
        sentence
        for case in load(name)
        for sentence in case.sentences
        if len(sentence) >= LONG_CHARS
    ]


@cache
def phrases() -> tuple[Gaps, ...]:
    """The long English sentences with their tight gaps, as `make trees` found them."""
    return tuple(
        Gaps(sentence, blanks(sentence), frozenset(tight))
        for name in TREEBANKS
        for sentence, tight in zip(
            long_sentences(name),
            msgspec.json.decode((TREES / f"{name}.json").read_bytes(), type=list[list[int]]),
            strict=True,
        )
    )


def first_cuts(params: Segmentation) -> list[bool]:
    """Of each long sentence that the first piece divides, as the beginning of an answer: whether inside a tight phrase."""
    cuts: list[bool] = []
    for seed, gaps in enumerate(phrases()):
        piece = next(pieces(iter(Feed(gaps.text, seed)), "en", params))
        at = len(gaps.text[: piece.end].rstrip())
        if at < len(gaps.text.rstrip()):
            cuts.append(at in gaps.tight)
    return cuts


def blank_cuts(longest: int) -> list[bool]:
    """Of each long sentence: whether its last blank up to `longest` characters is tight. To compare trees with."""
    reached = [[at for at in gaps.all if at <= longest] for gaps in phrases()]
    return [
        within[-1] in gaps.tight for gaps, within in zip(phrases(), reached, strict=True) if within
    ]


def pieces(tokens: Iterator[str], language: str, params: Segmentation) -> Iterator[Piece]:
    """What our segmenter makes of tokens that come without pause."""
    segmenter = Segmenter(params, language)
    for token in tokens:
        yield from segmenter.push(token, 0.0)
    yield from segmenter.flush()


def ours(params: Segmentation = SENTENCES) -> Cutter:
    """Our segmenter among others."""
    return lambda tokens, language: (piece.text for piece in pieces(tokens, language, params))


def cut(case: Case, seed: int, cutter: Cutter) -> list[tuple[str, int]]:
    """The pieces of a text, each with the characters fed by then."""
    feed = Feed(case.text, seed)
    return [(piece, feed.chars) for piece in cutter(iter(feed), case.lang)]


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


def score(case: Case, seed: int, cutter: Cutter) -> Score:
    """Compare the pieces of one text with its sentences."""
    begin = time.process_time()
    made = cut(case, seed, cutter)
    cpu_s = time.process_time() - begin
    truth = _true_ends(case)
    total = _solid(case.text)
    found: dict[int, int] = {}
    solid = 0
    for text, fed in made:
        solid += _solid(text)
        if 0 < solid < total:
            found.setdefault(solid, fed)
    hits = truth.keys() & found.keys()
    return Score(
        hits=len(hits),
        misses=len(truth) - len(hits),
        false=len(found) - len(hits),
        exact=int(truth.keys() == found.keys()),
        cases=1,
        lossless=int("".join(text for text, _ in made) == case.text),
        chars=len(case.text),
        cpu_s=cpu_s,
        delays=[found[key] - truth[key] for key in hits],
    )


def score_all(cases: list[Case], cutter: Cutter | None = None) -> Score:
    """The sum over all cases, cut by ours into sentences unless told otherwise; the seed of a case is its number."""
    cutter = cutter or ours()
    total = Score()
    for number, case in enumerate(cases):
        total.add(score(case, number, cutter))
    return total


def is_pooled(name: str) -> bool:
    """Whether a set is one of the treebanks that are added up; Thai writes no sentence ends."""
    return name.startswith("ud_") and "thai" not in name


def pool(scores: Mapping[str, Score]) -> Score:
    """The sum over the treebanks."""
    total = Score()
    for name, one in scores.items():
        if is_pooled(name):
            total.add(one)
    return total


def sizes_all(cases: list[Case], cutter: Cutter) -> Sizes:
    """The pieces of all cases; the seed of a case is its number."""
    sizes = Sizes()
    for number, case in enumerate(cases):
        made = cut(case, number, cutter)
        first, fed = made[0]
        sizes.first_fed.append(fed)
        sizes.first_chars.append(len(first))
        sizes.later_chars += [len(text) for text, _ in made[1:]]
        sizes.lossless += "".join(text for text, _ in made) == case.text
    return sizes


def percentile(values: list[int], share: float) -> int:
    """The smallest value that `share` of the values do not exceed; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0
