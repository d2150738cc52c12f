"""What is open by a key that is good no longer ends soon, and nothing else does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from gateway.accounts.caller import Caller
from gateway.accounts.clock import now_ms
from gateway.accounts.credentials import Kind, new_credential
from gateway.accounts.model import KeptKey, Key, Scope
from gateway.accounts.store import Store
from gateway.config import AccountsConfig
from gateway.core.errors import AccountsUnavailable
from gateway.dialects.base import Verdict
from gateway.engines.chaos import ChaosEngine, Hang
from gateway.engines.tone import ToneEngine
from gateway.runtime.house import House
from tests.accounts.test_access import bearer, dial, key_of
from tests.fronts.peers import http_client, use_engine
from tests.limits.borders import border, turns
from tests.support.leaks import until
from tests.support.memory import memory_house, memory_socket
from tests.support.server import RunningServer, SpeechSocket, running_server, tone_config

WATCH_MS = 5_000
TEXT = "This is made without any trouble at all. This will never be."


class Keys:
    """What a store would say of two keys."""

    def __init__(self) -> None:
        self.known = {id: Key(id, "acme", "", (), 1) for id in ("one", "other")}
        self.asked: list[Sequence[str]] = []
        self.is_away = False

    async def find(self, ids: Sequence[str]) -> list[Key]:
        self.asked.append(sorted(ids))
        if self.is_away:
            raise AccountsUnavailable("away")
        return [self.known[id] for id in ids]

    def end(self, id: str, **how: int) -> None:
        self.known[id] = msgspec.structs.replace(self.known[id], **how)


ONE, OTHER = (Caller(id, "acme", ()) for id in ("one", "other"))


@asynccontextmanager
async def watched_house(keys: Keys, resume_window_ms: int = 0) -> AsyncIterator[House]:
    async with (
        memory_house(key_watch_ms=WATCH_MS, resume_window_ms=resume_window_ms) as house,
        asyncio.TaskGroup() as tasks,
    ):
        watch = house.attendance.watch(keys.find, house.limits.key_watch_ms)
        watching = tasks.create_task(watch)
        yield house
        watching.cancel()


@pytest.mark.virtual_time
class TestWatching:
    @border("key_watch_ms")
    async def test_a_connection_ends_in_time(self, more: int) -> None:
        keys = Keys()
        async with (
            watched_house(keys) as house,
            memory_socket(house, caller=ONE) as socket,
            memory_socket(house, caller=OTHER) as stays,
        ):
            await socket.send({"type": "text", "text": "One. " * 1_000})
            await asyncio.sleep(0.001)
            keys.end("one", revoked_ms=1)
            await asyncio.sleep((WATCH_MS - 1 + more) / 1_000)
            await turns()
            if more >= 0:
                assert await socket.verdict is Verdict.UNAUTHORIZED
                assert house.admission.contexts == 0
            assert socket.verdict.done() == (more >= 0)
            assert not stays.verdict.done()

    async def test_all_keys_are_asked_for_at_once_and_nobody_in_vain(self) -> None:
        keys = Keys()
        async with watched_house(keys) as house:
            await asyncio.sleep(3 * WATCH_MS / 1_000)
            assert keys.asked == []
            async with (
                memory_socket(house, caller=ONE),
                memory_socket(house, caller=ONE),
                memory_socket(house, caller=OTHER),
                memory_socket(house),
            ):
                await asyncio.sleep(WATCH_MS / 1_000)
                await turns()
                assert keys.asked == [["one", "other"]]
            await asyncio.sleep(3 * WATCH_MS / 1_000)
            assert len(keys.asked) == 1

    async def test_an_expired_key_is_as_good_as_a_revoked_one(self) -> None:
        keys = Keys()
        async with watched_house(keys) as house, memory_socket(house, caller=ONE) as socket:
            keys.end("one", expires_ms=now_ms())
            assert await socket.verdict is Verdict.UNAUTHORIZED

    async def test_while_nobody_can_be_asked_all_stay(self) -> None:
        keys = Keys()
        async with watched_house(keys) as house, memory_socket(house, caller=ONE) as socket:
            keys.end("one", revoked_ms=1)
            keys.is_away = True
            await asyncio.sleep(10 * WATCH_MS / 1_000)
            assert not socket.verdict.done()
            keys.is_away = False
            assert await socket.verdict is Verdict.UNAUTHORIZED

    async def test_what_waits_for_its_client_waits_no_longer(self) -> None:
        keys = Keys()
        async with (
            watched_house(keys, resume_window_ms=60_000) as house,
            memory_socket(house, caller=ONE) as socket,
        ):
            await socket.send({"type": "text", "text": "One. " * 1_000})
            await socket.receive_until("started")
            socket.break_off()
            await asyncio.sleep(0.001)
            assert house.lobby.parked == 1
            keys.end("one", revoked_ms=1)
            await asyncio.sleep(WATCH_MS / 1_000)
            await turns()
            assert (house.lobby.parked, house.admission.contexts) == (0, 0)

    @pytest.mark.parametrize("turn", range(24))
    async def test_nor_does_who_is_just_coming_back(self, turn: int) -> None:
        """In whatever turn of the loop it is noticed."""
        revoked = Key("one", "acme", "", (), 1, revoked_ms=1)
        async with (
            memory_house(resume_window_ms=60_000) as house,
            memory_socket(house, caller=ONE) as socket,
        ):
            token = (await socket.receive_until("ready"))["resume_token"]
            await socket.send({"type": "text", "text": "One. " * 1_000})
            await socket.receive_until("started")
            socket.break_off()
            await asyncio.sleep(0.001)
            async with memory_socket(house, caller=ONE) as back:
                await back.receive_until("ready")
                await back.send({"type": "resume", "token": token})
                for _ in range(turn):
                    await asyncio.sleep(0)
                house.attendance._judge([revoked])
                assert await back.verdict is Verdict.UNAUTHORIZED
            assert (house.lobby.parked, house.admission.contexts) == (0, 0)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    accounts = AccountsConfig(database=str(tmp_path / "accounts.db"))
    limits = tone_config(key_watch_ms=20, resume_window_ms=60_000)
    async with running_server(msgspec.structs.replace(limits, accounts=accounts)) as server:
        use_engine(server, ChaosEngine(ToneEngine(), {"never": [Hang()]}))
        yield server


def store_of(server: RunningServer) -> Store:
    assert server.house.store is not None
    return server.house.store


@pytest.mark.socket
class TestOnTheWire:
    async def test_a_websocket_is_told_and_closed(self, server: RunningServer) -> None:
        key, other = await key_of(server), await key_of(server)
        async with (
            dial(server, headers=bearer(key)) as connection,
            dial(server, headers=bearer(other)) as stays,
        ):
            socket, unharmed = SpeechSocket(connection), SpeechSocket(stays)
            await socket.send({"type": "text", "text": TEXT})
            await socket.receive_until("segment_end")
            await store_of(server).revoke_key(key.id, now_ms())
            error = await socket.receive_until("error")
            assert (error["code"], error["message"]) == ("unauthorized", "this key was revoked")
            await connection.wait_closed()
            assert (connection.close_code, connection.close_reason) == (1008, "unauthorized")
            await until(lambda: server.house.admission.contexts == 0)
            assert server.house.lobby.parked == 0
            await unharmed.send({"type": "ping"})
            await unharmed.receive_until("pong")

    async def test_one_that_came_back_too(self, server: RunningServer) -> None:
        key = await key_of(server)
        connection = await dial(server, headers=bearer(key))
        socket = SpeechSocket(connection)
        token = (await socket.receive_until("ready"))["resume_token"]
        await socket.send({"type": "text", "text": TEXT})
        await socket.receive_until("segment_end")
        connection.transport.abort()
        async with dial(server, headers=bearer(key)) as again:
            back = SpeechSocket(again)
            await back.send({"type": "resume", "token": token})
            await back.receive_until("resumed")
            await store_of(server).revoke_key(key.id, now_ms())
            assert (await back.receive_until("error"))["code"] == "unauthorized"
            await again.wait_closed()
            assert again.close_code == 1008
        await until(lambda: server.house.admission.connections == 0)

    async def test_a_key_expires_in_the_middle(self, server: RunningServer) -> None:
        credential, now = new_credential(Kind.KEY), now_ms()
        key = Key(credential.id, "acme", "", tuple(Scope), now, expires_ms=now + 1_000)
        await store_of(server).add_key(KeptKey(key, credential.digest))
        async with dial(server, headers=bearer(credential)) as connection:
            error = await SpeechSocket(connection).receive_until("error")
            assert (error["code"], error["message"]) == ("unauthorized", "this key has expired")

    async def test_audio_alone_is_cut_off(self, server: RunningServer) -> None:
        key = await key_of(server)
        async with (
            http_client(server) as client,
            client.stream("POST", "/v1/speech", json={"text": TEXT}, headers=bearer(key)) as answer,
        ):
            parts = answer.aiter_raw()
            await anext(parts)
            await store_of(server).revoke_key(key.id, now_ms())
            with pytest.raises(httpx.RemoteProtocolError):
                async for _ in parts:
                    pass
        await until(lambda: server.house.admission.contexts == 0)

    async def test_events_end_with_the_error(self, server: RunningServer) -> None:
        key = await key_of(server)
        head = {**bearer(key), "accept": "application/x-ndjson"}
        async with (
            http_client(server) as client,
            client.stream("POST", "/v1/speech", json={"text": TEXT}, headers=head) as answer,
        ):
            lines = answer.aiter_lines()
            await anext(lines)
            await store_of(server).revoke_key(key.id, now_ms())
            told = [msgspec.json.decode(line) async for line in lines]
        assert (told[-1]["type"], told[-1]["code"]) == ("error", "unauthorized")

    async def test_before_the_first_byte_it_is_401(self, server: RunningServer) -> None:
        key = await key_of(server)
        async with http_client(server) as client, asyncio.TaskGroup() as tasks:
            asked = client.post("/v1/speech", json={"text": "never"}, headers=bearer(key))
            asking = tasks.create_task(asked)
            await until(lambda: server.house.admission.contexts == 1)
            await store_of(server).revoke_key(key.id, now_ms())
            answer = await asking
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
