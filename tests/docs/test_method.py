"""docs/benchmarks/method.md has every figure and every rule of the comparison, in the words of the report."""

from __future__ import annotations

import msgspec

from gateway.bench.compare.apis import APIS
from gateway.bench.compare.glossary import DEFINITIONS, defined
from tests.support.checkout import ROOT
from tests.support.documents import table

METHOD = ROOT / "docs" / "benchmarks" / "method.md"


def test_every_figure_is_defined() -> None:
    described = {row["figure"]: row["definition"] for row in table(METHOD, "The figures")}
    assert described == DEFINITIONS
    assert all(meaning.endswith(".") for meaning in DEFINITIONS.values())


def test_every_claim_has_its_rule() -> None:
    described = {row["claim"]: row["rule"] for row in table(METHOD, "Verdicts")}
    assert described == {str(question.number): question.rule for question in APIS["all"].questions}


def test_figures_of_which_there_are_several_have_the_name_they_begin_with() -> None:
    assert defined("commit delay at 20 tokens/s") == "commit delay"
    assert defined("stalls per utterance, prebuffer 60 ms") == "stalls per utterance"
    longest = "server CPU per second of audio, workers apart"
    assert defined(longest) == longest
    assert defined("time to first bytes") is None


def test_the_readme_has_the_verdicts_of_the_committed_results() -> None:
    results = msgspec.json.decode((METHOD.parent / "compare" / "results.json").read_bytes())
    found = [(claim["claim"], claim["judgement"]["verdict"]) for claim in results["claims"]]
    assert [
        (row["claim"], row["verdict"]) for row in table(ROOT / "README.md", "HTTP or WebSocket")
    ] == found
