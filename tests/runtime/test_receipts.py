"""What contexts did can be asked for afterwards: by their principal, for a while, and not without end."""

from __future__ import annotations

import asyncio

import pytest

from gateway.accounts.caller import LOCAL
from gateway.core.errors import EngineLost, NotFound
from gateway.core.limits import Limits
from gateway.core.vocabulary import Progress, Route
from gateway.engines.chaos import ChaosEngine, Fail
from gateway.engines.tone import ToneEngine
from gateway.runtime.house import House
from gateway.runtime.receipts import Receipts, RequestReceipt
from gateway.telemetry.receipt import Receipt, TextRange
from tests.limits.borders import after, border, now
from tests.support.memory import memory_house, memory_socket
from tests.support.server import Message
from tests.support.sessions import settings

pytestmark = pytest.mark.virtual_time

TEXT = "The flight leaves at nine, so there is time for dinner. Shall I book a table for two? "
UNPACED: Message = {"type": "configure", "lead_ms": None}


def kept(receipts: Receipts, id: str, *, principal: str = LOCAL.key) -> bool:
    """Whether anything is known of a request."""
    try:
        receipts.find(id, principal)
    except NotFound:
        return False
    return True


def run_through(receipts: Receipts, id: str, name: str = "a") -> None:
    receipt = Receipt(name, settings())
    receipts.begin(id, LOCAL.key, Route.HTTP, receipt)
    receipt.finish(Progress.COMPLETE)
    receipts.end(id, receipt)


class TestBounds:
    @border("receipts_max")
    async def test_of_many_the_oldest_is_forgotten(self, more: int) -> None:
        receipts = Receipts(Limits(receipts_max=3))
        for number in range(3 + more):
            run_through(receipts, str(number))
        assert receipts.kept == min(3, 3 + more)
        assert kept(receipts, "0") == (more <= 0)
        assert kept(receipts, "1")

    @border("receipt_ms")
    async def test_they_are_kept_so_long_and_no_longer(self, more: int) -> None:
        receipts = Receipts(Limits(receipt_ms=5_000))
        begun = now()
        run_through(receipts, "a")
        await after(begun, 4_000)
        run_through(receipts, "b")
        await after(begun, 5_000 + more)
        assert kept(receipts, "a") == (more < 0)
        assert kept(receipts, "b")
        assert receipts.kept == (2 if more < 0 else 1)

    async def test_none_at_all_may_be_kept(self) -> None:
        receipts = Receipts(Limits(receipts_max=0))
        receipt = Receipt("a", settings())
        receipts.begin("a", LOCAL.key, Route.HTTP, receipt)
        assert kept(receipts, "a"), "it is still running"
        receipts.end("a", receipt)
        assert not kept(receipts, "a")

    async def test_a_session_says_how_many_of_its_contexts_are_forgotten(self) -> None:
        receipts = Receipts(Limits(receipts_max=3))
        still = Receipt("still", settings())
        receipts.begin("s", LOCAL.key, Route.WEBSOCKET, still)
        for number in range(5):
            run_through(receipts, "s", str(number))
        found = receipts.find("s", LOCAL.key)
        assert [context.context for context in found.contexts] == ["2", "3", "4", "still"]
        assert (found.contexts_forgotten, found.state) == (2, Progress.RUNNING)
        for number in range(3):
            run_through(receipts, "other", str(number))
        found = receipts.find("s", LOCAL.key)
        assert [context.context for context in found.contexts] == ["still"]
        receipts.end("s", still)
        run_through(receipts, "other")
        run_through(receipts, "other")
        run_through(receipts, "other")
        assert not kept(receipts, "s")

    async def test_what_never_began_leaves_nothing(self) -> None:
        receipts = Receipts(Limits())
        receipt = Receipt("a", settings())
        receipts.begin("a", LOCAL.key, Route.HTTP, receipt)
        receipts.withdraw("a", receipt)
        assert not kept(receipts, "a")
        assert receipts.open == 0


async def test_others_find_nothing() -> None:
    receipts = Receipts(Limits())
    run_through(receipts, "a")
    assert not kept(receipts, "a", principal="somebody else")
    assert not kept(receipts, "b")
    assert kept(receipts, "a")


