"""What is said of two results: planted changes are found, with their sign and size, and chance is not taken for one."""

from __future__ import annotations

from pathlib import Path
from random import Random
from statistics import median_low

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from gateway.bench.compare.claims.smoothing import CADENCE
from gateway.bench.compare.plan import Plan
from gateway.bench.compare.results import (
    VERSION,
    Claim,
    Comparison,
    Figure,
    Judgement,
    Verdict,
)
from gateway.bench.diff.changes import Difference, Judged, difference
from gateway.bench.diff.reading import read
from gateway.bench.instruments.stats import _medians_drawn, change_of_medians
from gateway.bench.results import Machine
from gateway.cli import main

REPEATS = 3
MARGIN = 0.05
MACHINE = Machine("a CPU", 2, 4_096, "Linux", "3.11.7", {"uvloop": "0.22"}, "0.1.0", "abc")


def figure(
    centre: float,
    *,
    seed: int,
    n: int = 30,
    noise: float = 0.1,
    unit: str = "ms",
    quantity: str = "time to first byte",
    way: str = "HTTP",
) -> Figure:
    """Values round a centre; `noise` is their standard deviation as a share of it."""
    chance = Random(seed)
    repeats = [[chance.gauss(centre, centre * noise) for _ in range(n)] for _ in range(REPEATS)]
    values = [value for repeat in repeats for value in repeat]
    return Figure(way, quantity, unit, len(values), median_low(values), 0, 0, {}, repeats)


def comparison(
    *figures: Figure, verdict: Verdict = Verdict.HOLDS, failed: int = 0, seed: int = 1
) -> Comparison:
    judgement = Judgement(verdict, "", list(figures))
    failures = {"timeout": failed} if failed else {}
    claim = Claim(1, "It is quick.", "", "", judgement, None, failures)
    return Comparison("now", 1.0, "its own", Plan("tiny", seed), MACHINE, True, True, True, [claim])


def written(tmp_path: Path, name: str, result: Comparison) -> Path:
    file = tmp_path / name
    file.write_bytes(msgspec.json.encode(result))
    return file


def changed(tmp_path: Path, old: Comparison, new: Comparison) -> Difference:
    files = written(tmp_path, "old", old), written(tmp_path, "new", new)
    return difference(read(files[0]), read(files[1]), MARGIN)


def diff(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["bench", "diff", *map(str, words)])


# --- figures ---


@pytest.mark.parametrize(
    ("unit", "quantity", "factor", "judged"),
    [
        ("ms", "time to first byte", 1.3, Judged.WORSE),
        ("ms", "time to first byte", 0.7, Judged.BETTER),
        ("s/s", "throughput", 0.7, Judged.WORSE),
        ("s/s", "throughput", 1.3, Judged.BETTER),
        ("characters", "characters per segment", 1.3, Judged.CHANGED),
        ("ms", CADENCE, 1.3, Judged.CHANGED),
        ("ms", "later than warm WebSocket", 1.3, Judged.CHANGED),
        ("ms", "time to first byte", 1.0, Judged.ALIKE),
    ],
)
def test_a_planted_change_is_found_and_judged(
    tmp_path: Path, unit: str, quantity: str, factor: float, judged: Judged
) -> None:
    old = figure(2.0, seed=3, unit=unit, quantity=quantity)
    new = figure(2.0 * factor, seed=4, unit=unit, quantity=quantity)

    (section,) = changed(tmp_path, comparison(old), comparison(new)).sections
    (found,) = section.changes

    assert found.judged is judged
    assert found.change.low <= 2.0 * (factor - 1) <= found.change.high


def test_a_change_within_the_margin_is_neither_better_nor_worse(tmp_path: Path) -> None:
    old, new = (figure(centre, seed=1, noise=0.001) for centre in (2.0, 2.06))
    files = written(tmp_path, "a", comparison(old)), written(tmp_path, "b", comparison(new))
    before, after = map(read, files)

    assert difference(before, after, 0.05).count(Judged.CHANGED) == 1
    assert difference(before, after, 0.02).count(Judged.WORSE) == 1


def test_equal_results_have_no_change(tmp_path: Path) -> None:
    same = comparison(figure(2.0, seed=1), figure(3.0, seed=2, way="WebSocket"))
    found = changed(tmp_path, same, same)

    assert found.warnings == []
    assert found.count(Judged.ALIKE) == found.compared == 2


def test_chance_is_seldom_taken_for_a_change() -> None:
    """Three repeats make an interval somewhat narrow: twice the promised share is let pass, and no more."""
    tried = 300
    missed = 0
    for seed in range(tried):
        old, new = figure(2.0, seed=2 * seed), figure(2.0, seed=2 * seed + 1)
        interval = change_of_medians(old.repeats, new.repeats, seed=1, rounds=300)
        missed += not interval.low <= 0 <= interval.high
    assert missed <= 0.1 * tried


