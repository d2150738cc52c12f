"""Where the load goes, and whether it can: clients with the key, and one word over each protocol beforehand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

from gateway.bench.compare.target import CHECK_S_MAX, Target, TargetFailed
from gateway.bench.instruments.http import HttpClient
from gateway.bench.instruments.metrics import measure
from gateway.bench.instruments.timeline import NATIVE_WIRES, Form, Trouble, Wire, clock
from gateway.bench.instruments.utterance import PATIENCE_S, whole
from gateway.bench.instruments.websocket import WebSocketClient

CHECK_PATIENCE_S = 5.0
"""A target that says nothing for so long before the load has begun hangs."""
_UNWELCOME = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class Access:
    """A target, and the key that it wants, if any. The key is in no result and no message."""

    target: Target
    key: str | None = None

    def client(self, wire: Wire, patience_s: float = PATIENCE_S) -> HttpClient | WebSocketClient:
        """A client of its own."""
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        if wire is Wire.HTTP:
            return HttpClient(self.target.http_url, headers=headers, patience_s=patience_s)
        return WebSocketClient(self.target.ws_url, headers=headers, patience_s=patience_s)

    async def check(self, form: Form, parameters: dict[str, object]) -> None:
        """Speak a word over both protocols. Raises TargetFailed, in one line, when that does not go well."""
        try:
            async with asyncio.timeout(CHECK_S_MAX):
                await self._check(form, parameters)
        except TimeoutError:
            raise TargetFailed(
                f"{self.target.origin} did not end a word within {CHECK_S_MAX:g} s"
            ) from None

    async def _check(self, form: Form, parameters: dict[str, object]) -> None:
        for wire in NATIVE_WIRES:
            client = self.client(wire, CHECK_PATIENCE_S)
            timeline = await client.speak(whole("Hello.", form, **parameters), clock())
            client.close()
            if (trouble := measure(timeline).trouble) is not None:
                raise TargetFailed(self._complaint(wire, trouble))

    def _complaint(self, wire: Wire, trouble: Trouble) -> str:
        if trouble.status in _UNWELCOME:
            wrong = "the key is wrong" if self.key else "it wants a key (--key)"
            return f"{self.target.origin} refuses over {wire} with HTTP {trouble.status}: {wrong}"
        status = f" {trouble.status}" if trouble.status else ""
        detail = " ".join(trouble.detail.split())[:200]
        return (
            f"{self.target.origin} does not speak over {wire}: {trouble.failure}{status}: {detail}"
        )
