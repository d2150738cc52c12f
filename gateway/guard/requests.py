"""A request over HTTP arrives in time and in size, and hears when its client has gone.

uvicorn waits for ever for a head that does not end, keeps headers of any size and requests sent ahead in any number, and
tells only the newest of those that the client has gone, while an older one is being answered.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.core.errors import (
    GatewayError,
    HeadersTooLarge,
    InvalidMessage,
    MessageTooLarge,
    RequestTimeout,
    UrlTooLong,
)
from gateway.core.limits import Limits
from gateway.guard.answers import last_answer

LINGER_S = 2.0
"""What a refused peer still sends is read for so long: closing at once would reset the connection and lose the answer."""
FIELD_EXTRA_BYTES = 4
"""The colon, the space and the line end of a header."""
HEAD_EXTRA_BYTES = 1_024
"""The method, the version, white space, and a header whose end has not come."""
AHEAD_MAX = 8
"""Requests that may be sent ahead of the one that is being answered."""
CHUNKING_FACTOR = 2
"""A body may take so many times its largest size on the wire; beyond that it is chunks of nothing."""


class Phase(Enum):
    """What a connection waits for."""

    IDLE = auto()
    """The next request."""
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    """Ours: the request is complete."""
    OVER = auto()
    """Nothing: what comes is thrown away."""


class _Unacceptable(Exception):
    """Thrown through the parser, which stops then."""


class BoundsRequests(HttpToolsProtocol):
    """Counts and times what arrives. What is too much is refused as JSON, and the connection closes."""

    limits: Limits
    _timer: asyncio.TimerHandle | None = None
    _phase = Phase.HEAD
    _fault: GatewayError | None = None
    _answering: RequestResponseCycle | None = None
    """The request that was begun last to be answered; `cycle` is the one that came last."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._bytes = 0
        """Of the head or the body under way, as they came."""
        self._fields = 0
        self._field_bytes = 0
        self._wait(self.limits.head_read_ms)
        if len(self.connections) > self.limits.sockets_max:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        for cycle in (self._answering, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._phase is Phase.OVER:
            return
        if self._phase is Phase.IDLE:
            self._phase = Phase.HEAD
            self._bytes = 0
            self._wait(self.limits.head_read_ms)
        self._bytes += len(data)
        super().data_received(data)
        head_bytes_max = self.limits.header_bytes_max + HEAD_EXTRA_BYTES
        body_bytes_max = self.limits.body_bytes_max * CHUNKING_FACTOR
        if self._phase is Phase.HEAD and self._bytes - self._url_bytes() > head_bytes_max:
            self._refuse(self._headers_too_large())
        elif self._phase is Phase.BODY and self._bytes > body_bytes_max:
            self._refuse(
                MessageTooLarge(
                    "the request body is too large",
                    allowed=f"at most {self.limits.body_bytes_max} bytes",
                )
            )

    # --- what the parser sees ----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= AHEAD_MAX:
            self._reject(InvalidMessage("too many requests were sent ahead"))
        self._phase = Phase.HEAD
        self._fields = self._field_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self.limits.url_bytes_max:
            self._reject(
                UrlTooLong(
                    "the URL is too long", allowed=f"at most {self.limits.url_bytes_max} bytes"
                )
            )

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        self._field_bytes += len(name) + len(value) + FIELD_EXTRA_BYTES
        limits = self.limits
        if self._fields > limits.headers_max or self._field_bytes > limits.header_bytes_max:
            self._reject(self._headers_too_large())
        # What comes behind a chunked body was not there when the request was judged: it is no header of it.
        if self._phase is Phase.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._judge_head()
        self._phase = Phase.BODY
        self._bytes = 0
        self._wait(self.limits.body_read_ms)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stop_waiting()
        self._bytes = 0
        super().on_message_complete()
        cycle = self._newest()
        if cycle is not None and cycle.response_complete:
            # It was answered before all of it had come, and uvicorn has stopped its clock at what came since.
            self._phase = Phase.IDLE
            self._wait(self.limits.next_request_ms)
        else:
            self._phase = Phase.ANSWER

    def on_response_complete(self) -> None:
        if self._phase is Phase.ANSWER and not self.pipeline:
            self._phase = Phase.IDLE
        super().on_response_complete()

    def handle_websocket_upgrade(self) -> None:
        self._stop_waiting()
        self._phase = Phase.OVER
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._fault or InvalidMessage("this is not a request of HTTP/1.1"))

    def _judge_head(self) -> None:
        """What two servers in a row could read in two ways (RFC 9112 §3.2, §6.1). llhttp refuses the rest of that kind:
        two lengths, a length beside chunks, folded lines, bare line feeds."""
        values: dict[bytes, list[bytes]] = {b"host": [], b"transfer-encoding": []}
        for name, value in self.headers:
            if name in values:
                values[name].append(value)
        newest = self.parser.get_http_version() == "1.1"
        if len(values[b"host"]) > 1 or (newest and not values[b"host"]):
            self._reject(InvalidMessage("a request has one Host header", field="Host"))
        codings = [value.lower().strip() for value in values[b"transfer-encoding"]]
        if codings and (codings != [b"chunked"] or not newest):
            self._reject(
                InvalidMessage(
                    "a body comes in chunks or with its length",
                    field="Transfer-Encoding",
                    allowed="chunked, in HTTP/1.1",
                )
            )

    # --- refusing ----------------------------------------------------------------------------------------------------

    def _reject(self, error: GatewayError) -> None:
        """From within the parser, which then calls `send_400_response`."""
        self._fault = error
        raise _Unacceptable

    def _refuse(self, error: GatewayError) -> None:
        """Answer and close; but if another request is being answered, let that be the last answer."""
        under_way = self._answering
        if under_way is not None and not under_way.response_complete:
            is_this_one = under_way is self.cycle and self._phase is Phase.BODY
            if under_way.response_started or not is_this_one:
                under_way.keep_alive = False
                self._phase = Phase.OVER
                self._stop_waiting()
                return
            under_way.disconnected = True
            under_way.message_event.set()
        self._phase = Phase.OVER
        self._unset_keepalive_if_required()
        if not self.transport.is_closing():
            self.transport.write(last_answer(error))
            self.transport.write_eof()
            self._wait(LINGER_S * 1_000)

    def _headers_too_large(self) -> GatewayError:
        limits = self.limits
        return HeadersTooLarge(
            "the headers are too large",
            allowed=f"at most {limits.headers_max} headers and {limits.header_bytes_max} bytes",
        )

    def _url_bytes(self) -> int:
        return len(getattr(self, "url", b""))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _newest(self) -> RequestResponseCycle | None:
        return self.cycle

    # --- time --------------------------------------------------------------------------------------------------------

    def _wait(self, ms: float) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(ms / 1_000, self._overdue)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _overdue(self) -> None:
        cycle = self._newest()
        if self._phase is Phase.HEAD and self._bytes:
            allowed = f"within {self.limits.head_read_ms} ms"
            self._refuse(RequestTimeout("the request took too long to arrive", allowed=allowed))
        elif self._phase is Phase.BODY and cycle is not None and not cycle.response_complete:
            # Whoever reads the body has the same time for it, and answers.
            cycle.keep_alive = False
        else:
            # A silent connection is not told anything: a browser would take that for the answer to its next request.
            self.transport.close()
