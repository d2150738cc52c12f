"""A WebSocket connection that stays open with contexts that have spoken: what an idle session takes is read off it."""

from __future__ import annotations

from gateway.bench.instruments.hearing import Hearing
from gateway.bench.instruments.native import Connection, dial
from gateway.bench.instruments.timeline import Message, Timeline, Wire, clock
from gateway.bench.instruments.utterance import whole
from gateway.bench.streams import UTTERANCE_S_MAX, Refused, form_of
from gateway.bench.subjects import Gateway


class KeptConnection:
    """One connection; its contexts speak one after the other and none of them ends."""

    def __init__(self, gateway: Gateway, model: str, lead_ms: int) -> None:
        self._url = f"ws://{gateway.host}:{gateway.port}/v1/speech"
        self._parameters: dict[str, object] = {"model": model, "lead_ms": lead_ms}
        self._connection: Connection | None = None

    async def open(self) -> None:
        """Connect. Raises Refused."""
        try:
            self._connection = await dial(self._url, {})
        except OSError as error:
            raise Refused(str(error)) from None
        if (trouble := await self._connection.ready) is not None:
            raise Refused(trouble.detail)

    async def speak_in(self, context: str, text: str) -> None:
        """Open a context and speak a text in it, to the answer to a flush. Raises Refused."""
        connection = self._connection
        assert connection is not None
        utterance = whole(text, form_of("pcm_s16le"), **self._parameters)
        timeline = Timeline(Wire.WEBSOCKET, utterance.form, clock())
        hearing = _UntilFlushed(utterance, timeline)
        connection.listen(context, hearing)

        async def say(_: Hearing) -> None:
            format = {"codec": utterance.form.codec, "sample_rate": utterance.form.sample_rate}
            connection.say("configure", {**self._parameters, "format": format})
            connection.say("text", {"text": utterance.text})
            connection.say("flush")

        await hearing.until_over(say, _never, _never, UTTERANCE_S_MAX)
        if timeline.trouble is not None:
            raise Refused(timeline.trouble.detail)

    def vanish(self) -> None:
        """Be gone without a word."""
        if self._connection is not None:
            self._connection.abort()


class _UntilFlushed(Hearing):
    """Over when a flush has been answered."""

    def note(self, message: Message) -> None:
        super().note(message)
        if message.type == "flushed":
            self.finish(message.at)


def _never(_: Hearing) -> None:
    """Nobody interrupts and nobody vanishes."""
