"""One connection with all its contexts, in memory and in virtual time: who is served first, and who never suffers."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncGenerator

import numpy as np
import pytest

from gateway.core.synthesis import Produced, Report, Synthesize
from gateway.core.vocabulary import Codec
from gateway.dialects.base import Verdict
from gateway.dialects.native import AudioForm
from gateway.engines.base import EngineInfo
from gateway.engines.chaos import ChaosEngine, Delay, Fail, Hang
from gateway.engines.tone import ToneEngine
from tests.support.memory import MemorySocket, memory_house, memory_socket
from tests.support.server import AudioFrame, Message

pytestmark = pytest.mark.virtual_time

RATE = 22_050
SENTENCE = "Twenty-five characters... "


class OwnTones:
    """An engine that hums, for each text "own <n> …", the tone number n: steps of 20 Hz on whole periods."""

    def __init__(self) -> None:
        self._inner = ToneEngine()

    @property
    def info(self) -> EngineInfo:
        return self._inner.info

    @property
    def worker_restarts(self) -> int:
        return self._inner.worker_restarts

    async def start(self) -> None:
        await self._inner.start()

    async def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        hum = own_tone(int(order.text.split()[1]))
        async for report in self._inner.synthesize(order):
            if isinstance(report, Produced):
                periods = np.resize(hum, len(report.pcm) // 2)
                yield Produced(order.segment, periods.astype("<i2").tobytes())
            else:
                yield report

    async def aclose(self) -> None:
        await self._inner.aclose()


def own_tone(number: int) -> np.ndarray:
    """A tenth of a second of tone `number`: a whole number of periods."""
    hz = 200 + 20 * number
    samples = np.arange(RATE // 10)
    return np.round(8_000 * np.sin(2 * np.pi * hz * samples / RATE)).astype("<i2")


def tones_in(audio: bytes) -> set[int]:
    """The numbers of the tones that are in some audio, by its spectrum."""
    samples = np.frombuffer(audio, "<i2").astype(float)
    windows = samples[: len(samples) // 2_205 * 2_205].reshape(-1, 2_205)
    strength = np.abs(np.fft.rfft(windows, axis=1)).max(axis=0)
    loud = np.flatnonzero(strength > strength.max() / 20)
    return {int(bin_ - 20) // 2 for bin_ in loud}


async def configure(socket: MemorySocket, context: str, **fields: object) -> None:
    await socket.send({"type": "configure", "context": context, **fields})


async def say(socket: MemorySocket, context: str, text: str, *, end: bool = True) -> None:
    await socket.send({"type": "text", "context": context, "text": text})
    if end:
        await socket.send({"type": "end", "context": context})


async def receive_all_ended(socket: MemorySocket, contexts: int) -> None:
    while len(socket.messages("ended")) < contexts:
        await socket.receive()


async def test_many_contexts_hear_only_themselves() -> None:
    """Sixty-four contexts on four connections, each with its own tone: no stream contains another's."""
    async with memory_house(OwnTones()) as house:

        async def listen(connection: int) -> None:
            async with memory_socket(house) as socket:
                mine = range(16 * connection, 16 * connection + 16)
                for number in mine:
                    await configure(socket, str(number), lead_ms=200)
                    await say(socket, str(number), f"own {number} and nothing else")
                await receive_all_ended(socket, len(mine))
                for number in mine:
                    assert tones_in(socket.audio(str(number))) == {number}

        async with asyncio.TaskGroup() as tasks:
            for connection in range(4):
                tasks.create_task(listen(connection))
        assert (house.admission.contexts, house.admission.connections) == (0, 0)


async def test_acknowledgements_come_before_audio() -> None:
    """A clear on one context is answered before another context's audio, of which there is plenty, goes on."""
    async with memory_house() as house, memory_socket(house, unread_max=1) as socket:
        await configure(socket, "talker", lead_ms=None)
        await say(socket, "talker", SENTENCE * 20, end=False)
        await socket.receive_until("segment", context="talker")
        await say(socket, "cleared", "Hello", end=False)
        await socket.receive_until("started", context="cleared")
        await socket.send({"type": "clear", "context": "cleared"})
        received = len(socket.received)
        await socket.receive_until("cleared", context="cleared")
        # One message may have been waiting and one on its way when the clear came.
        assert len(socket.received) - received <= 3


