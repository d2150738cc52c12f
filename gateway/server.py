"""uvicorn as the gateway runs it: the listening socket, the protocol implementations, and what is switched off."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from types import FrameType

import uvicorn

from gateway.app import Gateway, worker_processes
from gateway.config import Config
from gateway.guard import protocols
from gateway.open_files import allow_files, files_needed

BACKLOG = 2_048
CLOSING_MS = 2_000
"""What is left of `server.shutdown_ms` when work ends: for close frames, for what uvicorn closes, for the engines."""
FAREWELL_MS = 500
"""How long connections may take then to say goodbye."""
LAST_S = 1
"""And how long uvicorn waits for those that did not."""
YOUNG_COLLECTIONS = 4
"""Collections of the newest objects (700 each) until all young ones are looked at: with 10, Python's number, that took 10
to 25 ms."""
YOUNG_COLLECTIONS_MIN, YOUNG_COLLECTIONS_MAX = 25, 500
"""So often that is done (2,800 objects each time) from one full collection to the next: at least, when nobody speaks, and
at most, otherwise, if it is Python's rule, too."""


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
    """uvicorn's server with an end in good order: SIGTERM or SIGINT begins to drain, a second one ends at once.

    uvicorn would close every WebSocket on the spot. Here connections end by themselves, or at the drain's deadline, and
    only then uvicorn is let to close what is left. The listening socket stays open until then, so that whoever comes
    too late is told so. The process then ends with 0: it did what it was asked to.
    """

    def __init__(self, config: uvicorn.Config, gateway: Gateway, shutdown_ms: int) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._work_s = max(0, shutdown_ms - CLOSING_MS) / 1_000
        self._signalled = False

    async def main_loop(self) -> None:
        """Serve. A full collection stops the loop for as long as it takes to look at everything that lives. Of that,
        modules, tables and voices (47,000 objects) never go: looking at them took 8 ms, without them 0.05 ms. With 300
        sessions it takes 40 to 230 ms, and finds nothing to speak of, as connections need no collector (guard/parting.py).
        So it is seldom, and where it can be when nobody speaks.
        """
        gc.collect()
        gc.freeze()
        gc.set_threshold(gc.get_threshold()[0], YOUNG_COLLECTIONS, YOUNG_COLLECTIONS_MAX)
        await super().main_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by a signal, between any two instructions: only notes it."""
        if self._signalled:
            super().handle_exit(sig, frame)
            self.force_exit = True
        self._signalled = True

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second. True = time to end."""
        self._collect_when_quiet()
        exits = await super().on_tick(counter)
        return exits or (self._signalled and self._is_drained())

    def _collect_when_quiet(self) -> None:
        house = self._gateway.house
        is_quiet = house is not None and house.admission.contexts == 0
        if is_quiet and gc.get_count()[2] >= YOUNG_COLLECTIONS_MIN:
            gc.collect()

    def _is_drained(self) -> bool:
        house = self._gateway.house
        if house is None:
            return True
        drain = house.admission.drain
        drain.begin(self._work_s)
        assert drain.deadline is not None
        patience_ends = drain.deadline + FAREWELL_MS / 1_000
        return (
            house.admission.connections == 0 or asyncio.get_running_loop().time() >= patience_ends
        )


def build_server(config: Config) -> Server:
    """A server that is not running yet.

    permessage-deflate is off: audio hardly shrinks and each frame would cost twelve times as much. The access log and
    uvicorn's own lines are off because they name query strings.
    """
    limits = config.limits
    http, websocket = protocols(limits)
    gateway = Gateway(config)
    return Server(
        uvicorn.Config(
            gateway,
            loop="auto" if sys.platform == "win32" else "uvloop",
            http=http,
            ws=websocket,
            ws_max_size=limits.frame_bytes_max,
            ws_per_message_deflate=False,
            ws_ping_interval=limits.ping_interval_ms / 1_000,
            ws_ping_timeout=limits.ping_timeout_ms / 1_000,
            # uvicorn only hands it to a timer, which takes any number.
            timeout_keep_alive=limits.next_request_ms / 1_000,  # type: ignore[arg-type]
            timeout_graceful_shutdown=LAST_S,
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
        ),
        gateway,
        config.server.shutdown_ms,
    )


def serve(config: Config) -> bool:
    """Serve until SIGTERM or SIGINT. False when it could not start. Raises OSError when it cannot listen."""
    listener = listen(config)
    # Before the engines start: what they fork asks for less itself.
    allow_files(files_needed(config.limits, worker_processes(config)))
    server = build_server(config)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    sys.stderr.write(f"Speech Gateway listens on http://{shown}:{port}\n")
    if not config.accounts.database:
        sys.stderr.write(
            "It is open: whoever reaches it needs no key (accounts.database is empty)\n"
        )
    sys.stderr.flush()
    server.run(sockets=[listener])
    return server.started
