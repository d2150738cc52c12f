"""The configuration: can it be read, are all its keys real, and does it open more than its owner may think."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from gateway.app import tracing_extra
from gateway.config import (
    Config,
    ConfigError,
    StrayKey,
    config_file,
    judge_exposure,
    load_config,
    stray_keys,
)
from gateway.doctor.finding import Finding, fail, ok, warn
from gateway.fronts.origins import ANY
from gateway.fronts.proxies import Network, is_loopback, read_networks

BELIEVED_MAX = 65_536
"""Addresses that one trusted network may have before it looks like a mistake: a /16 of IPv4."""


def check_config(
    environment: Mapping[str, str], file: Path | None
) -> tuple[list[Finding], Config | None]:
    """What there is to say about the file and the environment, and the configuration if it can be used.

    Every key that does not exist is named, with those that it could have meant.
    """
    findings = []
    for stray in _strays(environment, file):
        near = difflib.get_close_matches(stray.key, stray.known, n=3)
        known = ", ".join(near or sorted(stray.known))
        saw = f"{stray.source}: there is no key {'.'.join((*stray.path, stray.key))}"
        findings.append(fail("config", saw, f"{'did you mean' if near else 'there is'}: {known}"))
    try:
        config = load_config(environment, file)
    except ConfigError as error:
        if not findings:
            findings.append(fail("config", str(error), "docs/configuration.md has every key"))
        return findings, None
    where = config_file(environment, file) or "no file"
    return [ok("config", f"{where}: every key is known and every value allowed")], config


def _strays(environment: Mapping[str, str], file: Path | None) -> Iterator[StrayKey]:
    """What can be told; `load_config` says why there is no more."""
    with suppress(ConfigError):
        yield from stray_keys(environment, file)


def check_tracing(config: Config) -> list[Finding]:
    """Whether what traces need is installed, where they are asked for."""
    if not config.tracing.endpoint:
        return []
    try:
        tracing_extra()
    except ConfigError as error:
        return [fail("tracing", str(error), "docs/operating.md, Traces")]
    return [ok("tracing", "what traces need is installed")]


def check_exposure(config: Config) -> list[Finding]:
    """Who can reach the gateway, and whom it believes."""
    server = config.server
    trusted = read_networks(server.trusted_proxies)
    found = list(_too_wide("proxies", "server.trusted_proxies", trusted))
    try:
        judge_exposure(config)
    except ConfigError as error:
        found.append(fail("exposure", str(error), "docs/accounts.md"))
    if is_loopback(server.host):
        found.append(ok("exposure", f"only this machine reaches {server.host}"))
    elif trusted:
        found.append(ok("exposure", f"others reach {server.host}; proxies are named"))
    else:
        who = "who has a key and reaches" if config.accounts.database else "whoever reaches"
        found.append(
            warn(
                "exposure",
                f"{who} {server.host}:{server.port} may speak, without TLS",
                "listen on 127.0.0.1 behind a proxy, and name it in server.trusted_proxies"
                " (docs/operating.md, Behind a proxy)",
            )
        )
    if server.metrics == "all" and not is_loopback(server.host):
        found.append(
            warn(
                "metrics",
                "whoever reaches the port may read /metrics",
                'server.metrics = "loopback", with Prometheus\'s address in server.metrics_from',
            )
        )
    found += _too_wide("metrics", "server.metrics_from", read_networks(server.metrics_from))
    if ANY in server.allowed_origins:
        found.append(
            warn(
                "origins",
                "every page of the web may use the gateway",
                "name the pages' origins in server.allowed_origins",
            )
        )
    return found


def _too_wide(check: str, key: str, networks: Sequence[Network]) -> Iterator[Finding]:
    for network in networks:
        if network.prefixlen == 0:
            yield fail(
                check,
                f"{key} has {network}, which is everybody: anybody may then write anything",
                "name the proxy's own address, or the network of your proxies",
            )
        elif network.num_addresses > BELIEVED_MAX:
            saw = f"{key} has {network}, {network.num_addresses:,} addresses"
            yield warn(check, saw, "name a smaller network")
