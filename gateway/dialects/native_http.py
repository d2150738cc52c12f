"""`POST /v1/speech`: the native protocol's one-shot requests, for audio alone or for events with audio among them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, UnsetType

from gateway.core.errors import Problem, TextTooLong, Unsupported
from gateway.core.limits import Limits
from gateway.core.params import HTTP_DEFAULTS, Catalog, Parameters
from gateway.core.resolve import resolve
from gateway.core.vocabulary import Codec
from gateway.dialects.accept import choose
from gateway.dialects.http import Agreed, Answering, Headers, HttpRequest, Refusal
from gateway.dialects.lines import LineForm
from gateway.dialects.native import decode_request, encode_http_error


class NativeExchange:
    """The exchange of `POST /v1/speech`. `media_types` are what the codecs are called in `Accept`."""

    name = "native"
    methods: tuple[str, ...] = ("POST",)
    key_in_body = False

    def __init__(self, media_types: Mapping[Codec, str]) -> None:
        self._media_types = media_types

    def credentials(self, request: HttpRequest) -> None:
        """Where they always are."""

    def understand(self, request: HttpRequest, catalog: Catalog, limits: Limits) -> Agreed:
        """The body and `Accept`, judged. Raises GatewayError."""
        asked = decode_request(request.body)
        chars_max = limits.whole_chars_max if asked.whole else limits.text_chars_max
        if len(asked.text) > chars_max:
            raise TextTooLong(
                f"text has {len(asked.text)} characters",
                field="text",
                allowed=f"at most {chars_max} characters",
            )
        codec, form = self._negotiate(asked.parameters, request.headers.get("accept", ""))
        defaults = msgspec.structs.replace(HTTP_DEFAULTS, codec=codec)
        settings = resolve(asked.parameters, catalog, defaults)
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
                allowed=f"true, or Accept: {self._media_types[settings.format.codec]}",
            )
        if asked.sample_start is not None and settings.lead_ms is not None:
            raise Unsupported(
                "what its client has had is not paced again",
                field="sample_start",
                allowed="null, or lead_ms: null",
            )
        return Agreed(
            text=asked.text,
            settings=settings,
            whole=asked.whole,
            sample_start=asked.sample_start,
            lexicon=asked.parameters.lexicon or None,
            form=form,
            ignored=asked.ignored,
        )

    def describe(self, agreed: Agreed, answering: Answering) -> Headers:
        """What the audio will be."""
        settings = agreed.settings
        said = [
            ("content-type", answering.media_type),
            ("x-sample-rate", str(settings.format.sample_rate)),
            ("x-channels", "1"),
            ("x-speech-model", settings.model),
            ("x-speech-voice", settings.voice),
        ]
        if agreed.ignored:
            said.append(("x-ignored-fields", ", ".join(agreed.ignored)))
        if answering.replay_of is not None:
            said.append(("x-replay-of", answering.replay_of))
        if answering.warnings:
            said.append(("x-speech-warnings", ", ".join(answering.warnings)))
        return said

    def wrapping(self, agreed: Agreed, request_id: str, at_s: float) -> None:
        """A file is sent as it is."""

    def refuse(self, problem: Problem, request_id: str, at_s: float) -> Refusal:
        """The error as JSON."""
        body = encode_http_error(problem, request_id)
        return Refusal(problem.status, body, [("content-type", "application/json")])

    def _negotiate(self, asked: Parameters, accept: str) -> tuple[Codec, LineForm | None]:
        """The codec, and the form in which it comes; None = audio alone. A codec that the body names is the only one there is."""
        media_types = self._media_types
        named = UNSET if isinstance(asked.format, UnsetType) else asked.format.codec
        usual = HTTP_DEFAULTS.codec if isinstance(named, UnsetType) else named
        codecs = {media_types[usual]: usual}
        if isinstance(named, UnsetType):
            codecs |= {media_types[codec]: codec for codec in Codec if codec is not usual}
        chosen = choose(accept, (*codecs, *LineForm))
        if chosen in codecs:
            return codecs[chosen], None
        return usual, LineForm(chosen)
