"""Listening to one utterance: what both protocols do alike while it goes on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.bench.instruments.timeline import Failure, Message, Payload, Timeline, Trouble, clock
from gateway.bench.instruments.utterance import Consumer, Utterance

RECEIVE_BUFFER_BYTES = 32_768
"""SO_RCVBUF of a client that takes its time, so that it is the server's audio that waits and not the kernel's. With half
of it the loopback's large segments no longer fit, and a sender waits for its timers (0.6 s to drain 4 s of audio)."""

AUDIO_BYTES_MAX = 64 << 20
"""Of one utterance: 23 minutes of PCM at 24 kHz. What sends more does not end."""
LISTENING_S_MAX = 600.0
"""From the intended start of an utterance; what takes longer does not end, whatever it still sends."""


async def sleep_until(moment: float) -> None:
    """Return at this moment of `clock`, or at once where it is past."""
    await asyncio.sleep(max(moment - clock(), 0.0))


class Pace:
    """How long a consumer stops reading after each payload. Call `pause_s` once for each, in order."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._begun: float | None = None
        self._received_s = 0.0

    def pause_s(self, at: float, duration: float) -> float:
        """Seconds to wait before reading on, after `duration` of audio came at `at`; 0 = none."""
        if self._consumer.rate is None:
            return 0.0
        if self._begun is None:
            self._begun = at
        self._received_s += duration
        taken_s = (at - self._begun) * self._consumer.rate
        return max(self._received_s - self._consumer.ahead_s - taken_s, 0.0) / self._consumer.rate


class Hearing:
    """Fills the timeline of an utterance until it is over, for whatever reason."""

    def __init__(self, utterance: Utterance, timeline: Timeline) -> None:
        self.utterance = utterance
        self.timeline = timeline
        self.first_audio = asyncio.Event()
        self._over = asyncio.Event()
        self._pace = Pace(utterance.consumer)
        # Patience does not begin before there is anything to be patient about.
        self._active = max(clock(), timeline.intended)
        self._audio_bytes = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more is expected."""
        return self._over.is_set()

    def touch(self, at: float) -> None:
        """Something was sent or received, so patience begins anew."""
        self._active = max(self._active, at)

    def take(self, payload: Payload) -> float:
        """Audio came. Gives the seconds that the transport should not be read; patience begins after them."""
        self.timeline.heard.append(payload)
        self._audio_bytes += len(payload.data)
        if self._audio_bytes > AUDIO_BYTES_MAX:
            self.fail(Failure.PROTOCOL, f"more than {AUDIO_BYTES_MAX} bytes of audio")
        self.first_audio.set()
        duration = self.timeline.duration_s(payload)
        pause_s = self._pace.pause_s(payload.at, duration)
        self.touch(payload.at + pause_s)
        return pause_s

    def hurry(self) -> None:
        """From now on read as fast as it comes: who interrupts does not go on listening."""
        self._pace = Pace(Consumer())

    def note(self, message: Message) -> None:
        """The server said something else."""
        self.timeline.heard.append(message)

    def finish(self, at: float) -> None:
        """It ended as it should."""
        if not self.is_over:
            self.timeline.finished = at
            self._over.set()

    def stop(self) -> None:
        """The client has heard enough."""
        self._over.set()

    def fail(
        self,
        failure: Failure,
        detail: str,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """It failed. Only the first failure counts, and none after the end."""
        if not self.is_over:
            self.timeline.trouble = Trouble(failure, detail, status, retry_after_s)
            self._over.set()

    async def until_over(
        self,
        say: Callable[[Hearing], Coroutine[Any, Any, None]],
        interrupt: Callable[[Hearing], None],
        vanish: Callable[[Hearing], None],
        patience_s: float,
    ) -> None:
        """Let the client say its text, interrupt or vanish when it is time, and return when it is over."""
        utterance = self.utterance
        async with asyncio.TaskGroup() as tasks:
            doing = [
                tasks.create_task(self._when_heard(after_s, act))
                for after_s, act in (
                    (utterance.barge_in_s, interrupt),
                    (utterance.vanish_s, vanish),
                )
                if after_s is not None
            ]
            doing.append(tasks.create_task(say(self)))
            latest = max(self.timeline.intended, clock()) + LISTENING_S_MAX
            while not self.is_over:
                left_s = min(self._active + patience_s, latest) - clock()
                try:
                    async with asyncio.timeout(left_s):
                        await self._over.wait()
                except TimeoutError:
                    if self._active + patience_s <= clock():
                        self.fail(Failure.TIMEOUT, f"nothing for {patience_s:g} s")
                    elif latest <= clock():
                        self.fail(Failure.TIMEOUT, f"no end after {LISTENING_S_MAX:g} s")
            for task in doing:
                task.cancel()
        self._interrupt_belatedly()

    def _interrupt_belatedly(self) -> None:
        """A listener who barges in when all audio has long come interrupts all the same, but nobody need be told."""
        timeline, after_s = self.timeline, self.utterance.barge_in_s
        if after_s is not None and timeline.finished is not None and timeline.interrupted is None:
            payloads = timeline.payloads
            timeline.interrupted = payloads[0].at + after_s if payloads else None

    async def _when_heard(self, after_s: float, act: Callable[[Hearing], None]) -> None:
        await self.first_audio.wait()
        await sleep_until(self.timeline.payloads[0].at + after_s)
        if not self.is_over:
            act(self)


class Valve:
    """Closes a transport's reading side for a while. `hold` again while it is closed makes it longer."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._timer: asyncio.TimerHandle | None = None

    def hold(self, seconds: float) -> None:
        """Do not read for so long."""
        self.open()
        self._transport.pause_reading()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.open)

    def open(self) -> None:
        """Read. Calling twice is fine."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def narrow(self) -> None:
        """Make the kernel hold little, from now on."""
        sock: socket.socket = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
