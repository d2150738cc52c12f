"""The composition root: from a configuration to an ASGI application, with everything that lives as long as it does."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from gateway import __version__
from gateway.accounts.clock import now_ms
from gateway.accounts.ledger import Ledger
from gateway.accounts.migrate import DatabaseUnusable
from gateway.accounts.pricing import Price
from gateway.accounts.sqlite import open_sqlite
from gateway.accounts.store import Store
from gateway.audio.farm import EncodeFarm
from gateway.catalogs import VendorConfig, VendorModelConfig, build_vendor, read_vendor
from gateway.config import Config, ConfigError, ModelConfig, controls_of
from gateway.core.cleanup import Cleaner
from gateway.core.errors import AccountsUnavailable
from gateway.core.params import Catalog, Model
from gateway.core.vocabulary import Cleanup
from gateway.engines.base import Engine, EngineInfo
from gateway.engines.espeak import EspeakEngine
from gateway.engines.tone import ToneEngine
from gateway.fronts.counted import Counted
from gateway.fronts.described.asyncapi import asyncapi
from gateway.fronts.described.openapi import openapi
from gateway.fronts.gistmag import gistmag
from gateway.fronts.http import SpeechOverHttp
from gateway.fronts.lexicons import LexiconsOverHttp
from gateway.fronts.origins import Origins
from gateway.fronts.proxies import Proxies, is_loopback, read_networks
from gateway.fronts.receipts import ReceiptsOverHttp
from gateway.fronts.sarvam import sarvam
from gateway.fronts.segments import SegmentsOverHttp
from gateway.fronts.system import (
    Alive,
    JsonAnswer,
    MetricsOverHttp,
    Voices,
    crashed,
    list_models,
    list_voices,
    nothing_here,
    readiness,
)
from gateway.fronts.tokens import TokensOverHttp
from gateway.fronts.traced import traced
from gateway.fronts.usage import UsageOverHttp
from gateway.fronts.vendor import Front
from gateway.fronts.websocket import SpeechOverWebSocket
from gateway.fronts.yourvoic import yourvoic
from gateway.runtime.admission import Admission
from gateway.runtime.forecast import Forecast
from gateway.runtime.house import House
from gateway.runtime.turns import new_turns
from gateway.runtime.turnstile import Turnstile
from gateway.telemetry.cores import watch_cores
from gateway.telemetry.loop_lag import watch_loop

log = logging.getLogger("gateway.accounts")

VENDORS: Mapping[str, Callable[..., Front]] = {
    "yourvoic": yourvoic,
    "gistmag": gistmag,
    "sarvam": sarvam,
}
"""What speaks the dialects of vendors, by their names in the configuration."""

if TYPE_CHECKING:
    from gateway.telemetry.tracing import Tracing


def read_vendors(config: Config) -> dict[str, VendorConfig]:
    """The catalogs of the dialects that are enabled. Raises ConfigError."""
    return {
        name: read_vendor(name, dialect.catalog)
        for name, dialect in config.dialects.enabled().items()
    }


def build_engines(config: Config) -> dict[str, Engine]:
    """The engines that the models use, not started yet."""
    used = {model.engine for model in config.models.values()}
    engines: dict[str, Engine] = {}
    if "espeak" in used:
        engines["espeak"] = EspeakEngine(workers=config.engines.espeak.workers or cores())
    if "tone" in used:
        tone = config.engines.tone
        engines["tone"] = ToneEngine(
            sample_rate=tone.sample_rate,
            realtime_factor=tone.realtime_factor,
            first_delay_ms=tone.first_delay_ms,
        )
    return engines


def worker_processes(config: Config) -> int:
    """Workers that speak at once, of all engines; 0 without an engine that has some."""
    if all(model.engine != "espeak" for model in config.models.values()):
        return 0
    return config.engines.espeak.workers or cores()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def build_catalog(config: Config, engines: dict[str, Engine]) -> Catalog:
    """What can be asked for, from the configuration and the started engines. Raises ConfigError."""
    models = {
        name: _model(name, model, engines[model.engine].info)
        for name, model in config.models.items()
    }
    return Catalog(models=models, default_model=config.default_model)


def _model(name: str, model: ModelConfig, info: EngineInfo) -> Model:
    voices = {
        voice.id: voice
        for voice in info.voices
        if not model.languages or set(model.languages) & {voice.language, *voice.languages}
    }
    default = model.default_voice or info.default_voice
    if default not in voices:
        raise ConfigError(f"models.{name}.default_voice: there is no voice {default!r} in it")
    return Model(
        id=name,
        engine=model.engine,
        description=model.description,
        engine_rate=info.sample_rate,
        sample_rates=model.sample_rates,
        voices=voices,
        default_voice=default,
        controls={route: controls_of(controls) for route, controls in model.controls().items()},
        variants=info.variants,
        phonemes=info.phonemes,
    )


@asynccontextmanager
async def open_house(
    config: Config,
    clock: Callable[[], float] = time.monotonic,
    store: Store | None = None,
    tracing: Tracing | None = None,
) -> AsyncIterator[House]:
    """Everything that connections share, started; ended with the block. Raises ConfigError and EngineFailed. Without a
    `store` everybody may speak.

    `clock` is what durations are measured with; it runs as the loop's does, but need not be the same.
    """
    async with AsyncExitStack() as stack:
        vendors = read_vendors(config)
        prices = _prices(config, vendors)
        engines = build_engines(config)
        for engine in engines.values():
            stack.push_async_callback(engine.aclose)
            await engine.start()
        by_arrival = config.server.order == "arrival"
        farm = EncodeFarm(
            threads=config.audio.threads or cores(),
            jobs_pending_max=config.limits.contexts_total_max,
            by_arrival=by_arrival,
        )
        farm.start()
        stack.push_async_callback(farm.aclose)
        turns = new_turns(engines, by_arrival=by_arrival)
        forecast = Forecast(config.limits, turns, farm, asyncio.get_running_loop().time)
        catalog = build_catalog(config, engines)
        infos = {name: engine.info for name, engine in engines.items()}
        yield House(
            catalog=catalog,
            vendors={
                name: build_vendor(vendor, catalog, infos) for name, vendor in vendors.items()
            },
            engines=engines,
            farm=farm,
            limits=config.limits,
            admission=Admission(config.limits, forecast),
            turns=turns,
            turnstile=Turnstile(by_arrival=by_arrival),
            clock=clock,
            store=store,
            tracing=tracing,
            prices=prices,
            ledger=None
            if store is None
            else Ledger(
                store,
                prices if config.accounts.charge else None,
                config.limits.credit_block_chars,
            ),
        )


def _prices(config: Config, vendors: Mapping[str, VendorConfig]) -> dict[str, Price]:
    """Of all models. Raises ConfigError where two catalogs have one of the same name, as only one price can belong to it."""
    prices: dict[str, Price] = {}
    catalogs: list[Mapping[str, ModelConfig | VendorModelConfig]] = [config.models]
    catalogs += [vendor.models for vendor in vendors.values()]
    for models in catalogs:
        if both := prices.keys() & models.keys():
            raise ConfigError(f"models: two catalogs have {', '.join(sorted(both))}")
        prices |= {
            name: Price(model.millicredits_per_char, model.price_step_chars)
            for name, model in models.items()
        }
    return prices


RECOVER_S = 30.0
"""How often a gateway looks for what processes have left behind that are gone."""


async def _recover(store: Store) -> None:
    """Give back what such processes had set aside, as long as this one runs."""
    while True:
        with suppress(AccountsUnavailable):
            if left := await store.recover(now_ms()):
                log.warning("requests_recovered", extra={"requests": left})
        await asyncio.sleep(RECOVER_S)


@asynccontextmanager
async def open_tracing(config: Config) -> AsyncIterator[Tracing | None]:
    """Who makes spans of what is spoken; None = nobody. Raises ConfigError."""
    if not config.tracing.endpoint:
        yield None
        return
    tracing = tracing_extra().to_collector(
        config.tracing.endpoint,
        sample_ratio=config.tracing.sample_ratio,
        spans_pending_max=config.tracing.spans_pending_max,
        clock=time.monotonic,
    )
    try:
        yield tracing
    finally:
        await tracing.aclose()


def tracing_extra() -> type[Tracing]:
    """What is loaded only where traces are asked for. Raises ConfigError when the extra is missing that it needs."""
    try:
        from gateway.telemetry.tracing import Tracing
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"tracing.endpoint: {error.name} is missing; scripts/install requirements-otel.lock installs it"
        ) from None
    return Tracing


@asynccontextmanager
async def open_store(config: Config) -> AsyncIterator[Store | None]:
    """Where the accounts are kept; None = nowhere. Raises ConfigError."""
    if not config.accounts.database:
        yield None
        return
    try:
        store = await open_sqlite(Path(config.accounts.database))
    except DatabaseUnusable as error:
        raise ConfigError(f"accounts.database: {error}") from None
    try:
        yield store
    finally:
        await store.aclose()


LANGUAGES_READY = ("en", "de", "fr", "es", "hi", "it", "pt")
"""Languages whose locale data is read before the first request; each other one costs its first caller 5 to 20 ms."""


def _read_locales() -> None:
    for language in LANGUAGES_READY:
        Cleaner(Cleanup.SPEECH, language)


class Gateway:
    """The application. Engines start with its lifespan and end with it."""

    def __init__(self, config: Config) -> None:
        """Raises ConfigError for what is known to be wrong before anything is started."""
        if config.tracing.endpoint:
            tracing_extra()
        self._config = config
        self.house: House | None = None
        """Set while the lifespan runs."""
        self._starlette = Starlette(lifespan=self._lifespan)
        # What is no path at all, as in "OPTIONS *".
        self._starlette.router.default = nothing_here
        self._starlette.add_exception_handler(500, crashed)
        self._origins = Origins(
            Counted(self._starlette, lambda: self.house),
            allowed=config.server.allowed_origins,
            proxies=Proxies(config.server.trusted_proxies),
            on_loopback=is_loopback(config.server.host),
        )

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """What there is at which path, while the lifespan runs."""
        return self._starlette.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self._origins(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(_read_locales)
        async with (
            open_store(self._config) as store,
            open_tracing(self._config) as tracing,
            open_house(self._config, store=store, tracing=tracing) as house,
            asyncio.TaskGroup() as tasks,
        ):
            watching = tasks.create_task(
                watch_loop(house.metrics, house.admission.forecast.loop_took)
            )
            background = [
                watching,
                tasks.create_task(watch_cores(house.admission.forecast.cores_took)),
            ]
            if store is not None:
                every_ms = house.limits.key_watch_ms
                background += (
                    tasks.create_task(_recover(store)),
                    tasks.create_task(house.attendance.watch(store.find_keys, every_ms)),
                )
            app.router.routes[:] = self._routes(house)
            self.house = house
            yield
            self.house = None
            for task in background:
                task.cancel()

    def _routes(self, house: House) -> list[BaseRoute]:
        voices = msgspec.Raw(msgspec.json.encode(Voices(tuple(list_voices(house.catalog)))))
        models = msgspec.Raw(msgspec.json.encode(list_models(house.catalog)))
        alive = Alive("alive", __version__)
        vendors = [
            VENDORS[name](house, refuses=dialect.unsupported == "refuse")
            for name, dialect in self._config.dialects.enabled().items()
            if name in VENDORS
        ]
        document = openapi(
            house.catalog,
            house.limits,
            is_open=house.gate.is_open,
            dialects=[vendor.described for vendor in vendors],
        )
        asked = msgspec.Raw(msgspec.json.encode(document))
        said = msgspec.Raw(msgspec.json.encode(asyncapi(house.catalog, house.limits)))
        seen_by = self._config.server.metrics
        metrics = MetricsOverHttp(
            house.metrics,
            open_to_all=seen_by == "all",
            told_to=read_networks(self._config.server.metrics_from),
        )
        return [
            *([] if seen_by == "off" else [Route("/metrics", metrics)]),
            Route("/v1/speech", traced(SpeechOverHttp(house), house)),
            WebSocketRoute("/v1/speech", traced(SpeechOverWebSocket(house), house)),
            Route("/v1/speech/segments", SegmentsOverHttp(house)),
            Route("/v1/speech/requests/{id}", ReceiptsOverHttp(house)),
            Route("/v1/speech/lexicons", LexiconsOverHttp(house)),
            Route("/v1/speech/lexicons/{id}", LexiconsOverHttp(house)),
            Route("/v1/speech/tokens", TokensOverHttp(house)),
            Route("/v1/speech/usage", UsageOverHttp(house)),
            Route("/v1/speech/voices", JsonAnswer(lambda: voices, house)),
            Route("/v1/speech/models", JsonAnswer(lambda: models, house)),
            Route("/openapi.json", JsonAnswer(lambda: asked)),
            Route("/asyncapi.json", JsonAnswer(lambda: said)),
            Route("/healthz", JsonAnswer(lambda: alive)),
            Route(
                "/readyz",
                JsonAnswer(readiness(lambda: self.house is not None, house.admission.drain)),
            ),
            *(route for vendor in vendors for route in vendor.routes),
            Mount("/", nothing_here),
        ]
