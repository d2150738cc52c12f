"""Verdicts follow from the samples alone: what is planted in plain numbers is what is said of them."""

from __future__ import annotations

from itertools import cycle, islice
from random import Random
from statistics import fmean

import pytest
from hdrh.histogram import HdrHistogram

from gateway.bench.compare.claims import (
    QUESTIONS,
    barge_in,
    first_byte,
    incremental,
    pieces,
    smoothing,
    spending,
    whole_text,
)
from gateway.bench.compare.glossary import defined
from gateway.bench.compare.harness import answered
from gateway.bench.compare.lab import Lab
from gateway.bench.compare.meter import BYTES, CPU, GOODPUT, LOOP
from gateway.bench.compare.plan import Plan
from gateway.bench.compare.question import Judge, Question
from gateway.bench.compare.results import Figure, Judgement, Verdict
from gateway.bench.compare.samples import (
    Sample,
    figure,
    figures,
    is_below,
    is_no_more_than,
    median,
)
from gateway.bench.compare.target import Target
from gateway.bench.instruments.metrics import Completeness
from gateway.bench.instruments.stats import percentile
from gateway.bench.subjects import layouts

REPEATS = 3
NOISE_S = (-0.0002, 0.0, 0.0001, 0.0003, -0.0001)


def judged(judge: Judge, repeats: list[Sample]) -> Judgement:
    """What is said of these samples; whatever figures that has must be defined."""
    found = judge(repeats)
    assert [one.quantity for one in found.figures if defined(one.quantity) is None] == []
    return found


def around(seconds: float, n: int = 40) -> list[float]:
    """Values that differ a little, with this median."""
    return [seconds + noise for noise in islice(cycle(NOISE_S), n)]


OPEN = 0.002
"""Stands for differences that lie on both sides of the margin."""


def differing(seconds: float) -> list[float]:
    """Differences of about so much, or clearly on both sides of it."""
    return [0.0, 2 * OPEN] * 20 if seconds == OPEN else around(seconds)


def successive(cold_later: float, kept_later: float) -> list[Sample]:
    b = first_byte
    return [
        {
            (b.COLD, b.TTFB): around(0.005 + cold_later),
            (b.KEPT, b.TTFB): around(0.005 + kept_later),
            (b.WARM, b.TTFB): around(0.005),
            (b.COLD, b.LATER): around(cold_later),
            (b.KEPT, b.LATER): around(kept_later),
        }
    ] * REPEATS


@pytest.mark.parametrize(
    ("cold_later", "kept_later", "verdict"),
    [
        (0.004, 0.002, Verdict.HOLDS),
        (0.004, 0.0, Verdict.HOLDS_WHEN),
        (0.0, 0.0, Verdict.UNDECIDED),
        (-0.001, -0.002, Verdict.DOES_NOT_HOLD),
    ],
)
def test_a_warm_websocket_is_sooner_when_http_is_later(
    cold_later: float, kept_later: float, verdict: Verdict
) -> None:
    found = judged(first_byte.judge_successive, successive(cold_later, kept_later))

    assert found.verdict is verdict
    assert {chart.title for chart in found.charts} == {
        "Time to first byte by connection",
        "Time to first byte on one WebSocket",
    }


def by_length(per_word: float) -> list[Sample]:
    return [
        {(f"{n} words", first_byte.TTFB): around(0.004 + per_word * n) for n in first_byte.WORDS}
    ] * REPEATS


@pytest.mark.parametrize(
    ("per_word", "verdict"),
    [
        (0.0, Verdict.HOLDS),
        (0.00002, Verdict.HOLDS_WHEN),
        (0.001, Verdict.DOES_NOT_HOLD),
    ],
)
def test_the_first_byte_by_length(per_word: float, verdict: Verdict) -> None:
    assert judged(first_byte.judge_length, by_length(per_word)).verdict is verdict


def pairs(
    first_later: float, last_later: float, same: float = 40, complete: float = 1.0
) -> list[Sample]:
    w = whole_text
    return [
        {
            (w.HTTP, w.TTFA): around(0.01 + first_later),
            (w.SOCKET, w.TTFA): around(0.01),
            (w.LATER, w.TTFA): around(first_later),
            (w.HTTP, w.LAST): around(0.02 + last_later),
            (w.SOCKET, w.LAST): around(0.02),
            (w.LATER, w.LAST): around(last_later),
            (w.SAME, w.PAIRS): [same],
            (w.HTTP, w.PAIRS): [40.0],
            (w.SOCKET, w.COMPLETE): [1.0] * 40,
            (w.HTTP, w.COMPLETE): [1.0] * 39 + [complete],
        }
    ] * REPEATS


