"""How a text would be cut, without a sound: `POST /v1/speech/segments`, the dry run of `POST /v1/speech`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.accounts.model import Scope as Use
from gateway.core.errors import GatewayError, MethodNotAllowed, TextTooLong
from gateway.core.intake import Cut, Intake
from gateway.core.params import HTTP_DEFAULTS, TextSettings
from gateway.core.replacing import Replacer
from gateway.core.resolve import resolve, spoken_by
from gateway.core.session import replacer_of
from gateway.core.vocabulary import CutKind, CutReason
from gateway.dialects.native import decode_request
from gateway.fronts.authentication import authenticate
from gateway.fronts.reply import headers, new_request_id, send_json
from gateway.fronts.requests import read_body
from gateway.fronts.system import send_problem
from gateway.runtime.house import House
from gateway.runtime.speaker import SLICE_CHARS


class SegmentInfo(msgspec.Struct, frozen=True):
    """A segment as it would be ordered: `text` goes to the engine and stands for the caller's text[text_start:text_end]."""

    text: str
    text_start: int
    text_end: int
    reason: CutReason
    kind: CutKind
    speakable: bool
    applied: int


class Segments(msgspec.Struct, frozen=True):
    """The answer."""

    segments: list[SegmentInfo]


class SegmentsOverHttp:
    """The dry run as a plain ASGI application. It takes the body of `POST /v1/speech` and judges all of it."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = new_request_id()
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed("text is cut by POST", allowed="POST")
            caller = await authenticate(self._house, scope, Use.SPEECH)
            limits = self._house.limits
            asked = decode_request(await read_body(scope, receive, limits))
            if len(asked.text) > limits.text_chars_max:
                raise TextTooLong(
                    f"text has {len(asked.text)} characters",
                    field="text",
                    allowed=f"at most {limits.text_chars_max} characters",
                )
            lexicon = await self._house.lexicon(caller, asked.parameters.lexicon)
            settings = spoken_by(
                lexicon, resolve(asked.parameters, self._house.catalog, HTTP_DEFAULTS)
            )
        except GatewayError as error:
            await send_problem(send, error.problem, request_id)
            return
        cuts = await cut_all(asked.text, settings, replacer_of(settings, lexicon))
        body = msgspec.json.encode(Segments(told(cuts)))
        more = [("x-ignored-fields", ", ".join(asked.ignored))] if asked.ignored else []
        await send_json(send, 200, body, headers(request_id, "application/json", more))


async def cut_all(text: str, settings: TextSettings, replacer: Replacer | None = None) -> list[Cut]:
    """The cuts of a text that is there as a whole, made in slices so that a long one does not hold up the loop."""
    intake = Intake(settings, replacer)
    cuts: list[Cut] = []
    for start in range(0, len(text), SLICE_CHARS):
        end = start + SLICE_CHARS
        cuts += intake.push(text[start:end], 0.0, more=end < len(text))
        await asyncio.sleep(0)
    return cuts + intake.flush(CutReason.END, 0.0)


def told(cuts: Sequence[Cut]) -> list[SegmentInfo]:
    """Cuts as callers are told of them."""
    return [
        SegmentInfo(cut.text, cut.start, cut.end, cut.reason, cut.kind, cut.speakable, cut.applied)
        for cut in cuts
    ]
