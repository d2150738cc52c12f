"""The port: free, or what is there."""

from __future__ import annotations

import errno
import http.client

import msgspec

from gateway.config import Config
from gateway.doctor.finding import Finding, fail, ok
from gateway.fronts.proxies import read_address
from gateway.fronts.system import Alive
from gateway.server import listen

ANSWERS_WITHIN_S = 1.0
ANSWER_BYTES_MAX = 4_096
SERVER_CHARS_MAX = 60
"""Of what another program says about itself."""


def check_port(config: Config) -> Finding:
    """Listens for a moment, as the server would."""
    server = config.server
    where = f"{server.host}:{server.port}"
    try:
        listen(config).close()
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                return _taken(server.host, server.port)
            case errno.EACCES:
                advice = "a port from 1024 on, or a proxy in front"
                return fail("port", f"{where} may not be listened on", advice)
            case _:
                saw = f"{where} cannot be listened on: {error.strerror}"
                return fail("port", saw, "server.host: an address of this machine")
    return ok("port", f"{where} is free" if server.port else "any that is free")


def _taken(host: str, port: int) -> Finding:
    address = read_address(host)
    if address is not None and address.is_unspecified:
        host = "::1" if address.version == 6 else "127.0.0.1"
    who = _who_answers(host, port)
    if isinstance(who, Alive):
        return ok("port", f"a gateway, version {who.version}, serves on port {port} already")
    advice = f"another port, or end it; `ss -ltnp 'sport = :{port}'` tells its name"
    return fail("port", f"port {port} is taken by {who}", advice)


def _who_answers(host: str, port: int) -> Alive | str:
    connection = http.client.HTTPConnection(host, port, timeout=ANSWERS_WITHIN_S)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        body = answer.read(ANSWER_BYTES_MAX)
    except (OSError, http.client.HTTPException):
        return "something that does not speak HTTP"
    finally:
        connection.close()
    try:
        return msgspec.json.decode(body, type=Alive)
    except msgspec.DecodeError:
        name = "".join(filter(str.isprintable, answer.headers.get("server", "")))
        return f"something that speaks HTTP and calls itself {name[:SERVER_CHARS_MAX] or 'nothing'}"