@pytest.mark.parametrize(
    ("first_later", "last_later", "same", "verdict"),
    [
        (0.0, 0.0, 40, Verdict.HOLDS),
        (0.0, 0.01, 40, Verdict.HOLDS_WHEN),
        (0.01, 0.01, 40, Verdict.DOES_NOT_HOLD),
        (0.01, 0.0, 40, Verdict.UNDECIDED),
        (0.0, 0.0, 39, Verdict.DOES_NOT_HOLD),
    ],
)
def test_http_loses_nothing_unless_it_is_later_or_differs(
    first_later: float, last_later: float, same: float, verdict: Verdict
) -> None:
    assert judged(whole_text.judge, pairs(first_later, last_later, same)).verdict is verdict


def test_http_loses_something_when_an_utterance_is_not_complete() -> None:
    found = judged(whole_text.judge, pairs(0.0, 0.0, complete=0.0))

    assert found.verdict is Verdict.DOES_NOT_HOLD


@pytest.mark.parametrize(
    ("announced", "received", "decoded", "lost", "elsewhere", "complete"),
    [
        (100, 100, 100, 0, 100, True),
        (None, None, 100, None, 100, True),
        (None, None, 100, None, 101, False),
        (100, 100, 99, 0, 100, False),
        (100, 90, 100, 0, 100, False),
        (100, 100, 100, 1, 100, False),
    ],
)
def test_complete_is_announced_and_received_and_decoded(
    announced: int | None,
    received: int | None,
    decoded: int,
    lost: int | None,
    elsewhere: int,
    complete: bool,
) -> None:
    found = Completeness(announced, received, decoded, 0, lost)

    assert whole_text.is_complete(found, elsewhere) is complete


def test_a_figure_is_the_median_of_all_repeats_with_what_percentiles_n_allows() -> None:
    sample: Sample = {("way", "what"): [n / 1_000 for n in range(1, 51)]}

    found = figure([sample, sample], "way", "what")

    assert found is not None
    assert (found.n, found.value) == (100, 25.0)
    assert found.low < 25.0 < found.high
    assert found.percentiles == pytest.approx({"p50": 25.0, "p90": 45.0}, rel=1e-3)
    assert HdrHistogram.decode(found.histogram).get_total_count() == 100
    assert list(figures([sample], "what")) == ["way"]
    assert figure([sample], "way", "other") is None


@pytest.mark.parametrize("n", range(1, 9))
def test_the_median_is_the_50th_percentile(n: int) -> None:
    values = [float(value * 7 % 11) for value in range(n)]

    assert median(values) == percentile(values, 50)


def test_below_and_no_more_than_go_by_intervals() -> None:
    """The value is smaller, and that proves nothing."""
    narrow, wide = (Figure("way", "what", "ms", 9, 10.0, low, 12.0) for low in (9.0, 5.0))
    less = Figure("way", "what", "ms", 9, 6.0, 4.0, 8.9)

    assert is_below(less, narrow)
    assert not is_below(less, wide)
    assert is_no_more_than(wide, narrow, margin=3.0)
    assert not is_no_more_than(wide, narrow, margin=2.9)


def lab() -> Lab:
    return Lab(Target("127.0.0.1", 1), Plan("none"), layouts()[0], is_own=False)


@pytest.mark.parametrize(("failed", "verdict"), [(1, Verdict.HOLDS), (2, Verdict.UNDECIDED)])
def test_too_many_failures_leave_a_claim_undecided(failed: int, verdict: Verdict) -> None:
    async def measure(_lab: Lab, _chance: Random) -> Sample:
        return {}

    def always(_repeats: object) -> Judgement:
        return Judgement(Verdict.HOLDS, "It does.")

    question = Question(1, "claim", "somewhere", "method", "rule", measure, always)
    where = lab()
    where.utterances = 100
    where.failures.update({"timeout": failed})

    assert answered(question, [{}], where).judgement.verdict is verdict


