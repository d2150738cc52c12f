"""A listener over the native WebSocket protocol: one connection, one context after the other."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.bench.instruments.hearing import Hearing, sleep_until
from gateway.bench.instruments.native import Connection, Fields, dial
from gateway.bench.instruments.timeline import Failure, Sent, Timeline, Trouble, Wire, clock
from gateway.bench.instruments.utterance import PATIENCE_S, Utterance


class WebSocketClient:
    """A `Client` over WebSocket. `url` is the whole URL, with `?audio=base64` where audio is wanted that way.

    `strays` counts audio frames of contexts that had ended: each of them is a leak.
    """

    wire = Wire.WEBSOCKET

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._url = url
        self._headers = dict(headers or {})
        self._patience_s = patience_s
        self._connection: Connection | None = None
        self._utterances = 0
        self._strays_before = 0
        self.timeline: Timeline | None = None

    @property
    def strays(self) -> int:
        """Audio frames that came after the end of their context, over all connections."""
        return self._strays_before + (self._connection.strays if self._connection else 0)

    async def speak(self, utterance: Utterance, intended: float, *, cold: bool = False) -> Timeline:
        """See `Client`. Each piece of the text leaves when it is there."""
        timeline = self.timeline = Timeline(self.wire, utterance.form, intended)
        hearing = Hearing(utterance, timeline)
        if cold:
            self.close()
        try:
            await hearing.until_over(self._say, self._interrupt, self._vanish, self._patience_s)
        finally:
            # Also when this is cancelled: a context that nobody listens to must not go on speaking.
            if timeline.finished is None:
                self.close()
        return timeline

    async def open(self) -> Trouble | None:
        """See `Client`."""
        if self._connection is not None and self._connection.is_open:
            return None
        self.close()
        try:
            self._connection = await dial(self._url, self._headers)
        except OSError as error:
            return Trouble(Failure.UNREACHABLE, str(error))
        return await self._connection.ready

    def close(self) -> None:
        """See `Client`."""
        if self._connection is not None:
            self._strays_before += self._connection.strays
            self._connection.abort()
            self._connection = None

    async def _say(self, hearing: Hearing) -> None:
        timeline, utterance = hearing.timeline, hearing.utterance
        await sleep_until(timeline.intended)
        timeline.begun = clock()
        hearing.touch(timeline.begun)
        connection = await self._connected(hearing)
        if connection is None:
            return
        if utterance.consumer.rate is not None:
            connection.valve.narrow()
        self._utterances += 1
        connection.listen(f"utterance-{self._utterances}", hearing)
        form = utterance.form
        format: Fields = {"codec": form.codec, "sample_rate": form.sample_rate}
        if form.bitrate:
            format["bitrate"] = form.bitrate
        connection.say("configure", {**utterance.parameters, "format": format})
        for piece in utterance.pieces:
            await sleep_until(timeline.intended + piece.at_s)
            if timeline.interrupted is not None or not connection.is_open:
                return
            timeline.sent.append(Sent(clock(), piece.text))
            connection.say("text", {"text": piece.text})
            if piece.flush:
                connection.say("flush")
        timeline.text_ended = clock()
        connection.say("end")

    async def _connected(self, hearing: Hearing) -> Connection | None:
        """The connection, made where there is none; None when that fails and `hearing` knows."""
        timeline = hearing.timeline
        if self._connection is None or not self._connection.is_open:
            timeline.dialled = clock()
            if (trouble := await self.open()) is not None:
                hearing.fail(trouble.failure, trouble.detail, trouble.status, trouble.retry_after_s)
                return None
            timeline.connected = clock()
        return self._connection

    def _interrupt(self, hearing: Hearing) -> None:
        assert self._connection is not None
        timeline = hearing.timeline
        timeline.interrupted = clock()
        self._connection.say("clear")
        hearing.hurry()
        self._connection.valve.open()
        if timeline.text_ended is None:
            timeline.text_ended = timeline.interrupted
            self._connection.say("end")

    def _vanish(self, hearing: Hearing) -> None:
        hearing.timeline.vanished = True
        self.close()
        hearing.stop()
