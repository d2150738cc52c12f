"""Spans of what was spoken: they belong together, say what the timeline says, hold nobody's text, and hold nobody up."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from websockets.asyncio.client import connect

from gateway.app import Gateway
from gateway.config import (
    Config,
    ConfigError,
    EnginesConfig,
    ToneConfig,
    TracingConfig,
    load_config,
)
from gateway.engines.chaos import ChaosEngine, Fail
from gateway.telemetry import tracing
from gateway.telemetry.tracing import TRACEPARENT_CHARS_MAX, Tracing
from tests.fronts.peers import http_client, use_engine
from tests.limits.borders import border
from tests.support.checkout import ROOT
from tests.support.documents import named, table
from tests.support.server import SpeechSocket, running_server, speech_socket, tone_config

pytestmark = pytest.mark.socket

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{CALLER}-01"
NOBODY = "http://127.0.0.1:9/v1/traces"
TWO_SEGMENTS = "Hello there. This is a second sentence that is somewhat longer."


def traced_config(endpoint: str = NOBODY, **tracing: float) -> Config:
    settings = msgspec.convert({"endpoint": endpoint, **tracing}, TracingConfig)
    return msgspec.structs.replace(tone_config(), tracing=settings)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Hears of all spans when the server has ended."""
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(tracing, "OTLPSpanExporter", lambda **_: exporter)
    return exporter


def span_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


