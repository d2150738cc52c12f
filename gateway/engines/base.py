"""The one interface between the gateway and whatever makes speech."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec

from gateway.core.params import Voice
from gateway.core.synthesis import Report, Synthesize


class EngineInfo(msgspec.Struct, frozen=True):
    """What an engine is. `sample_rate` in Hz holds for all its voices; `variants` may follow a voice as `voice+variant`;
    `text_chars_max` is the longest segment text that `synthesize` takes, `workers` how many it makes at once. `phonemes` is the alphabet in
    which it takes them (`Synthesize.phonemes`), None = it takes none. An engine that `yields` lets orders that can wait stand still while others
    need their workers, so that there may be more orders than workers."""

    name: str
    sample_rate: int
    voices: tuple[Voice, ...]
    default_voice: str
    text_chars_max: int
    variants: frozenset[str] = frozenset()
    workers: int = 1
    phonemes: str | None = None
    yields: bool = False


class Engine(Protocol):
    """Makes segments. One contract suite (tests/engines/test_contract.py) holds for every engine.

    - Reports of a segment: `Begun` when a worker starts on it, any number of `Produced` and `Marked`, then exactly one
      `Finished` or `Failed`. Without a worker there is only `Failed`.
    - Equal orders give equal samples, in any order, on any worker, after any failure.
    - Trouble is a `Failed` report, never an exception; only cancellation passes through.
    """

    @property
    def info(self) -> EngineInfo:
        """Known after `start`; asking before is a bug."""
        ...

    @property
    def worker_restarts(self) -> int:
        """Worker processes that died or hung and were replaced, since `start`; 0 where there are no processes."""
        ...

    async def start(self) -> None:
        """Make ready to speak. Raises EngineFailed when that is impossible. Called once."""
        ...

    def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        """Make one segment. Calls run concurrently as far as workers allow and wait for one otherwise.

        Closing the generator (`contextlib.aclosing`) or cancelling the task that runs it is the only way to stop it; the
        worker is free again when that returns.
        """
        ...

    async def aclose(self) -> None:
        """Stop all work and free all resources. May be called twice, and before `start`."""
        ...
