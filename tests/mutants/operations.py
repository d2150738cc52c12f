"""Planted bugs of what operators meet: who may read figures, and what the doctor overlooks."""

from __future__ import annotations

from tests.mutants.planting import Planted

METRICS_TESTS = ("tests/telemetry/test_metrics.py",)
DOCTOR_TESTS = ("tests/doctor",)

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
)
