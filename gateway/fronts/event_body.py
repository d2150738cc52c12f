"""A body of events: what is held back until the status is known, and what is said while there is nothing to tell."""

from __future__ import annotations

from gateway.core.errors import Problem
from gateway.core.events import Audio, Closed, Event, SegmentFinished, Warned
from gateway.dialects.lines import LineForm, Lines


class EventBody:
    """The lines of one answer. Nothing leaves before the first audio or the end of the first segment: what fails until
    then is an error with its status. Times in seconds of the caller's clock."""

    def __init__(self, form: LineForm, ignored: tuple[str, ...], keep_alive_s: float) -> None:
        self.media_type = str(form)
        self._lines = Lines(form)
        self._keep_alive_s = keep_alive_s
        self._ignored = ignored
        self._held: list[bytes] | None = []
        self.silent_until: float | None = None
        """When `keep_alive` is due; None = never."""

    def take(self, event: Event, now: float) -> bytes:
        """The lines to send now that this has happened."""
        lines = self._lines.encode(event) + self._warnings()
        if self._held is not None:
            self._held.append(lines)
            if not isinstance(event, Audio | SegmentFinished | Closed):
                return b""
            lines = b"".join(self._held)
            self._held = None
        self._sent(now)
        return lines

    def keep_alive(self, now: float) -> bytes:
        """A line that says nothing, when it is due; empty until then."""
        if self.silent_until is None or now < self.silent_until:
            return b""
        self._sent(now)
        return self._lines.keep_alive or b""

    def error(self, problem: Problem) -> bytes:
        """The last line, when all goes wrong."""
        return self._lines.encode_error(problem)

    def _sent(self, now: float) -> None:
        if self._lines.keep_alive is not None:
            self.silent_until = now + self._keep_alive_s

    def _warnings(self) -> bytes:
        """What was odd about the request is told after the first event, once."""
        ignored, self._ignored = self._ignored, ()
        return b"".join(
            self._lines.encode(Warned("field_ignored", f"the body has no field {path!r}", path))
            for path in ignored
        )
