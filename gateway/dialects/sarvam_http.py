"""`POST /text-to-speech` and `POST /text-to-speech/stream`: a whole file in base64 inside JSON, and a stream of bytes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator

import msgspec

from gateway.core.errors import TextMissing, TextTooLong, Unauthorized
from gateway.core.limits import Limits
from gateway.core.params import Catalog, Defaults
from gateway.core.resolve import resolve
from gateway.core.vocabulary import Route
from gateway.dialects.http import Agreed, Answering, Headers, HttpRequest, Wrapping
from gateway.dialects.sarvam import CODECS, SpeechFields, wanted
from gateway.dialects.sarvam_errors import SarvamWords, vendor_id
from gateway.dialects.wire import convert, decode_object, unknown_fields

JSON = "application/json"
KEY_HEADER = "api-subscription-key"
_BEARER = "bearer "
_GROUP = 3
"""Bytes that base64 writes as one group of characters (RFC 4648 §4)."""


class SarvamSpeech(SpeechFields, frozen=True, kw_only=True):
    """The body of both routes."""

    text: str


class SarvamAudios(msgspec.Struct, frozen=True):
    """The answer of `POST /text-to-speech`: one file in base64."""

    request_id: str
    audios: tuple[str, ...]


def shown_keys(request: HttpRequest) -> Iterator[str]:
    """Every key that a request shows. Raises Unauthorized for one that is shown in a way that is not taken."""
    if KEY_HEADER in request.headers:
        yield request.headers[KEY_HEADER]
    if "authorization" in request.headers:
        shown = request.headers["authorization"]
        if not shown.lower().startswith(_BEARER):
            raise Unauthorized(
                "this way of showing a key is not known",
                allowed=f"{KEY_HEADER}, or Authorization: Bearer",
            )
        yield shown[len(_BEARER) :].strip()


class _SarvamExchange(SarvamWords):
    """What both routes have in common. With `refuse_unsupported` a control that the model has not is an error."""

    name: str
    methods: tuple[str, ...] = ("POST",)
    key_in_body = False
    _whole: bool
    _route: Route
    _usual_codec: str

    def __init__(self, *, refuse_unsupported: bool = False) -> None:
        self._refuse_unsupported = refuse_unsupported

    def credentials(self, request: HttpRequest) -> Iterable[str]:
        """The keys in its headers. Raises Unauthorized while they are looked at."""
        return shown_keys(request)

    def understand(self, request: HttpRequest, catalog: Catalog, limits: Limits) -> Agreed:
        """The body, judged. Raises GatewayError."""
        value = decode_object(request.body)
        asked = convert(value, SarvamSpeech)
        if not asked.text:
            raise TextMissing("text is empty", field="text", allowed="at least one character")
        want = wanted(
            asked,
            catalog,
            self._route,
            usual_codec=self._usual_codec,
            refuse_unsupported=self._refuse_unsupported,
        )
        defaults = Defaults(self._route, CODECS[self._usual_codec], lead_ms=None)
        settings = resolve(want.parameters, catalog, defaults)
        own = limits.whole_chars_max if self._whole else limits.text_chars_max
        chars_max = min(own, catalog.models[settings.model].text_chars_max.get(self._route, own))
        if len(asked.text) > chars_max:
            raise TextTooLong(
                f"text has {len(asked.text)} characters",
                field="text",
                allowed=f"at most {chars_max} with {settings.model}",
            )
        return Agreed(
            text=asked.text,
            settings=settings,
            whole=self._whole,
            lexicon=want.dictionary,
            ignored=(*want.ignored, *unknown_fields(value, SarvamSpeech)),
            adjusted=want.adjusted,
        )

    def describe(self, agreed: Agreed, answering: Answering) -> Headers:
        """What the answer is, and what became of the request's fields."""
        said = [("content-type", JSON if self._whole else answering.media_type)]
        for name, values in (
            ("x-ignored-parameters", agreed.ignored),
            ("x-adjusted-parameters", agreed.adjusted),
            ("x-speech-warnings", answering.warnings),
        ):
            if values:
                said.append((name, ", ".join(values)))
        if answering.replay_of is not None:
            said.append(("x-replay-of", answering.replay_of))
        return said

    def wrapping(self, agreed: Agreed, request_id: str, at_s: float) -> Wrapping | None:
        """A file is in JSON."""
        return InJson(vendor_id(request_id, at_s)) if self._whole else None


class SarvamFile(_SarvamExchange):
    """The exchange of `POST /text-to-speech`."""

    name = "sarvam/file"
    _whole = True
    _route = Route.HTTP_FILE
    _usual_codec = "wav"


class SarvamStream(_SarvamExchange):
    """The exchange of `POST /text-to-speech/stream`."""

    name = "sarvam/stream"
    _whole = False
    _route = Route.HTTP
    _usual_codec = "mp3"


class InJson:
    """A `SarvamAudios`, written while its file arrives."""

    def __init__(self, request_id: str) -> None:
        before, after = msgspec.json.encode(SarvamAudios(request_id, ("",))).rsplit(b'""', 1)
        self._before = before + b'"'
        self._after = b'"' + after
        self._left = b""

    def take(self, part: bytes) -> bytes:
        """The part in base64, as far as its bytes fill groups."""
        data = self._left + part
        whole = len(data) - len(data) % _GROUP
        self._left = data[whole:]
        before, self._before = self._before, b""
        return before + b64encode(data[:whole])

    def end(self) -> bytes:
        """The rest, and the end of the object."""
        return self._before + b64encode(self._left) + self._after
