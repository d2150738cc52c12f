"""What the metrics say, read as Prometheus reads them."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from gateway.telemetry.metrics import Metrics, Vitals


@dataclass(frozen=True, slots=True)
class Scraped:
    """All samples of one scrape."""

    samples: tuple[Sample, ...]

    def value(self, name: str, **labels: str) -> float:
        """The sum of all samples of this name (`gateway_` is left out) that have these labels; 0 without any."""
        return sum(
            sample.value
            for sample in self.samples
            if sample.name == f"gateway_{name}" and labels.items() <= sample.labels.items()
        )

    def mean(self, name: str, **labels: str) -> float:
        """What a histogram observed on average."""
        return self.value(f"{name}_sum", **labels) / self.value(f"{name}_count", **labels)

    def labels(self, name: str, label: str) -> set[str]:
        """Every value that a label of a metric has."""
        return {s.labels[label] for s in self.samples if s.name == f"gateway_{name}"}


def whole() -> Metrics:
    """Metrics of a server with everything in them."""
    metrics = Metrics()
    one = {"tone": 1}
    metrics.watch(
        lambda: Vitals(1, 1, 1, {"encoders": 0.5}, 1, one, one, one, 1, 1, 1, draining=True)
    )
    return metrics


def families() -> dict[str, tuple[str, set[str]]]:
    """Type and labels by the name that is scraped, less those of the process."""
    metrics = whole()
    found = {
        family.name: (family.type, set(family.samples[0].labels) if family.samples else set())
        for family in metrics.registry.collect()
    }
    for value in vars(metrics).values():
        if isinstance(value, MetricWrapperBase):
            assert value._type is not None
            found[value._name] = (value._type, set(value._labelnames))
    return {
        f"{name}_total" if kind == "counter" else name: (kind, labels)
        for name, (kind, labels) in found.items()
    }


def read(exposition: bytes) -> Scraped:
    """Raises ValueError for what is not Prometheus's text format."""
    families = text_string_to_metric_families(exposition.decode())
    return Scraped(tuple(sample for family in families for sample in family.samples))


def scraped(metrics: Metrics) -> Scraped:
    """What a server's metrics say now."""
    return read(metrics.exposition())
