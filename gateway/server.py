"""uvicorn as the gateway runs it: the listening socket, the protocol implementations, and what is switched off."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from typing import cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

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


class CutsOff(asyncio.Protocol):
    """Mixed into uvicorn's protocols: a connection that is closing ends, although its peer takes no byte for `stall_s`.

    Closing waits until everything has left, and what is left for a peer that never reads never leaves. As soon as the
    kernel takes no more, writing is paused: audio waits in its session, where a clear reaches it, and here it is seen.
    """

    stall_s: float
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _look_again: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        cast(asyncio.WriteTransport, transport).set_write_buffer_limits(high=0)
        super().connection_made(transport)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        self._unwatch()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._look_again = self.loop.call_later(self.stall_s, self._look, left)

    def _unwatch(self) -> None:
        if self._look_again is not None:
            self._look_again.cancel()

    def _look(self, left_before: int) -> None:
        if self.transport.is_closing() and self.transport.get_write_buffer_size() >= left_before:
            self.transport.abort()
        else:
            self._watch()


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
    stall = {"stall_s": config.limits.send_stall_ms / 1_000}
    return Server(
        uvicorn.Config(
            Gateway(config),
            loop="auto" if sys.platform == "win32" else "uvloop",
            http=type("Http", (CutsOff, HttpToolsProtocol), stall),
            ws=type("WebSocket", (CutsOff, WebSocketsSansIOProtocol), stall),
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
