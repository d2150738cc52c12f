"""Connections that break and come back: nothing is lost, nothing is told twice, and nothing is left of those that stay
away."""

from __future__ import annotations

import asyncio
import random
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.accounts.caller import LOCAL, Caller
from gateway.dialects.base import Verdict
from gateway.dialects.native import DEFAULT_CONTEXT, AudioForm
from gateway.runtime.house import House
from tests.limits.borders import under_way
from tests.support.listener import Listener, lost_in, told
from tests.support.memory import MemorySocket, memory_house, memory_socket
from tests.support.server import AudioFrame, Message

pytestmark = pytest.mark.virtual_time

WINDOW_MS = 30_000
TEXT = "The flight leaves at nine, so there is time for dinner. Shall I book a table for two? "
MORE = "And another thing."
LONG = TEXT * 20
UNPACED: Message = {"type": "configure", "lead_ms": None, "timestamps": True}
SAID: tuple[Message, ...] = (
    UNPACED,
    {"type": "text", "text": TEXT},
    {"type": "flush", "id": "f1"},
    {"type": "text", "text": MORE},
    {"type": "end", "id": "e1"},
)


async def uncut(house: House, said: tuple[Message, ...] = SAID) -> Listener:
    listener = Listener(said)
    async with memory_socket(house) as socket:
        await listener.greet(socket)
        await listener.listen(socket)
    return listener


@asynccontextmanager
async def waiting_house(**limits: int) -> AsyncIterator[House]:
    """A house that waits for broken connections. In the end nothing may be left of any."""
    async with memory_house(None, **{"resume_window_ms": WINDOW_MS, **limits}) as house:
        yield house
        await asyncio.sleep(WINDOW_MS / 1_000 + 1)
        assert nothing_is_left(house)


def nothing_is_left(house: House) -> bool:
    lobby, admission = house.lobby, house.admission
    return not (lobby.parked or lobby.rings.bytes or admission.connections or admission.contexts)


class Breaking:
    """Connections that break while their servers go on, in tasks of their own."""

    def __init__(self, house: House, tasks: asyncio.TaskGroup) -> None:
        self._house = house
        self.tasks = tasks

    async def after(self, count: int, listener: Listener, *, unread_s: float = 0) -> None:
        """Connect, take so many messages, leave what comes for `unread_s` unread, break, and wait until the server has noticed."""
        broken = asyncio.Event()

        async def connect() -> None:
            async with memory_socket(self._house) as socket:
                await listener.greet(socket)
                await listener.listen(socket, count)
                await asyncio.sleep(unread_s)
                if not listener.is_done:
                    socket.break_off()
                broken.set()

        self.tasks.create_task(connect())
        await broken.wait()
        await asyncio.sleep(0.001)


@asynccontextmanager
async def breaking(**limits: int) -> AsyncIterator[tuple[House, Breaking]]:
    async with waiting_house(**limits) as house, asyncio.TaskGroup() as tasks:
        yield house, Breaking(house, tasks)


async def answer_to(house: House, said: Message, caller: Caller = LOCAL) -> Message:
    """What somebody is told who says this on a connection of its own."""
    async with memory_socket(house, caller=caller) as socket:
        await socket.receive_until("ready")
        await socket.send(said)
        answer = await socket.receive()
        assert isinstance(answer, dict)
        return answer


async def token_got(house: House, tasks: asyncio.TaskGroup, resume: Message) -> str:
    """The token that is given to who comes back and is cut off at once."""
    got: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def connect() -> None:
        async with memory_socket(house) as socket:
            await socket.send(resume)
            got.set_result(str((await socket.receive_until("resumed"))["resume_token"]))
            socket.break_off()

    tasks.create_task(connect())
    return await got


async def first_audio(socket: MemorySocket) -> tuple[int, bytes]:
    """Where the next audio begins, and its bytes."""
    while True:
        message = await socket.receive()
        if isinstance(message, AudioFrame):
            return message.sample_start, message.data
        if message["type"] == "audio":
            return int(str(message["sample_start"])), b64decode(str(message["data"]))


