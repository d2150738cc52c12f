"""What every codec promises. Encoders take mono s16le PCM at the output rate and give the bytes that go on the wire."""

from __future__ import annotations

from typing import Protocol


class Encoder(Protocol):
    """One stream of one codec. Not thread-safe; calls may come from different threads one after the other.

    After `drain` or `finish` everything encoded so far has left: a decoder that gets all bytes hears the last word.
    After `finish` only dropping it is allowed. Dropping it at any time is allowed.
    """

    media_type: str
    """For Content-Type, without parameters that depend on the length."""
    delay_samples: int
    """Samples of silence that decoders put before the first one and that nothing in the stream lets them remove."""
    is_cheap: bool
    """True when `encode` costs so little that it may run on the event loop."""
    outlives_clear: bool
    """At a clear, True: it is drained and goes on. False: it is dropped with all that is inside, and another begins anew."""

    def encode(self, pcm: bytes) -> bytes:
        """Take whole samples, give what is ready: possibly nothing, the header first of all."""
        ...

    def drain(self) -> bytes:
        """Give all that is still inside; encoding may go on afterwards. Twice is fine: the second gives nothing."""
        ...

    def finish(self) -> bytes:
        """Give all that is still inside and what closes the container. A stream without samples is still valid."""
        ...