@pytest.mark.parametrize(("late_ms", "is_valid"), [(4.9, True), (5.1, False)])
def test_a_harness_that_was_late_is_not_believed(late_ms: float, is_valid: bool) -> None:
    where = lab()
    where._lags_s += [0.0] * 90 + [late_ms / 1e3] * 10

    assert where.health().is_valid is is_valid


def test_what_is_no_latency_is_in_no_histogram() -> None:
    """Counts and differences that may be negative."""
    sample: Sample = {("way", "what"): [-0.001, 0.002]}

    for found in (figure([sample], "way", "what"), figure([sample], "way", "what", "s", 1.0)):
        assert found is not None
        assert found.histogram == ""


def test_a_mean_can_be_told_instead_of_the_median() -> None:
    sample: Sample = {("way", "stalls"): [0.0] * 7 + [4.0]}

    found = figure([sample], "way", "stalls", "stalls", 1.0, statistic=fmean)

    assert found is not None
    assert found.value == 0.5


@pytest.mark.parametrize(
    ("later_s", "verdict"),
    [
        ((3.0, 0.3, 0.1), Verdict.HOLDS),
        ((3.0, 0.3, -0.1), Verdict.HOLDS_WHEN),
        ((3.0, 0.0, 0.0), Verdict.HOLDS_WHEN),
        ((-0.1, -0.1, -0.1), Verdict.DOES_NOT_HOLD),
        ((0.0, 0.0, 0.0), Verdict.UNDECIDED),
    ],
)
def test_the_websocket_must_beat_every_way_over_http(
    later_s: tuple[float, float, float], verdict: Verdict
) -> None:
    rate = "70 tokens/s"
    sample: Sample = {
        (incremental.SOCKET, incremental.spoken_at(rate)): around(0.3),
        (incremental.SOCKET, incremental.commit_at(rate)): around(0.1),
    }
    for way, later in zip(incremental.HTTP_WAYS, later_s, strict=True):
        sample[way, incremental.spoken_at(rate)] = around(0.3 + later)
        sample[way, incremental.later_at(rate)] = around(later)

    assert judged(incremental.judge, [sample] * REPEATS).verdict is verdict


LARGE = (
    incremental.QUALITY,
    incremental.LARGE_FIRST,
    incremental.LARGE_LATER,
    incremental.PATIENT,
    incremental.UNFLUSHED,
)


@pytest.mark.parametrize(
    ("slow", "verdict"),
    [
        (LARGE, Verdict.HOLDS),
        (LARGE[:-1], Verdict.HOLDS_WHEN),
        ((incremental.UNFLUSHED,), Verdict.HOLDS_WHEN),
        ((), Verdict.UNDECIDED),
        ((incremental.FLUSHED,), Verdict.DOES_NOT_HOLD),
    ],
)
def test_a_control_must_move_its_figure(slow: tuple[str, ...], verdict: Verdict) -> None:
    sample: Sample = {}
    for way in (*incremental.SETTINGS, incremental.FLUSHED, incremental.UNFLUSHED):
        value = 0.4 if way in slow else 0.2
        sample[way, incremental.FTTS] = around(value)
        sample[way, incremental.COMMIT] = around(0.1)
        if way in incremental.SETTINGS:
            sample[way, incremental.PIECE] = around(value * 200)

    assert judged(incremental.judge_buffering, [sample] * REPEATS).verdict is verdict


def by_pieces(
    later_s: dict[str, float], more_bytes: float = 1.01, more_cpu: float = 1.5
) -> list[Sample]:
    """How much later the largest pieces are, by case, and what the smallest take more."""
    p = pieces
    sample: Sample = {}
    for case, later in later_s.items():
        small, *_, large = (p.of_size(case, size) for size in p.SIZES)
        sample[case, p.SIZE_LATER] = differing(later)
        for way, more in ((small, True), (large, False)):
            sample[way, p.TTFA] = around(0.01 if more else 0.01 + later)
            sample[way, BYTES] = [48_000.0 * (more_bytes if more else 1.0)] * 5
            if case.startswith(p.QUICK):
                sample[way, CPU] = around(0.01 * (more_cpu if more else 1.0))
    return [sample] * REPEATS


