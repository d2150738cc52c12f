"""docker-compose.yml as data."""

from __future__ import annotations

import ipaddress

import msgspec
from ruamel.yaml import YAML

from tests.support.checkout import ROOT


class Build(msgspec.Struct):
    context: str
    dockerfile: str


class Healthcheck(msgspec.Struct):
    test: list[str]


class Seat(msgspec.Struct):
    """A service's place in a network."""

    ipv4_address: str


class Service(msgspec.Struct):
    image: str
    networks: dict[str, Seat]
    ports: list[str]
    volumes: list[str]
    build: Build | None = None
    command: list[str] = []
    environment: dict[str, str] = {}
    healthcheck: Healthcheck | None = None
    profiles: list[str] = []
    cap_drop: list[str] = []
    security_opt: list[str] = []
    restart: str = ""

    @property
    def address(self) -> str:
        """Its address in the first of its networks."""
        return next(iter(self.networks.values())).ipv4_address


class Range(msgspec.Struct):
    subnet: str


class Ipam(msgspec.Struct):
    config: list[Range]


class Network(msgspec.Struct):
    ipam: Ipam

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        (one,) = self.ipam.config
        return ipaddress.IPv4Network(one.subnet)


class Compose(msgspec.Struct):
    services: dict[str, Service]
    networks: dict[str, Network]
    volumes: dict[str, None]


def compose() -> Compose:
    """A fresh copy."""
    return msgspec.convert(YAML(typ="safe").load(ROOT / "docker-compose.yml"), Compose)
