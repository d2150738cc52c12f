"""The event loop is never held up by a message, however long it is and whatever is in it.

Texts are cut in slices with a turn of the loop between them; what one slice can cost is bounded, and does not grow with
what came before. Work is counted in calls, so a slow machine changes nothing; `make segmentation` has the milliseconds.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise

import httpx
import pytest

from gateway.core.boundaries import WINDOW_CHARS_MAX
from gateway.core.cleanup import HELD_CHARS_MAX
from gateway.core.commands import PushText
from gateway.core.intake import Cut, Intake
from gateway.core.limits import Limits
from gateway.core.params import Segmentation
from gateway.core.vocabulary import Cleanup
from gateway.runtime.speaker import SLICE_CHARS
from gateway.server import build_server
from tests.fronts.peers import raw_peer
from tests.support.floods import HARD, MARKUP, calls_of, flood
from tests.support.leaks import until
from tests.support.server import RunningServer, speech_socket, tone_config
from tests.support.sessions import session

CHARS = Limits().text_chars_max
CALLS_PER_CHAR_MAX = 64
FEW = 8
"""Slices that are compared at a time: what is cut when differs from slice to slice."""
PENDING_CHARS_MAX = Segmentation().max_chars + HELD_CHARS_MAX
"""Of cleaned and uncleaned text between two slices."""
READ_OUT = 4
"""How many times longer what is read out may be than what is written ("$5")."""
SEEN_CHARS_MAX = PENDING_CHARS_MAX + WINDOW_CHARS_MAX + READ_OUT * SLICE_CHARS
"""Which a rule may look at, with what is spoken already."""


@asynccontextmanager
async def counted_turns() -> AsyncIterator[Callable[[], int]]:
    """How many turns the loop has made."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        counting = tasks.create_task(count())
        try:
            yield lambda: turns
        finally:
            counting.cancel()


async def over_websocket(server: RunningServer, text: str, is_cut: Callable[[], bool]) -> None:
    async with speech_socket(server) as socket:
        await socket.send({"type": "text", "text": text})
        await until(is_cut)
        await socket.send({"type": "clear"}, {"type": "end"})
        await socket.receive_until("ended")


async def over_http(server: RunningServer, text: str, is_cut: Callable[[], bool]) -> None:
    async with raw_peer(server) as peer:
        await peer.post(b'{"text":"%b"}' % text.encode())
        await until(is_cut)


async def as_dry_run(server: RunningServer, text: str, is_cut: Callable[[], bool]) -> None:
    async with httpx.AsyncClient(base_url=server.base_url, trust_env=False, verify=False) as client:
        answer = await client.post("/v1/speech/segments", json={"text": text})
    assert answer.status_code == 200
    assert is_cut()


Way = Callable[[RunningServer, str, Callable[[], bool]], Coroutine[None, None, None]]


@pytest.mark.socket
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("way", [over_websocket, over_http, as_dry_run])
async def test_the_loop_turns_between_slices(
    server: RunningServer, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    slices: list[tuple[int, int]] = []
    honest = Intake.push

    async with counted_turns() as turns:

        def noted(self: Intake, text: str, now: float, *, more: bool = False) -> list[Cut]:
            slices.append((turns(), len(text)))
            return honest(self, text, now, more=more)

        monkeypatch.setattr(Intake, "push", noted)
        text = flood(HARD["prose"], CHARS)
        await way(server, text, lambda: sum(chars for _, chars in slices) == CHARS)

    assert max(chars for _, chars in slices) <= SLICE_CHARS
    assert all(before < after for (before, _), (after, _) in pairwise(slices))


@pytest.mark.socket
@pytest.mark.asyncio(loop_scope="module")
async def test_others_are_answered_while_a_message_is_cut(server: RunningServer) -> None:
    async with speech_socket(server) as other, speech_socket(server) as talker:
        await talker.send({"type": "text", "text": flood(HARD["prose"], CHARS)})
        await talker.send({"type": "clear"}, {"type": "ping"})

        async def cut() -> None:
            await talker.receive_until("pong")

        answered = 0
        async with asyncio.TaskGroup() as tasks:
            cutting = tasks.create_task(cut())
            while not cutting.done():
                await other.send({"type": "ping", "id": str(answered)})
                await other.receive_until("pong", id=str(answered))
                answered += 1
    assert answered >= 10


@pytest.mark.parametrize("cleanup", [Cleanup.OFF, Cleanup.SPEECH])
@pytest.mark.parametrize("name", [*HARD, *MARKUP])
def test_a_slice_costs_no_more_than_so_much(name: str, cleanup: Cleanup) -> None:
    """Calls are bounded and so is the text that they can look at, at the end of a long message as at its beginning."""
    speaking = session(cleanup=cleanup)
    text = flood((HARD | MARKUP)[name], 3 * FEW * SLICE_CHARS)
    calls = []
    for start in range(0, len(text), SLICE_CHARS):
        push = PushText(text[start : start + SLICE_CHARS], more=True)
        calls.append(calls_of(partial(speaking.submit, push, 0.0)))
        segmenter = speaking._intake._segmenter
        assert speaking._intake.chars_pending <= PENDING_CHARS_MAX
        assert len(segmenter._scanner._text) <= SEEN_CHARS_MAX
        assert len(segmenter._held) <= PENDING_CHARS_MAX
    assert max(calls) <= CALLS_PER_CHAR_MAX * SLICE_CHARS
    assert sum(calls[-FEW:]) <= 1.1 * sum(calls[:FEW]) + 100 * FEW


async def test_what_the_start_made_is_out_of_the_garbage_collectors_sight() -> None:
    server = build_server(tone_config())
    server.should_exit = True
    try:
        await server.main_loop()
        assert gc.get_freeze_count() > len(gc.get_objects())
    finally:
        gc.unfreeze()