async def test_answers_overtake_the_audio_of_listeners_who_have_less() -> None:
    """New settings are answered at once, however much their context still has to play."""
    async with memory_house() as house, memory_socket(house, unread_max=1) as socket:
        await configure(socket, "rich", lead_ms=None)
        await say(socket, "rich", SENTENCE * 40, end=False)
        while len(socket.audio("rich")) < 2 * RATE * 30:
            await socket.receive()
        await configure(socket, "talker", lead_ms=None)
        await say(socket, "talker", SENTENCE * 20, end=False)
        await socket.receive_until("segment", context="talker")
        await configure(socket, "rich", speed=2.0, id="faster")
        received = len(socket.received)
        await socket.receive_until("started", id="faster")
        assert len(socket.received) - received <= 3


async def test_who_has_least_to_play_is_served_first() -> None:
    """A newcomer's first audio overtakes that of a listener who has seconds of it."""
    async with memory_house() as house, memory_socket(house, unread_max=1) as socket:
        await configure(socket, "rich", lead_ms=None)
        await say(socket, "rich", SENTENCE * 40)
        while len(socket.audio("rich")) < 2 * RATE * 5:
            await socket.receive()
        await say(socket, "newcomer", SENTENCE)
        await socket.receive_until("segment", context="newcomer")
        received = len(socket.received)
        while not socket.audio("newcomer"):
            await socket.receive()
        assert len(socket.received) - received <= 2
        await socket.receive_until("ended", context="rich")


async def test_several_contexts_advance_together() -> None:
    """With a client that reads one message at a time no context is more than a frame and a bit ahead of another."""
    async with memory_house() as house, memory_socket(house, unread_max=1) as socket:
        names = ["a", "b", "c", "d"]
        for name in names:
            await configure(socket, name, lead_ms=None)
        for name in names:
            await say(socket, name, SENTENCE * 10, end=False)
        while not all(socket.audio(name) for name in names):
            await socket.receive()
        for _ in range(100):
            await socket.receive()
            heard = [len(socket.audio(name)) / (2 * RATE) for name in names]
            assert max(heard) - min(heard) < 0.3


async def test_a_context_that_waits_for_its_engine_holds_up_nobody() -> None:
    engine = ChaosEngine(ToneEngine(), {"stuck": [Hang()], "slow": [Delay(delay_ms=5_000)]})
    async with memory_house(engine) as house, memory_socket(house) as socket:
        await say(socket, "stuck", "stuck for ever")
        await say(socket, "slow", "slow to come")
        await say(socket, "quick", "quick")
        await socket.receive_until("ended", context="quick")
        assert asyncio.get_running_loop().time() < 1.0
        await socket.receive_until("ended", context="slow")
        assert socket.audio("stuck") == b""


async def test_a_failed_segment_is_told_and_the_context_goes_on() -> None:
    engine = ChaosEngine(ToneEngine(), {"fail": [Fail(at_sample=1_000)]})
    async with memory_house(engine) as house, memory_socket(house) as socket:
        await socket.send({"type": "text", "text": "This will fail."}, {"type": "flush"})
        error = await socket.receive_until("error")
        assert (error["code"], error["segment"], error["text_end"]) == ("engine_failed", 0, 15)
        assert [end["status"] for end in socket.messages("segment_end")] == ["failed"]
        await socket.receive_until("flushed")
        await socket.send({"type": "text", "text": "This not."}, {"type": "end"})
        ended = await socket.receive_until("ended")
        assert ended["samples"] == len(socket.audio()) // 2 > 1_000


async def test_nothing_older_comes_after_a_clear() -> None:
    """Clears at every point of a dialogue: what follows `cleared` is of the new text alone, and positions go on."""
    for messages in range(1, 30):
        async with memory_house(OwnTones()) as house, memory_socket(house, unread_max=1) as socket:
            await configure(socket, "default", lead_ms=500)
            await say(socket, "default", "own 1 is the old one. " * 10, end=False)
            for _ in range(messages):
                await socket.receive()
            await socket.send({"type": "clear", "id": "c"})
            cleared = await socket.receive_until("cleared", id="c")
            before = len(socket.audio())
            assert cleared["sample_end"] == before // 2
            await say(socket, "default", "own 2 is the new one.")
            ended = await socket.receive_until("ended")
            assert tones_in(socket.audio()[before:]) == {2}
            assert ended["samples"] == len(socket.audio()) // 2


