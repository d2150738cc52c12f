"""Limits of what a context takes and holds: text, audio, segments in the making, commands."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from gateway.core.commands import PushText
from gateway.core.limits import Limits
from gateway.core.params import Segmentation
from gateway.core.synthesis import Finished, Produced, Report, Synthesize
from gateway.core.vocabulary import PushBoundary
from gateway.dialects.base import Verdict
from gateway.engines.chaos import ChaosEngine, Hang
from gateway.engines.tone import ToneEngine
from tests.fronts.peers import http_client
from tests.limits.borders import border, turns
from tests.support.memory import memory_house, memory_socket
from tests.support.server import Message, running_server, speech_socket, tone_config
from tests.support.sessions import RATE, orders, pcm, session

LIMIT = 200
BEGUN: Message = {"type": "configure", "buffering": {"auto_flush": False, "max_chars": 500}}


@border("text_chars_max")
@pytest.mark.socket
async def test_text(more: int) -> None:
    text = "ä" * (LIMIT + more)
    async with running_server(tone_config(text_chars_max=LIMIT, whole_chars_max=1)) as server:
        async with http_client(server) as client:
            answer = await client.post("/v1/speech", json={"text": text})
            assert answer.status_code == (413 if more > 0 else 200)
        async with speech_socket(server) as socket:
            await socket.send({"type": "text", "text": text}, {"type": "ping"})
            await socket.receive_until("pong")
            codes = [error["code"] for error in socket.messages("error")]
            assert codes == (["text_too_long"] if more > 0 else [])


@border("whole_chars_max")
@pytest.mark.socket
async def test_text_of_a_whole_file(more: int) -> None:
    limits = {"text_chars_max": 2 * LIMIT, "whole_chars_max": LIMIT}
    async with running_server(tone_config(**limits)) as server, http_client(server) as client:
        asked = {"text": "ä" * (LIMIT + more), "stream": False}
        answer = await client.post("/v1/speech", json=asked)
        assert answer.status_code == (413 if more > 0 else 200)


@border("chars_pending_max")
@pytest.mark.virtual_time
async def test_text_that_waits(more: int) -> None:
    async with (
        memory_house(chars_pending_max=LIMIT, text_chars_max=LIMIT) as house,
        memory_socket(house) as socket,
    ):
        await socket.send(BEGUN, {"type": "text", "text": "a" * (LIMIT - 10)})
        await socket.send({"type": "text", "text": "b" * (10 + more)}, {"type": "ping"})
        await socket.receive_until("pong")
        codes = [error["code"] for error in socket.messages("error")]
        assert codes == (["text_backlog_full"] if more > 0 else [])


@border("history_chars_max")
@pytest.mark.virtual_time
async def test_text_that_is_remembered(more: int) -> None:
    """Of two segments the older one is told by a clear as long as both fit."""
    first, second = "The first one.", "b" * (LIMIT - 14 + more)
    async with memory_house(history_chars_max=LIMIT) as house, memory_socket(house) as socket:
        await socket.send({**BEGUN, "lead_ms": None})
        for text in (first, second):
            await socket.send({"type": "text", "text": text}, {"type": "flush"})
            await socket.receive_until("flushed")
        await socket.send({"type": "clear", "played_ms": 0})
        cleared = await socket.receive_until("cleared")
        assert cleared["unspoken"] == (second if more > 0 else first + second)


@border("audio_ahead_ms")
def test_audio_that_nobody_pulled(more: int) -> None:
    """The next segment is ordered until so much is made."""
    limits = Limits(lookahead=2, audio_ahead_ms=LIMIT)
    new = session(limits, segmentation=Segmentation(push_boundary=PushBoundary.RELEASE))
    for text in ("One.", "Two.", "Three."):
        new.submit(PushText(text), 0.0)
    first, _ = orders(new)
    assert RATE % 1_000 == 0
    new.report(Produced(first.segment, pcm(first.segment, (LIMIT + more) * RATE // 1_000)), 0.0)
    new.report(Finished(first.segment), 0.0)
    assert len(list(orders(new))) == (1 if more < 0 else 0)


class Counting(ToneEngine):
    """Never finishes, and knows how many segments are in the making."""

    making = 0

    async def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        self.making += 1
        async for report in ChaosEngine(ToneEngine(), {"": [Hang()]}).synthesize(order):
            yield report


@border("lookahead")
@pytest.mark.virtual_time
async def test_segments_in_the_making(more: int) -> None:
    engine = Counting(workers=10)
    async with memory_house(engine, lookahead=3) as house, memory_socket(house) as socket:
        for _ in range(3 + more):
            await socket.send({"type": "text", "text": "Some text."}, {"type": "flush"})
        await socket.send({"type": "ping"})
        await socket.receive_until("pong")
        await turns()
        assert engine.making == min(3, 3 + more)


@border("events_pending_max")
@pytest.mark.virtual_time
async def test_commands_without_an_answer(more: int) -> None:
    engine = ChaosEngine(ToneEngine(), {"stuck": [Hang()]})
    async with memory_house(engine, events_pending_max=20) as house, memory_socket(house) as socket:
        await socket.send({"type": "text", "text": "stuck"})
        for _ in range(20 + more):
            await socket.send({"type": "flush"})
        await socket.send({"type": "ping"})
        await socket.receive_until("pong")
        codes = [error["code"] for error in socket.messages("error")]
        assert codes == ["too_many_pending"] * max(0, more)


@border("replies_pending_max")
@pytest.mark.virtual_time
async def test_answers_that_nobody_reads(more: int) -> None:
    async with (
        memory_house(replies_pending_max=10) as house,
        memory_socket(house, unread_max=0) as socket,
    ):
        await turns()
        # `ready` is in the writer's hands.
        for _ in range(10 + more):
            await socket.send({"type": "ping"})
        await turns()
        assert socket.verdict.done() == (more > 0)
        if more > 0:
            assert await socket.verdict is Verdict.REPLIES_UNREAD


@border("contexts_max", "contexts_total_max")
@pytest.mark.virtual_time
@pytest.mark.parametrize("name", ["contexts_max", "contexts_total_max"])
async def test_open_contexts(name: str, more: int) -> None:
    async with memory_house(None, **{name: 3}) as house, memory_socket(house) as socket:
        for number in range(3 + more):
            await socket.send({"type": "configure", "context": str(number)})
        await socket.send({"type": "ping"})
        await socket.receive_until("pong")
        assert len(socket.messages("error")) == max(0, more)


@border("contexts_ended_kept")
@pytest.mark.virtual_time
async def test_contexts_that_have_ended(more: int) -> None:
    async with memory_house(contexts_ended_kept=3) as house, memory_socket(house) as socket:
        for number in range(3 + more):
            name = str(number)
            await socket.send({"type": "text", "context": name, "text": "I."})
            await socket.send({"type": "end", "context": name})
            await socket.receive_until("ended", context=name)
        await socket.send({"type": "clear", "context": "0"})
        await socket.receive_until("error" if more > 0 else "cleared", context="0")
