"""The server's Prometheus metrics: their names, labels and buckets. docs/operating.md describes each.

Labels are the protocol, the model, the codec and codes of our own, so their number is bounded by the configuration;
nothing that a caller wrote ever becomes one. What changes with every frame or order is recorded when it happens; what
the server simply has (`Vitals`) is looked up when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import prometheus_client
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway import __version__
from gateway.core.errors import Problem
from gateway.core.vocabulary import Codec, Route

MEDIA_TYPE = prometheus_client.CONTENT_TYPE_PLAIN_0_0_4
LATENCY_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.2, 0.35, 0.5, 1.0, 2.0, 5.0, 10.0)
LEAD_S = (0.0, 0.06, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 5.0, 10.0, 30.0, 60.0)
RATIO = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 1.0, 1.5, 2.0, 5.0)

# Half of all samples would say since when the others are counted; the start of the process says that well enough.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's lapse


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the server has at one moment. The mappings are by engine."""

    connections: int
    contexts: int
    contexts_free: int
    loads: Mapping[str, float]
    """The share of each part that listeners had lately."""
    encode_jobs_waiting: int
    places_free: Mapping[str, int]
    orders_waiting: Mapping[str, int]
    worker_restarts: Mapping[str, int]
    parked: int
    ring_bytes: int
    tasks: int
    draining: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """The instruments of contexts that share a protocol, a model and a codec."""

    characters: Counter
    first_payload: Histogram
    first_audio: Histogram
    queue_wait: Histogram
    engine_first_audio: Histogram
    synthesis: Counter
    audio_made: Counter
    real_time_factor: Histogram
    audio: Counter
    lead: Histogram
    gap: Histogram
    clear: Histogram


