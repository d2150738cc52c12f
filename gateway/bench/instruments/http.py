"""A listener over HTTP: one POST, one body, time stamps where the socket is read.

A body may be cut anywhere by the network, so a payload is whatever one read brought of it. A body that ends without its
terminating chunk or short of its length is truncated; so is a connection that closes before the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import urlsplit

import httptools
import msgspec

from gateway.bench.instruments.dialling import connect
from gateway.bench.instruments.hearing import Hearing, Valve, sleep_until
from gateway.bench.instruments.timeline import (
    Failure,
    Payload,
    Sent,
    Timeline,
    Trouble,
    Wire,
    clock,
)
from gateway.bench.instruments.utterance import PATIENCE_S, Utterance

REFUSAL_BYTES_MAX = 65_536
"""Of an error's body; more is not kept."""
_DEFAULT_PORTS = {"http": 80, "https": 443}

MakeBody = Callable[[Utterance], bytes]


def native_body(utterance: Utterance) -> bytes:
    """The JSON body of `POST /v1/speech`."""
    form = utterance.form
    format = {"codec": form.codec, "sample_rate": form.sample_rate}
    if form.bitrate:
        format["bitrate"] = form.bitrate
    return msgspec.json.encode({**utterance.parameters, "text": utterance.text, "format": format})


class HttpClient:
    """A `Client` over HTTP. `url` is the whole URL to POST to; `make_body` lets it speak to other servers than ours."""

    wire = Wire.HTTP

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        make_body: MakeBody = native_body,
        patience_s: float = PATIENCE_S,
    ) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        self._host = parts.hostname
        self._port = parts.port or _DEFAULT_PORTS[parts.scheme]
        self._tls = parts.scheme == "https"
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        sent = {"host": parts.netloc, "content-type": "application/json", **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        self._head = f"POST {path or '/'} HTTP/1.1\r\n{head}content-length: ".encode("latin-1")
        self._make_body = make_body
        self._patience_s = patience_s
        self._connection: _Connection | None = None
        self.timeline: Timeline | None = None

    async def speak(self, utterance: Utterance, intended: float, *, cold: bool = False) -> Timeline:
        """See `Client`. The request leaves when the last piece of the text is there."""
        timeline = self.timeline = Timeline(self.wire, utterance.form, intended)
        hearing = Hearing(utterance, timeline)
        if cold:
            self.close()
        try:
            await hearing.until_over(self._say, self._interrupt, self._vanish, self._patience_s)
        finally:
            # Also when this is cancelled: an answer that nobody waits for must not meet the next request.
            if self._connection is not None and not self._connection.is_reusable:
                self.close()
        return timeline

    async def open(self) -> Trouble | None:
        """See `Client`."""
        if self._connection is not None and self._connection.is_reusable:
            return None
        try:
            self._connection = await connect(_Connection, self._host, self._port, tls=self._tls)
        except OSError as error:
            return Trouble(Failure.UNREACHABLE, str(error))
        return None

    def close(self) -> None:
        """See `Client`."""
        if self._connection is not None:
            self._connection.transport.abort()
            self._connection = None

    async def _say(self, hearing: Hearing) -> None:
        timeline = hearing.timeline
        await sleep_until(timeline.intended)
        timeline.begun = clock()
        for piece in hearing.utterance.pieces:
            await sleep_until(timeline.intended + piece.at_s)
            now = clock()
            timeline.sent.append(Sent(now, piece.text))
            hearing.touch(now)
        if self._connection is None or not self._connection.is_reusable:
            timeline.dialled = clock()
            if (trouble := await self.open()) is not None:
                hearing.fail(trouble.failure, trouble.detail)
                return
            timeline.connected = clock()
        connection = self._connection
        assert connection is not None
        if hearing.utterance.consumer.rate is not None:
            connection.valve.narrow()
        body = self._make_body(hearing.utterance)
        timeline.text_ended = clock()
        hearing.touch(timeline.text_ended)
        connection.ask(b"%b%d\r\n\r\n%b" % (self._head, len(body), body), hearing)

    def _interrupt(self, hearing: Hearing) -> None:
        hearing.timeline.interrupted = clock()
        self.close()
        hearing.stop()

    def _vanish(self, hearing: Hearing) -> None:
        hearing.timeline.vanished = True
        self.close()
        hearing.stop()


class _Connection(asyncio.Protocol):
    """One connection, one request at a time; httptools calls the `on_…` methods from within `data_received`."""

    transport: asyncio.Transport
    valve: Valve

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._hearing: Hearing | None = None
        self._at = 0.0
        self._refusal = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._open = False

    @property
    def is_reusable(self) -> bool:
        """Whether another request may be made."""
        return self._open and self._hearing is None

    def ask(self, request: bytes, hearing: Hearing) -> None:
        """Send a request; `hearing` is told what comes."""
        self._hearing = hearing
        self.valve.open()
        self.transport.write(request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it.
        self.valve = Valve(self.transport)
        self._open = True

    def data_received(self, data: bytes) -> None:
        self._at = clock()
        if self._hearing is None:
            self.transport.abort()  # An answer that nobody asked for.
            return
        self._hearing.touch(self._at)
        self._hearing.timeline.bytes_read += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(Failure.PROTOCOL, str(error))
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open = False
        self.valve.open()
        if self._hearing is None:
            return
        framing = {b"content-length", b"transfer-encoding"}
        if exc is None and self._is_answered and not framing & self._headers.keys():
            self._hearing.finish(clock())  # Its end is the end of the connection (RFC 9112 §6.3).
        else:
            self._fail(Failure.TRUNCATED, str(exc) if exc else "the connection closed too early")

    def on_message_begin(self) -> None:
        self._refusal.clear()
        self._headers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_chunk_header(self) -> None:
        if self._hearing is not None:
            self._hearing.timeline.chunks += 1

    def on_body(self, body: bytes) -> None:
        assert self._hearing is not None
        if self._parser.get_status_code() != 200:
            self._refusal += body[: REFUSAL_BYTES_MAX - len(self._refusal)]
        elif pause_s := self._hearing.take(Payload(self._at, body)):
            self.valve.hold(pause_s)

    def on_message_complete(self) -> None:
        hearing, self._hearing = self._hearing, None
        assert hearing is not None
        self.valve.open()  # A kept connection must hear the server hang up, however slow its listener was.
        if not self._parser.should_keep_alive():
            self._open = False
        if (status := self._parser.get_status_code()) == 200:
            hearing.finish(self._at)
        else:
            detail = self._refusal.decode("utf-8", "replace") or "no body"
            retry_after = self._headers.get(b"retry-after", b"").decode("latin-1")
            hearing.fail(Failure.REFUSED, detail, status, retry_after_s(retry_after))

    @property
    def _is_answered(self) -> bool:
        return bool(self._headers) and self._parser.get_status_code() == 200

    def _fail(self, failure: Failure, detail: str) -> None:
        if self._hearing is not None:
            self._hearing.fail(failure, detail)
            self._open = False


def retry_after_s(value: str) -> float | None:
    """The seconds of a Retry-After header; None for its other form, a date, and for none."""
    return float(value) if value.isdecimal() else None
