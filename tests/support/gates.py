"""Work that a test holds still in its thread."""

from __future__ import annotations

import asyncio
import threading


class Gate:
    """A job that says when it has begun and runs until it is let go."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._go = threading.Event()
        self.begun = asyncio.Event()

    def __call__(self) -> str:
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self._go.wait(10)
        return "gate"

    def open(self) -> None:
        self._go.set()
