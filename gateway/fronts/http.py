"""One-shot speech over HTTP: the whole text in, a stream of audio out, alone or among the events that tell of it.

The status line waits for the first audio, so that everything that can fail early fails with its real status and a JSON
body. What fails later aborts the chunked body without its terminating chunk (RFC 9112 §8), so that a truncated result
never looks like a whole one; among events it is an `error`, and `ended` does not come.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from starlette.types import Message, Receive, Scope, Send

from gateway.accounts.caller import Caller
from gateway.accounts.ledger import Meter
from gateway.accounts.model import Scope as Use
from gateway.audio.registry import MEDIA_TYPES, media_type
from gateway.core.commands import Abort, EndInput
from gateway.core.errors import (
    GatewayError,
    Internal,
    InvalidMessage,
    InvalidValue,
    MessageTooLarge,
    MethodNotAllowed,
    Problem,
    RequestTimeout,
    TextTooLong,
    Unsupported,
)
from gateway.core.events import (
    Audio,
    Closed,
    Event,
    SegmentFailed,
    Timings,
    Warned,
)
from gateway.core.limits import Limits
from gateway.core.params import HTTP_DEFAULTS, Parameters, Settings
from gateway.core.playback import Playback
from gateway.core.resolve import resolve
from gateway.core.vocabulary import CloseReason, Codec, Progress
from gateway.dialects.base import SpeechRequest
from gateway.dialects.lines import LineForm
from gateway.dialects.native import DEFAULT_CONTEXT, decode_request, encode_http_error
from gateway.fronts.accept import accepted, choose
from gateway.fronts.authentication import authenticate
from gateway.fronts.event_body import EventBody
from gateway.fronts.idempotency import fingerprint, idempotency_key
from gateway.fronts.reply import (
    Headers,
    error_headers,
    headers,
    new_request_id,
    owner_of,
    send_json,
)
from gateway.runtime.house import House
from gateway.runtime.replays import Claim
from gateway.runtime.speaker import Speaker
from gateway.runtime.stall import Stall
from gateway.runtime.wake import Wake
from gateway.telemetry.receipt import Receipt

FRAME_MS = 500
"""Audio per chunk of a download once it has begun."""
GOODBYE_MS_MAX = 1_000
"""How long an error may take to leave that comes after the first byte."""

ROUTE = HTTP_DEFAULTS.route

Bound = Callable[[Awaitable[None]], Awaitable[None]]
"""Awaits a send, and raises TimeoutError when it takes too long."""

log = logging.getLogger("gateway.http")


class SpeechOverHttp:
    """`POST /v1/speech` as a plain ASGI application."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = new_request_id()
        answer = _Answer(send, request_id)
        metrics = self._house.metrics
        begun = time.monotonic()
        chars, key = 0, None
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed("speech is made by POST", allowed="POST")
            caller = await authenticate(self._house, scope, Use.SPEECH)
            key = answer.principal = caller.key
            with self._house.admission.connection():
                body = await read_body(scope, receive, self._house.limits)
                asked = decode_request(body)
                chars = len(asked.text)
                settings, form = self._judge(asked, accepted(scope))
                answer.describe(settings, asked, form, self._house.limits.keep_alive_ms / 1_000)
                await self._recognize(scope, asked, settings, form, answer)
                self._house.quotas.chars(caller, chars)
                owner = owner_of(scope, caller)
                problem = await self._speak(asked, settings, caller, owner, receive, answer)
            if problem is not None:
                await answer.refuse(problem)
        except GatewayError as error:
            metrics.refused(ROUTE, error.problem)
            await answer.refuse(error.problem)
        except ExceptionGroup:
            # The edge of the connection: whatever a task of this request died of, the others never hear of it.
            log.exception("request_crashed", extra={"request_id": request_id})
            problem = Internal("the request failed; the log knows why").problem
            metrics.refused(ROUTE, problem)
            await answer.refuse(problem)
        finally:
            self._settle(answer)
        metrics.connections_ended.labels(ROUTE, answer.ending).inc()
        log.info(
            "speech_http",
            extra={
                "request_id": request_id,
                "key": key,
                "status": answer.status,
                "chars": chars,
                "samples": answer.samples,
                "ending": answer.ending,
                "timings": answer.timings,
                "ms": round((time.monotonic() - begun) * 1_000, 1),
            },
        )

    def _judge(self, asked: SpeechRequest, accept: str) -> tuple[Settings, LineForm | None]:
        """What will be said, and in which form; None = audio alone."""
        limits = self._house.limits
        chars_max = limits.whole_chars_max if asked.whole else limits.text_chars_max
        if len(asked.text) > chars_max:
            raise TextTooLong(
                f"text has {len(asked.text)} characters",
                field="text",
                allowed=f"at most {chars_max} characters",
            )
        codec, form = _negotiate(asked.parameters, accept)
        defaults = msgspec.structs.replace(HTTP_DEFAULTS, codec=codec)
        settings = resolve(asked.parameters, self._house.catalog, defaults)
        if form is None and settings.timestamps:
            raise Unsupported(
                "audio alone has no place for timestamps",
                field="timestamps",
                allowed="Accept: " + " or ".join(LineForm),
            )
        if form is not None and asked.whole:
            raise Unsupported(
                f"{form} is a stream",
                field="stream",
                allowed=f"true, or Accept: {MEDIA_TYPES[settings.format.codec]}",
            )
        if asked.sample_start is not None and settings.lead_ms is not None:
            raise Unsupported(
                "what its client has had is not paced again",
                field="sample_start",
                allowed="null, or lead_ms: null",
            )
        return settings, form

    async def _recognize(
        self,
        scope: Scope,
        asked: SpeechRequest,
        settings: Settings,
        form: LineForm | None,
        answer: _Answer,
    ) -> None:
        """Claim the key of the request, if it has one. Raises InvalidValue and what `claim` raises."""
        key = idempotency_key(scope)
        if key is not None:
            answer.claim = await self._house.replays.claim(
                answer.principal,
                key,
                fingerprint(asked, settings, form),
                answer.request_id,
                comes_back=asked.sample_start is not None,
            )

    def _settle(self, answer: _Answer) -> None:
        """Nothing more is done for this request."""
        if answer.claim is not None:
            if answer.meter is not None:
                known = answer.claim.known
                known.paid_chars = max(known.paid_chars, answer.meter.chars_made)
            self._house.replays.release(answer.claim, counts=answer.ending != "refused")
        if answer.receipt is not None:
            answer.receipt.finish(answer.progress, answer.problem, answer.timings)
            self._house.receipts.end(answer.request_id, answer.receipt)

    async def _speak(
        self,
        asked: SpeechRequest,
        settings: Settings,
        caller: Caller,
        owner: str,
        receive: Receive,
        answer: _Answer,
    ) -> Problem | None:
        """Make the speech and send it, unless the client goes away first. Gives the problem that ended it.

        Raises Draining when the server's time was over first."""
        house = self._house
        drain = house.admission.drain
        house.open_context(caller, settings.engine)
        # What was paid for before is not paid for again.
        paid = 0 if answer.claim is None else answer.claim.known.paid_chars
        answer.meter = house.new_meter(
            answer.request_id, caller, len(asked.text), paid, route=ROUTE
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                wake = Wake()
                speaker = house.new_speaker(
                    settings,
                    tasks,
                    wake,
                    frame_ms=FRAME_MS,
                    route=ROUTE,
                    file=True,
                    whole=asked.whole,
                    owner=owner,
                    meter=answer.meter,
                    name=DEFAULT_CONTEXT,
                    sample_start=asked.sample_start or 0,
                )
                answer.receipt = speaker.receipt
                house.receipts.begin(answer.request_id, answer.principal, ROUTE, speaker.receipt)
                stall = Stall(
                    house.limits.send_stall_ms / 1_000,
                    # A whole file is sent long after it was taken from its session.
                    lambda: answer.playback.dry_at if asked.whole else speaker.session.played_by,
                )
                gone = tasks.create_task(_disconnected(receive))
                fed = tasks.create_task(_feed(speaker, asked.text))
                told = tasks.create_task(self._tell(speaker, wake, stall, answer, asked))
                ends: set[asyncio.Future[Any]] = {gone, told}
                if answer.claim is not None:
                    ends.add(answer.claim.unwanted)

                def cut_off() -> None:
                    if drain.is_over:
                        told.cancel()

                try:
                    with drain.watched(cut_off):
                        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    gone.cancel()
                    told.cancel()
                    stall.close()
                    fed.cancel()
                    answer.timings = speaker.timings()
                    speaker.submit(Abort())
            if told.cancelled() and drain.is_over:
                drain.refuse()
            return None if told.cancelled() else told.result()
        finally:
            house.close_context(caller)

    async def _tell(
        self, speaker: Speaker, wake: Wake, stall: Stall, answer: _Answer, asked: SpeechRequest
    ) -> Problem | None:
        """Pull events and send their audio. Gives the problem that ended it too early, if one did."""
        while True:
            events = await speaker.next_events()
            try:
                if events is None:
                    await wake.wait(_earliest(speaker.session.deadline(), answer.silent_until))
                    speaker.tick()
                    if answer.silent_until is not None:
                        await stall.bound(answer.keep_alive())
                    continue
                if (problem := _beyond_the_end(asked, events)) is not None:
                    self._house.metrics.refused(ROUTE, problem)
                    return problem
                for event in events:
                    match event:
                        case SegmentFailed():
                            await stall.bound(answer.fail(event))
                            return event.problem
                        case Closed():
                            if event.reason is CloseReason.FINISHED:
                                await answer.finish(event, stall.bound)
                            return None
                        case _:
                            await stall.bound(answer.take(event, whole=asked.whole))
            except TimeoutError:
                answer.ending = "send_stalled"
                return None
            if events:
                # A send that is taken at once does not suspend; others must get their turn all the same.
                await asyncio.sleep(0)


class _Answer:
    """What one request is sent: nothing until the first audio, then a body that ends only when all is well."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.request_id = request_id
        self.status = 0
        self.samples = 0
        self.ending = "peer_gone"
        """How it came to its end, unless it is known better: the client left."""
        self.problem: Problem | None = None
        """Why it was refused or broken off."""
        self.principal = ""
        self.meter: Meter | None = None
        """What it costs; None = nothing."""
        """Whose it is, once that is known."""
        self.claim: Claim | None = None
        """The key by which it may be asked for again."""
        self.receipt: Receipt | None = None
        """Set once speech is being made for it."""
        self.timings: Timings | None = None
        self._send = send
        self._headers: Headers = []
        self._warnings: list[str] = []
        self.playback = Playback()
        """The listener to a whole file, once it is sent."""
        self._parts: deque[tuple[bytes, float]] = deque()
        """What is kept until the end, and the seconds that it plays."""
        self._sample_rate = 0
        self._events: EventBody | None = None
        self._complete = False
        self._clock = asyncio.get_running_loop().time

    @property
    def begun(self) -> bool:
        """True once a status has been sent."""
        return self.status != 0

    @property
    def progress(self) -> Progress:
        """How far it has come when no more is done for it."""
        if self.problem is not None:
            return Progress.FAILED
        return Progress.COMPLETE if self.ending == "complete" else Progress.CANCELLED

    @property
    def silent_until(self) -> float | None:
        """When a `keep_alive` is due, in loop time; None = never."""
        return None if self._events is None else self._events.silent_until

    def describe(
        self,
        settings: Settings,
        asked: SpeechRequest,
        form: LineForm | None,
        keep_alive_s: float,
    ) -> None:
        """Say in headers what the audio will be, and take it in this form from now on; None = audio alone."""
        format = settings.format
        self._sample_rate = format.sample_rate
        if form is not None:
            self._events = EventBody(form, asked.ignored, keep_alive_s)
        more = [
            ("x-sample-rate", str(format.sample_rate)),
            ("x-channels", "1"),
            ("x-speech-model", settings.model),
            ("x-speech-voice", settings.voice),
        ]
        if asked.ignored:
            more.append(("x-ignored-fields", ", ".join(asked.ignored)))
        type_ = media_type(format) if self._events is None else self._events.media_type
        self._headers = headers(self.request_id, type_, more)

    async def take(self, event: Event, *, whole: bool) -> None:
        """One event: it goes out, or only its audio does, or that is kept where the whole file was asked for."""
        if isinstance(event, Audio):
            self.samples += event.sample_count
        if self._events is not None:
            await self._stream(self._events.take(event, self._clock()))
            return
        match event:
            case Audio() if whole:
                self._parts.append((event.data, event.sample_count / self._sample_rate))
            case Audio():
                await self._stream(event.data)
            case Warned():
                if event.code not in self._warnings:
                    self._warnings.append(event.code)
            case _:
                pass

    async def keep_alive(self) -> None:
        """Say that there is nothing to say, when that is due."""
        if self._events is not None:
            await self._stream(self._events.keep_alive(self._clock()))

    async def fail(self, event: SegmentFailed) -> None:
        """Events that have begun tell of it, and of nothing after it."""
        if self._events is not None and self.begun:
            await self._end(self._events.take(event, self._clock()))

    async def finish(self, event: Closed, bound: Bound) -> None:
        """All is well: send what is left, each part of it through `bound`, and end the body.

        The end is a part of its own, because a send waits until what was sent before it has left: from then on nobody
        knows that this listener may still have to play.
        """
        if self._events is not None:
            self._parts.append((self._events.take(event, self._clock()), 0.0))
        if not self.begun:
            # Nothing was streamed: a whole file, or an empty one, whose length is known.
            size = sum(len(part) for part, _ in self._parts)
            await bound(self._begin([(b"content-length", str(size).encode())]))
        while self._parts:
            part, seconds = self._parts.popleft()
            self.playback.handed_out(seconds, self._clock())
            await bound(self._stream(part))
            await asyncio.sleep(0)
        await bound(self._end(b""))
        self.ending = "complete"

    async def refuse(self, problem: Problem) -> None:
        """Answer with an error; after the first byte it is an event, or else the body is left unended."""
        self.problem = problem
        if self.begun:
            self.ending = "failed"
            if self._events is not None and not self._complete:
                # The peer may be gone, or may have stopped listening.
                with suppress(OSError, TimeoutError):
                    async with asyncio.timeout(GOODBYE_MS_MAX / 1_000):
                        await self._end(self._events.error(problem))
            return
        self.ending = "refused"
        self.status = problem.status
        body = encode_http_error(problem, self.request_id)
        await send_json(self._send, self.status, body, error_headers(problem, self.request_id))

    async def _stream(self, body: bytes) -> None:
        if body:
            await self._begin(())
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _end(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": False})
        self._complete = True

    async def _begin(self, more: Headers | tuple[()]) -> None:
        if self.begun:
            return
        self.status = 200
        if self.claim is not None and self.claim.replay_of is not None:
            more = [*more, (b"x-replay-of", self.claim.replay_of.encode())]
        if self._warnings:
            more = [*more, (b"x-speech-warnings", ", ".join(self._warnings).encode())]
        start: Message = {
            "type": "http.response.start",
            "status": 200,
            "headers": [*self._headers, *more],
        }
        await self._send(start)


def _beyond_the_end(asked: SpeechRequest, events: list[Event]) -> Problem | None:
    """What is wrong with a `sample_start` that no sample has; known when all samples were made."""
    match events[-1:]:
        case [Closed(reason=CloseReason.FINISHED, samples=samples)] if samples < (
            asked.sample_start or 0
        ):
            return InvalidValue(
                "the speech is shorter than that",
                field="sample_start",
                allowed=f"at most {samples}",
            ).problem
    return None


def _earliest(*times: float | None) -> float | None:
    return min((time for time in times if time is not None), default=None)


def _negotiate(asked: Parameters, accept: str) -> tuple[Codec, LineForm | None]:
    """The codec, and the form in which it comes; None = audio alone. A codec that the body names is the only one there is."""
    named = UNSET if isinstance(asked.format, UnsetType) else asked.format.codec
    usual = HTTP_DEFAULTS.codec if isinstance(named, UnsetType) else named
    codecs = {MEDIA_TYPES[usual]: usual}
    if isinstance(named, UnsetType):
        codecs |= {MEDIA_TYPES[codec]: codec for codec in Codec if codec is not usual}
    chosen = choose(accept, (*codecs, *LineForm))
    if chosen in codecs:
        return codecs[chosen], None
    return usual, LineForm(chosen)


async def read_body(scope: Scope, receive: Receive, limits: Limits) -> bytes:
    """The request's body. Raises MessageTooLarge, at once if it says so itself; RequestTimeout when it does not arrive in
    time, InvalidMessage when it does not at all."""
    parts: list[bytes] = []
    size = 0
    too_large = MessageTooLarge(
        "the request body is too large", allowed=f"at most {limits.body_bytes_max} bytes"
    )
    # The parser has seen to it that a length is one number.
    if int(dict(scope["headers"]).get(b"content-length", b"0")) > limits.body_bytes_max:
        raise too_large
    try:
        async with asyncio.timeout(limits.body_read_ms / 1_000):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise InvalidMessage("the request ended before its body did")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limits.body_bytes_max:
                    raise too_large
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise RequestTimeout(
            "the request body took too long", allowed=f"within {limits.body_read_ms} ms"
        ) from None


async def _feed(speaker: Speaker, text: str) -> None:
    """The whole text, and its end."""
    await speaker.push(text)
    speaker.submit(EndInput())


async def _disconnected(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
