"""What the server and its worker processes say to each other over a stream socket.

A frame is a kind (u8), a length (u32) and so many bytes. The server sends one ORDER, the worker answers with any number
of AUDIO and NOTE frames and closes with FINISHED or REFUSED. What is in an ORDER and a NOTE is the engine's affair.
This module is loaded into the workers and therefore needs nothing but the standard library.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

ORDER, AUDIO, NOTE, FINISHED, REFUSED = range(1, 6)

HEADER = struct.Struct("<BI")
FRAME_BYTES_MAX = 1 << 20


class BrokenFrame(Exception):
    """The bytes cannot be ours: whoever sent them has lost its mind."""


def frame(kind: int, payload: bytes = b"") -> bytes:
    assert len(payload) <= FRAME_BYTES_MAX
    return HEADER.pack(kind, len(payload)) + payload


def take_frames(received: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take the whole frames from the front of `received` and leave the rest there. Raises BrokenFrame."""
    start = 0
    while len(received) - start >= HEADER.size:
        kind, length = HEADER.unpack_from(received, start)
        if not ORDER <= kind <= REFUSED or length > FRAME_BYTES_MAX:
            raise BrokenFrame
        end = start + HEADER.size + length
        if len(received) < end:
            break
        yield kind, bytes(received[start + HEADER.size : end])
        start = end
    del received[:start]
