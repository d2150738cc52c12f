"""A gateway that runs somewhere, asked as a client asks it: through whatever stands in front of it."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

import msgspec
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect
from websockets.typing import Subprotocol as Offer

from gateway import __version__
from gateway.core.errors import Unauthorized
from gateway.dialects.native import ErrorBody, Subprotocol
from gateway.doctor.finding import Finding, fail, ok, warn
from gateway.fronts.system import Alive

ANSWERS_WITHIN_S = 5.0
ANSWER_BYTES_MAX = 65_536
SKEW_S_MAX = 5.0
PROXY = "what stands in front must pass paths, bodies and errors on (docs/operating.md)"


class Answer(NamedTuple):
    """An answer to a GET."""

    status: int
    date: str
    body: bytes


def check_target(url: str) -> Iterator[Finding]:
    """Whether it lives, is ready, and takes WebSockets. The URL's user and query are neither sent nor shown."""
    try:
        target = urlsplit(url)
        host, port = target.hostname, target.port
    except ValueError:
        target, host, port = urlsplit(""), None, None
    if target.scheme not in {"http", "https"} or not host:
        yield fail("target", "this is no address", "--target http://host:port")
        return
    target = SplitResult(
        target.scheme,
        (f"[{host}]" if ":" in host else host) + (f":{port}" if port else ""),
        target.path.rstrip("/"),
        "",
        "",
    )
    try:
        alive = _get(target, "/healthz")
        yield from _alive(target, alive)
        yield _ready(_get(target, "/readyz"))
    except (OSError, http.client.HTTPException) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        saw = f"{target.geturl()} does not answer: {reason or type(error).__name__}"
        yield fail("target", saw, "is it running, and is this its address?")
        return
    yield _websocket(target)


def _get(target: SplitResult, path: str) -> Answer:
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    connection = kind(target.netloc, timeout=ANSWERS_WITHIN_S)
    try:
        connection.request("GET", target.path + path)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers.get("date", ""), answer.read(ANSWER_BYTES_MAX))
    finally:
        connection.close()


def _alive(target: SplitResult, answer: Answer) -> Iterator[Finding]:
    try:
        alive = msgspec.json.decode(answer.body, type=Alive)
    except msgspec.DecodeError:
        saw = f"{target.geturl()}/healthz answers {answer.status}, and not as a gateway does"
        yield fail("target", saw, PROXY)
        return
    saw = f"{target.geturl()} lives, version {alive.version}"
    if alive.version != __version__:
        yield warn("target", f"{saw}; this is {__version__}", "use both in the same version")
    else:
        yield ok("target", saw)
    with suppress(ValueError, TypeError):
        skew = (datetime.now(UTC) - parsedate_to_datetime(answer.date)).total_seconds()
        if abs(skew) > SKEW_S_MAX:
            yield warn("clock", f"the target's clock is {abs(skew):.0f} s off ours", "set both")


def _ready(answer: Answer) -> Finding:
    if answer.status == 200:
        return ok("ready", "it takes new work")
    code = _code(answer.body)
    if code is None:
        return fail("ready", f"/readyz answers {answer.status}, and not as a gateway does", PROXY)
    advice = "it is going away" if code == "draining" else "its log says why"
    return fail("ready", f"it takes no new work: {code}", advice)


def _code(body: bytes | bytearray) -> str | None:
    """The gateway's own code in the body of an error; None = the body is not the gateway's."""
    try:
        return msgspec.json.decode(body, type=ErrorBody).error.code
    except msgspec.DecodeError:
        return None


def _websocket(target: SplitResult) -> Finding:
    """The handshake with its subprotocol, and the first message: what proxies lose most often."""
    url = target._replace(scheme=target.scheme.replace("http", "ws")).geturl() + "/v1/speech"
    advice = "the proxy must pass Upgrade, Connection and Sec-WebSocket-Protocol on"
    try:
        with connect(
            url,
            subprotocols=[Offer(Subprotocol.JSON)],
            proxy=None,
            open_timeout=ANSWERS_WITHIN_S,
            close_timeout=ANSWERS_WITHIN_S,
            ssl=ssl.create_default_context() if target.scheme == "https" else None,
        ) as connection:
            if connection.subprotocol != Offer(Subprotocol.JSON):
                return fail("websocket", "its subprotocol is lost on the way", advice)
            connection.recv(timeout=ANSWERS_WITHIN_S)
    except InvalidStatus as refused:
        code = _code(refused.response.body or b"")
        if code == Unauthorized.code:
            return ok("websocket", "asks for a key")
        if code:
            return fail("websocket", f"the gateway refuses it: {code}", "docs/protocol.md, Errors")
        return fail("websocket", f"refused with {refused.response.status_code}", advice)
    except (WebSocketException, OSError) as error:
        return fail("websocket", f"fails with {type(error).__name__}", advice)
    return ok("websocket", "opens, keeps its subprotocol, and speaks")
