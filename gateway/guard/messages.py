"""WebSocket frames come in bounded numbers, however small they are.

uvicorn and `websockets` bound bytes; a frame without any costs six bytes and counts for nothing there.
"""

from __future__ import annotations

import logging
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from gateway.core.limits import Limits

INVALID_DATA = 1007
POLICY_VIOLATION = 1008
BURST_S = 1.0
"""Frames of so long a time may come at once."""


class _Frames(ServerProtocol):
    """Reads frames as `websockets` does, but for a close in the middle of a message. That is allowed like any control
    frame there (RFC 6455 §5.4), and answered with its own code; `websockets` would call it an error."""

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None
        super().recv_frame(frame)


class BoundsMessages(WebSocketsSansIOProtocol):
    """Bounds the frames of a message, the frames of a second, and the answers to pings.

    Who sends frames faster is read more slowly: nothing is lost or refused, and a flood costs mostly its sender.
    """

    limits: Limits
    _paid_until = 0.0
    """When the frames so far are paid for, in loop time, at `frames_per_second_max`."""
    _late_pong = b""
    """The answers to the newest pings, while the peer takes no bytes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """As uvicorn calls it."""
        super().__init__(*args, **options)
        # No extensions: compression is off.
        self.conn = _Frames(
            max_size=self.config.ws_max_size, logger=logging.getLogger("uvicorn.error")
        )

    def handle_events(self) -> None:
        now = self.loop.time()
        cost_s = len(self.conn.events) / self.limits.frames_per_second_max
        self._paid_until = max(self._paid_until, now) + cost_s
        super().handle_events()

    def wait_s(self) -> float:
        """How long the next slice has to wait."""
        return self._paid_until - BURST_S - self.loop.time()

    def handle_cont(self, event: Frame) -> None:
        if self.close_sent:
            return
        if len(self.frames) >= self.limits.fragments_max:
            self.frames = []
            self.conn.fail(POLICY_VIOLATION, "too_many_fragments")
            self.handle_parser_exception()
        else:
            super().handle_cont(event)

    def handle_parser_exception(self) -> None:
        super().handle_parser_exception()
        if self.conn.parser_exc is not None:
            # It leads back to the parser (see parting.py).
            self.conn.parser_exc.__traceback__ = None

    def send_receive_event_to_app(self) -> None:
        # uvicorn notices, too, and has a traceback for the log each time.
        if self.curr_msg_data_type == "text" and not self.close_sent:
            self.frames = [b"".join(self.frames)]
            try:
                self.frames[0].decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.fail(INVALID_DATA, "not_utf8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    async def send(self, message: ASGISendEvent) -> None:
        await self.writable.wait()
        # Closed from here, for a broken frame or a pong that did not come: the application has not heard of it yet, and
        # uvicorn would call it a mistake of its.
        if self.close_sent and self.initial_response is None:
            raise ClientDisconnected
        await super().send(message)

    def handle_ping(self) -> None:
        pong = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pong)
        elif pong:  # The first of several pings in one slice has the pongs for all.
            # A peer that sends pings and takes no bytes would have its pongs heaped up here. The newest answer for all
            # (RFC 6455 §5.5.3), and must come: a client that waits for it would hang up.
            self._late_pong = pong

    def resume_writing(self) -> None:
        super().resume_writing()
        pong, self._late_pong = self._late_pong, b""
        if pong and not self.close_sent and not self.transport.is_closing():
            self.transport.write(pong)