class Metrics:
    """All metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._figures: dict[tuple[Route, str, Codec], Figures] = {}
        self._count_who_came_and_went()
        self._time_who_waited()
        self._measure_engines()
        self._measure_what_went_through()
        self.loop_lag = self._histogram(
            "loop_lag_seconds", "How late the event loop runs its timers."
        )
        ProcessCollector(registry=self.registry)

    def _counter(self, name: str, help: str, *labels: str) -> Counter:
        return Counter(f"gateway_{name}", help, labels, registry=self.registry)

    def _histogram(
        self, name: str, help: str, *labels: str, buckets: tuple[float, ...] = LATENCY_S
    ) -> Histogram:
        return Histogram(f"gateway_{name}", help, labels, registry=self.registry, buckets=buckets)

    def _count_who_came_and_went(self) -> None:
        self.connections_ended = self._counter(
            "connections_ended_total", "Connections that ended.", "route", "cause"
        )
        self.contexts_opened = self._counter(
            "contexts_opened_total", "Contexts that began.", "route"
        )
        self.contexts_closed = self._counter(
            "contexts_closed_total", "Contexts that ended.", "route", "reason"
        )
        self._errors = self._counter(
            "errors_total", "Errors that callers were told.", "route", "code"
        )

    def _time_who_waited(self) -> None:
        self._first_payload = self._histogram(
            "first_payload_seconds",
            "From the first text of an utterance to its first audio.",
            *("route", "model", "codec"),
        )
        self._first_audio = self._histogram(
            "first_audio_seconds",
            "From the first text of an utterance to its first audible sample.",
            *("route", "model", "codec"),
        )
        self._clear = self._histogram(
            "clear_seconds", "From a clear to its acknowledgement.", "route"
        )
        self._gap = self._histogram(
            "gap_seconds", "Silences because audio came too late.", "route", "model"
        )
        self._lead = self._histogram(
            "lead_seconds",
            "Audio sent and not yet played, after each frame.",
            *("route", "model"),
            buckets=LEAD_S,
        )

    def _measure_engines(self) -> None:
        self._queue_wait = self._histogram(
            "queue_wait_seconds", "From an order to the worker that takes it.", "model"
        )
        self._engine_first_audio = self._histogram(
            "engine_first_audio_seconds", "From a worker's start to its first audio.", "model"
        )
        self._real_time_factor = self._histogram(
            "real_time_factor_ratio",
            "Time to make a segment over the length of its audio.",
            "model",
            buckets=RATIO,
        )
        self._synthesis = self._counter(
            "synthesis_seconds_total", "Time that workers were busy.", "model"
        )
        self._audio_made = self._counter(
            "audio_made_seconds_total", "Audio that was made.", "model"
        )
        self.segments = self._counter(
            "segments_total", "Segments whose audio ended.", "route", "model", "ending"
        )

    def _measure_what_went_through(self) -> None:
        self._characters = self._counter(
            "text_characters_total", "Characters of text taken.", "route", "model"
        )
        self._audio = self._counter(
            "audio_seconds_total", "Audio handed to clients.", "route", "model", "codec"
        )
        self.audio_unheard = self._counter(
            "audio_unheard_seconds_total",
            "Audio that was made and not heard.",
            *("route", "model", "cause"),
        )

    def figures(self, route: Route, model: str, codec: Codec) -> Figures:
        """The instruments of such contexts: the same ones each time."""
        found = self._figures.get((route, model, codec))
        if found is None:
            found = self._figures[route, model, codec] = Figures(
                characters=self._characters.labels(route, model),
                first_payload=self._first_payload.labels(route, model, codec),
                first_audio=self._first_audio.labels(route, model, codec),
                queue_wait=self._queue_wait.labels(model),
                engine_first_audio=self._engine_first_audio.labels(model),
                synthesis=self._synthesis.labels(model),
                audio_made=self._audio_made.labels(model),
                real_time_factor=self._real_time_factor.labels(model),
                audio=self._audio.labels(route, model, codec),
                lead=self._lead.labels(route, model),
                gap=self._gap.labels(route, model),
                clear=self._clear.labels(route),
            )
        return found

    def refused(self, route: Route, problem: Problem) -> None:
        """Count an error that a caller was told."""
        self._errors.labels(route, problem.code).inc()

    def watch(self, vitals: Callable[[], Vitals]) -> None:
        """From now on tell also what the server has. Once."""
        self.registry.register(_VitalSigns(vitals))

    def exposition(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self.registry)


class _VitalSigns(Collector):
    """Looks at the server each time it is asked."""

    def __init__(self, vitals: Callable[[], Vitals]) -> None:
        self._vitals = vitals

    def collect(self) -> Iterator[Metric]:
        vitals = self._vitals()
        yield GaugeMetricFamily(
            "gateway_connections", "Open connections with speech.", vitals.connections
        )
        yield GaugeMetricFamily("gateway_contexts", "Open contexts.", vitals.contexts)
        yield GaugeMetricFamily(
            "gateway_parked", "Connections that broke and are waited for.", vitals.parked
        )
        yield GaugeMetricFamily(
            "gateway_resume_rings_bytes", "What is kept to be told again.", vitals.ring_bytes
        )
        yield GaugeMetricFamily("gateway_tasks", "Tasks of the event loop.", vitals.tasks)
        yield GaugeMetricFamily(
            "gateway_draining", "1 = the server is going away.", int(vitals.draining)
        )
        yield GaugeMetricFamily(
            "gateway_contexts_free",
            "About how many more contexts could be served well.",
            vitals.contexts_free,
        )
        load = GaugeMetricFamily(
            "gateway_load_ratio",
            "Share of a part of the gateway that listeners had in the last seconds.",
            labels=["part"],
        )
        for part, share in vitals.loads.items():
            load.add_metric([part], share)
        yield load
        yield GaugeMetricFamily(
            "gateway_encode_jobs_waiting",
            "Pieces of audio that wait for an encoder's thread.",
            vitals.encode_jobs_waiting,
        )
        free = GaugeMetricFamily(
            "gateway_engine_places_free", "Orders an engine would take at once.", labels=["engine"]
        )
        waiting = GaugeMetricFamily(
            "gateway_engine_orders_waiting", "Orders that wait for a place.", labels=["engine"]
        )
        restarts = CounterMetricFamily(
            "gateway_worker_restarts_total",
            "Worker processes that died or hung and were replaced.",
            labels=["engine"],
        )
        for family, values in (
            (free, vitals.places_free),
            (waiting, vitals.orders_waiting),
            (restarts, vitals.worker_restarts),
        ):
            for engine, value in values.items():
                family.add_metric([engine], value)
            yield family
        build = GaugeMetricFamily(
            "gateway_build_info", "Which gateway this is.", labels=["version"]
        )
        build.add_metric([__version__], 1)
        yield build