CASES = [f"{engine}, {delivery}" for engine in pieces.ENGINES for delivery in pieces.DELIVERIES]


@pytest.mark.parametrize(
    ("later_s", "verdict"),
    [
        ((0.1, 0.1, 0.1, 0.1), Verdict.HOLDS),
        ((0.0, 0.0, 0.0, 0.1), Verdict.HOLDS_WHEN),
        ((0.0, 0.0, 0.0, 0.0), Verdict.DOES_NOT_HOLD),
        ((0.0, 0.0, 0.0, OPEN), Verdict.UNDECIDED),
        ((0.1, 0.1, 0.1), Verdict.HOLDS),
    ],
)
def test_smaller_pieces_are_faster_case_by_case(
    later_s: tuple[float, ...], verdict: Verdict
) -> None:
    found = judged(pieces.judge_sizes, by_pieces(dict(zip(CASES, later_s, strict=False))))

    assert found.verdict is verdict


@pytest.mark.parametrize(("more_bytes", "more_cpu"), [(1.0, 1.5), (1.01, 1.0)])
def test_smaller_pieces_must_also_take_more(more_bytes: float, more_cpu: float) -> None:
    later = dict.fromkeys(CASES[:2], 0.1)

    found = judged(pieces.judge_sizes, by_pieces(later, more_bytes, more_cpu))

    assert found.verdict is Verdict.UNDECIDED


def test_without_the_slow_engine_that_is_said() -> None:
    found = judged(pieces.judge_sizes, by_pieces(dict.fromkeys(CASES[:2], 0.0)))

    assert pieces.NO_SLOW_ENGINE in found.answer


@pytest.mark.parametrize(
    ("quick_s", "slow_s", "verdict"),
    [
        (0.01, 0.5, Verdict.HOLDS),
        (0.0, 0.5, Verdict.HOLDS_WHEN),
        (0.0, 0.0, Verdict.DOES_NOT_HOLD),
        (OPEN, 0.0, Verdict.UNDECIDED),
    ],
)
def test_native_is_sooner_when_progressive_is_later(
    quick_s: float, slow_s: float, verdict: Verdict
) -> None:
    p = pieces
    sample: Sample = {}
    for engine, later in ((p.QUICK, quick_s), (p.SLOW, slow_s)):
        for route in p.ROUTES:
            case = f"{engine}, {route}"
            sample[case, p.DELIVERY_LATER] = differing(later)
            for delivery, more in ((p.NATIVE, 0.0), (p.PROGRESSIVE, later)):
                sample[p.by_delivery(case, delivery), p.TTFA] = around(0.01 + more)
                sample[p.by_delivery(case, delivery), p.REQUIRED] = around(0.001)

    assert judged(p.judge_deliveries, [sample] * REPEATS).verdict is verdict


@pytest.mark.parametrize(
    ("bytes_more", "cpu_more", "verdict"),
    [
        (1.3, 1.5, Verdict.HOLDS),
        (1.3, 1.0, Verdict.HOLDS_WHEN),
        (1.3, None, Verdict.HOLDS_WHEN),
        (1.0, 1.0, Verdict.DOES_NOT_HOLD),
        (0.9, 1.5, Verdict.DOES_NOT_HOLD),
    ],
)
def test_binary_is_cheaper_in_bytes_and_cpu(
    bytes_more: float, cpu_more: float | None, verdict: Verdict
) -> None:
    s = spending
    sample: Sample = {
        (s.BINARY, BYTES): [48_000.0] * 5,
        (s.BASE64, BYTES): [48_000.0 * bytes_more] * 5,
    }
    if cpu_more is not None:
        sample[s.BINARY, LOOP] = around(0.01)
        sample[s.BASE64, LOOP] = around(0.01 * cpu_more)

    assert judged(spending.judge, [sample] * REPEATS).verdict is verdict


