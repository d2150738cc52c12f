"""What the metrics say, read as Prometheus reads them."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from gateway.telemetry.metrics import Metrics


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


def read(exposition: bytes) -> Scraped:
    """Raises ValueError for what is not Prometheus's text format."""
    families = text_string_to_metric_families(exposition.decode())
    return Scraped(tuple(sample for family in families for sample in family.samples))


def scraped(metrics: Metrics) -> Scraped:
    """What a server's metrics say now."""
    return read(metrics.exposition())
