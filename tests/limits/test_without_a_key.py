"""Bounds that nobody has a reason to change stand at a border, too. Those of time are here only as far as a drain goes."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing

import msgspec
import pytest

from gateway.audio.farm import EncodeFarm
from gateway.core.cleanup import HELD_CHARS_MAX, Cleaner
from gateway.core.errors import NotAcceptable, Overloaded
from gateway.core.vocabulary import Cleanup
from gateway.dialects.accept import RANGES_MAX, choose
from gateway.dialects.base import Verdict
from gateway.dialects.wire import UNKNOWN_FIELD_CHARS_MAX, UNKNOWN_FIELDS_NAMED_MAX
from gateway.engines.espeak import TEXT_CHARS_MAX
from gateway.engines.frames import AUDIO, FRAME_BYTES_MAX, HEADER, BrokenFrame, take_frames
from gateway.engines.plain_text import CALL_CHARS_MAX, split_calls
from gateway.runtime.turnstile import PASSES, Turnstile
from gateway.server import CLOSING_MS, FAREWELL_MS, build_server
from tests.limits.borders import after, border, now, turns
from tests.support.memory import memory_house, memory_socket
from tests.support.server import tone_config


@border("dialects.wire.UNKNOWN_FIELDS_NAMED_MAX")
@pytest.mark.virtual_time
async def test_unknown_fields_that_are_named(more: int) -> None:
    async with memory_house() as house, memory_socket(house) as socket:
        unknown = {f"x{number}": 1 for number in range(UNKNOWN_FIELDS_NAMED_MAX + more)}
        await socket.send({"type": "ping", **unknown})
        await socket.receive_until("pong")
        named = {message["field"] for message in socket.messages("warning")}
        assert named == set(list(unknown)[:UNKNOWN_FIELDS_NAMED_MAX])


@border("dialects.wire.UNKNOWN_FIELD_CHARS_MAX")
@pytest.mark.virtual_time
async def test_characters_of_their_names(more: int) -> None:
    async with memory_house() as house, memory_socket(house) as socket:
        await socket.send({"type": "ping", "ä" * (UNKNOWN_FIELD_CHARS_MAX + more): 1})
        warning = await socket.receive_until("warning")
        assert len(str(warning["field"])) == UNKNOWN_FIELD_CHARS_MAX + min(0, more)


@border("dialects.native.Name")
@pytest.mark.virtual_time
@pytest.mark.parametrize("field", ["context", "id"])
async def test_names_that_callers_choose(field: str, more: int) -> None:
    async with memory_house() as house, memory_socket(house) as socket:
        await socket.send({"type": "configure", field: "ä" * (64 + more)}, {"type": "ping"})
        await socket.receive_until("pong")
        assert len(socket.messages("error")) == max(0, more)


@border("dialects.accept.RANGES_MAX")
def test_media_ranges_that_are_looked_at(more: int) -> None:
    others = [f"x/y{number}" for number in range(RANGES_MAX + more - 1)]
    accept = ", ".join([*others, "audio/wav"])
    if more > 0:
        with pytest.raises(NotAcceptable):
            choose(accept, ["audio/wav"])
    else:
        assert choose(accept, ["audio/wav"]) == "audio/wav"


@border("core.cleanup.cleaner.HELD_CHARS_MAX")
def test_text_that_clean_up_holds_back(more: int) -> None:
    """It might be a link."""
    cleaner = Cleaner(Cleanup.MARKDOWN, "en")
    text = "[" + "a" * (HELD_CHARS_MAX + more - 1)
    cleaner.push(text)
    assert cleaner.held == (len(text) if more < 0 else 0)


@border("engines.espeak.TEXT_CHARS_MAX")
@pytest.mark.virtual_time
async def test_the_longest_segment_that_can_be_asked_for(more: int) -> None:
    """Is the longest that espeak-ng is given."""
    async with memory_house() as house, memory_socket(house) as socket:
        buffering = {"max_chars": TEXT_CHARS_MAX + more}
        await socket.send({"type": "configure", "buffering": buffering}, {"type": "ping"})
        await socket.receive_until("pong")
        assert len(socket.messages("error")) == max(0, more)


@border("engines.plain_text.CALL_CHARS_MAX")
def test_text_of_one_call_of_the_library(more: int) -> None:
    pieces = split_calls("a" * (CALL_CHARS_MAX + more), pause_after=False)
    assert [len(text) for text, _ in pieces] == (
        [CALL_CHARS_MAX, 1] if more > 0 else [CALL_CHARS_MAX + more]
    )


@border("engines.frames.FRAME_BYTES_MAX")
def test_frames_of_a_worker(more: int) -> None:
    received = bytearray(HEADER.pack(AUDIO, FRAME_BYTES_MAX + more) + bytes(FRAME_BYTES_MAX + more))
    if more > 0:
        with pytest.raises(BrokenFrame):
            list(take_frames(received))
    else:
        assert len(list(take_frames(received))) == 1


@border("runtime.turnstile.PASSES")
@pytest.mark.virtual_time
async def test_frames_of_one_turn(more: int) -> None:
    turnstile = Turnstile()
    async with asyncio.TaskGroup() as tasks:
        going = [tasks.create_task(turnstile.through(0.0)) for _ in range(PASSES + more)]
        await asyncio.sleep(0)
        left = sum(task.done() for task in going)  # The others wait for the next turn.
    assert left == min(PASSES, PASSES + more)


@border("audio.farm.JOBS_PENDING_MAX")
async def test_jobs_that_wait_for_an_encoder(more: int) -> None:
    """The server sets it to `contexts_total_max`, as each context waits for one."""
    refused = 0

    async def run(farm: EncodeFarm) -> None:
        nonlocal refused
        try:
            await farm.run(0.0, lambda: None)
        except Overloaded:
            refused += 1
        except asyncio.CancelledError:
            pass  # The farm closed, having begun nothing.

    async with asyncio.TaskGroup() as tasks, aclosing(EncodeFarm(1, jobs_pending_max=5)) as farm:
        for _ in range(5 + more):
            tasks.create_task(run(farm))
        await turns()
    assert refused == max(0, more)


@border("audio.threads")
async def test_jobs_that_run_at_once(more: int) -> None:
    go, begun = threading.Event(), threading.Semaphore(0)

    def work() -> None:
        begun.release()
        assert go.wait(10)

    async with aclosing(EncodeFarm(3)) as farm, asyncio.TaskGroup() as tasks:
        farm.start()
        for _ in range(3 + more):
            tasks.create_task(farm.run(0.0, work))
        await turns()
        for _ in range(min(3, 3 + more)):
            assert await asyncio.to_thread(begun.acquire, timeout=10)
        assert not begun.acquire(blocking=False)
        assert farm.jobs_waiting == max(0, more)
        go.set()


@border("server.shutdown_ms", "server.CLOSING_MS")
@pytest.mark.virtual_time
async def test_work_goes_on_while_the_server_goes_away(more: int) -> None:
    """Until so long before `shutdown_ms` is over."""
    config = tone_config()
    config = msgspec.structs.replace(
        config, server=msgspec.structs.replace(config.server, shutdown_ms=CLOSING_MS + 5_000)
    )
    server = build_server(config)
    async with memory_house() as house, memory_socket(house) as socket:
        server._gateway.house = house
        await socket.send({"type": "text", "text": "Some text. " * 500}, {"type": "flush"})
        await socket.receive_until("segment")
        begun = now()
        server._is_drained()
        await after(begun, 5_000 + more)
        assert socket.verdict.done() == (more >= 0)
        if more >= 0:
            assert await socket.verdict is Verdict.DRAINING


@border("server.FAREWELL_MS")
@pytest.mark.virtual_time
async def test_and_goodbyes_after_that(more: int) -> None:
    config = tone_config()
    config = msgspec.structs.replace(
        config, server=msgspec.structs.replace(config.server, shutdown_ms=CLOSING_MS + 1_000)
    )
    server = build_server(config)
    async with memory_house() as house:
        server._gateway.house = house
        with house.admission.connection():
            begun = now()
            assert not server._is_drained()
            await after(begun, 1_000 + FAREWELL_MS + more)
            assert server._is_drained() == (more >= 0)
