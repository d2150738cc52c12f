"""What a connection may not do for ever, and what is left of it when it ends in the worst moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack

import pytest

from gateway.audio.farm import EncodeFarm
from gateway.core.errors import Overloaded
from gateway.core.limits import Limits
from gateway.core.synthesis import Report, Synthesize
from gateway.dialects.base import Verdict
from gateway.engines.chaos import ChaosEngine, Hang
from gateway.engines.tone import ToneEngine
from gateway.runtime.admission import Admission
from gateway.runtime.forecast import Forecast
from gateway.runtime.house import House
from tests.support.memory import memory_house, memory_socket
from tests.support.server import Message

pytestmark = pytest.mark.virtual_time

LONG = "This sentence goes on for some time, and then there is another one. " * 20
UNPACED: Message = {"type": "configure", "lead_ms": None}


async def spoken(house: House, text: str = "I.") -> None:
    """Another connection is served completely."""
    async with memory_socket(house) as socket:
        await socket.send({"type": "text", "text": text}, {"type": "end"})
        ended = await socket.receive_until("ended")
        assert ended["samples"] == len(socket.audio()) // 2 > 0


class TestStalls:
    async def test_a_send_that_never_returns_ends_the_connection(self) -> None:
        async with (
            memory_house(send_stall_ms=5_000) as house,
            memory_socket(house, unread_max=0) as socket,
        ):
            assert await socket.verdict is Verdict.SEND_STALLED
            assert asyncio.get_running_loop().time() == pytest.approx(5.0)

    async def test_who_still_has_audio_to_play_is_given_that_time_too(self) -> None:
        """A player that has ten seconds of audio need not take more before they are over."""
        async with (
            memory_house(send_stall_ms=5_000) as house,
            memory_socket(house, unread_max=1) as socket,
        ):
            await socket.send(UNPACED, {"type": "text", "text": LONG})
            while len(socket.audio()) < 10 * 2 * 22_050:
                await socket.receive()
            assert await socket.verdict is Verdict.SEND_STALLED
            # Up to two frames of half a second were on their way as well.
            assert 15.0 <= asyncio.get_running_loop().time() < 16.5

    async def test_also_when_its_context_has_ended_meanwhile(self) -> None:
        """The last message of a context waits until its player has room for it."""
        async with (
            memory_house(send_stall_ms=5_000) as house,
            memory_socket(house, unread_max=0) as socket,
        ):
            await socket.send(UNPACED, {"type": "text", "text": LONG}, {"type": "end"})
            await socket.receive_until("segment_end", segment=7)
            await asyncio.sleep(len(socket.audio()) / 2 / 22_050)
            assert await socket.receive_until("ended")

    async def test_the_reader_reads_while_the_writer_is_stuck(self) -> None:
        """Clears and ends are obeyed, and the engine freed, although not a byte goes out."""
        engine = ChaosEngine(ToneEngine(workers=1), {"never": [Hang()]})
        async with memory_house(engine) as house, memory_socket(house, unread_max=0) as socket:
            await socket.send({"type": "text", "text": "This never ends."}, {"type": "flush"})
            await socket.send({"type": "clear"})
            await spoken(house)
            assert not socket.verdict.done()

    async def test_answers_may_be_left_unread_up_to_a_bound(self) -> None:
        async with (
            memory_house(replies_pending_max=10) as house,
            memory_socket(house, unread_max=0) as socket,
        ):
            # `ready` is stuck in the writer's hands; ten more may wait.
            for _ in range(10):
                await socket.send({"type": "ping"})
            await spoken(house)
            assert not socket.verdict.done()
            await socket.send({"type": "ping"})
            assert await socket.verdict is Verdict.REPLIES_UNREAD

    async def test_nothing_that_is_read_counts_as_unread(self) -> None:
        async with (
            memory_house(replies_pending_max=4) as house,
            memory_socket(house) as socket,
        ):
            for number in range(1_000):
                await socket.send({"type": "ping", "id": str(number)})
            for number in range(1_000):
                await socket.receive_until("pong", id=str(number))

    async def test_unanswered_commands_are_bounded_too(self) -> None:
        """Flushes behind a segment that hangs: each beyond the bound is refused, and none is lost."""
        engine = ChaosEngine(ToneEngine(), {"stuck": [Hang()]})
        async with (
            memory_house(engine, events_pending_max=20) as house,
            memory_socket(house) as socket,
        ):
            await socket.send({"type": "text", "text": "stuck"})
            for number in range(30):
                await socket.send({"type": "flush", "id": str(number)})
            await socket.receive_until("error", id="29")
            refused = {error["id"] for error in socket.messages("error")}
            await socket.send({"type": "clear"})
            await socket.receive_until("error")
            assert {error["code"] for error in socket.messages("error")} == {"too_many_pending"}
            assert len(refused) == 10


class TestPlaces:
    async def test_contexts_of_a_connection_are_bounded_and_given_back(self) -> None:
        async with memory_house(contexts_max=3) as house, memory_socket(house) as socket:
            for name in ("a", "b", "c"):
                await socket.send({"type": "configure", "context": name})
                await socket.receive_until("started", context=name)
            await socket.send({"type": "text", "context": "d", "text": "Hello."})
            error = await socket.receive_until("error")
            assert (error["code"], error["context"], error["retryable"]) == (
                "too_many_contexts",
                "d",
                True,
            )
            await socket.send({"type": "end", "context": "b"})
            await socket.receive_until("ended", context="b")
            await socket.send({"type": "text", "context": "d", "text": "Hello."})
            await socket.receive_until("started", context="d")
            assert house.admission.contexts == 3
        assert house.admission.contexts == 0

    async def test_contexts_of_all_connections_are_bounded_and_given_back(self) -> None:
        async with memory_house(contexts_total_max=3) as house, memory_socket(house) as other:
            async with memory_socket(house) as socket:
                for name in ("a", "b", "c"):
                    await socket.send({"type": "configure", "context": name})
                    await socket.receive_until("started", context=name)
                await other.send({"type": "flush"})
                error = await other.receive_until("error")
                assert (error["code"], error["retry_after_ms"]) == ("overloaded", 1_000)
            await other.send({"type": "text", "text": "Now."}, {"type": "end"})
            await other.receive_until("ended")
            assert house.admission.contexts == 0

    async def test_a_refused_first_command_takes_no_place(self) -> None:
        async with memory_house(text_chars_max=10) as house, memory_socket(house) as socket:
            messages: list[Message] = [
                {"type": "text", "text": ""},
                {"type": "text", "text": "a" * 11},
                {"type": "configure", "voice": "nobody"},
                {"type": "configure", "speed": 100},
            ]
            for message in messages:
                await socket.send(message)
                await socket.receive_until("error")
                assert house.admission.contexts == 0
            assert socket.messages("started") == []

    def test_connections_are_bounded_and_given_back(self) -> None:
        limits = Limits(connections_max=3)
        forecast = Forecast(limits, {}, EncodeFarm(threads=1), lambda: 0.0)
        admission = Admission(limits, forecast)
        for _ in range(2):
            with ExitStack() as stack:
                for _ in range(3):
                    stack.enter_context(admission.connection())
                with pytest.raises(Overloaded), admission.connection():
                    pass
                assert admission.connections == 3
            assert admission.connections == 0


STATES: dict[str, tuple[list[Message], str]] = {
    "before a word": ([], "ready"),
    "configured": ([UNPACED], "started"),
    "with text pending": ([{"type": "text", "text": "Hello"}], "started"),
    "while an engine hangs": ([{"type": "text", "text": "This is stuck. Really."}], "started"),
    "while audio comes": ([UNPACED, {"type": "text", "text": LONG}], "segment"),
    "while paced": ([{"type": "text", "text": LONG}], "segment"),
    "during a flush": ([{"type": "text", "text": LONG}, {"type": "flush"}], "segment"),
    "after a clear": ([{"type": "text", "text": LONG}, {"type": "clear"}], "cleared"),
    "while draining": ([{"type": "text", "text": LONG}, {"type": "end"}], "segment"),
    "after the end": ([{"type": "text", "text": "I."}, {"type": "end"}], "ended"),
}


class TestEnds:
    @pytest.mark.parametrize("state", STATES)
    @pytest.mark.parametrize("reads", [True, False])
    async def test_a_peer_that_leaves_takes_everything_along(self, state: str, reads: bool) -> None:
        """No task, no place, and no worker of the two that there are; whether its last messages were read or not."""
        messages, until = STATES[state]
        engine = ChaosEngine(ToneEngine(workers=2), {"stuck": [Hang()] * 20})
        async with memory_house(engine) as house:
            before = asyncio.all_tasks()
            for _ in range(5):
                async with memory_socket(house, unread_max=100_000 if reads else 1) as socket:
                    await socket.send(*messages)
                    await socket.receive_until(until)
                    socket.leave()
                    assert await socket.verdict is Verdict.PEER_GONE
                assert asyncio.all_tasks() == before
                assert house.admission.contexts == 0
            await spoken(house, "Hello.")

    async def test_a_cancelled_connection_does_so_too(self) -> None:
        engine = ToneEngine(workers=1, realtime_factor=1.0)
        async with memory_house(engine) as house:
            before = asyncio.all_tasks()
            async with memory_socket(house) as socket:
                await socket.send({"type": "text", "text": LONG})
                await socket.receive_until("segment")
                assert isinstance(socket.verdict, asyncio.Task)
                socket.verdict.cancel()
                await asyncio.wait([socket.verdict])
            assert asyncio.all_tasks() == before
            assert house.admission.contexts == 0
            await spoken(house)

    async def test_a_crash_of_one_connection_is_its_own(self) -> None:
        """An exception that nobody foresaw, in an engine: the connection ends, its neighbour does not."""

        class Crashing(ToneEngine):
            def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
                if "crash" in order.text:
                    raise ZeroDivisionError
                return super().synthesize(order)

        async def crash(house: House) -> None:
            async with memory_socket(house) as socket:
                await socket.send({"type": "text", "text": "crash"}, {"type": "flush"})
                await asyncio.wait([socket.verdict])

        async with memory_house(Crashing()) as house, memory_socket(house) as neighbour:
            await neighbour.send({"type": "text", "text": LONG})
            await neighbour.receive_until("segment")
            with pytest.raises(ExceptionGroup) as crashed:
                await crash(house)
            assert crashed.value.split(ZeroDivisionError)[1] is None
            await neighbour.send({"type": "end"})
            ended = await neighbour.receive_until("ended")
            assert ended["samples"] == len(neighbour.audio()) // 2
        assert house.admission.contexts == 0
