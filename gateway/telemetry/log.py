"""One JSON object a line on standard error. Fields are ids, counts and durations; texts and query strings never are."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType

import msgspec

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """A record as one JSON object; what was passed as `extra` becomes fields of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        fields |= {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(fields, enc_hook=str).decode()

    def formatException(self, ei: ExcInfo) -> str:
        """Types and places. Not what exceptions say: that may be the very text that they could not cope with."""
        error = ei[1]
        return "" if error is None else "".join(_told(error, set())).rstrip()


def _told(error: BaseException, told: set[int]) -> Iterator[str]:
    """What led to it, where it was, and what it is; of a group, each of its members. None that was `told` already."""
    if id(error) in told:
        return
    told.add(id(error))
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None:
        yield from _told(earlier, told)
    yield from traceback.format_tb(error.__traceback__)
    kind = type(error)
    # The system's words, and not the name of a file.
    reason = f": {error.strerror}" if isinstance(error, OSError) else ""
    yield f"{kind.__module__}.{kind.__qualname__}{reason}\n"
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _told(each, told)


def configure_logging(level: str) -> None:
    """Send all loggers to standard error as JSON. uvicorn's own lines below WARNING name paths with their query
    strings, so they are left out. May be called again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # What is wrong with a form is told to who sent it.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
