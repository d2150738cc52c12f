"""docker-compose.yml and the Dockerfile, as far as they can be judged without a daemon."""

from __future__ import annotations

import re
import subprocess
import sys
from ipaddress import ip_address
from typing import Any, cast

import msgspec
import pytest
from ruamel.yaml import YAML

from gateway.config import load_config
from tests.support.checkout import ROOT
from tests.support.compose import Compose, Service, compose

DOCKERFILE = (ROOT / "config" / "Dockerfile").read_text()


@pytest.fixture
def whole() -> Compose:
    return compose()


@pytest.fixture
def gateway(whole: Compose) -> Service:
    return whole.services["gateway"]


def words_after(pattern: str) -> list[str]:
    """The words of the Dockerfile's only `[...]` that follows this."""
    (found,) = re.findall(rf"^{pattern} (\[.+\])$", DOCKERFILE, re.MULTILINE)
    return msgspec.json.decode(found, type=list[str])


def port_of(gateway: Service) -> str:
    return gateway.command[gateway.command.index("--port") + 1]


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
    port = port_of(gateway)
    assert gateway.healthcheck is not None
    assert gateway.ports == [f"127.0.0.1:{port}:{port}"]
    assert f"127.0.0.1:{port}/healthz" in gateway.healthcheck.test[-1]
    assert f"EXPOSE {port}" in DOCKERFILE
    assert gateway.healthcheck.test == ["CMD", *words_after(r"HEALTHCHECK .+\\\n  CMD")]


def test_it_does_not_run_as_root_and_installs_what_the_lock_names() -> None:
    users = re.findall(r"^USER (\w+)$", DOCKERFILE, re.MULTILINE)
    assert users
    assert users[-1] != "root"
    assert "\nARG LOCK=requirements.lock\n" in DOCKERFILE
    assert "--require-hashes -r ${LOCK}" in DOCKERFILE


def test_everything_that_the_image_copies_is_there_and_not_ignored(gateway: Service) -> None:
    assert gateway.build is not None
    assert (ROOT / gateway.build.context / gateway.build.dockerfile).is_file()
    copied = {
        source.removeprefix("./")
        for sources in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
        for source in sources.split()
    }
    kept = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert copied == set(kept)
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_alone_the_gateway_needs_nothing_else(whole: Compose) -> None:
    """`docker compose up` starts what has no profile."""
    assert [name for name, service in whole.services.items() if not service.profiles] == ["gateway"]
    assert {tuple(service.profiles) for service in whole.services.values()} == {(), ("full",)}


def test_the_second_replica_is_the_first_elsewhere(whole: Compose, gateway: Service) -> None:
    other = whole.services["gateway-b"]
    changes = {"profiles": gateway.profiles, "ports": gateway.ports, "networks": gateway.networks}
    assert msgspec.structs.replace(other, **changes) == gateway
    assert other.ports == [], "the proxy is the way to it"


def test_addresses_are_of_their_networks_and_belong_to_one(whole: Compose) -> None:
    seen: set[str] = set()
    for service in whole.services.values():
        for network, seat in service.networks.items():
            assert ip_address(seat.ipv4_address) in whole.networks[network].subnet
            assert seat.ipv4_address not in seen
            seen.add(seat.ipv4_address)
    one, other = (network.subnet for network in whole.networks.values())
    assert not one.overlaps(other)


def test_everybody_names_everybody_by_the_right_address(whole: Compose, gateway: Service) -> None:
    services, port = whole.services, port_of(gateway)
    replicas = [services["gateway"], services["gateway-b"]]
    proxy, prometheus = services["proxy"], services["prometheus"]
    assert list(proxy.networks) == ["speech"], "figures are not told to who asks for others"

    config = load_config(gateway.environment)
    assert config.server.trusted_proxies == (proxy.address,)
    assert config.server.metrics_from == (prometheus.address,)

    named = [proxy.environment[name] for name in ("GATEWAY_A", "GATEWAY_B")]
    assert named == [f"{each.networks['speech'].ipv4_address}:{port}" for each in replicas]
    haproxy = (ROOT / "config" / "haproxy.cfg").read_text()
    assert set(re.findall(r"\$\{(\w+)", haproxy)) == set(proxy.environment)
    assert proxy.environment["LISTEN"].rpartition(":")[2] == proxy.ports[0].rpartition(":")[2]

    (job,) = parsed("config/prometheus/prometheus.yml")["scrape_configs"]
    (targets,) = job["static_configs"]
    assert targets["targets"] == [
        f"{each.networks['metrics'].ipv4_address}:{port}" for each in replicas
    ]
    assert job["job_name"] == "speech-gateway"

    (source,) = parsed("config/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["url"] == f"http://{prometheus.address}:9090"
    assert prometheus.networks.keys() == services["grafana"].networks.keys()


def parsed(file: str) -> dict[str, list[dict[str, Any]]]:
    return cast("dict[str, list[dict[str, Any]]]", YAML(typ="safe").load(ROOT / file))


def test_what_is_mounted_is_there_and_cannot_be_changed(whole: Compose) -> None:
    for name, service in whole.services.items():
        for mount in service.volumes:
            source, inner, *mode = mount.split(":")
            if source.startswith("."):
                assert (ROOT / source).exists(), name
                assert mode == ["ro"], name
            else:
                assert source in whole.volumes, name
            assert inner.startswith("/"), name


def test_grafana_finds_what_it_is_given(whole: Compose) -> None:
    grafana = whole.services["grafana"]
    inner = {mount.split(":")[1]: ROOT / mount.split(":")[0] for mount in grafana.volumes[:2]}
    assert set(inner) == {"/etc/grafana/provisioning", "/etc/grafana/dashboards"}
    provider = "config/grafana/provisioning/dashboards/speech-gateway.yml"
    (folder,) = (each["options"]["path"] for each in parsed(provider)["providers"])
    assert folder in inner
    home = grafana.environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (inner[folder] / home.removeprefix(f"{folder}/")).is_file()


def test_nothing_is_reached_from_outside_and_nobody_has_more_rights_than_he_needs(
    whole: Compose,
) -> None:
    ports = []
    for name, service in whole.services.items():
        assert service.cap_drop == ["ALL"], name
        assert service.security_opt == ["no-new-privileges:true"], name
        assert service.restart == "unless-stopped", name
        assert service.build is not None or re.search(r":v?\d+\.\d+", service.image), name
        ports += service.ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)
