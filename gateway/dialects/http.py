"""One-shot speech over HTTP, as a dialect sees it: what is asked for, and how it is answered.

An `Exchange` is to one request what a `Conversation` is to a connection: it translates, and has no memory. The front does
the same for all of them: it reads the body within its bounds, finds out who asks, makes the speech, and sends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from gateway.core.errors import Problem
from gateway.core.limits import Limits
from gateway.core.params import Catalog, Settings
from gateway.dialects.lines import LineForm

Headers = list[tuple[str, str]]


class HttpRequest(msgspec.Struct, frozen=True):
    """A request off the wire. Names of headers are in lower case; those that came twice are joined by ", " (RFC 9110 §5.3).
    `query` has the last value of each name. `path_params` are what the route found in the path."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    path_params: Mapping[str, str] = {}


class Agreed(msgspec.Struct, frozen=True):
    """A request understood and judged. `whole` asks for a complete file with exact sizes instead of a stream; a client that
    names `sample_start` has had the audio before it. `lexicon` is the id of the one to speak by. With a `form`
    the audio comes among events. `ignored` is what the
    request asked for and will not get, by the names of its fields; `adjusted` is what it gets in the place of other things, as
    `name=value`. With `loudness_lufs` a whole file is made that loud (LUFS, ITU-R BS.1770)."""

    text: str
    settings: Settings
    whole: bool = False
    sample_start: int | None = None
    lexicon: str | None = None
    form: LineForm | None = None
    ignored: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()
    loudness_lufs: float | None = None


class RequestRate(msgspec.Struct, frozen=True):
    """How many requests a key may make at once when it has made none lately, how many it may make now, and in how many seconds it
    may make all of them again."""

    limit: int
    left: int
    whole_in_s: float


class Answering(msgspec.Struct, frozen=True):
    """What is known when the status line of a success leaves. `media_type` is that of the audio, or of the events it comes
    among; `processing_ms` is how long it took until now; `at_s` is the time since 1970.

    `credits` is what it costs: exactly for a whole file, else what it costs when all of it is made. `credits_left` is what the
    account has then. Both are None where nothing is charged, or the route does not ask for them. `rate` is None where requests
    are not limited."""

    request_id: str
    media_type: str
    processing_ms: float
    at_s: float
    warnings: tuple[str, ...] = ()
    replay_of: str | None = None
    credits: float | None = None
    credits_left: float | None = None
    rate: RequestRate | None = None


class Refusal(msgspec.Struct, frozen=True):
    """An error as the dialect words it. `headers` are those beyond what every answer has; content-type included."""

    status: int
    body: bytes
    headers: Headers


class Wrapping(Protocol):
    """Makes the body of a whole file that is sent as something else, piece by piece."""

    def take(self, part: bytes) -> bytes:
        """What is sent for the next part of the file; each costs the event loop as much as its part is long."""
        ...

    def end(self) -> bytes:
        """What is sent after the last one."""
        ...


class Words(Protocol):
    """How a dialect says no."""

    def refuse(self, problem: Problem, request_id: str, at_s: float) -> Refusal:
        """The answer to a request that fails before its first byte. `at_s` is the time since 1970."""
        ...


class Exchange(Words, Protocol):
    """One-shot requests of one route in a dialect. Pure, and shared by all requests."""

    name: str
    """For logs: the dialect and its route."""
    methods: tuple[str, ...]
    key_in_body: bool
    """Whether who asks is only known with the body; else who may not is refused before it is read."""

    def credentials(self, request: HttpRequest) -> Iterable[str] | None:
        """Every key or token that is shown; None = they are where the native protocol has them. Raises Unauthorized for one
        that is shown in a way that is not taken."""
        ...

    def understand(self, request: HttpRequest, catalog: Catalog, limits: Limits) -> Agreed:
        """What is asked for, judged. Raises GatewayError."""
        ...

    def describe(self, agreed: Agreed, answering: Answering) -> Headers:
        """The headers of a success beyond `content-length` and what every answer has. One of a name that every answer has
        takes its place."""
        ...

    def wrapping(self, agreed: Agreed, request_id: str, at_s: float) -> Wrapping | None:
        """How a whole file is wrapped; None = it is sent as it is. `at_s` is the time since 1970."""
        ...
