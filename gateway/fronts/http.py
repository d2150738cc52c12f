"""One-shot speech over HTTP: the whole text in, a stream of audio out, alone or among the events that tell of it.

The status line waits for the first audio, so that everything that can fail early fails with its real status and a JSON
body. What fails later aborts the chunked body without its terminating chunk (RFC 9112 §8), so that a truncated result
never looks like a whole one; among events it is an `error`, and `ended` does not come.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.accounts.caller import Caller
from gateway.accounts.model import Scope as Use
from gateway.audio.registry import MEDIA_TYPES
from gateway.core.commands import Abort, EndInput
from gateway.core.errors import (
    CreditsExhausted,
    GatewayError,
    Internal,
    InvalidValue,
    MethodNotAllowed,
    Problem,
)
from gateway.core.events import Closed, Event, SegmentFailed
from gateway.core.lexicon import Lexicon
from gateway.core.params import HTTP_DEFAULTS, Catalog
from gateway.core.resolve import spoken_by
from gateway.core.vocabulary import CloseReason
from gateway.dialects.http import Agreed, Exchange, HttpRequest, RequestRate
from gateway.dialects.native import DEFAULT_CONTEXT
from gateway.dialects.native_http import NativeExchange
from gateway.fronts.answer import Answer, Bill
from gateway.fronts.authentication import authenticate
from gateway.fronts.idempotency import fingerprint, idempotency_key
from gateway.fronts.reply import address_of, new_request_id, owner_of
from gateway.fronts.requests import read_body, read_head
from gateway.runtime.house import House
from gateway.runtime.speaker import Speaker
from gateway.runtime.stall import Stall
from gateway.runtime.wake import Wake

FRAME_MS = 500
"""Audio per chunk of a download once it has begun."""

ROUTE = HTTP_DEFAULTS.route

log = logging.getLogger("gateway.http")


NATIVE = NativeExchange(MEDIA_TYPES)


class SpeechOverHttp:
    """One route of one-shot requests in a dialect, as a plain ASGI application. `catalog` is what the dialect offers, if that
    is not what the native protocol does; with `tells_credits` an exchange is told what a request costs and leaves."""

    def __init__(
        self,
        house: House,
        exchange: Exchange = NATIVE,
        catalog: Catalog | None = None,
        *,
        tells_credits: bool = False,
    ) -> None:
        self._house = house
        self._exchange = exchange
        self._catalog = house.catalog if catalog is None else catalog
        self._tells_credits = tells_credits
        self._usage = ROUTE if exchange is NATIVE else exchange.name
        """What its usage is counted under."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = new_request_id()
        answer = Answer(send, request_id, self._exchange, self._house.spools)
        metrics = self._house.metrics
        begun = time.monotonic()
        chars, key = 0, None
        try:
            request = self._read_head(scope)
            # Before anybody knows who it is, and has sent its body.
            self._house.addresses.judge(address_of(scope))
            caller = None if self._exchange.key_in_body else await self._admit(scope, request)
            with self._house.admission.connection():
                body = await read_body(scope, receive, self._house.limits)
                request = msgspec.structs.replace(request, body=body)
                if caller is None:
                    caller = await self._admit(scope, request)
                key = answer.principal = caller.key
                if (standing := self._house.quotas.requests(caller)) is not None:
                    answer.rate = RequestRate(*standing)
                agreed = self._exchange.understand(request, self._catalog, self._house.limits)
                chars = len(agreed.text)
                lexicon = await self._house.lexicon(caller, agreed.lexicon)
                settings = spoken_by(lexicon, agreed.settings)
                agreed = msgspec.structs.replace(agreed, settings=settings)
                answer.describe(agreed, self._house.limits.keep_alive_ms / 1_000)
                await self._recognize(scope, agreed, answer)
                self._house.quotas.chars(caller, chars)
                owner = owner_of(scope, caller)
                if self._tells_credits:
                    answer.bill = await self._bill(agreed, caller, answer)
                problem = await self._speak(agreed, lexicon, caller, owner, receive, answer)
            if problem is not None:
                await answer.refuse(problem)
        except GatewayError as error:
            metrics.refused(ROUTE, error.problem)
            await answer.refuse(error.problem)
        except Exception:
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
                "dialect": self._exchange.name,
                "key": key,
                "status": answer.status,
                "chars": chars,
                "samples": answer.samples,
                "ending": answer.ending,
                "timings": answer.timings,
                "ms": round((time.monotonic() - begun) * 1_000, 1),
            },
        )

    def _read_head(self, scope: Scope) -> HttpRequest:
        """Raises MethodNotAllowed."""
        if scope["method"] not in self._exchange.methods:
            raise MethodNotAllowed(
                f"{scope['method']} means nothing here", allowed=", ".join(self._exchange.methods)
            )
        return read_head(scope)

    async def _admit(self, scope: Scope, request: HttpRequest) -> Caller:
        """Who asks. Raises what `authenticate` raises."""
        shown = self._exchange.credentials(request)
        return await authenticate(self._house, scope, Use.SPEECH, shown)

    async def _recognize(self, scope: Scope, agreed: Agreed, answer: Answer) -> None:
        """Claim the key of the request, if it has one. Raises InvalidValue and what `claim` raises."""
        key = idempotency_key(scope)
        if key is not None:
            answer.claim = await self._house.replays.claim(
                answer.principal,
                key,
                fingerprint(agreed),
                answer.request_id,
                comes_back=agreed.sample_start is not None,
            )

    async def _bill(self, agreed: Agreed, caller: Caller, answer: Answer) -> Bill | None:
        """What can be said of the price beforehand; None = nothing is charged. Raises AccountsUnavailable, and CreditsExhausted
        where it is more than there is: a dialect that tells prices tells that, too, before its first byte."""
        ledger = self._house.ledger
        if ledger is None or not ledger.charges:
            return None
        balance = await ledger.balance(caller)
        quote = ledger.quote(agreed.settings.model, len(agreed.text), _paid(answer))
        if quote > balance.available:
            raise CreditsExhausted(
                "the account has too few credits for this text",
                allowed=f"{balance.available / 1_000:g} credits are left, {quote / 1_000:g} are needed",
            )
        return Bill(balance.available, quote)

    def _settle(self, answer: Answer) -> None:
        """Nothing more is done for this request."""
        answer.close()
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
        agreed: Agreed,
        lexicon: Lexicon | None,
        caller: Caller,
        owner: str,
        receive: Receive,
        answer: Answer,
    ) -> Problem | None:
        """Make the speech and send it, unless the client goes away first. Gives the problem that ended it.

        Raises Draining when the server's time was over first."""
        house = self._house
        drain = house.admission.drain
        house.open_context(caller, agreed.settings.engine)
        answer.meter = house.new_meter(
            answer.request_id, caller, len(agreed.text), _paid(answer), route=self._usage
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                wake = Wake()
                speaker = self._begin(agreed, lexicon, owner, answer, tasks, wake)
                stall = Stall(
                    house.limits.send_stall_ms / 1_000,
                    # A whole file is sent long after it was taken from its session.
                    lambda: answer.playback.dry_at if agreed.whole else speaker.session.played_by,
                )
                gone = tasks.create_task(_disconnected(receive))
                fed = tasks.create_task(_feed(speaker, agreed.text))
                told = tasks.create_task(self._tell(speaker, wake, stall, answer, agreed, owner))
                ends: set[asyncio.Future[Any]] = {gone, told}
                if answer.claim is not None:
                    ends.add(answer.claim.unwanted)

                def cut_off() -> None:
                    if drain.is_over:
                        told.cancel()

                def dismiss(problem: Problem) -> None:
                    if told.cancel():
                        answer.problem = problem

                try:
                    with drain.watched(cut_off), house.attendance.here(caller, dismiss):
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
            return answer.problem if told.cancelled() else told.result()
        finally:
            house.close_context(caller)

    def _begin(
        self,
        agreed: Agreed,
        lexicon: Lexicon | None,
        owner: str,
        answer: Answer,
        tasks: asyncio.TaskGroup,
        wake: Wake,
    ) -> Speaker:
        """A speaker for this request, with a receipt that can be asked for from now on."""
        speaker = self._house.new_speaker(
            agreed.settings,
            tasks,
            wake,
            frame_ms=FRAME_MS,
            route=ROUTE,
            file=True,
            whole=agreed.whole,
            raw=agreed.loudness_lufs is not None,
            owner=owner,
            meter=answer.meter,
            name=DEFAULT_CONTEXT,
            sample_start=agreed.sample_start or 0,
            lexicon=lexicon,
        )
        answer.receipt = speaker.receipt
        receipts = self._house.receipts
        receipts.begin(answer.request_id, answer.principal, ROUTE, speaker.receipt)
        return speaker

    async def _tell(
        self,
        speaker: Speaker,
        wake: Wake,
        stall: Stall,
        answer: Answer,
        agreed: Agreed,
        owner: str,
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
                if (problem := _beyond_the_end(agreed, events)) is not None:
                    self._house.metrics.refused(ROUTE, problem)
                    return problem
                for event in events:
                    match event:
                        case SegmentFailed():
                            await stall.bound(answer.fail(event))
                            return event.problem
                        case Closed():
                            if event.reason is CloseReason.FINISHED:
                                await answer.master(self._house.spools, self._house.farm, owner)
                                await answer.finish(event, stall.bound)
                            return None
                        case _:
                            await stall.bound(answer.take(event, whole=agreed.whole))
            except TimeoutError:
                answer.ending = "send_stalled"
                return None
            except GatewayError as error:
                self._house.metrics.refused(ROUTE, error.problem)
                return error.problem
            if events:
                # A send that is taken at once does not suspend; others must get their turn all the same.
                await asyncio.sleep(0)


def _paid(answer: Answer) -> int:
    """Characters that were paid for before, and are not paid for again."""
    return 0 if answer.claim is None else answer.claim.known.paid_chars


def _beyond_the_end(agreed: Agreed, events: list[Event]) -> Problem | None:
    """What is wrong with a `sample_start` that no sample has; known when all samples were made."""
    match events[-1:]:
        case [Closed(reason=CloseReason.FINISHED, samples=samples)] if samples < (
            agreed.sample_start or 0
        ):
            return InvalidValue(
                "the speech is shorter than that",
                field="sample_start",
                allowed=f"at most {samples}",
            ).problem
    return None


def _earliest(*times: float | None) -> float | None:
    return min((time for time in times if time is not None), default=None)


async def _feed(speaker: Speaker, text: str) -> None:
    """The whole text, and its end."""
    await speaker.push(text)
    speaker.submit(EndInput())


async def _disconnected(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