def trace_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def spans_of(told: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in told.get_finished_spans() if span.name == name]


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def assert_within(inner: ReadableSpan, outer: ReadableSpan) -> None:
    """Below it, and in its time; the clocks of both agree to the millisecond."""
    assert inner.parent is not None
    assert inner.parent.span_id == span_id(outer)
    times = (outer.start_time, inner.start_time, inner.end_time, outer.end_time)
    in_ms = [time // 1_000_000 for time in times if time is not None]
    assert len(in_ms) == 4
    assert all(later - earlier >= -1 for earlier, later in pairwise(in_ms))


class TestHttp:
    async def test_a_request_its_context_and_its_segments(self, told: InMemorySpanExporter) -> None:
        async with running_server(traced_config()) as server, http_client(server) as client:
            answer = await client.post(
                "/v1/speech", json={"text": TWO_SEGMENTS}, headers={"traceparent": SAMPLED}
            )
        (request,) = spans_of(told, "POST /v1/speech")
        assert trace_id(request) == TRACE
        assert request.parent is not None
        assert f"{request.parent.span_id:016x}" == CALLER
        assert attributes(request) == {
            "http.request.method": "POST",
            "http.route": "/v1/speech",
            "http.response.status_code": 200,
            "speech.request_id": answer.headers["x-request-id"],
        }
        (context,) = spans_of(told, "speech context")
        assert_within(context, request)
        segments = spans_of(told, "speech segment")
        for segment in segments:
            assert_within(segment, context)
            assert [event.name for event in segment.events] == ["begun", "first_audio"]
        figures = attributes(context)
        assert figures["speech.reason"] == "finished"
        assert figures["speech.chars"] == len(TWO_SEGMENTS)
        assert [attributes(segment)["speech.ending"] for segment in segments] == ["finished"] * 2
        for figure in ("speech.audio_ms", "speech.synthesis_ms", "speech.queue_ms"):
            total = sum(float(str(attributes(segment)[figure])) for segment in segments)
            assert total == pytest.approx(float(str(figures[figure])), abs=0.05)

    async def test_a_refusal(self, told: InMemorySpanExporter) -> None:
        async with running_server(traced_config()) as server, http_client(server) as client:
            await client.post("/v1/speech", json={"text": ""})
        (request,) = told.get_finished_spans()
        assert attributes(request)["http.response.status_code"] == 422
        assert request.status.status_code is StatusCode.UNSET

    async def test_a_failure_is_named_by_its_code(self, told: InMemorySpanExporter) -> None:
        async with running_server(traced_config()) as server, http_client(server) as client:
            use_engine(server, ChaosEngine(server.house.engines["tone"], {"Hello": [Fail()]}))
            answer = await client.post("/v1/speech", json={"text": "Hello."})
        (segment,) = spans_of(told, "speech segment")
        assert attributes(segment)["speech.ending"] == "failed"
        assert attributes(segment)["error.type"] == answer.json()["error"]["code"]
        (request,) = spans_of(told, "POST /v1/speech")
        for span in (segment, request):
            assert span.status.status_code is StatusCode.ERROR
            assert span.status.description is None

    @pytest.mark.parametrize(
        "headers",
        [
            [("traceparent", value)]
            for value in (
                "",
                "nonsense",
                SAMPLED.upper(),
                SAMPLED[:-1],
                SAMPLED + "-more",
                f"ff-{TRACE}-{CALLER}-01",
                f"00-{'0' * 32}-{CALLER}-01",
                f"00-{TRACE}-{'0' * 16}-01",
                f"00-{TRACE[:-1]}g-{CALLER}-01",
                f"01-{TRACE}-{CALLER}-01.",
                "\xe4" * 55,
            )
        ]
        + [[("traceparent", SAMPLED), ("traceparent", SAMPLED)]],
        ids=str,
    )
    async def test_a_parent_that_is_none_is_ignored(
        self, told: InMemorySpanExporter, headers: list[tuple[str, str]]
    ) -> None:
        async with running_server(traced_config()) as server, http_client(server) as client:
            raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
            assert (await client.post("/v1/speech", json={"text": ""}, headers=raw)).status_code
        (request,) = told.get_finished_spans()
        assert request.parent is None
        assert trace_id(request) != TRACE

    @pytest.mark.parametrize(
        ("traceparent", "sample_ratio", "count"),
        [(SAMPLED, 0.0, 4), (SAMPLED[:-1] + "0", 1.0, 0), ("", 0.0, 0), ("", 1.0, 4)],
    )
    async def test_who_is_traced(
        self, told: InMemorySpanExporter, traceparent: str, sample_ratio: float, count: int
    ) -> None:
        """The caller decides it, or else chance."""
        config = traced_config(sample_ratio=sample_ratio)
        async with running_server(config) as server, http_client(server) as client:
            headers = {"traceparent": traceparent}
            await client.post("/v1/speech", json={"text": TWO_SEGMENTS}, headers=headers)
        assert len(told.get_finished_spans()) == count


class TestWebSocket:
    async def test_a_connection_and_its_contexts(self, told: InMemorySpanExporter) -> None:
        async with (
            running_server(traced_config()) as server,
            connect(
                server.ws_url, additional_headers={"traceparent": SAMPLED}, proxy=None
            ) as connection,
        ):
            socket = SpeechSocket(connection)
            for name in ("a", "b"):
                await socket.send({"type": "text", "context": name, "text": "Hello there."})
                await socket.send({"type": "end", "context": name})
                await socket.receive_until("ended")
        (session,) = spans_of(told, "WebSocket /v1/speech")
        assert trace_id(session) == TRACE
        assert attributes(session)["http.response.status_code"] == 101
        assert attributes(session)["speech.close_code"] == 1000
        contexts = spans_of(told, "speech context")
        assert len(contexts) == 2
        for context, segment in zip(contexts, spans_of(told, "speech segment"), strict=True):
            assert_within(context, session)
            assert_within(segment, context)

    async def test_what_was_taken_back_is_cancelled(self, told: InMemorySpanExporter) -> None:
        slow = EnginesConfig(tone=ToneConfig(realtime_factor=1.0))
        config = msgspec.structs.replace(traced_config(), engines=slow)
        async with running_server(config) as server, speech_socket(server) as socket:
            await socket.send({"type": "text", "text": TWO_SEGMENTS * 3})
            await socket.receive_until("segment")
            await socket.send({"type": "clear"})
            await socket.receive_until("cleared")
            await socket.send({"type": "text", "text": TWO_SEGMENTS})
            await socket.receive_until("segment")
        endings = [attributes(span)["speech.ending"] for span in spans_of(told, "speech segment")]
        assert set(endings) == {"cancelled"}
        (context,) = spans_of(told, "speech context")
        assert attributes(context)["speech.reason"] == "aborted"


async def test_attributes_are_those_that_are_described(told: InMemorySpanExporter) -> None:
    async with running_server(traced_config()) as server, http_client(server) as client:
        await client.post("/v1/speech", json={"text": "Hello."})
        async with speech_socket(server) as socket:
            await socket.receive_until("ready")
        use_engine(server, ChaosEngine(server.house.engines["tone"], {"Hello": [Fail()]}))
        await client.post("/v1/speech", json={"text": "Hello."})
    found = {name for span in told.get_finished_spans() for name in attributes(span)}
    described = {named(row) for row in table(ROOT / "docs" / "operating.md", "Traces")}
    assert found == described


@contextmanager
def collector(received: list[bytes]) -> Iterator[str]:
    """Takes OTLP as a collector does; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/traces"
        finally:
            server.shutdown()
            thread.join()


async def test_a_collector_hears_of_it_all_but_of_no_text_and_no_key() -> None:
    canary, received = "cAnArY", list[bytes]()
    headers = {
        "traceparent": SAMPLED,
        "tracestate": f"vendor={canary}",
        "baggage": f"user={canary}",
        "authorization": f"Bearer {canary}",
        "x-api-key": canary,
        "user-agent": canary,
    }
    with collector(received) as endpoint:
        async with (
            running_server(traced_config(endpoint)) as server,
            http_client(server) as client,
        ):
            for text in (f"Hello {canary}.", ""):
                body = {"text": text, canary: canary}
                await client.post(f"/v1/speech?key={canary}", json=body, headers=headers)
            url = f"{server.ws_url}?key={canary}"
            async with connect(url, additional_headers=headers, proxy=None) as connection:
                socket = SpeechSocket(connection)
                named_so = {"context": canary, "id": canary}
                await socket.send({"type": "text", **named_so, "text": f"{canary}. And more."})
                await socket.send({"type": "configure", **named_so, "voice": canary})
                await socket.send({"type": "end", **named_so})
                await socket.receive_until("ended")
                await connection.close(1000, canary)
    assert received
    assert not [body for body in received if canary.lower().encode() in body.lower()]
    exported = [
        span
        for body in received
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert {span.trace_id.hex() for span in exported} == {TRACE}
    names = sorted(span.name for span in exported if span.name != "speech segment")
    assert names == [
        *("POST /v1/speech", "POST /v1/speech", "WebSocket /v1/speech"),
        *("speech context", "speech context"),
    ]


class Stuck(SpanExporter):
    """Takes spans, and does not come back before it is let go."""

    def __init__(self) -> None:
        self.taken = 0
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.has_begun.set()
        self.may_go_on.wait(10)
        self.taken += len(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.may_go_on.set()


def end_spans(spans: Tracing, count: int) -> None:
    for _ in range(count):
        with spans.request("a request", [], {}):
            pass


@border("telemetry.tracing.TracingConfig.spans_pending_max")
async def test_spans_that_may_wait(more: int) -> None:
    exporter, pending_max = Stuck(), 4
    spans = Tracing(exporter, sample_ratio=1.0, spans_pending_max=pending_max, clock=float)
    end_spans(spans, pending_max)
    assert exporter.has_begun.wait(10)  # With a full batch in its hands, and the queue empty.
    end_spans(spans, pending_max + more)
    exporter.may_go_on.set()
    await spans.aclose()
    assert exporter.taken == pending_max + min(pending_max, pending_max + more)


async def test_a_collector_that_never_answers_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporter = Stuck()
    monkeypatch.setattr(tracing, "OTLPSpanExporter", lambda **_: exporter)
    monkeypatch.setattr(tracing, "GOODBYE_S_MAX", 0.05)
    async with (
        running_server(traced_config(spans_pending_max=2)) as server,
        http_client(server) as client,
    ):
        for _ in range(5):
            answer = await client.post("/v1/speech", json={"text": TWO_SEGMENTS})
            assert answer.status_code == 200
        assert exporter.has_begun.wait(10)
        assert exporter.taken == 0


@border("telemetry.tracing.TRACEPARENT_CHARS_MAX")
async def test_a_parent_of_a_later_version_may_be_longer(
    told: InMemorySpanExporter, more: int
) -> None:
    longer = f"01-{TRACE}-{CALLER}-01-".ljust(TRACEPARENT_CHARS_MAX + more, "x")
    async with running_server(traced_config()) as server, http_client(server) as client:
        await client.post("/v1/speech", json={"text": ""}, headers={"traceparent": longer})
    (request,) = told.get_finished_spans()
    assert (request.parent is None) == (more > 0)


class TestTheExtra:
    def test_without_it_the_server_says_what_is_missing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "gateway.telemetry.tracing")
        monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
        with pytest.raises(ConfigError, match=r"tracing\.endpoint: opentelemetry.* is missing"):
            Gateway(traced_config())

    def test_off_nothing_of_it_is_loaded_nor_around_anything(self) -> None:
        program = (
            "import sys, gateway.server, gateway.cli\n"
            "print([name for name in sys.modules if 'opentelemetry' in name or 'tracing' in name])"
        )
        ran = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert ran.stdout.strip() == "[]"

    @pytest.mark.parametrize(
        "endpoint", ["127.0.0.1:4318", "ftp://127.0.0.1/", "http://", "http://[::1", "http://a:b/"]
    )
    def test_an_endpoint_that_is_none_is_refused(self, endpoint: str) -> None:
        with pytest.raises(ConfigError, match=r"tracing\.endpoint"):
            load_config({"GATEWAY_TRACING__ENDPOINT": endpoint})
