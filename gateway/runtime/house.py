"""What all connections share: the engines and their catalog, the encoders, the limits, the places."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import UnsetType

from gateway.accounts.addresses import Addresses
from gateway.accounts.caller import Caller
from gateway.accounts.gate import Gate
from gateway.accounts.ledger import Ledger, Meter
from gateway.accounts.lexicons import LexiconsInMemory, LexiconStore
from gateway.accounts.pricing import Price
from gateway.accounts.quotas import Quotas
from gateway.accounts.store import Store
from gateway.audio.farm import EncodeFarm
from gateway.core.errors import UnknownLexicon
from gateway.core.lexicon import Lexicon
from gateway.core.limits import Limits
from gateway.core.params import Catalog, Settings
from gateway.core.session import Session
from gateway.core.vocabulary import Route
from gateway.engines.base import Engine
from gateway.runtime.admission import Admission
from gateway.runtime.attendance import Attendance
from gateway.runtime.lobby import Lobby
from gateway.runtime.outlet import Outlet
from gateway.runtime.receipts import Receipts
from gateway.runtime.replays import Replays
from gateway.runtime.speaker import Speaker
from gateway.runtime.spool import SpoolRoom
from gateway.runtime.turns import Turns
from gateway.runtime.turnstile import Turnstile
from gateway.telemetry.metrics import Metrics, Vitals
from gateway.telemetry.receipt import Receipt
from gateway.telemetry.timeline import Timeline

if TYPE_CHECKING:
    from gateway.telemetry.tracing import Tracing


def _loop_clock() -> Callable[[], float]:
    return asyncio.get_running_loop().time


@dataclass(frozen=True, slots=True)
class House:
    """Handed to the fronts by the composition root; lives as long as the server."""

    catalog: Catalog
    engines: Mapping[str, Engine]
    farm: EncodeFarm
    limits: Limits
    admission: Admission
    turns: Mapping[str, Turns]
    """Places at the engines."""
    turnstile: Turnstile
    vendors: Mapping[str, Catalog] = field(default_factory=dict)
    """What the dialects of vendors offer, by the dialect's name."""
    prices: Mapping[str, Price] = field(default_factory=dict)
    """What models cost, where anything does."""
    clock: Callable[[], float] = field(default_factory=_loop_clock)
    """Seconds for what is measured. uvloop's own clock knows whole milliseconds only."""
    metrics: Metrics = field(default_factory=Metrics)
    store: Store | None = None
    """Where the accounts are kept; None = everybody may speak."""
    ledger: Ledger | None = None
    """What they are charged in; None = nobody counts."""
    lexicons: LexiconStore = field(init=False)
    gate: Gate = field(init=False)
    addresses: Addresses = field(init=False)
    quotas: Quotas = field(init=False)
    tracing: Tracing | None = None
    """Who makes spans of what is spoken; None = nobody."""
    attendance: Attendance = field(default_factory=Attendance)
    lobby: Lobby = field(init=False)
    replays: Replays = field(init=False)
    receipts: Receipts = field(init=False)
    spools: SpoolRoom = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lexicons", self.store or LexiconsInMemory())
        object.__setattr__(self, "gate", Gate(self.store, self.limits))
        object.__setattr__(self, "addresses", Addresses(self.limits, self.clock))
        object.__setattr__(self, "quotas", Quotas(self.limits, self.clock))
        object.__setattr__(self, "lobby", Lobby(self.limits))
        object.__setattr__(self, "replays", Replays(self.limits))
        object.__setattr__(self, "receipts", Receipts(self.limits))
        object.__setattr__(self, "spools", SpoolRoom(self.limits))
        self.metrics.watch(self.vitals)

    def vitals(self) -> Vitals:
        """What there is of everything at this moment."""
        return Vitals(
            connections=self.admission.connections,
            contexts=self.admission.contexts,
            contexts_free=self.admission.contexts_free(),
            loads=self.admission.forecast.loads(),
            encode_jobs_waiting=self.farm.jobs_waiting,
            places_free={name: turns.free for name, turns in self.turns.items()},
            orders_waiting={name: turns.waiting for name, turns in self.turns.items()},
            worker_restarts={name: engine.worker_restarts for name, engine in self.engines.items()},
            parked=self.lobby.parked,
            ring_bytes=self.lobby.rings.bytes,
            tasks=len(asyncio.all_tasks()),
            draining=self.admission.drain.has_begun,
        )

    async def lexicon(self, caller: Caller, id: str | UnsetType | None) -> Lexicon | None:
        """A lexicon of this caller as it is now; None where none is named. Raises UnknownLexicon or AccountsUnavailable."""
        if id is None or isinstance(id, UnsetType):
            return None
        kept = await self.lexicons.find_lexicon(caller.account, id)
        if kept is None:
            raise UnknownLexicon(
                f"there is no lexicon {id!r}",
                field="lexicon",
                allowed="an id that GET /v1/speech/lexicons lists",
            )
        return kept.lexicon

    def open_context(self, caller: Caller, engine: str, *, promised: bool = False) -> None:
        """Take a place for a context of this caller; give it back with `close_context`. Raises RateLimited and what
        `Admission.open_context` raises."""
        self.quotas.open_context(caller)
        try:
            self.admission.open_context(engine, promised=promised)
        except BaseException:
            self.quotas.close_context(caller)
            raise

    def close_context(self, caller: Caller) -> None:
        """Give it back."""
        self.admission.close_context()
        self.quotas.close_context(caller)

    def new_speaker(
        self,
        settings: Settings,
        tasks: asyncio.TaskGroup,
        wake: Callable[[], None],
        *,
        frame_ms: int,
        route: Route = Route.WEBSOCKET,
        id: str | None = None,
        file: bool = False,
        whole: bool = False,
        raw: bool = False,
        owner: str = "",
        meter: Meter | None = None,
        name: str = "",
        sample_start: int = 0,
        lexicon: Lexicon | None = None,
    ) -> Speaker:
        """A context in motion with these settings. `file`: its audio must be a valid file even without samples;
        `whole`: its sizes will be exact, because nothing is sent before all is there; `raw`: it comes as PCM, to be made into
        what was asked for when all is there; `owner`: whom its work is counted
        to, so that nobody takes more than a fair part; `meter`: what it costs; `name`: what its receipt calls it;
        `sample_start`: its listener has what is before it; `lexicon`: the one that the settings name."""
        now = asyncio.get_running_loop().time()
        session = Session(settings, self.limits, now, frame_ms=frame_ms, id=id, lexicon=lexicon)
        outlet = Outlet(
            settings,
            self.farm,
            whole=whole,
            raw=raw,
            container_always=file,
            framed=not file,
            owner=owner,
            writer=wake,
            sample_start=sample_start,
        )
        new_timeline = Timeline if self.tracing is None else self.tracing.timeline
        rest = sample_start > 0
        timeline = new_timeline(self.metrics, route, settings, whole=whole, rest=rest)
        return Speaker(
            session,
            self.engines,
            self.turns,
            self.turnstile,
            outlet,
            tasks,
            wake,
            timeline,
            Receipt(
                name,
                settings,
                whole=whole,
                spent=None if meter is None else lambda: meter.millicredits,
            ),
            self.clock,
            self.admission.forecast,
            owner,
            meter,
        )

    def new_meter(
        self,
        request: str,
        caller: Caller,
        chars: int | None = None,
        paid_chars: int = 0,
        *,
        route: str,
    ) -> Meter | None:
        """What a context costs this caller; None = nothing. `request` is an id that no other context ever has, `chars` all
        its text, if that is known, of which the first `paid_chars` were paid for before. `route` is what its usage is
        counted under: `Route`, or the path of a vendor's."""
        if self.ledger is None:
            return None
        return self.ledger.open(request, caller, chars, paid_chars, route)
