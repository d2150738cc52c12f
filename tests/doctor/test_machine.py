"""The machine as `gateway doctor` sees it, from files as Linux and its containers have them."""

from __future__ import annotations

import resource
from pathlib import Path

import msgspec
import pytest

from gateway.app import cores, worker_processes
from gateway.config import Config
from gateway.doctor.finding import Status
from gateway.doctor.machine import (
    BASE_BYTES,
    WORKER_BYTES,
    check_clock,
    check_cores,
    check_files,
    check_memory,
    cpu_quota,
    memory_free,
)
from gateway.open_files import allow_files, files_needed


def with_workers(workers: int, **limits: int) -> Config:
    config = Config()
    return msgspec.structs.replace(
        config,
        engines=msgspec.structs.replace(
            config.engines, espeak=msgspec.structs.replace(config.engines.espeak, workers=workers)
        ),
        limits=msgspec.structs.replace(config.limits, **limits),
    )


def write(root: Path, **files: str) -> Path:
    """Files below `root`, named with `__` for each slash and `DOT` for each dot."""
    for name, content in files.items():
        file = root / name.replace("__", "/").replace("DOT", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"sys__fs__cgroup__cpuDOTmax": "max 100000\n"}, None),
        ({"sys__fs__cgroup__cpuDOTmax": "150000 100000\n"}, 1.5),
        ({"sys__fs__cgroup__cpuDOTmax": "1 0\n"}, None),
        ({"sys__fs__cgroup__cpuDOTmax": "nonsense"}, None),
        (
            {
                "sys__fs__cgroup__cpu__cpuDOTcfs_quota_us": "50000\n",
                "sys__fs__cgroup__cpu__cpuDOTcfs_period_us": "100000\n",
            },
            0.5,
        ),
        (
            {
                "sys__fs__cgroup__cpu__cpuDOTcfs_quota_us": "-1\n",
                "sys__fs__cgroup__cpu__cpuDOTcfs_period_us": "100000\n",
            },
            None,
        ),
    ],
)
def test_the_share_of_a_container(
    tmp_path: Path, files: dict[str, str], quota: float | None
) -> None:
    assert cpu_quota(write(tmp_path, **files)) == quota


def test_workers_that_only_wait_for_each_other(tmp_path: Path) -> None:
    there = cores()
    root = write(tmp_path, sys__fs__cgroup__cpuDOTmax=f"{there * 100_000} 100000")
    fits = check_cores(with_workers(there), root).status
    assert fits is (Status.OK if there > 1 else Status.WARN)
    assert check_cores(with_workers(there + 1), root).status is Status.WARN
    half = write(tmp_path, sys__fs__cgroup__cpuDOTmax="50000 100000")
    found = check_cores(with_workers(there), half)
    assert found.status is Status.WARN
    assert "0.5" in found.saw


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, None),
        ({"proc__meminfo": "MemTotal: 9 kB\nMemAvailable:   2048 kB\n"}, 2_097_152),
        ({"proc__meminfo": "MemAvailable: many kB\n"}, None),
        (
            {
                "proc__meminfo": "MemAvailable: 2048 kB\n",
                "sys__fs__cgroup__memoryDOTmax": "1000\n",
                "sys__fs__cgroup__memoryDOTcurrent": "400\n",
            },
            600,
        ),
        (
            {
                "proc__meminfo": "MemAvailable: 2048 kB\n",
                "sys__fs__cgroup__memoryDOTmax": "max\n",
                "sys__fs__cgroup__memoryDOTcurrent": "400\n",
            },
            2_097_152,
        ),
        (
            {
                "sys__fs__cgroup__memory__memoryDOTlimit_in_bytes": "1000\n",
                "sys__fs__cgroup__memory__memoryDOTusage_in_bytes": "1400\n",
            },
            0,
        ),
    ],
)
def test_memory_that_is_left(tmp_path: Path, files: dict[str, str], free: int | None) -> None:
    assert memory_free(write(tmp_path, **files)) == free


def test_memory_at_its_borders(tmp_path: Path) -> None:
    config = with_workers(2, contexts_total_max=1, resume_rings_bytes_max=10 * 1_048_576)
    least = BASE_BYTES + 2 * WORKER_BYTES

    def judged(free: int) -> Status:
        files = {"memoryDOTmax": str(free), "memoryDOTcurrent": "0"}
        named = {f"sys__fs__cgroup__{name}": value for name, value in files.items()}
        return check_memory(config, write(tmp_path, **named)).status

    assert judged(least - 1) is Status.FAIL
    assert judged(least) is Status.WARN
    assert judged(least + 11 * 1_048_576) is Status.OK
    assert check_memory(config, tmp_path / "nowhere").status is Status.WARN


@pytest.mark.parametrize(
    ("missing", "status"), [(0, Status.OK), (1, Status.WARN), (7_001, Status.FAIL)]
)
def test_files_at_their_borders(
    monkeypatch: pytest.MonkeyPatch, missing: int, status: Status
) -> None:
    config = with_workers(2)
    limits = config.limits
    assert (limits.sockets_max, limits.connections_max) == (8_000, 1_000)
    allowed = files_needed(limits, 2) - missing
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, allowed))
    found = check_files(config)
    assert found.status is status
    assert f"{allowed:,}" in found.saw


def test_the_server_asks_for_as_many_files_as_it_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: asked.append(both))
    for soft, hard, needed, given in (
        (1_024, 4_096, 2_000, 2_000),
        (1_024, 4_096, 8_000, 4_096),
        (1_024, 4_096, 500, 1_024),
        (1_024, resource.RLIM_INFINITY, 8_000, 8_000),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 8_000, resource.RLIM_INFINITY),
    ):
        monkeypatch.setattr(resource, "getrlimit", lambda _, s=soft, h=hard: (s, h))
        assert allow_files(needed) == given
    assert asked == [
        (2_000, 4_096),
        (4_096, 4_096),
        (8_000, resource.RLIM_INFINITY),
    ]


def test_workers_are_those_of_the_engines_that_are_used() -> None:
    config = with_workers(3)
    assert worker_processes(config) == 3
    models = {"tone": config.models["tone"]}
    assert worker_processes(msgspec.structs.replace(config, models=models)) == 0


def test_the_clock_is_asked() -> None:
    found = check_clock()
    assert found.check == "clock"
    assert found.status in {Status.OK, Status.WARN}
