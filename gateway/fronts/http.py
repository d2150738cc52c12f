"""One-shot speech over HTTP: the whole text in, a stream of audio out.

The status line waits for the first audio, so that everything that can fail early fails with its real status and a JSON
body. What fails later aborts the chunked body without its terminating chunk (RFC 9112 §8), so that a truncated result
never looks like a whole one.
"""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.types import Message, Receive, Scope, Send

from gateway.audio.registry import media_type
from gateway.core.commands import Abort, EndInput
from gateway.core.errors import (
    GatewayError,
    Internal,
    InvalidMessage,
    MessageTooLarge,
    MethodNotAllowed,
    Problem,
    TextTooLong,
)
from gateway.core.events import Audio, Closed, Event, SegmentFailed, Timings, Warned
from gateway.core.limits import Limits
from gateway.core.params import HTTP_DEFAULTS, Settings
from gateway.core.resolve import resolve
from gateway.core.vocabulary import CloseReason
from gateway.dialects.base import SpeechRequest
from gateway.dialects.native import decode_request, encode_http_error
from gateway.fronts.reply import Headers, error_headers, headers, new_request_id, send_json
from gateway.runtime.house import House
from gateway.runtime.speaker import Speaker
from gateway.runtime.stall import Stall
from gateway.runtime.wake import Wake

FRAME_MS = 500
"""Audio per chunk of a download once it has begun."""

ROUTE = HTTP_DEFAULTS.route

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
        chars = 0
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed("speech is made by POST", allowed="POST")
            with self._house.admission.connection():
                body = await read_body(receive, self._house.limits)
                asked = decode_request(body)
                chars = len(asked.text)
                settings = self._judge(asked)
                answer.describe(settings, asked)
                problem = await self._speak(asked, settings, receive, answer)
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
        metrics.connections_ended.labels(ROUTE, answer.ending).inc()
        log.info(
            "speech_http",
            extra={
                "request_id": request_id,
                "status": answer.status,
                "chars": chars,
                "samples": answer.samples,
                "ending": answer.ending,
                "timings": answer.timings,
                "ms": round((time.monotonic() - begun) * 1_000, 1),
            },
        )

    def _judge(self, asked: SpeechRequest) -> Settings:
        limits = self._house.limits
        chars_max = limits.whole_chars_max if asked.whole else limits.text_chars_max
        if len(asked.text) > chars_max:
            raise TextTooLong(
                f"text has {len(asked.text)} characters",
                field="text",
                allowed=f"at most {chars_max} characters",
            )
        return resolve(asked.parameters, self._house.catalog, HTTP_DEFAULTS)

    async def _speak(
        self, asked: SpeechRequest, settings: Settings, receive: Receive, answer: _Answer
    ) -> Problem | None:
        """Make the speech and send it, unless the client goes away first. Gives the problem that ended it."""
        house = self._house
        house.admission.open_context()
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
                )
                stall = Stall(house.limits.send_stall_ms / 1_000, lambda: speaker.session.played_by)
                gone = tasks.create_task(_disconnected(receive))
                fed = tasks.create_task(_feed(speaker, asked.text))
                told = tasks.create_task(
                    self._tell(speaker, wake, stall, answer, whole=asked.whole)
                )
                try:
                    await asyncio.wait({gone, told}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    gone.cancel()
                    told.cancel()
                    stall.close()
                    fed.cancel()
                    answer.timings = speaker.timings()
                    speaker.submit(Abort())
            return None if told.cancelled() else told.result()
        finally:
            house.admission.close_context()

    async def _tell(
        self, speaker: Speaker, wake: Wake, stall: Stall, answer: _Answer, *, whole: bool
    ) -> Problem | None:
        """Pull events and send their audio. Gives the problem that ended it too early, if one did."""
        while True:
            events = await speaker.next_events()
            if events is None:
                await wake.wait(speaker.session.deadline())
                speaker.tick()
                continue
            for event in events:
                match event:
                    case SegmentFailed():
                        return event.problem
                    case Closed():
                        return await self._close(event, answer)
                    case _:
                        pass
                try:
                    await stall.bound(answer.take(event, whole=whole))
                except TimeoutError:
                    answer.ending = "send_stalled"
                    return None
            # A send that is taken at once does not suspend; others must get their turn all the same.
            await asyncio.sleep(0)

    async def _close(self, event: Closed, answer: _Answer) -> Problem | None:
        if event.reason is CloseReason.FINISHED:
            await answer.finish()
        return None


class _Answer:
    """What one request is sent: nothing until the first audio, then a body that ends only when all is well."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.request_id = request_id
        self.status = 0
        self.samples = 0
        self.ending = "peer_gone"
        """How it came to its end, unless it is known better: the client left."""
        self.timings: Timings | None = None
        self._send = send
        self._headers: Headers = []
        self._warnings: list[str] = []
        self._parts: list[bytes] = []

    @property
    def begun(self) -> bool:
        """True once a status has been sent."""
        return self.status != 0

    def describe(self, settings: Settings, asked: SpeechRequest) -> None:
        """Say in headers what the audio will be."""
        format = settings.format
        more = [
            ("x-sample-rate", str(format.sample_rate)),
            ("x-channels", "1"),
            ("x-speech-model", settings.model),
            ("x-speech-voice", settings.voice),
        ]
        if asked.ignored:
            more.append(("x-ignored-fields", ", ".join(asked.ignored)))
        self._headers = headers(self.request_id, media_type(format), more)

    async def take(self, event: Event, *, whole: bool) -> None:
        """One event: audio goes out, or is kept where the whole file was asked for."""
        match event:
            case Audio():
                self.samples += event.sample_count
                if whole:
                    self._parts.append(event.data)
                    return
                await self._begin(())
                await self._send(
                    {"type": "http.response.body", "body": event.data, "more_body": True}
                )
            case Warned():
                if event.code not in self._warnings:
                    self._warnings.append(event.code)
            case _:
                pass

    async def finish(self) -> None:
        """All is well: end the body."""
        body = b"".join(self._parts)
        if not self.begun:
            # Nothing was streamed: a whole file, or an empty one, whose length is known.
            await self._begin([(b"content-length", str(len(body)).encode())])
        await self._send({"type": "http.response.body", "body": body, "more_body": False})
        self.ending = "complete"

    async def refuse(self, problem: Problem) -> None:
        """Answer with an error; after the first byte of audio, leave the body unended instead."""
        if self.begun:
            self.ending = "failed"
            return
        self.ending = "refused"
        self.status = problem.status
        body = encode_http_error(problem, self.request_id)
        await send_json(self._send, self.status, body, error_headers(problem, self.request_id))

    async def _begin(self, more: Headers | tuple[()]) -> None:
        if self.begun:
            return
        self.status = 200
        if self._warnings:
            more = [*more, (b"x-speech-warnings", ", ".join(self._warnings).encode())]
        start: Message = {
            "type": "http.response.start",
            "status": 200,
            "headers": [*self._headers, *more],
        }
        await self._send(start)


async def read_body(receive: Receive, limits: Limits) -> bytes:
    """The request's body. Raises MessageTooLarge, or InvalidMessage when it does not arrive in time or at all."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_read_ms / 1_000):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise InvalidMessage("the request ended before its body did")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limits.body_bytes_max:
                    raise MessageTooLarge(
                        "the request body is too large",
                        allowed=f"at most {limits.body_bytes_max} bytes",
                    )
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise InvalidMessage(
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
