"""Networks of the test's own: hosts with addresses of their own, joined by bridges, as containers are. Linux and root only.

A host is a network namespace, named by an open file. Whatever is opened or started while `inside` a host is there: a
thread is in one namespace at a time, and the event loop of a test has one thread.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

HERE = Path("/proc/thread-self/ns/net")
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@cache
def why_not() -> str:
    """Why there can be no such networks here; empty = there can."""
    if shutil.which("ip") is None:
        return "ip is not installed (Debian's package iproute2 has it)"
    try:
        with hosts("one") as made, inside(made["one"]):
            _ip("link", "add", "bridge", "type", "bridge")
    except (OSError, subprocess.CalledProcessError):
        return "this machine lets nobody make networks; root may, unless a container forbids it"
    return ""


@contextmanager
def inside(host: int) -> Iterator[None]:
    """In this host until the end of the block, then back where we were."""
    home = os.open(HERE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(host)
        try:
            yield
        finally:
            _enter(home)
    finally:
        os.close(home)


@contextmanager
def hosts(*names: str) -> Iterator[dict[str, int]]:
    """New hosts with nothing but loopback, gone with the block and what runs in them."""
    home = os.open(HERE, os.O_RDONLY | os.O_CLOEXEC)
    made: dict[str, int] = {}
    try:
        for name in names:
            if _libc.unshare(CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "no network of our own")
            try:
                made[name] = os.open(HERE, os.O_RDONLY | os.O_CLOEXEC)
                _ip("link", "set", "lo", "up")
            finally:
                _enter(home)
        yield made
    finally:
        for host in made.values():
            with suppress(OSError):
                os.close(host)
        os.close(home)


def join(network: str, middle: int, addresses: Mapping[int, str]) -> None:
    """A network over a bridge in the host `middle`; each of these hosts gets its address (10.0.0.1/24) on it."""
    with inside(middle):
        _ip("link", "add", network, "type", "bridge")
        _ip("link", "set", network, "up")
        for number, host in enumerate(addresses):
            near, far = f"{network}{number}", f"{network}-{number}"
            _ip("link", "add", near, "type", "veth", "peer", "name", far)
            _ip("link", "set", near, "master", network, "up")
            _ip("link", "set", far, "netns", f"/proc/{os.getpid()}/fd/{host}")
    for number, (host, address) in enumerate(addresses.items()):
        with inside(host):
            _ip("address", "add", address, "dev", f"{network}-{number}")
            _ip("link", "set", f"{network}-{number}", "up")


def _enter(host: int) -> None:
    if _libc.setns(host, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot enter a network")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
