"""Who really asks, where a proxy asks for somebody else."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from starlette.types import Scope

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def read_address(text: str) -> Address | None:
    """An address, with or without a port behind it; None = it is none. IPv4 in IPv6 counts as IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(host: str) -> bool:
    """True for a name or an address by which only this machine is reached."""
    address = read_address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def read_networks(written: Sequence[str]) -> tuple[Network, ...]:
    """Addresses and networks, as the configuration names them. Raises ValueError naming the one that is neither."""
    return tuple(ipaddress.ip_network(each) for each in written)


def is_among(address: Address | None, networks: Sequence[Network]) -> bool:
    """Whether one of these networks has an address."""
    return address is not None and any(address in network for network in networks)


class Proxies:
    """The proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. Anybody can write these headers, so each hop
    is believed only about the one before it."""

    def __init__(self, trusted: Sequence[str]) -> None:
        """Addresses and networks. Raises ValueError naming the one that is neither."""
        self._networks = read_networks(trusted)

    def resolve(self, scope: Scope) -> bool:
        """Put the client's address and scheme into the scope; True when a trusted proxy passed the request on."""
        peer = read_address(scope["client"][0]) if scope.get("client") else None
        if not self._trusts(peer):
            return False
        client = peer
        for hop in reversed(_listed(scope, b"x-forwarded-for")):
            address = read_address(hop)
            if address is None or not self._trusts(client):
                break
            client = address
        if client != peer:
            scope["client"] = (str(client), 0)
        schemes = _listed(scope, b"x-forwarded-proto")
        if schemes and schemes[-1] in {"http", "https"}:
            secure = schemes[-1] == "https"
            plain = "ws" if scope["type"] == "websocket" else "http"
            scope["scheme"] = plain + "s" * secure
        return True

    def _trusts(self, address: Address | None) -> bool:
        return is_among(address, self._networks)


def _listed(scope: Scope, name: bytes) -> list[str]:
    values: Iterable[bytes] = (value for key, value in scope["headers"] if key == name)
    return [part.strip() for value in values for part in value.decode("latin-1").split(",")]
