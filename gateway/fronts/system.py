"""What is asked about the server itself: is it there, is it ready, which voices and models has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.accounts.model import Scope as Use
from gateway.audio.registry import MEDIA_TYPES
from gateway.core.errors import (
    GatewayError,
    Internal,
    MethodNotAllowed,
    MetricsForbidden,
    NotFound,
    Overloaded,
    Problem,
)
from gateway.core.formats import SHAPES, rates_of
from gateway.core.params import Catalog, Controls, Model, Voice
from gateway.core.vocabulary import Codec, Container, Route
from gateway.dialects.native import encode_http_error
from gateway.fronts.authentication import authenticate
from gateway.fronts.proxies import Network, is_among, read_address
from gateway.fronts.reply import error_headers, headers, new_request_id, send_json
from gateway.runtime.drain import Drain
from gateway.runtime.house import House
from gateway.telemetry.metrics import MEDIA_TYPE, Metrics

Answer = Callable[[], object]


class FormatInfo(msgspec.Struct, frozen=True):
    """A codec with what it can be on a model. Rates in Hz; the first of `containers` is the default."""

    codec: Codec
    media_type: str
    sample_rates: tuple[int, ...]
    containers: tuple[Container, ...]


class ModelInfo(msgspec.Struct, frozen=True):
    """A model as `GET /v1/speech/models` lists it."""

    id: str
    description: str
    engine: str
    default_voice: str
    sample_rates: tuple[int, ...]
    languages: tuple[str, ...]
    voices: int
    variants: tuple[str, ...]
    controls: dict[Route, Controls]
    formats: tuple[FormatInfo, ...]


class VoiceInfo(msgspec.Struct, frozen=True):
    """A voice as `GET /v1/speech/voices` lists it."""

    id: str
    name: str
    model: str
    language: str
    languages: tuple[str, ...]
    gender: str | None


class Models(msgspec.Struct, frozen=True):
    """The answer of `GET /v1/speech/models`."""

    default: str
    models: tuple[ModelInfo, ...]


class Voices(msgspec.Struct, frozen=True):
    """The answer of `GET /v1/speech/voices`."""

    voices: tuple[VoiceInfo, ...]


class Alive(msgspec.Struct, frozen=True):
    """The answer of `GET /healthz`."""

    status: Literal["alive"]
    version: str


class Readiness(msgspec.Struct, frozen=True):
    """The answer of `GET /readyz`."""

    status: Literal["ready"]


def list_models(catalog: Catalog) -> Models:
    """Every model, with what it can do on which route."""
    models = (
        ModelInfo(
            model.id,
            model.description,
            model.engine,
            model.default_voice,
            model.sample_rates,
            _languages(model),
            len(model.voices),
            tuple(sorted(model.variants)),
            dict(model.controls),
            tuple(_formats(model)),
        )
        for model in catalog.models.values()
    )
    return Models(catalog.default_model, tuple(models))


def list_voices(catalog: Catalog) -> list[VoiceInfo]:
    """Every voice of every model."""
    return [
        VoiceInfo(voice.id, voice.name, model.id, voice.language, voice.languages, voice.gender)
        for model in catalog.models.values()
        for voice in model.voices.values()
    ]


def _formats(model: Model) -> Iterator[FormatInfo]:
    for codec in Codec:
        if rates := rates_of(codec, model.sample_rates):
            yield FormatInfo(codec, MEDIA_TYPES[codec], tuple(rates), SHAPES[codec].containers)


def _languages(model: Model) -> tuple[str, ...]:
    def spoken(voice: Voice) -> tuple[str, ...]:
        return (voice.language, *voice.languages)

    return tuple(sorted({code for voice in model.voices.values() for code in spoken(voice)}))


class JsonAnswer:
    """A GET that is answered with JSON, as a plain ASGI application. `answer` may raise a GatewayError; with a `house` only
    who may speak in it is answered."""

    def __init__(self, answer: Answer, house: House | None = None) -> None:
        self._answer = answer
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = new_request_id()
        try:
            if scope["method"] not in {"GET", "HEAD"}:
                raise MethodNotAllowed(f"{scope['method']} means nothing here", allowed="GET, HEAD")
            if self._house is not None:
                await authenticate(self._house, scope, Use.SPEECH)
            body = msgspec.json.encode(self._answer())
        except GatewayError as error:
            await send_problem(send, error.problem, request_id)
            return
        await send_json(send, 200, body, headers(request_id, "application/json"))


class MetricsOverHttp:
    """`GET /metrics` as a plain ASGI application. Unless it is `open_to_all`, it is told to this machine, to the
    addresses in `told_to`, and to nobody for whom a proxy asks."""

    def __init__(
        self, metrics: Metrics, *, open_to_all: bool, told_to: Sequence[Network] = ()
    ) -> None:
        self._metrics = metrics
        self._open_to_all = open_to_all
        self._told_to = told_to

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await nothing_here(scope, receive, send)
        elif not (self._open_to_all or self._may_read(scope)):
            error: GatewayError = MetricsForbidden(
                "figures are not told to this address",
                allowed="this machine, addresses in server.metrics_from; not through a proxy",
            )
            await send_problem(send, error.problem, new_request_id())
        elif scope["method"] not in {"GET", "HEAD"}:
            error = MethodNotAllowed(f"{scope['method']} means nothing here", allowed="GET, HEAD")
            await send_problem(send, error.problem, new_request_id())
        else:
            head = headers(new_request_id(), MEDIA_TYPE)
            await send_json(send, 200, self._metrics.exposition(), head)

    def _may_read(self, scope: Scope) -> bool:
        client = scope.get("client")
        if client is None or any(name in _FORWARDED for name, _ in scope["headers"]):
            return False
        address = read_address(client[0])
        return address is not None and (address.is_loopback or is_among(address, self._told_to))


_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"})
"""A proxy says by one of these that it asks for somebody else."""


async def nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    """The answer for every path that is not one of ours."""
    problem = NotFound("there is nothing at this path", allowed="docs/protocol.md lists the paths")
    prefix = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    if scope["type"] == "websocket":
        await receive()
    await send_problem(send, problem.problem, new_request_id(), prefix=prefix)


async def crashed(request: Request, error: Exception) -> Response:
    """The answer for a bug of ours that nobody foresaw; uvicorn logs it."""
    request_id = new_request_id()
    problem = Internal("the request failed; the log knows why").problem
    head = {name.decode(): value.decode() for name, value in error_headers(problem, request_id)}
    return Response(encode_http_error(problem, request_id), problem.status, head)


async def send_problem(
    send: Send, problem: Problem, request_id: str, *, prefix: str = "http.response"
) -> None:
    """An error as the native protocol words it."""
    body = encode_http_error(problem, request_id)
    head = error_headers(problem, request_id)
    await send_json(send, problem.status, body, head, prefix=prefix)


def readiness(ready: Callable[[], bool], drain: Drain) -> Answer:
    """Ready once the engines have started and until the server goes away; a load balancer asks."""

    def answer() -> object:
        if not ready():
            raise Overloaded("the engines are not ready", retry_after_ms=1_000)
        drain.refuse()
        return Readiness("ready")

    return answer
