"""The proxies of config/ as processes, each with the configuration that is delivered, on ports of the test's own."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.support.checkout import ROOT
from tests.support.leaks import LOOK_AGAIN_S, SETTLED_WITHIN_S

NGINX_AROUND = """\
pid {home}/pid;
error_log {home}/error.log;
daemon off;
master_process off;
events {{}}
http {{
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    include {home}/site.conf;
}}
"""
"""What Debian's /etc/nginx/nginx.conf is to our part, with all files in one directory."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _nginx(home: Path, front: int, gateway: int) -> tuple[Sequence[str], Mapping[str, str]]:
    site = (ROOT / "config" / "nginx.conf").read_text()
    for written, meant in (("127.0.0.1:8080", front), ("127.0.0.1:8081", gateway)):
        assert site.count(f" {written}") == 1
        site = site.replace(written, f"127.0.0.1:{meant}")
    (home / "site.conf").write_text(site)
    (home / "nginx.conf").write_text(NGINX_AROUND.format(home=home))
    return ("nginx", "-p", str(home), "-e", str(home / "error.log"), "-c", "nginx.conf"), {}


def _caddy(home: Path, front: int, gateway: int) -> tuple[Sequence[str], Mapping[str, str]]:
    return ("caddy", "run", "--adapter", "caddyfile", "--config", "config/Caddyfile"), {
        "SITE": f"http://127.0.0.1:{front}",
        "GATEWAY": f"127.0.0.1:{gateway}",
        "HOME": str(home),
        "XDG_DATA_HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
    }


def _haproxy(home: Path, front: int, gateway: int) -> tuple[Sequence[str], Mapping[str, str]]:
    # Both of its replicas are the same one.
    return ("haproxy", "-db", "-f", "config/haproxy.cfg"), {
        "LISTEN": f"127.0.0.1:{front}",
        "GATEWAY_A": f"127.0.0.1:{gateway}",
        "GATEWAY_B": f"127.0.0.1:{gateway}",
    }


Started = tuple[Sequence[str], Mapping[str, str]]
"""A command and what its environment has beside ours."""
PROXIES: Mapping[str, Callable[[Path, int, int], Started]] = {
    "nginx": _nginx,
    "caddy": _caddy,
    "haproxy": _haproxy,
}
"""How each is started, by the name of its program, which is that of Debian's package, too."""


def missing(name: str) -> str:
    """Why tests with this proxy cannot run; empty = they can."""
    if shutil.which(name) is not None:
        return ""
    return f"{name} is not installed (Debian's package {name} has it)"


@asynccontextmanager
async def proxy(name: str, gateway: int) -> AsyncIterator[int]:
    """One of PROXIES in front of the gateway on this port; gives the port that it listens on itself."""
    front = free_port()
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as home:
        command, own = PROXIES[name](Path(home), front, gateway)
        async with running(command, own):
            await _listens(front)
            yield front


@asynccontextmanager
async def running(command: Sequence[str], environment: Mapping[str, str]) -> AsyncIterator[None]:
    """A process until the end of the block, started in the checkout."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env={**os.environ, **environment}, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _listens(port: int) -> None:
    async with asyncio.timeout(SETTLED_WITHIN_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(LOOK_AGAIN_S)
            else:
                writer.close()
                await writer.wait_closed()
                return