class TestNothingIsLost:
    @pytest.mark.parametrize("seed", range(20))
    async def test_wherever_it_breaks_however_often(self, seed: int) -> None:
        chance = random.Random(seed)
        async with breaking() as (house, connection):
            whole = await uncut(house)
            listener = Listener(SAID)
            while not listener.is_done:
                await connection.after(chance.randint(0, 6), listener)
                await asyncio.sleep(chance.choice([0, 0.5, 5]))
            assert listener.audio == whole.audio
            assert told(listener.messages) == told(whole.messages)

    async def test_nor_of_a_paced_context(self) -> None:
        said: tuple[Message, ...] = ({"type": "text", "text": LONG}, {"type": "end"})
        async with breaking() as (house, connection):
            whole = await uncut(house, said)
            listener = Listener(said)
            while not listener.is_done:
                await connection.after(20, listener)
            assert listener.audio == whole.audio

    async def test_a_client_need_not_count_messages(self) -> None:
        async with breaking() as (house, connection):
            whole = await uncut(house)
            listener = Listener(SAID)
            await connection.after(9, listener)
            async with memory_socket(house) as socket:
                await socket.receive_until("ready")
                at = listener.samples
                resume = listener.resume(messages=None)
                await socket.send(resume)
                resumed = await socket.receive_until("resumed")
                listener.token = str(resumed["resume_token"])
                await socket.send(*SAID[resumed["contexts"][0]["heard"] :])  # type: ignore[index]
                before = len(listener.messages)
                await listener.listen(socket)
            assert listener.audio == whole.audio
            again = listener.messages[before:]
            missed = whole.messages[before:]
            assert again[-len(missed) :] == missed
            positions = {m.get("sample_start", m.get("sample_end")) for m in again[: -len(missed)]}
            assert positions <= {at, None}, "told again is what stands where the client stood"

    @pytest.mark.parametrize("form", AudioForm)
    async def test_pcm_goes_on_at_the_very_sample(self, form: AudioForm) -> None:
        async with waiting_house() as house, asyncio.TaskGroup() as tasks:
            whole = await uncut(house)
            token: asyncio.Future[object] = asyncio.get_running_loop().create_future()

            async def first() -> None:
                async with memory_socket(house, form=form) as socket:
                    ready = await socket.receive_until("ready")
                    await socket.send(*SAID)
                    await socket.receive_until("segment_end")
                    socket.break_off()
                    token.set_result(ready["resume_token"])

            tasks.create_task(first())
            resume = {"type": "resume", "token": await token, "contexts": [{"samples": 1_001}]}
            other = AudioForm.BINARY if form is AudioForm.BASE64 else AudioForm.BASE64
            async with memory_socket(house, form=other) as socket:
                await socket.send(resume)
                error = await socket.receive_until("error")
                assert (error["code"], error["field"]) == ("invalid_value", "audio")
            async with memory_socket(house, form=form) as socket:
                await socket.send(resume)
                start, data = await first_audio(socket)
                assert start == 1_001
                assert data == whole.audio[2_002 : 2_002 + len(data)]

    @pytest.mark.parametrize("codec", ["mp3", "wav"])
    async def test_of_another_codec_frames_are_counted(self, codec: str) -> None:
        said: tuple[Message, ...] = (
            {**UNPACED, "format": {"codec": codec}},
            {"type": "text", "text": TEXT},
            {"type": "end"},
        )
        async with breaking() as (house, connection):
            whole = await uncut(house, said)
            listener = Listener(said, count_frames=True)
            while not listener.is_done:
                await connection.after(3, listener, unread_s=0.5)
            assert listener.audio == whole.audio

    async def test_who_comes_back_before_the_break_was_noticed_goes_on(self) -> None:
        async with waiting_house() as house:
            whole = await uncut(house)
            listener = Listener(SAID)
            async with memory_socket(house) as first, memory_socket(house) as second:
                await listener.greet(first)
                await listener.listen(first, 7)
                await listener.greet(second)
                await listener.listen(second)
                assert await first.verdict is Verdict.RESUMED_ELSEWHERE
            assert listener.audio == whole.audio
            assert told(listener.messages) == told(whole.messages)

    async def test_a_clear_after_coming_back_takes_the_old_audio(self) -> None:
        async with breaking() as (house, connection):
            listener = Listener((UNPACED, {"type": "text", "text": LONG}, {"type": "flush"}))
            await connection.after(3, listener)
            async with memory_socket(house) as socket:
                await socket.send(listener.resume(), {"type": "clear", "id": "c"})
                cleared = await socket.receive_until("cleared")
                assert cleared["id"] == "c"
                await socket.send({"type": "text", "text": MORE}, {"type": "end"})
                while True:
                    message = await socket.receive()
                    if isinstance(message, AudioFrame):
                        assert message.sample_start >= int(str(cleared["sample_end"]))
                    elif message["type"] == "ended":
                        break