@pytest.mark.parametrize(
    ("repeats", "shares"),
    [
        ([[1.0, 2.0, 3.0]], {1.0: 7 / 27, 2.0: 13 / 27, 3.0: 7 / 27}),
        ([[1.0], [2.0, 2.0, 2.0]], {1.0: 1 / 4, 2.0: 3 / 4}),
        ([[1.0, 1.0], [2.0], [3.0]], {1.0: 19 / 27, 2.0: 4 / 27, 3.0: 4 / 27}),
    ],
)
def test_runs_are_drawn_first_and_values_of_each_then(
    repeats: list[list[float]], shares: dict[float, float]
) -> None:
    """The shares are counted by hand; a run of a single value is as likely as one of many."""
    rounds = 20_000
    drawn = _medians_drawn(repeats, np.random.default_rng(1), rounds)

    assert set(drawn) == set(shares)
    for value, share in shares.items():
        assert (drawn == value).mean() == pytest.approx(share, abs=4 * 0.5 / rounds**0.5)


def test_figures_of_one_result_only_are_named(tmp_path: Path) -> None:
    old, new = (comparison(figure(2.0, seed=1, way=way)) for way in ("HTTP", "WebSocket"))
    (section,) = changed(tmp_path, old, new).sections

    assert section.changes == []
    assert [one.way for one in section.gone] == ["HTTP"]
    assert [one.way for one in section.added] == ["WebSocket"]


# --- circumstances ---


def test_what_else_differs_is_a_warning(tmp_path: Path) -> None:
    old = comparison(figure(2.0, seed=1))
    machine = msgspec.structs.replace(MACHINE, cores=4, packages={"uvloop": "0.23"}, git="def")
    new = msgspec.structs.replace(
        comparison(figure(2.0, seed=1), seed=2), machine=machine, is_complete=False, is_valid=False
    )

    warnings = changed(tmp_path, old, new).warnings

    assert set(warnings) == {
        "the new result is incomplete",
        "the new result is invalid: its harness was late",
        "cores differs: 2, now 4",
        "uvloop differs: 0.22, now 0.23",
        "git differs: abc, now def",
        "seed differs: 1, now 2",
    }


# --- the command ---


@pytest.fixture
def worse(tmp_path: Path) -> tuple[Path, Path]:
    old = comparison(figure(2.0, seed=1), figure(5.0, seed=3, way="WebSocket"))
    new = comparison(
        figure(2.6, seed=2),
        figure(5.0, seed=4, way="WebSocket"),
        verdict=Verdict.UNDECIDED,
        failed=3,
    )
    return written(tmp_path, "old.json", old), written(tmp_path, "new.json", new)


def test_it_tells_what_changed_and_succeeds(worse: tuple[Path, Path]) -> None:
    ran = diff(*worse)

    assert ran.exit_code == 0
    assert "1. It is quick.: holds → undecided" in ran.output
    assert "failed utterances: 0 → 3" in ran.output
    (row,) = [line for line in ran.output.splitlines() if "→" in line and "HTTP" in line]
    assert row.endswith("worse")
    assert "2 figures: 1 worse, 0 better, 0 otherwise changed." in ran.output
    assert not [line for line in ran.output.splitlines() if "WebSocket" in line]


def test_all_figures_are_told_where_that_is_asked_for(worse: tuple[Path, Path]) -> None:
    (row,) = [line for line in diff(*worse, "--all").output.splitlines() if "WebSocket" in line]
    assert row.endswith("not told apart")


def test_a_worse_figure_fails_only_where_that_is_asked_for(worse: tuple[Path, Path]) -> None:
    old, new = worse
    assert diff(old, new, "--fail-on-worse").exit_code == 1
    assert diff(new, old, "--fail-on-worse").exit_code == 0
    assert diff(old, old, "--fail-on-worse").exit_code == 0
    assert diff(old, new, "--fail-on-worse", "--margin", "60").exit_code == 0


DAMAGED = {
    "empty": (b"", "no result of a benchmark"),
    "no JSON": (b"PK\x03\x04", "no result of a benchmark"),
    "a list": (b"[]", "no result of a benchmark"),
    "another result": (b'{"version": 1, "first_bytes": []}', "keeps its repeats"),
    "an older version": (b'{"version": 1, "claims": []}', f"version 1 of a compare result, and this reads {VERSION}"),
    "a newer version": (b'{"version": 99, "kind": "compare"}', "version 99"),
    "a cut one": (b'{"version": %d, "kind": "compare"}' % VERSION, "damaged"),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGED)
@pytest.mark.parametrize("place", [0, 1])
def test_a_bad_file_is_one_line_and_status_two(what: str, place: int, tmp_path: Path) -> None:
    content, said = DAMAGED[what]
    bad = tmp_path / "bad.json"
    bad.write_bytes(content)
    good = written(tmp_path, "good.json", comparison(figure(2.0, seed=1)))

    ran = diff(*([bad, good], [good, bad])[place])

    assert ran.exit_code == 2
    (line,) = ran.output.splitlines()
    assert line.startswith(f"Error: {bad} ")
    assert said in line


def test_a_figure_without_values_is_damage(tmp_path: Path) -> None:
    bare = msgspec.structs.replace(figure(2.0, seed=1), repeats=[])
    file = written(tmp_path, "bare.json", comparison(bare))
    ran = diff(file, file)
    assert ran.exit_code == 2
    assert "time to first byte of HTTP has no values" in ran.output


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    ran = diff(tmp_path / "none.json", tmp_path / "none.json")
    assert ran.exit_code == 2
    assert "cannot be read: No such file" in ran.output
