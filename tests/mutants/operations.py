"""Planted bugs of what operators meet: who may read figures, and what the doctor overlooks."""

from __future__ import annotations

from tests.mutants.planting import Planted

METRICS_TESTS = ("tests/telemetry/test_metrics.py",)
DOCTOR_TESTS = ("tests/doctor",)
TRACING_TESTS = ("tests/telemetry/test_tracing.py",)

BUGS = (
    Planted(
        "proxies-read-metrics",
        "who is named may read figures for others, too",
        "gateway/fronts/system.py",
        '        if client is None or any(name in _FORWARDED for name, _ in scope["headers"]):\n',
        "        if client is None:\n",
        METRICS_TESTS,
    ),
    Planted(
        "doctor-stops-at-the-first-stray-key",
        "one key that does not exist hides the others",
        "gateway/config.py",
        "            yield StrayKey(source, path, key, tuple(fields))\n",
        "            yield StrayKey(source, path, key, tuple(fields))\n            return\n",
        DOCTOR_TESTS,
    ),
    Planted(
        "doctor-shows-secrets",
        "the user and the query of an address are shown",
        "gateway/doctor/target.py",
        "    target = SplitResult(\n",
        "    print(url)\n    target = SplitResult(\n",
        DOCTOR_TESTS,
    ),
    Planted(
        "doctor-does-not-drain",
        "a codec that gives nothing passes for a good one",
        "gateway/doctor/speech.py",
        "        if encoded:\n",
        "        if encoded >= 0:\n",
        DOCTOR_TESTS,
    ),
    Planted(
        "files-beyond-what-is-allowed",
        "the server asks for more files than the system allows",
        "gateway/open_files.py",
        "    wanted = min(needed, files_allowed())\n",
        "    wanted = needed\n",
        DOCTOR_TESTS,
    ),
    Planted(
        "two-parents",
        "of two parents that a request names one is believed",
        "gateway/telemetry/tracing.py",
        "    if len(values) != 1 or",
        "    if not values or",
        TRACING_TESTS,
    ),
    Planted(
        "query-in-a-span",
        "a span has the query, in which a key may stand",
        "gateway/fronts/traced.py",
        '"http.route": path}',
        '"http.route": path + scope["query_string"].decode()}',
        TRACING_TESTS,
    ),
    Planted(
        "tracestate-in-a-span",
        "a span has what the caller wrote into tracestate",
        "gateway/telemetry/tracing.py",
        'return _PROPAGATOR.extract({"traceparent": values[0]}, Context())',
        "return _PROPAGATOR.extract({k.decode(): v.decode('latin-1') for k, v in headers}, Context())",
        TRACING_TESTS,
    ),
    Planted(
        "segments-never-taken-back",
        "a clear leaves the spans of its segments open",
        "gateway/telemetry/tracing.py",
        "        if isinstance(command, Clear | Abort):\n",
        "        if isinstance(command, Abort) and not self._segments:\n",
        TRACING_TESTS,
    ),
    Planted(
        "spans-heaped-up",
        "more spans wait than may",
        "gateway/telemetry/tracing.py",
        "                max_queue_size=spans_pending_max,\n",
        "                max_queue_size=2 * spans_pending_max,\n",
        TRACING_TESTS,
    ),
    Planted(
        "goodbye-without-an-end",
        "the server waits for a collector that never answers",
        "gateway/telemetry/tracing.py",
        "        if not await asyncio.to_thread(is_over.wait, GOODBYE_S_MAX):\n",
        "        if not await asyncio.to_thread(is_over.wait):\n",
        TRACING_TESTS,
    ),
)