class TestTokens:
    async def test_are_good_once_and_for_their_owner_only(self) -> None:
        async with breaking() as (house, connection):
            listener = Listener(SAID)
            await connection.after(5, listener)
            unknown = await answer_to(house, {"type": "resume", "token": "x"})
            assert unknown["code"] == "not_found"
            resume = listener.resume()
            assert (
                await answer_to(house, resume, caller=Caller("somebody else", "a", ())) == unknown
            )
            assert (await answer_to(house, resume))["type"] == "resumed"
            assert await answer_to(house, resume) == unknown

    async def test_the_one_before_is_good_until_the_next_one_is_used(self) -> None:
        """The message with the next one may be lost with its connection."""
        async with breaking() as (house, connection):
            whole = await uncut(house)
            listener = Listener(SAID)
            await connection.after(5, listener)
            first = listener.resume()
            lost = await token_got(house, connection.tasks, first)
            again = await token_got(house, connection.tasks, first)
            unknown = await answer_to(house, {**first, "token": "x"})
            assert await answer_to(house, {**first, "token": lost}) == unknown
            listener.token = again
            async with memory_socket(house) as socket:
                await listener.greet(socket)
                assert await answer_to(house, first) == unknown
                await listener.listen(socket)
            assert listener.audio == whole.audio

    async def test_of_those_who_come_at_once_one_goes_on(self) -> None:
        async with breaking() as (house, connection):
            whole = await uncut(house)
            listener = Listener(SAID)
            await connection.after(5, listener)
            async with memory_socket(house) as one, memory_socket(house) as other:
                for socket in (one, other):
                    await socket.receive_until("ready")
                for socket in (one, other):
                    await socket.send(listener.resume())
                assert await one.verdict in {Verdict.PEER_GONE, Verdict.RESUMED_ELSEWHERE}
                resumed = await other.receive_until("resumed")
                listener.token = str(resumed["resume_token"])
                contexts: Any = resumed["contexts"]
                await other.send(*SAID[contexts[0]["heard"] :])
                await listener.listen(other)
            assert listener.audio == whole.audio

    async def test_come_first(self) -> None:
        async with waiting_house() as house, memory_socket(house) as socket:
            ready = await socket.receive_until("ready")
            own = {"type": "resume", "token": ready["resume_token"], "id": "r"}
            await socket.send(own)
            assert (await socket.receive_until("error", id="r"))["code"] == "not_found"
            await socket.send({"type": "text", "text": "Hello."}, own)
            assert (await socket.receive_until("error", id="r"))["code"] == "invalid_message"

    async def test_are_not_given_where_nobody_is_waited_for(self) -> None:
        async with memory_house(resume_window_ms=0) as house, memory_socket(house) as socket:
            assert "resume_token" not in await socket.receive_until("ready")

    async def test_whoever_says_goodbye_is_not_waited_for(self) -> None:
        async with memory_house(resume_window_ms=WINDOW_MS) as house:
            async with memory_socket(house) as socket:
                ready = await socket.receive_until("ready")
                await socket.send({"type": "text", "text": LONG})
                await socket.receive_until("segment")
                socket.leave()
            assert nothing_is_left(house)
            resume = {"type": "resume", "token": ready["resume_token"]}
            assert (await answer_to(house, resume))["code"] == "not_found"


PACED: tuple[Message, ...] = (*SAID[1:4], {"type": "flush", "id": "f2"})
"""What leaves a context open."""
OPEN_FOR_LONG: tuple[Message, ...] = (*PACED, *SAID[3:])
PLAYED_S = 12.0
"""Longer than it takes to hear all of it."""


