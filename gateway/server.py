"""uvicorn as the gateway runs it: the listening socket, the protocol implementations, and what is switched off."""

from __future__ import annotations

import gc
import socket
import sys

import uvicorn

from gateway.app import Gateway
from gateway.config import Config
from gateway.guard import protocols

BACKLOG = 2_048


def listen(config: Config) -> socket.socket:
    """The listening socket. Its small send buffer is inherited by every connection. Raises OSError."""
    family = socket.AF_INET6 if ":" in config.server.host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's algorithm off only where it is.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
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


class Server(uvicorn.Server):
    """uvicorn's, with what the start made put out of the garbage collector's sight."""

    async def main_loop(self) -> None:
        """Serve. A full collection stops the loop for as long as it takes to look at everything that lives. Of that,
        modules, tables and voices (47,000 objects) never go: looking at them took 8 ms, without them 0.05 ms."""
        gc.collect()
        gc.freeze()
        await super().main_loop()


def build_server(config: Config) -> uvicorn.Server:
    """A server that is not running yet.

    permessage-deflate is off: audio hardly shrinks and each frame would cost twelve times as much. The access log and
    uvicorn's own lines are off because they name query strings.
    """
    limits = config.limits
    http, websocket = protocols(limits)
    return Server(
        uvicorn.Config(
            Gateway(config),
            loop="auto" if sys.platform == "win32" else "uvloop",
            http=http,
            ws=websocket,
            ws_max_size=limits.frame_bytes_max,
            ws_per_message_deflate=False,
            ws_ping_interval=limits.ping_interval_ms / 1_000,
            ws_ping_timeout=limits.ping_timeout_ms / 1_000,
            # uvicorn only hands it to a timer, which takes any number.
            timeout_keep_alive=limits.next_request_ms / 1_000,  # type: ignore[arg-type]
            timeout_graceful_shutdown=-(-config.server.shutdown_ms // 1_000),
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
