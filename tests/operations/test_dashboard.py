"""Grafana's dashboard, as far as it can be judged without Grafana: its form, its expressions, its data source."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import msgspec
import pytest
from ruamel.yaml import YAML

from gateway.telemetry.metrics import Metrics
from tests.operations.test_alerts import ADDED, labels_of, there
from tests.support.checkout import ROOT
from tests.support.promtool import labels_in, metrics_in, needs_promtool, not_promql
from tests.support.scraped import families

GRAFANA = ROOT / "config" / "grafana"
DASHBOARD = GRAFANA / "dashboards" / "speech-gateway.json"
VARIABLES = {"$__rate_interval": "5m", "$instance": ".*"}
"""What Grafana puts in."""


class Source(msgspec.Struct):
    type: str
    uid: str


class Target(msgspec.Struct):
    refId: str
    expr: str
    legendFormat: str
    datasource: Source


class Place(msgspec.Struct):
    x: int
    y: int
    w: int
    h: int

    def meets(self, other: Place) -> bool:
        apart = self.x + self.w <= other.x or other.x + other.w <= self.x
        return not (apart or self.y + self.h <= other.y or other.y + other.h <= self.y)


class Panel(msgspec.Struct):
    id: int
    type: str
    title: str
    gridPos: Place
    description: str = ""
    targets: list[Target] = []


class Variable(msgspec.Struct):
    name: str
    type: str
    query: object


class Templating(msgspec.Struct):
    variables: list[Variable] = msgspec.field(name="list")


class Dashboard(msgspec.Struct):
    uid: str
    title: str
    templating: Templating
    panels: list[Panel]


class DataSource(msgspec.Struct):
    uid: str
    type: str
    url: str


class DataSources(msgspec.Struct):
    datasources: list[DataSource]


@pytest.fixture(scope="module")
def dashboard() -> Dashboard:
    return msgspec.json.decode(DASHBOARD.read_bytes(), type=Dashboard)


def expressions(dashboard: Dashboard) -> dict[str, str]:
    """By panel and letter, as Prometheus gets them."""
    found = {}
    for panel in dashboard.panels:
        for target in panel.targets:
            expression = target.expr
            for variable, value in VARIABLES.items():
                expression = expression.replace(variable, value)
            assert "$" not in expression, panel.title
            found[f"{panel.title} {target.refId}"] = expression
    return found


@needs_promtool
def test_prometheus_understands_every_expression(dashboard: Dashboard, tmp_path: Path) -> None:
    assert not_promql(expressions(dashboard).values(), tmp_path) == ""


@pytest.mark.socket
async def test_they_name_what_a_running_gateway_tells(dashboard: Dashboard) -> None:
    series = await there()
    asked: set[str] = set()
    for name, expression in expressions(dashboard).items():
        metrics = metrics_in(expression)
        assert metrics, name
        assert metrics <= series, name
        assert labels_in(expression) <= set.union(*map(labels_of, metrics)), name
        asked |= {re.sub(r"_(bucket|sum|count)$", "", metric) for metric in metrics}
    ours = {name for name in families() if name.startswith("gateway_")}
    assert ours <= asked, "a metric that nobody looks at"


def test_legends_name_labels_that_are_left(dashboard: Dashboard) -> None:
    for panel in dashboard.panels:
        for target in panel.targets:
            told = set(re.findall(r"\{\{(\w+)\}\}", target.legendFormat))
            grouped = re.search(r" by \(([^)]*)\)", target.expr)
            left = set(grouped[1].split(", ")) if grouped else ADDED
            assert told <= left, panel.title


def test_panels_have_a_place_and_a_name_of_their_own(dashboard: Dashboard) -> None:
    panels = dashboard.panels
    assert (
        len({panel.id for panel in panels}) == len({panel.title for panel in panels}) == len(panels)
    )
    for one, other in combinations(panels, 2):
        assert not one.gridPos.meets(other.gridPos), (one.title, other.title)
    for panel in panels:
        assert panel.gridPos.x + panel.gridPos.w <= 24
        assert panel.type in {"row", "stat", "timeseries"}
        assert (panel.type == "row") == (panel.targets == []) == (panel.description == "")
        assert len({target.refId for target in panel.targets}) == len(panel.targets)


def test_its_variables_and_its_source_are_there(dashboard: Dashboard) -> None:
    assert {variable.name for variable in dashboard.templating.variables} == {
        "datasource",
        "instance",
    }
    sources = {target.datasource.uid for panel in dashboard.panels for target in panel.targets}
    assert sources == {"${datasource}"}
    file = GRAFANA / "provisioning" / "datasources" / "prometheus.yml"
    (source,) = msgspec.convert(YAML(typ="safe").load(file), DataSources).datasources
    assert (source.type, source.uid) == ("prometheus", "prometheus")


def test_all_metrics_are_made_at_the_start() -> None:
    """Otherwise a panel would be empty until the first of its kind, and nobody would know why."""
    told = Metrics().exposition().decode()
    assert "# TYPE gateway_gap_seconds histogram" in told
