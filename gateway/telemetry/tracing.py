"""What is spoken as spans of OpenTelemetry: each request or connection, the contexts in it, the segments of these.

Nobody imports this unless traces are asked for: the packages are an extra. Spans hold ids, counts, durations and codes,
never text, names that a caller chose, or keys. The loop only puts ended spans into a bounded queue; a thread sends them,
and what does not fit is dropped.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Self

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import (
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway import __version__
from gateway.core.commands import Abort, Clear, Command
from gateway.core.params import Settings
from gateway.core.synthesis import Begun, Failed, Finished, Produced, Report
from gateway.core.vocabulary import CloseReason, Route
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.timeline import Timeline

EXPORT_EVERY_MS = 1_000
"""How long an ended span waits for others to be sent with."""
EXPORT_SPANS_MAX = 128
"""Spans that are sent at once: writing them takes a few milliseconds, in which the loop must share the interpreter."""
EXPORT_S_MAX = 5.0
"""How long sending them may take, repetitions included."""
GOODBYE_S_MAX = 0.4
"""How long the end of the server waits for what was not sent yet. It must fit into `server.CLOSING_MS`, beside the others."""
TRACEPARENT_CHARS_MAX = 512
"""Longer ones are as if they were not there. Version 00 has 55 (W3C Trace Context §3.2); later ones may have more."""

_PROPAGATOR = TraceContextTextMapPropagator()
_NS = 1_000_000_000

Attributes = dict[str, str | int | float]


class Tracing:
    """Begins spans and has them sent. `clock` is the one whose times timelines are shown, in seconds.

    `sample_ratio` of the requests that come without a decision of their caller's are traced.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        *,
        sample_ratio: float,
        spans_pending_max: int,
        clock: Callable[[], float],
    ) -> None:
        self._exporter = exporter
        self._clock = clock
        self._provider = TracerProvider(
            sampler=ParentBasedTraceIdRatio(sample_ratio),
            resource=Resource({"service.name": "speech-gateway", "service.version": __version__}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=spans_pending_max,
                schedule_delay_millis=EXPORT_EVERY_MS,
                max_export_batch_size=min(EXPORT_SPANS_MAX, spans_pending_max),
            )
        )
        self._tracer = self._provider.get_tracer("gateway", __version__)

    @classmethod
    def to_collector(
        cls,
        endpoint: str,
        *,
        sample_ratio: float,
        spans_pending_max: int,
        clock: Callable[[], float],
    ) -> Self:
        """Whose spans go to a collector, by OTLP over HTTP in protobuf. `endpoint` is the whole URL."""
        return cls(
            OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_S_MAX),
            sample_ratio=sample_ratio,
            spans_pending_max=spans_pending_max,
            clock=clock,
        )

    @contextmanager
    def request(
        self, name: str, headers: Iterable[tuple[bytes, bytes]], attributes: Attributes
    ) -> Iterator[Span]:
        """A span for the block, and for the contexts that begin in it; its parent is what `traceparent` names."""
        span = self._tracer.start_span(
            name, context=_parent(headers), kind=SpanKind.SERVER, attributes=attributes
        )
        # An exception's message may quote what was said.
        with use_span(
            span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        ):
            yield span

    def blame(self, span: Span) -> None:
        """Say that what the span tells of went wrong, and that it was our fault."""
        span.set_status(StatusCode.ERROR)

    def timeline(
        self, metrics: Metrics, route: Route, settings: Settings, *, whole: bool, rest: bool
    ) -> Timeline:
        """A timeline of a context, which also makes spans of it where the request is traced."""
        if not get_current_span().is_recording():
            return Timeline(metrics, route, settings, whole=whole, rest=rest)
        return TracedTimeline(
            self._tracer, self._clock, metrics, route, settings, whole=whole, rest=rest
        )

    async def aclose(self) -> None:
        """Send what is left, for `GOODBYE_S_MAX` at most."""
        is_over = threading.Event()

        def say_goodbye() -> None:
            self._provider.shutdown()
            is_over.set()

        # A daemon: a collector that does not answer must not keep the process alive.
        threading.Thread(target=say_goodbye, name="last-spans", daemon=True).start()
        if not await asyncio.to_thread(is_over.wait, GOODBYE_S_MAX):
            self._exporter.shutdown()


