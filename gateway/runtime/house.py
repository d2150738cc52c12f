"""What all connections share: the engines and their catalog, the encoders, the limits, the places."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.audio.farm import EncodeFarm
from gateway.core.limits import Limits
from gateway.core.params import Catalog, Settings
from gateway.core.session import Session
from gateway.engines.base import Engine
from gateway.runtime.admission import Admission
from gateway.runtime.outlet import Outlet
from gateway.runtime.speaker import Speaker
from gateway.runtime.turns import Turns


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

    def new_speaker(
        self,
        settings: Settings,
        tasks: asyncio.TaskGroup,
        wake: Callable[[], None],
        *,
        frame_ms: int,
        id: str | None = None,
        file: bool = False,
        whole: bool = False,
    ) -> Speaker:
        """A context in motion with these settings. `file`: its audio must be a valid file even without samples;
        `whole`: its sizes will be exact, because nothing is sent before all is there."""
        now = asyncio.get_running_loop().time()
        session = Session(settings, self.limits, now, frame_ms=frame_ms, id=id)
        outlet = Outlet(settings, self.farm, whole=whole, container_always=file)
        return Speaker(session, self.engines, self.turns, outlet, tasks, wake)
