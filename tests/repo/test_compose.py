"""docker-compose.yml and the Dockerfile, as far as they can be judged without a daemon."""

from __future__ import annotations

import re
import subprocess
import sys

import msgspec
import pytest
from ruamel.yaml import YAML

from tests.support.checkout import ROOT

DOCKERFILE = (ROOT / "config" / "Dockerfile").read_text()


class Build(msgspec.Struct):
    context: str
    dockerfile: str


class Healthcheck(msgspec.Struct):
    test: list[str]


class Service(msgspec.Struct):
    build: Build
    command: list[str]
    ports: list[str]
    volumes: list[str]
    healthcheck: Healthcheck


@pytest.fixture
def gateway() -> Service:
    compose = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    return msgspec.convert(compose["services"]["gateway"], Service)


def words_after(pattern: str) -> list[str]:
    """The words of the Dockerfile's only `[...]` that follows this."""
    (found,) = re.findall(rf"^{pattern} (\[.+\])$", DOCKERFILE, re.MULTILINE)
    return msgspec.json.decode(found, type=list[str])


@pytest.mark.slow
def test_the_compose_file_follows_the_specification() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    result = subprocess.run(
        [*check, "docker-compose.yml"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_container_runs_what_run_runs(gateway: Service) -> None:
    execs = re.search(r'^exec "[^"]+/python" (.+) "\$@"$', (ROOT / "run").read_text(), re.MULTILINE)
    assert execs is not None
    run = ["python", *execs.group(1).split(), "serve"]
    assert gateway.command[: len(run)] == run
    # Whoever runs the image by itself must make keys, or say himself that nobody needs one.
    assert [*words_after("CMD"), "--insecure"] == gateway.command


def test_it_is_asked_for_its_health_where_it_serves(gateway: Service) -> None:
    port = gateway.command[gateway.command.index("--port") + 1]
    assert gateway.ports == [f"127.0.0.1:{port}:{port}"]
    assert f"127.0.0.1:{port}/healthz" in gateway.healthcheck.test[-1]
    assert f"EXPOSE {port}" in DOCKERFILE
    assert gateway.healthcheck.test == ["CMD", *words_after(r"HEALTHCHECK .+\\\n  CMD")]


def test_it_does_not_run_as_root_and_installs_what_the_lock_names() -> None:
    users = re.findall(r"^USER (\w+)$", DOCKERFILE, re.MULTILINE)
    assert users
    assert users[-1] != "root"
    assert "--require-hashes -r requirements.lock" in DOCKERFILE


def test_everything_that_the_image_copies_is_there_and_not_ignored(gateway: Service) -> None:
    assert (ROOT / gateway.build.context / gateway.build.dockerfile).is_file()
    copied = {
        source.removeprefix("./")
        for sources in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
        for source in sources.split()
    }
    kept = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert copied == set(kept)
    assert [name for name in copied if not (ROOT / name).exists()] == []
