"""`python -m tests.chaos.odd_gateway serve …`: the gateway, with espeak-ng workers that misbehave on demand (odd_worker)
and less patience with them."""

from __future__ import annotations

import gateway.app
from gateway.cli import main
from gateway.engines.espeak import EspeakEngine

STALL_MS_MAX = 300


class OddEspeak(EspeakEngine):
    def __init__(self, *, workers: int) -> None:
        super().__init__(workers=workers, stall_ms_max=STALL_MS_MAX)
        command = list(self._pool._command)
        command[command.index("gateway.engines.espeak_worker")] = "tests.chaos.odd_worker"
        self._pool._command = command


if __name__ == "__main__":
    vars(gateway.app)["EspeakEngine"] = OddEspeak
    main()