class TestWhatHasArrived:
    async def test_is_forgotten_once_it_is_played_and_a_ping_was_answered(self) -> None:
        async with waiting_house() as house, memory_socket(house) as socket:
            listener = Listener(SAID)
            await listener.greet(socket)
            await listener.listen(socket)
            kept = house.lobby.rings.bytes
            await socket.pinged()
            assert house.lobby.rings.bytes == kept > 100_000, "it may still be wanted once more"
            await asyncio.sleep(PLAYED_S)
            assert house.lobby.rings.bytes == kept, "nobody knows whether it has arrived"
            await socket.pinged()
            assert house.lobby.rings.bytes == 0

    async def test_but_not_what_is_told_between_ping_and_answer(self) -> None:
        async with waiting_house() as house, memory_socket(house) as socket:
            listener = Listener(PACED)
            await listener.greet(socket)
            await asyncio.sleep(PLAYED_S)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(socket.pinged())
                await asyncio.sleep(1)
                kept = house.lobby.rings.bytes
                await socket.send({"type": "flush", "id": "f3"})
                await asyncio.sleep(1)
                await socket.receive_until("flushed", id="f3")
            assert 0 < house.lobby.rings.bytes < 1_000 < kept

    async def test_nor_what_waits_to_be_sent(self) -> None:
        async with waiting_house() as house, memory_socket(house, unread_max=8) as socket:
            await Listener(PACED).greet(socket)
            await asyncio.sleep(PLAYED_S)
            kept = house.lobby.rings.bytes
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(socket.pinged())
                await asyncio.sleep(0)
                await socket.receive_until("flushed", id="f2")
            assert house.lobby.rings.bytes >= kept

    async def test_a_context_that_is_open_is_waited_for_all_the_same(self) -> None:
        async with waiting_house() as house:
            listener = Listener(OPEN_FOR_LONG)
            async with memory_socket(house) as socket:
                listener.token = str((await socket.receive_until("ready"))["resume_token"])
                await socket.send(*PACED)
                while not listener.messages or listener.messages[-1].get("id") != "f2":
                    listener.take(await socket.receive())
                await asyncio.sleep(PLAYED_S)
                await socket.pinged()
                assert house.lobby.rings.bytes == 0
                socket.break_off()
                async with memory_socket(house) as again:
                    await listener.greet(again)
                    await listener.listen(again)
            whole = await uncut(house, listener.said)
            assert listener.audio == whole.audio
            assert told(listener.messages) == told(whole.messages)

    @pytest.mark.parametrize("named", [True, False])
    async def test_of_a_context_that_has_ended_nothing_is_told_and_nothing_is_missing(
        self, named: bool
    ) -> None:
        async with waiting_house() as house, asyncio.TaskGroup() as tasks:
            listener, parked = Listener(SAID), asyncio.Event()

            async def connect() -> None:
                async with memory_socket(house) as socket:
                    await listener.greet(socket)
                    await listener.listen(socket)
                    await asyncio.sleep(PLAYED_S)
                    await socket.pinged()
                    socket.break_off()
                    parked.set()

            tasks.create_task(connect())
            await parked.wait()
            less = await answer_to(house, listener.resume(samples=listener.samples - 1))
            assert less["code"] == "resume_gone"
            assert less["allowed"] == f"at least {listener.samples}"
            resume = listener.resume() | ({} if named else {"contexts": []})
            resumed = await answer_to(house, resume)
            assert resumed["type"] == "resumed", resumed
            assert len(resumed["contexts"]) == named  # type: ignore[arg-type]

    async def test_nothing_is_lost_whenever_it_is_asked(self) -> None:
        forgotten = [await self._breaks_again_and_again(seed) for seed in range(20)]
        assert 5 < sum(forgotten) < 15

    async def _breaks_again_and_again(self, seed: int) -> int:
        """How often everything was forgotten in between."""
        chance = random.Random(seed)
        forgotten = 0

        async def connect(house: House, listener: Listener, over: asyncio.Event) -> None:
            nonlocal forgotten
            unread_max = chance.choice([1, 4, 1_000])
            async with (
                memory_socket(house, unread_max=unread_max) as socket,
                under_way(ask(socket)) as asking,
            ):
                await listener.greet(socket)
                for _ in range(chance.randint(1, 12)):
                    await asyncio.sleep(chance.choice([0.0, 0.0, 1.0]))
                    if listener.said == PACED and "f2" in {m.get("id") for m in listener.messages}:
                        # All was said, heard and played before there is more.
                        await asyncio.sleep(chance.choice([0.0, 2 * PLAYED_S]))
                        forgotten += not house.lobby.rings.bytes
                        listener.said = OPEN_FOR_LONG
                        await socket.send(*SAID[3:])
                    await listener.listen(socket, 1)
                if not listener.is_done:
                    socket.break_off()
                asking.cancel()
                over.set()

        async def ask(socket: MemorySocket) -> None:
            while True:
                await asyncio.sleep(chance.uniform(0.0, 2.0))
                await socket.pinged()

        async with waiting_house() as house, asyncio.TaskGroup() as tasks:
            listener = Listener(PACED)
            while not listener.is_done:
                over = asyncio.Event()
                tasks.create_task(connect(house, listener, over))
                await over.wait()
                await asyncio.sleep(0.001)
            whole = await uncut(house, listener.said)
        assert listener.audio == whole.audio
        assert told(listener.messages) == told(whole.messages)
        return forgotten