@pytest.mark.parametrize(
    ("factors", "verdict"),
    [
        ((2, 2, 2), Verdict.HOLDS),
        ((1, 2, 2), Verdict.HOLDS_WHEN),
        ((0.5, 0.5, 0.5), Verdict.DOES_NOT_HOLD),
        ((0.5, 1, 1), Verdict.UNDECIDED),
    ],
)
def test_websocket_costs_more_when_all_costs_are_more(
    factors: tuple[float, float, float], verdict: Verdict
) -> None:
    s = spending
    sample: Sample = {}
    for quantity, factor in zip((CPU, s.MEMORY, s.SET_UP), factors, strict=True):
        sample[s.HTTP, quantity] = around(0.02)
        sample[s.BINARY, quantity] = around(0.02 * factor)
        sample[s.BINARY, GOODPUT] = sample[s.HTTP, GOODPUT] = [50.0] * 5

    assert judged(spending.judge_cost, [sample] * REPEATS).verdict is verdict


def played(bad: tuple[list[float], list[float]], good: tuple[float, float]) -> Sample:
    """Stalls on the bad line and on the good one, without a prebuffer and with three chunks."""
    m = smoothing
    sample: Sample = {}
    for way in (m.HTTP, m.SOCKET):
        for line in m.LINES:
            name = f"{way}, {line}"
            is_bad = line == "bad line"
            none, three = bad if is_bad else ([good[0]], [good[1]])
            sample[name, m.REQUIRED] = around(0.2 if is_bad else 0.001)
            sample[name, m.CADENCE] = around(-0.02)
            for ms in m.PREBUFFERS_MS:
                sample[name, m.stalls_with(f"{ms} ms")] = none
            for n in m.CHUNKS:
                sample[name, m.stalls_with(f"{n} chunks")] = three
    return sample


@pytest.mark.parametrize(
    ("bad", "good", "verdict"),
    [
        (([3.0] * 9, [1.0] * 9), (0.0, 0.0), Verdict.HOLDS_WHEN),
        (([3.0] * 9, [1.0] * 9), (1.0, 0.0), Verdict.HOLDS),
        (([3.0] * 9, [1.0] * 9), (1.0, 1.0), Verdict.HOLDS_WHEN),
        (([3.0] * 9, [2.5] * 9), (0.0, 0.0), Verdict.DOES_NOT_HOLD),
        (([0.0] * 9, [0.0] * 9), (0.0, 0.0), Verdict.UNDECIDED),
        # A third of the stalls are left in the mean, but the intervals overlap.
        (([3.0] * 9, [3.0, 0.0, 0.0] * 3), (0.0, 0.0), Verdict.UNDECIDED),
    ],
)
def test_chunks_smooth_when_they_halve_the_stalls(
    bad: tuple[list[float], list[float]], good: tuple[float, float], verdict: Verdict
) -> None:
    assert judged(smoothing.judge, [played(bad, good)] * REPEATS).verdict is verdict


@pytest.mark.parametrize(
    ("leaked", "acknowledged_s", "made_s", "verdict"),
    [
        (0, 0.001, 0.5, Verdict.HOLDS),
        (0, 0.001, 2.0, Verdict.HOLDS_WHEN),
        (1, 0.001, 0.5, Verdict.DOES_NOT_HOLD),
        (0, 0.2, 0.5, Verdict.DOES_NOT_HOLD),
    ],
)
def test_a_barge_in_leaks_nothing_is_acknowledged_soon_and_wastes_less(
    leaked: float, acknowledged_s: float, made_s: float, verdict: Verdict
) -> None:
    b = barge_in
    sample: Sample = {
        (b.SOCKET, b.ACKNOWLEDGED): around(acknowledged_s),
        (b.HTTP, b.SILENT): around(0.003),
    }
    for way, made in ((b.SOCKET, made_s), (b.HTTP, 2.0), (b.HTTP_USUAL, 30.0)):
        sample[way, b.LAST_AUDIO] = around(0.001)
        sample[way, b.UNHEARD] = around(0.3)
        sample[way, b.LEAKED] = [0.0] * 39 + ([leaked] if way == b.SOCKET else [0.0])
        sample[way, b.MADE] = around(made)
        sample[way, b.NEXT] = around(0.003)

    found = judged(barge_in.judge, [sample] * REPEATS)

    assert found.verdict is verdict
    assert "the server has ended its work within 3" in found.answer


def test_every_claim_has_its_row_and_says_why_it_is_undecided() -> None:
    assert [question.number for question in QUESTIONS] == list(range(1, 12))
    for question in QUESTIONS:
        judged = question.judge([])
        assert judged.verdict is Verdict.UNDECIDED
        assert judged.answer
