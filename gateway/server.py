"""uvicorn as the gateway runs it: the listening socket, the protocol implementations, and what is switched off."""

from __future__ import annotations

import socket
import sys

import uvicorn

from gateway.app import Gateway
from gateway.config import Config

BACKLOG = 2_048
KEEP_ALIVE_S = 15
"""Longer than proxies reuse connections, so that it is never us who closes one that is just being reused."""
PING_S = 20
HEADER_BYTES_MAX = 65_536


def listen(config: Config) -> socket.socket:
    """The listening socket. Its small send buffer is inherited by every connection. Raises OSError."""
    family = socket.AF_INET6 if ":" in config.server.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if config.limits.send_buffer_bytes:
            listener.setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDBUF, config.limits.send_buffer_bytes
            )
        listener.bind((config.server.host, config.server.port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def build_server(config: Config) -> uvicorn.Server:
    """A server that is not running yet.

    permessage-deflate is off: audio hardly shrinks and each frame would cost twelve times as much. The access log and
    uvicorn's own lines are off because they name query strings.
    """
    return uvicorn.Server(
        uvicorn.Config(
            Gateway(config),
            loop="auto" if sys.platform == "win32" else "uvloop",
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=config.limits.frame_bytes_max,
            ws_per_message_deflate=False,
            ws_ping_interval=PING_S,
            ws_ping_timeout=PING_S,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=-(-config.server.shutdown_ms // 1_000),
            h11_max_incomplete_event_size=HEADER_BYTES_MAX,
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
        )
    )


def serve(config: Config) -> bool:
    """Serve until SIGTERM or SIGINT. False when it could not start. Raises OSError when it cannot listen."""
    listener = listen(config)
    server = build_server(config)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    sys.stderr.write(f"Speech Gateway listens on http://{shown}:{port}\n")
    sys.stderr.flush()
    server.run(sockets=[listener])
    return server.started