class TestSessions:
    async def test_each_context_has_its_receipt(self) -> None:
        async with memory_house() as house, memory_socket(house) as socket:
            await socket.send(
                UNPACED | {"context": "a"},
                {"type": "text", "context": "a", "text": TEXT},
                {"type": "end", "context": "a"},
                {"type": "text", "context": "b", "text": TEXT},
            )
            ended = await socket.receive_until("ended", context="a")
            found = told(house)
            assert (found.route, found.state) == (Route.WEBSOCKET, Progress.RUNNING)
            a, b = found.contexts
            assert (a.context, a.state, a.chars) == ("a", Progress.COMPLETE, len(TEXT))
            assert a.samples_made == a.samples_sent == ended["samples"]
            assert (a.spoken, a.unspoken) == ((TextRange(0, len(TEXT)),), ())
            assert a.timings is not None
            assert (b.context, b.state) == ("b", Progress.RUNNING)

    async def test_who_leaves_has_cancelled(self) -> None:
        async with memory_house() as house:
            async with memory_socket(house) as socket:
                await socket.send({"type": "text", "text": TEXT * 20})
                await socket.receive_until("segment_end")
            (context,) = told(house).contexts
            assert context.state is Progress.CANCELLED
            assert context.spoken
            assert context.spoken[0].text_start == 0
            assert context.unspoken[-1].text_end == len(TEXT) * 20
            assert context.samples_made >= context.samples_sent > 0
            assert house.receipts.open == 0

    async def test_a_failure_is_named_with_its_text(self) -> None:
        text = "This is well. This fails badly. And this is well again."
        engine = ChaosEngine(ToneEngine(), {"fails": [Fail(error=EngineLost)] * 2})
        async with memory_house(engine) as house, memory_socket(house) as socket:
            await socket.send(UNPACED, {"type": "text", "text": text}, {"type": "end"})
            await socket.receive_until("ended")
            (context,) = told(house).contexts
            assert context.state is Progress.FAILED
            assert context.error is not None
            assert context.error.code == "engine_lost"
            (lost,) = context.unspoken
            assert "fails" in text[lost.text_start : lost.text_end]

    async def test_after_a_clear_it_says_what_the_client_was_told(self) -> None:
        async with memory_house() as house, memory_socket(house) as socket:
            await socket.send(UNPACED, {"type": "text", "text": TEXT}, {"type": "flush"})
            await socket.receive_until("flushed")
            await socket.send({"type": "clear", "played_ms": 2_000}, {"type": "end"})
            cleared = await socket.receive_until("cleared")
            await socket.receive_until("ended")
            (context,) = told(house).contexts
            assert context.state is Progress.COMPLETE
            assert context.spoken == (TextRange(0, int(str(cleared["heard_to"]))),)
            assert context.unspoken == (TextRange(int(str(cleared["heard_to"])), len(TEXT)),)

    async def test_a_first_message_that_is_refused_begins_nothing(self) -> None:
        async with (
            memory_house(text_chars_max=10) as house,
            memory_socket(house) as socket,
        ):
            await socket.send({"type": "text", "text": TEXT})
            await socket.receive_until("error")
            assert not kept(house.receipts, "memory")

    async def test_it_is_one_session_before_and_after_it_broke(self) -> None:
        async with memory_house(resume_window_ms=30_000) as house:
            async with asyncio.TaskGroup() as tasks:
                token: asyncio.Future[object] = asyncio.get_running_loop().create_future()

                async def first() -> None:
                    async with memory_socket(house) as socket:
                        ready = await socket.receive_until("ready")
                        await socket.send(UNPACED, {"type": "text", "text": TEXT})
                        await socket.receive_until("segment_end")
                        socket.break_off()
                        token.set_result(ready["resume_token"])

                tasks.create_task(first())
                resume = {"type": "resume", "token": await token}
                assert told(house).state is Progress.RUNNING
                async with memory_socket(house) as socket:
                    await socket.send(resume)
                    await socket.receive_until("resumed")
                    await socket.send({"type": "end"})
                    await socket.receive_until("ended")
            (context,) = told(house).contexts
            assert (context.state, context.unspoken) == (Progress.COMPLETE, ())


def told(house: House) -> RequestReceipt:
    """The receipt of the session, which all connections in memory call alike."""
    return house.receipts.find("memory", LOCAL.key)