@pytest.mark.parametrize("form", AudioForm)
@pytest.mark.parametrize("codec", [Codec.PCM_S16LE, Codec.WAV])
async def test_two_configures_before_the_text_are_obeyed(form: AudioForm, codec: Codec) -> None:
    async with memory_house() as house, memory_socket(house, form=form) as socket:
        await configure(socket, "default", format={"codec": "mp3"}, voice="sine-220")
        await configure(socket, "default", format={"codec": codec, "sample_rate": 8_000})
        await say(socket, "default", "Hello.")
        ended = await socket.receive_until("ended")
        if form is AudioForm.BINARY:
            audio = socket.audio()
        else:
            audio = b"".join(b64decode(str(m["data"])) for m in socket.messages("audio"))
        header = 44 if codec is Codec.WAV else 0
        assert len(audio) - header == 2 * int(str(ended["samples"])) > 0


async def test_a_name_may_be_used_again_when_its_context_has_ended() -> None:
    async with memory_house() as house, memory_socket(house) as socket:
        numbers = set()
        for _ in range(3):
            await say(socket, "again", "Hello.")
            ended = await socket.receive_until("ended", context="again")
            assert ended["chars"] == 6
            numbers.add(socket.messages("started")[-1]["number"])
        assert len(numbers) == 3


async def test_ended_contexts_are_remembered_as_far_as_announced() -> None:
    async with (
        memory_house(contexts_ended_kept=2) as house,
        memory_socket(house) as socket,
    ):
        for name in ("one", "two", "three"):
            await say(socket, name, f"I am {name}.")
            await socket.receive_until("ended", context=name)
        for name, type_ in (("one", "error"), ("two", "cleared"), ("three", "cleared")):
            await socket.send({"type": "clear", "context": name, "played_ms": 60_000})
            answer = await socket.receive()
            assert isinstance(answer, dict)
            assert answer["type"] == type_
            assert answer.get("spoken", f"I am {name}.") == f"I am {name}."


async def test_an_idle_context_is_warned_and_then_ends() -> None:
    async with (
        memory_house(context_idle_ms=10_000, context_idle_warning_ms=4_000) as house,
        memory_socket(house) as socket,
    ):
        now = asyncio.get_running_loop().time
        await configure(socket, "default")
        await socket.receive_until("warning", code="context_idle")
        assert now() == pytest.approx(6.0)
        ended = await socket.receive_until("ended")
        assert ended["reason"] == "idle"
        assert now() == pytest.approx(10.0)
        assert house.admission.contexts == 0


async def test_a_ping_keeps_a_context_alive() -> None:
    async with (
        memory_house(context_idle_ms=10_000, context_idle_warning_ms=4_000) as house,
        memory_socket(house) as socket,
    ):
        await configure(socket, "default")
        for _ in range(10):
            await asyncio.sleep(5)
            await socket.send({"type": "ping"})
            await socket.receive_until("pong")
        assert socket.messages("warning") == socket.messages("ended") == []


async def test_pacing_keeps_the_listener_a_lead_ahead() -> None:
    """What was handed out is never more than the lead ahead of playback, and playback never runs dry."""
    lead_ms = 400
    async with memory_house() as house, memory_socket(house) as socket:
        now = asyncio.get_running_loop().time
        await configure(socket, "default", lead_ms=lead_ms)
        await say(socket, "default", SENTENCE * 10)
        began: float | None = None
        while not socket.messages("ended"):
            message: Message | AudioFrame = await socket.receive()
            if isinstance(message, AudioFrame):
                began = now() if began is None else began
                played_s = now() - began
                handed_out_s = (message.sample_start + message.sample_count) / RATE
                assert played_s <= message.sample_start / RATE + 1e-6
                assert handed_out_s - played_s <= lead_ms / 1_000 + 1e-3


async def test_the_server_says_ready_first_and_how_the_connection_ended() -> None:
    async with memory_house() as house:
        async with memory_socket(house) as socket:
            ready = await socket.receive()
            assert isinstance(ready, dict)
            assert ready["type"] == "ready"
        assert await socket.verdict is Verdict.PEER_GONE