class TestBounds:
    async def test_what_is_no_longer_kept_is_said_and_the_rest_can_be_had(self) -> None:
        async with breaking(resume_ring_bytes=65_536) as (house, connection):
            said: tuple[Message, ...] = (UNPACED, {"type": "text", "text": LONG}, {"type": "flush"})
            listener = Listener(said)
            await connection.after(4, listener, unread_s=1)
            gone = await answer_to(house, listener.resume())
            assert gone["code"] == "resume_gone"
            oldest = int(str(gone["allowed"]).removeprefix("at least "))
            assert oldest > listener.samples
            too_much = await answer_to(house, listener.resume(samples=2**40))
            assert too_much["code"] == "invalid_value"
            assert (await answer_to(house, listener.resume(samples=oldest - 1)))[
                "code"
            ] == "resume_gone"
            resume = listener.resume(samples=oldest, messages=None)
            assert (await answer_to(house, resume))["type"] == "resumed"

    async def test_all_rings_together_are_bounded(self) -> None:
        async with breaking(resume_rings_bytes_max=100_000) as (house, connection):
            for _ in range(4):
                said: tuple[Message, ...] = (UNPACED, {"type": "text", "text": LONG})
                await connection.after(6, Listener(said))
                assert house.lobby.rings.bytes <= 100_000

    async def test_nothing_is_made_for_who_is_away(self) -> None:
        """But what was begun, up to the bounds that hold for everybody."""
        async with breaking(audio_ahead_ms=1_000) as (house, connection):
            listener = Listener(({"type": "text", "text": LONG}, {"type": "flush"}))
            await connection.after(4, listener)
            await asyncio.sleep(5)
            made = house.metrics.registry.get_sample_value(
                "gateway_audio_made_seconds_total", {"model": "tone"}
            )
            await asyncio.sleep(20)
            assert made == house.metrics.registry.get_sample_value(
                "gateway_audio_made_seconds_total", {"model": "tone"}
            )
            assert house.admission.contexts == 1, "its place is kept"

    async def test_who_has_waited_longest_gives_way(self) -> None:
        async with breaking(sessions_parked_max=2) as (house, connection):
            said: tuple[Message, ...] = (UNPACED, {"type": "text", "text": LONG}, {"type": "flush"})
            listeners = [Listener(said) for _ in range(3)]
            for listener in listeners:
                await connection.after(4, listener)
            assert house.lobby.parked == 2
            answers = [await answer_to(house, each.resume(samples=0)) for each in listeners]
            assert answers[0]["code"] == "resume_expired"
            assert [answer["type"] for answer in answers[1:]] == ["resumed", "resumed"]


class TestTooLate:
    async def test_what_was_not_spoken_is_named(self) -> None:
        async with breaking() as (house, connection):
            listener = Listener(({"type": "text", "text": LONG},))
            await connection.after(12, listener)
            await asyncio.sleep(WINDOW_MS / 1_000 + 0.1)
            assert nothing_is_left(house)
            answer = await answer_to(house, {**listener.resume(), "id": "r"})
            assert (answer["code"], answer["id"]) == ("resume_expired", "r")
            (lost,) = lost_in(answer)
            assert lost["context"] == DEFAULT_CONTEXT
            assert lost["text_start"] == 0
            assert lost["spoken"] + lost["unspoken"] == LONG
            assert lost["spoken"], "something was"
            assert len(lost["unspoken"]) > len(LONG) / 2
            # It can be asked again, by who got less, too.
            (less,) = lost_in(await answer_to(house, listener.resume(samples=0)))
            assert (less["spoken"], less["unspoken"]) == ("", LONG)

    async def test_it_is_forgotten_in_time(self) -> None:
        async with breaking(lost_text_ms=10_000) as (house, connection):
            listener = Listener(({"type": "text", "text": LONG},))
            await connection.after(12, listener)
            await asyncio.sleep(WINDOW_MS / 1_000 + 10.1)
            assert (await answer_to(house, listener.resume()))["code"] == "not_found"

    async def test_and_the_oldest_before_there_is_too_much(self) -> None:
        async with breaking(lost_text_chars_max=len(LONG) * 2) as (house, connection):
            listeners = [Listener(({"type": "text", "text": LONG},)) for _ in range(2)]
            for listener in listeners:
                await connection.after(12, listener)
            await asyncio.sleep(WINDOW_MS / 1_000 + 0.1)
            answers = [await answer_to(house, listener.resume()) for listener in listeners]
            assert [answer["code"] for answer in answers] == ["not_found", "resume_expired"]