def _parent(headers: Iterable[tuple[bytes, bytes]]) -> Context:
    """What the caller says this request is a part of; nothing when he does not, says it twice, or not as W3C has it.

    `tracestate` is left alone: nobody is asked further, and its text is the caller's.
    """
    values = [value.decode("latin-1") for name, value in headers if name == b"traceparent"]
    if len(values) != 1 or len(values[0]) > TRACEPARENT_CHARS_MAX:
        return Context()
    return _PROPAGATOR.extract({"traceparent": values[0]}, Context())


class TracedTimeline(Timeline):
    """A timeline whose context and segments become spans, below the span that is the current one."""

    def __init__(
        self,
        tracer: Tracer,
        clock: Callable[[], float],
        metrics: Metrics,
        route: Route,
        settings: Settings,
        *,
        whole: bool = False,
        rest: bool = False,
    ) -> None:
        super().__init__(metrics, route, settings, whole=whole, rest=rest)
        self._tracer = tracer
        self._clock = clock
        self._epoch_ns = time.time_ns() - round(clock() * _NS)
        self._span = tracer.start_span("speech context", start_time=self._ns(clock()))
        self._within = set_span_in_context(self._span, Context())
        self._settings = settings
        self._segments: dict[int, Span] = {}

    def submitted(self, command: Command, chars: int, now: float) -> None:
        super().submitted(command, chars, now)
        if isinstance(command, Clear | Abort):
            for segment in list(self._segments):
                self._end_segment(segment, "cancelled", now)
        if isinstance(command, Abort):
            self._end(CloseReason.ABORTED)

    def ordered(self, segment: int, now: float) -> None:
        super().ordered(segment, now)
        self._segments[segment] = self._tracer.start_span(
            "speech segment",
            context=self._within,
            start_time=self._ns(now),
            attributes={"speech.segment": segment},
        )

    def reported(self, report: Report, now: float) -> None:
        order, span = self._orders.get(report.segment), self._segments.get(report.segment)
        is_first = order is not None and not order.made_s
        begun_at = None if order is None else order.begun_at
        super().reported(report, now)
        if order is None or span is None:
            return
        match report:
            case Begun():
                span.add_event("begun", timestamp=self._ns(now))
                span.set_attribute("speech.queue_ms", _ms(now - order.at))
            case Produced() if is_first and begun_at is not None:
                span.add_event("first_audio", timestamp=self._ns(now))
                span.set_attribute("speech.first_audio_ms", _ms(now - begun_at))
            case Finished() | Failed():
                if begun_at is not None:
                    span.set_attribute("speech.synthesis_ms", _ms(now - begun_at))
                span.set_attribute("speech.audio_ms", _ms(order.made_s))
                if isinstance(report, Failed):
                    span.set_attribute("error.type", report.problem.code)
                    span.set_status(StatusCode.ERROR)
                ending = "finished" if isinstance(report, Finished) else "failed"
                self._end_segment(report.segment, ending, now)
            case _:
                pass

    def _use(self, settings: Settings) -> None:
        super()._use(settings)
        self._settings = settings

    def _closed(self, reason: CloseReason) -> None:
        super()._closed(reason)
        self._end(reason)

    def _end_segment(self, segment: int, ending: str, now: float) -> None:
        span = self._segments.pop(segment)
        span.set_attribute("speech.ending", ending)
        span.end(self._ns(now))

    def _end(self, reason: CloseReason) -> None:
        if not self._span.is_recording():
            return
        now = self._clock()
        settings, timings = self._settings, self.timings(now)
        figures: Attributes = {
            "speech.route": self._route,
            "speech.model": settings.model,
            "speech.codec": settings.format.codec,
            "speech.sample_rate": settings.format.sample_rate,
            "speech.chars": self._chars,
            "speech.reason": reason,
        }
        for name in timings.__struct_fields__:
            if (value := getattr(timings, name)) is not None:
                figures[f"speech.{name}"] = value
        self._span.set_attributes(figures)
        self._span.end(self._ns(now))

    def _ns(self, now: float) -> int:
        """A moment of the timeline's clock as OpenTelemetry has them."""
        return self._epoch_ns + round(now * _NS)


def _ms(seconds: float) -> float:
    return round(seconds * 1_000, 2)
