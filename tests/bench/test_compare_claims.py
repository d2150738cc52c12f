"""Verdicts follow from the samples alone: what is planted in plain numbers is what is said of them."""

from __future__ import annotations

from itertools import cycle, islice

import pytest

from gateway.bench.compare.claims import (
    QUESTIONS,
    barge_in,
    first_byte,
    incremental,
    smoothing,
    spending,
    whole_text,
)
from gateway.bench.compare.results import Verdict
from gateway.bench.compare.samples import Sample, figure, figures

REPEATS = 3
NOISE_S = (-0.0002, 0.0, 0.0001, 0.0003, -0.0001)


def around(seconds: float, n: int = 40) -> list[float]:
    """Values that differ a little, with this median."""
    return [seconds + noise for noise in islice(cycle(NOISE_S), n)]


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
    found = first_byte.judge_successive(successive(cold_later, kept_later))

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
    assert first_byte.judge_length(by_length(per_word)).verdict is verdict


def pairs(first_later: float, last_later: float, same: float = 40) -> list[Sample]:
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
    assert whole_text.judge(pairs(first_later, last_later, same)).verdict is verdict


def test_a_figure_is_the_median_of_all_repeats_with_what_percentiles_n_allows() -> None:
    sample: Sample = {("way", "what"): [n / 1_000 for n in range(1, 51)]}

    found = figure([sample, sample], "way", "what")

    assert found is not None
    assert (found.n, found.value) == (100, 25.0)
    assert found.low < 25.0 < found.high
    assert found.percentiles == {"p50": 25.0, "p90": 45.0}
    assert list(figures([sample], "what")) == ["way"]
    assert figure([sample], "way", "other") is None


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
    sample: Sample = {(incremental.SOCKET, rate): around(0.3)}
    for way, later in zip(incremental.HTTP_WAYS, later_s, strict=True):
        sample[way, rate] = around(0.3 + later)
        sample[way, incremental.later_at(rate)] = around(later)

    assert incremental.judge([sample] * REPEATS).verdict is verdict


@pytest.mark.parametrize(
    ("moved", "verdict"),
    [(True, Verdict.HOLDS), (False, Verdict.UNDECIDED)],
)
def test_a_control_must_move_its_figure(moved: bool, verdict: Verdict) -> None:
    large = {incremental.QUALITY, incremental.LARGE_FIRST, incremental.LARGE_LATER}
    large.add(incremental.PATIENT)
    sample: Sample = {}
    for way in incremental.SETTINGS:
        value = 0.4 if moved and way in large else 0.2
        sample[way, incremental.FTTS] = around(value)
        sample[way, incremental.PIECE] = around(value * 200)

    assert incremental.judge_buffering([sample] * REPEATS).verdict is verdict


@pytest.mark.parametrize(
    ("bytes_more", "cpu_more", "verdict"),
    [
        (1.3, 1.5, Verdict.HOLDS),
        (1.3, 1.0, Verdict.HOLDS_WHEN),
        (1.3, None, Verdict.HOLDS_WHEN),
        (1.0, 1.0, Verdict.DOES_NOT_HOLD),
    ],
)
def test_binary_is_cheaper_in_bytes_and_cpu(
    bytes_more: float, cpu_more: float | None, verdict: Verdict
) -> None:
    s = spending
    sample: Sample = {
        (s.BINARY, s.BYTES): [48_000.0] * 5,
        (s.BASE64, s.BYTES): [48_000.0 * bytes_more] * 5,
    }
    if cpu_more is not None:
        sample[s.BINARY, s.LOOP] = around(0.01)
        sample[s.BASE64, s.LOOP] = around(0.01 * cpu_more)

    assert spending.judge([sample] * REPEATS).verdict is verdict


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
    for quantity, factor in zip((s.CPU, s.MEMORY, s.SET_UP), factors, strict=True):
        sample[s.HTTP, quantity] = around(0.02)
        sample[s.BINARY, quantity] = around(0.02 * factor)

    assert spending.judge_cost([sample] * REPEATS).verdict is verdict


def played(bad: tuple[float, float], good: float = 0.0) -> Sample:
    """Stalls on the bad line without a prebuffer and with three chunks, on the good one always."""
    m = smoothing
    sample: Sample = {}
    for way in (m.HTTP, m.SOCKET):
        for line in m.LINES:
            name = f"{way}, {line}"
            is_bad = line == "bad line"
            sample[name, m.REQUIRED] = around(0.2 if is_bad else 0.001)
            sample[name, m.CHUNK] = around(0.02)
            for ms in m.PREBUFFERS_MS:
                sample[name, m.stalls_with(f"{ms} ms")] = [bad[0] if is_bad else good]
            for n in m.CHUNKS:
                sample[name, m.stalls_with(f"{n} chunks")] = [bad[1] if is_bad else good]
    return sample


@pytest.mark.parametrize(
    ("bad", "good", "verdict"),
    [
        ((3.0, 1.0), 0.0, Verdict.HOLDS_WHEN),
        ((3.0, 1.0), 0.1, Verdict.HOLDS),
        ((3.0, 2.5), 0.0, Verdict.DOES_NOT_HOLD),
        ((0.0, 0.0), 0.0, Verdict.UNDECIDED),
    ],
)
def test_chunks_smooth_when_they_halve_the_stalls(
    bad: tuple[float, float], good: float, verdict: Verdict
) -> None:
    assert smoothing.judge([played(bad, good)] * REPEATS).verdict is verdict


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
    sample: Sample = {(b.SOCKET, b.ACKNOWLEDGED): around(acknowledged_s)}
    for way, made in ((b.SOCKET, made_s), (b.HTTP, 2.0)):
        sample[way, b.LAST_AUDIO] = around(0.001)
        sample[way, b.UNHEARD] = around(0.3)
        sample[way, b.LEAKED] = [0.0] * 39 + ([leaked] if way == b.SOCKET else [0.0])
        sample[way, b.MADE] = around(made)
        sample[way, b.NEXT] = around(0.003)

    assert barge_in.judge([sample] * REPEATS).verdict is verdict


def test_every_claim_has_its_row_and_says_why_it_is_undecided() -> None:
    assert [question.number for question in QUESTIONS] == list(range(1, 12))
    for question in QUESTIONS:
        judged = question.judge([])
        assert judged.verdict is Verdict.UNDECIDED
        assert judged.answer
