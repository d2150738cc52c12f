"""Who is here by which key: what is open ends soon after its key was revoked or has expired, in whatever process that was."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from gateway.accounts.caller import LOCAL, Caller
from gateway.accounts.clock import now_ms
from gateway.accounts.gate import judge_key
from gateway.accounts.model import Key
from gateway.core.errors import AccountsUnavailable, Problem, Unauthorized

Dismiss = Callable[[Problem], None]
"""Ends something, soon. Again is fine."""
FindKeys = Callable[[Sequence[str]], Awaitable[list[Key]]]
"""Those of these ids that there are. Raises AccountsUnavailable."""


class Attendance:
    """What is open, by the keys that opened it."""

    def __init__(self) -> None:
        self._here: dict[str, set[Dismiss]] = {}

    @contextmanager
    def here(self, caller: Caller, dismiss: Dismiss) -> Iterator[None]:
        """Something of this caller is open for the block; `dismiss` is called when his key is good no longer."""
        if caller is LOCAL:
            yield
            return
        self._here.setdefault(caller.key, set()).add(dismiss)
        try:
            yield
        finally:
            others = self._here[caller.key]
            others.remove(dismiss)
            if not others:
                del self._here[caller.key]

    async def watch(self, find_keys: FindKeys, every_ms: int) -> None:
        """Look at all their keys, again and again. While these cannot be asked for, everybody stays."""
        while True:
            await asyncio.sleep(every_ms / 1_000)
            if self._here:
                with suppress(AccountsUnavailable):
                    self._judge(await find_keys(tuple(self._here)))

    def _judge(self, keys: list[Key]) -> None:
        for key in keys:
            try:
                judge_key(key, now_ms())
            except Unauthorized as error:
                for dismiss in tuple(self._here.get(key.id, ())):
                    dismiss(error.problem)
