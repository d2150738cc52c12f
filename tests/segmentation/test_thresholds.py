"""The quality of the cuts is held: a change of a rule or of the judge that costs quality fails here."""

from __future__ import annotations

import pytest

from gateway.core.params import PRESETS
from gateway.core.phrases import CLOSED_CLASS
from gateway.core.vocabulary import CutKind, CutReason, Preset
from tests.segmentation.measure import (
    Feed,
    Score,
    ours,
    percentile,
    pieces,
    pool,
    score_all,
    sets,
    sizes_all,
)

pytestmark = pytest.mark.slow

LONG_CHARS = 70
"""An English sentence so long does not leave as a whole as the first piece."""


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    return {name: score_all(cases) for name, cases in sets().items() if name != "llm_mtbench"}


def test_sentence_ends_of_the_treebanks(scores: dict[str, Score]) -> None:
    pooled = pool(scores)
    assert pooled.f1 >= 0.980
    assert pooled.precision >= 0.994


def test_golden_rules(scores: dict[str, Score]) -> None:
    assert scores["golden_english"].exact >= 47
    assert scores["golden_other"].exact >= 258


def test_no_treebank_is_sacrificed(scores: dict[str, Score]) -> None:
    precise = {name: score.precision for name, score in scores.items() if name.startswith("ud_")}
    del precise["ud_thai_pud"]  # no sentence ends are written
    del precise["ud_marathi_ufal"]  # 41 boundaries, most of them inside nested quotations
    assert min(precise.values()) >= 0.985


def test_a_boundary_is_known_soon(scores: dict[str, Score]) -> None:
    delays = pool(scores).delays
    assert sum(delays) / len(delays) <= 4.0
    assert percentile(delays, 0.95) <= 7
    assert percentile(delays, 0.99) <= 10


def test_nothing_is_lost(scores: dict[str, Score]) -> None:
    assert all(score.lossless == score.cases for score in scores.values())


@pytest.mark.parametrize(
    ("preset", "fed_mean", "fed_max"), [(Preset.LATENCY, 50, 70), (Preset.BALANCED, 60, 90)]
)
def test_the_first_piece_of_an_answer_leaves_early(
    preset: Preset, fed_mean: int, fed_max: int
) -> None:
    params = PRESETS[preset]
    answers = sets()["llm_mtbench"]
    sizes = sizes_all(answers, ours(params))
    assert sum(sizes.first_fed) / len(sizes.first_fed) <= fed_mean
    assert max(sizes.first_fed) <= fed_max
    assert max(sizes.first_chars) <= params.first_chars_max
    for seed, case in enumerate(answers):
        piece = next(pieces(iter(Feed(case.text, seed)), case.lang, params))
        ended = piece.kind in (CutKind.SENTENCE, CutKind.PARAGRAPH)
        assert ended or len(piece.text) >= params.first_chars_min


@pytest.mark.parametrize("preset", list(Preset))
def test_pieces_of_an_answer_are_whole_and_bounded(preset: Preset) -> None:
    params = PRESETS[preset]
    sizes = sizes_all(sets()["llm_mtbench"], ours(params))
    assert sizes.longest <= params.max_chars
    assert sizes.lossless == len(sets()["llm_mtbench"])


def test_later_pieces_grow() -> None:
    later = sizes_all(sets()["llm_mtbench"], ours(PRESETS[Preset.BALANCED])).later_chars
    assert sum(later) / len(later) >= 150


def test_the_first_cut_rarely_falls_inside_a_phrase() -> None:
    """Without the trees, a stand-in: a first cut is suspicious if neither a mark nor a small word speaks for it."""
    small = CLOSED_CLASS["en"]
    cuts, suspicious = 0, 0
    sentences = [
        sentence
        for name in ("ud_english_pud", "ud_english_ewt")
        for case in sets()[name]
        for sentence in case.sentences
        if len(sentence) >= LONG_CHARS
    ]
    for seed, sentence in enumerate(sentences):
        piece = next(pieces(iter(Feed(sentence, seed)), "en", PRESETS[Preset.BALANCED]))
        cuts += 1
        if piece.reason is CutReason.SIZE:
            before = piece.text.lower().split()[-1]
            after = sentence[piece.end :].lower().split()[0].strip("(\"'")
            suspicious += before in small.words or after not in small.words
    assert cuts > 1_000
    assert suspicious / cuts <= 0.04
