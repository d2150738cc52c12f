"""The alerts of config/prometheus: promtool's unit tests, whether those could fail, and what the alerts name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
import pytest
from ruamel.yaml import YAML

from tests.fronts.peers import http_client
from tests.support.checkout import ROOT
from tests.support.documents import named, table
from tests.support.promtool import labels_in, metrics_in, needs_promtool, promtool
from tests.support.scraped import families
from tests.support.server import running_server, tone_config

RULES = ROOT / "config" / "prometheus" / "alerts.yml"
UNIT_TESTS = ROOT / "tests" / "operations" / "alerts.yml"
OPERATING = ROOT / "docs" / "operating.md"
OF_PROMETHEUS = {"up"}
"""Series that Prometheus makes itself,"""
ADDED = {"job", "instance", "le"}
"""and labels that it adds, or that the parts of a histogram have."""


@cache
def parsed(file: Path) -> object:
    """Once, because it takes a tenth of a second."""
    return YAML(typ="safe").load(file)


class Rule(msgspec.Struct, omit_defaults=True):
    alert: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]
    duration: str = msgspec.field(default="", name="for")


class Group(msgspec.Struct):
    name: str
    rules: list[Rule]


class Rules(msgspec.Struct):
    groups: list[Group]


class Expected(msgspec.Struct):
    eval_time: str
    alertname: str
    exp_alerts: list[object]


class Case(msgspec.Struct):
    name: str
    interval: str
    input_series: list[dict[str, str]]
    alert_rule_test: list[Expected]


class UnitTests(msgspec.Struct):
    rule_files: list[str]
    evaluation_interval: str
    tests: list[Case]


def unit_tests() -> UnitTests:
    return msgspec.convert(parsed(UNIT_TESTS), UnitTests)


def rules() -> Rules:
    return msgspec.convert(parsed(RULES), Rules)


ALERTS = {rule.alert: rule for group in rules().groups for rule in group.rules}


def tried(name: str, alert: str, changed: Rules, folder: Path) -> str:
    """A file with the unit tests of one alert, over these rules."""
    tests = unit_tests()
    for case in tests.tests:
        case.alert_rule_test = [each for each in case.alert_rule_test if each.alertname == alert]
    tests.tests = [case for case in tests.tests if case.alert_rule_test]
    tests.rule_files = [f"{name}.rules.yml"]
    (folder / tests.rule_files[0]).write_bytes(msgspec.json.encode(changed))
    (folder / f"{name}.yml").write_bytes(msgspec.json.encode(tests))
    return f"{name}.yml"


@needs_promtool
def test_each_alert_fires_when_it_must_and_only_then(tmp_path: Path) -> None:
    assert promtool("check", "rules", RULES)[0] == 0
    assert promtool("test", "rules", UNIT_TESTS) == (
        0,
        f"Unit Testing:  {UNIT_TESTS}\n  SUCCESS\n\n",
    )


def test_each_alert_is_tried_where_it_fires() -> None:
    expected = [each for case in unit_tests().tests for each in case.alert_rule_test]
    fires = {each.alertname for each in expected if each.exp_alerts}
    assert fires == set(ALERTS)


def looser(rule: Rule) -> Iterator[tuple[str, str, str]]:
    """The same rule with one condition taken back: what, and its expression and duration then."""
    for found in re.finditer(r"(>|==) ([\d.]+)", rule.expr):
        easy = f"{rule.expr[: found.start()]}>= 0{rule.expr[found.end() :]}"
        yield f"any value for {found[0]}", easy, rule.duration
    for found in re.finditer(r" (and|unless) .+", rule.expr, re.DOTALL):
        closing = ")" if rule.expr.startswith("absent(") else ""
        yield f"no {found[1]}", rule.expr[: found.start()] + closing, rule.duration
    for found in re.finditer(r"\{(job|code)[^}]*\}", rule.expr):
        if "up{" in rule.expr or "code" in found[1]:
            easy = rule.expr[: found.start()] + rule.expr[found.end() :]
            yield f"any {found[1]}", easy, rule.duration
    if rule.duration:
        yield "at once", rule.expr, ""


@needs_promtool
def test_the_unit_tests_notice_a_changed_rule(tmp_path: Path) -> None:
    """All in one run of promtool. A rule that stays as it is passes, so that a failure means something."""
    files: dict[str, tuple[str, str]] = {}
    for name, rule in ALERTS.items():
        changes = [("as it is", rule.expr, rule.duration), ("never", "vector(0) > 1", "")]
        for number, (what, expr, duration) in enumerate([*changes, *looser(rule)]):
            (group,) = (changed := rules()).groups
            group.rules = [one] = [rule for rule in group.rules if rule.alert == name]
            one.expr, one.duration = expr, duration
            files[tried(f"{name}-{number}", name, changed, tmp_path)] = (name, what)
    _, said = promtool("test", "rules", *files, folder=tmp_path)
    verdicts = re.findall(r"^Unit Testing:  (\S+)\n  (SUCCESS|FAILED)", said, re.MULTILINE)
    assert [file for file, _ in verdicts] == list(files)
    content = {files[file] for file, verdict in verdicts if verdict == "SUCCESS"}
    assert content == {(name, "as it is") for name in ALERTS}


def test_each_alert_has_its_line_in_the_document() -> None:
    described = {named(row): row for row in table(OPERATING, "Alerts")}
    assert list(described) == list(ALERTS)
    for name, rule in ALERTS.items():
        assert described[name]["severity"] == rule.labels["severity"]
        assert rule.labels["severity"] in {"page", "ticket"}
        assert rule.annotations.keys() == {"summary"}


async def there() -> set[str]:
    """The series that a running gateway tells."""
    async with running_server(tone_config()) as server, http_client(server) as client:
        assert (await client.post("/v1/speech", json={"text": "One, two."})).status_code == 200
        text = (await client.get("/metrics")).text
    found = set(OF_PROMETHEUS)
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE):
        parts = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        found |= {name + part for part in parts}
    return found


def labels_of(metric: str) -> set[str]:
    known = families()
    for end in ("", "_bucket", "_sum", "_count"):
        if metric.removesuffix(end) in known:
            return known[metric.removesuffix(end)][1] | ADDED
    return ADDED


@pytest.mark.socket
async def test_alerts_name_what_a_running_gateway_tells() -> None:
    series = await there()
    for name, rule in ALERTS.items():
        metrics = metrics_in(rule.expr)
        assert metrics, name
        assert metrics <= series, name
        assert labels_in(rule.expr) <= set.union(*map(labels_of, metrics)), name


def test_names_and_labels_are_found() -> None:
    expression = (
        'histogram_quantile(0.9, sum by (le, a) (rate(x_bucket{b=~"c|d", e!="f"}[5m]))) > 0.5 '
        "and on (g) y_total unless z / on () group_left () sum(w) or vector(0)"
    )
    assert metrics_in(expression) == {"x_bucket", "y_total", "z", "w"}
    assert labels_in(expression) == {"le", "a", "b", "e", "g"}
