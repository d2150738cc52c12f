"""What speech costs, from the wire to the books."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import cast

import httpx
import msgspec
import pytest
from starlette.routing import BaseRoute, Route

from gateway.accounts.clock import now_ms
from gateway.accounts.credentials import Credential
from gateway.accounts.model import Usage
from gateway.accounts.sqlite import SqliteStore
from gateway.audio.registry import MEDIA_TYPES
from gateway.config import AccountsConfig, Config
from gateway.core.errors import AccountsUnavailable
from gateway.core.synthesis import Begun, Report, Synthesize
from gateway.dialects.http import Agreed, Answering, Headers
from gateway.dialects.native_http import NativeExchange
from gateway.engines.chaos import ChaosEngine, Fail, Hang
from gateway.engines.tone import ToneEngine
from gateway.fronts.http import SpeechOverHttp
from gateway.fronts.usage import Credits, Spoken, UsageInfo
from tests.accounts.test_access import bearer, dial
from tests.accounts.test_gate import make_key
from tests.fronts.peers import http_client, use_engine
from tests.support.server import RunningServer, SpeechSocket, running_server, tone_config

FIRST, SECOND = "The first sentence is here.", " And here is the second one."
BOTH = FIRST + SECOND
FREE = "This costs nothing."

pytestmark = pytest.mark.socket


def config(directory: Path, *, charge: bool = True, price: int = 1, **limits: int) -> Config:
    accounts = AccountsConfig(database=str(directory / "accounts.db"), charge=charge)
    plain = tone_config(**limits)
    model = msgspec.structs.replace(plain.models["tone"], millicredits_per_char=price)
    return msgspec.structs.replace(plain, accounts=accounts, models={"tone": model})


class Books:
    """A server with one key, and what its account has."""

    def __init__(self, server: RunningServer, key: Credential) -> None:
        self.server = server
        self.key = key
        self.store = cast(SqliteStore, server.house.store)

    async def grant(self, millicredits: int) -> None:
        await self.store.grant("acme", millicredits, "", now_ms())

    async def settled(self) -> tuple[int, int]:
        """Posted and pending, when all contexts are over and what they asked for is done."""
        while self.server.house.admission.contexts:  # noqa: ASYNC110  # nobody announces it
            await asyncio.sleep(0.005)
        await self.store.revoke_key("nobody", 0)
        balance = await self.store.balance("acme")
        return balance.posted, balance.pending

    async def post(self, text: str, *, accept: str = "*/*") -> httpx.Response:
        async with http_client(self.server) as client:
            head = {**bearer(self.key), "accept": accept}
            return await client.post("/v1/speech", json={"text": text}, headers=head)


@pytest.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    async with running_server(config(tmp_path, credit_block_chars=10)) as server:
        assert server.house.store is not None
        yield Books(server, await make_key(server.house.store))


async def test_a_text_costs_its_characters(books: Books) -> None:
    await books.grant(1_000)
    assert (await books.post(BOTH)).is_success
    assert await books.settled() == (len(BOTH), 0)
    assert await books.store.usage(0) == [
        Usage("acme", books.key.id, "tone", 1, len(BOTH), len(BOTH))
    ]


async def test_what_cannot_be_spoken_costs_nothing(books: Books) -> None:
    assert (await books.post("...")).is_success
    assert await books.settled() == (0, 0)


async def test_without_credits_it_is_402_and_nothing_is_made(books: Books) -> None:
    answer = await books.post(BOTH)
    assert answer.status_code == 402
    assert answer.json()["error"]["code"] == "credits_exhausted"
    await books.grant(len(FIRST) - 1)
    assert (await books.post(BOTH)).status_code == 402
    assert await books.settled() == (0, 0)


async def test_what_there_is_credit_for_is_spoken_and_then_it_is_said(books: Books) -> None:
    await books.grant(len(FIRST) + 3)
    answer = await books.post(BOTH, accept="application/x-ndjson")
    told = [msgspec.json.decode(line) for line in answer.content.splitlines()]
    assert any(message["type"] == "audio" for message in told)
    assert (told[-1]["type"], told[-1]["code"]) == ("error", "credits_exhausted")
    assert await books.settled() == (len(FIRST), 0)
    await books.grant(len(FIRST))
    with pytest.raises(httpx.RemoteProtocolError):
        await books.post(BOTH)


async def test_a_websocket_costs_its_contexts_characters_however_it_flushes(books: Books) -> None:
    await books.grant(1_000)
    async with dial(books.server, headers=bearer(books.key)) as connection:
        socket = SpeechSocket(connection)
        for word in BOTH.split(" "):
            await socket.send({"type": "text", "text": word + " "}, {"type": "flush"})
        await socket.send({"type": "end"})
        await socket.receive_until("ended")
        assert await books.settled() == (len(BOTH) + 1, 0)
        assert [used.requests for used in await books.store.usage(0)] == [1]


async def test_over_a_websocket_a_context_that_has_run_out_makes_no_more(books: Books) -> None:
    await books.grant(len(FIRST))
    async with dial(books.server, headers=bearer(books.key)) as connection:
        socket = SpeechSocket(connection)
        for text in (FIRST, SECOND, "Hi."):
            await socket.send({"type": "text", "text": text}, {"type": "flush"})
            await socket.receive_until("flushed")
        await socket.send({"type": "end"})
        await socket.receive_until("ended")
        failed = [m for m in socket.messages("segment_end") if m["status"] == "failed"]
        assert len(failed) == 2
        assert await books.settled() == (len(FIRST), 0)
        await books.grant(1_000)
        await socket.send(
            {"type": "text", "text": "Hi.", "context": "b"}, {"type": "end", "context": "b"}
        )
        await socket.receive_until("ended", context="b")
        assert await books.settled() == (len(FIRST) + 3, 0)


def told_of(answer: httpx.Response) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in answer.content.splitlines()]


async def test_what_it_cost_is_told_at_its_end(books: Books) -> None:
    await books.grant(1_000)
    answer = await books.post(BOTH, accept="application/x-ndjson")
    assert told_of(answer)[-1]["credits"] == len(BOTH) / 1_000
    async with dial(books.server, headers=bearer(books.key)) as connection:
        socket = SpeechSocket(connection)
        await socket.send({"type": "text", "text": FIRST}, {"type": "end"})
        await socket.receive_until("ended")
        assert socket.messages("ended")[-1]["credits"] == len(FIRST) / 1_000


async def test_a_receipt_tells_what_was_made_what_was_heard_and_what_it_cost(books: Books) -> None:
    await books.grant(100_000)
    use_engine(books.server, ChaosEngine(ToneEngine(), {"second": [Hang()]}))
    async with http_client(books.server) as client:
        client.headers.update(bearer(books.key))
        client.headers["accept"] = "application/x-ndjson"
        async with client.stream("POST", "/v1/speech", json={"text": BOTH}) as answer:
            async for line in answer.aiter_lines():
                if '"segment_end"' in line:
                    break
        client.headers["accept"] = "*/*"
        assert await books.settled() == (len(FIRST), 0)
        found = await client.get(f"/v1/speech/requests/{answer.headers['x-request-id']}")
    (context,) = found.json()["contexts"]
    assert context["chars"] == len(BOTH)
    assert context["chars_made"] == context["chars_spoken"] == len(FIRST)
    assert context["credits"] == len(FIRST) / 1_000


class Telling(NativeExchange):
    """A dialect that says what a request costs."""

    name = "telling speech"

    def describe(self, agreed: Agreed, answering: Answering) -> Headers:
        told = f"{answering.credits} {answering.credits_left}"
        return [*super().describe(agreed, answering), ("x-credits", told)]


@pytest.mark.parametrize(
    ("text", "stream", "told"),
    [
        (BOTH, True, ["0.055 0.945", "0.0 0.945"]),
        (BOTH, False, ["0.055 0.945", "0.0 0.945"]),
        ("...", True, ["0.003 0.997"] * 2),
        ("...", False, ["0.0 1.0"] * 2),
    ],
)
async def test_a_dialect_may_tell_the_price_in_the_head(
    books: Books, text: str, stream: bool, told: list[str]
) -> None:
    """Exactly for a file; of a stream, what it is when all of it can be spoken."""
    front = SpeechOverHttp(books.server.house, Telling(MEDIA_TYPES), tells_credits=True)
    cast(list[BaseRoute], books.server.routes).insert(0, Route("/told", front))
    await books.grant(1_000)
    head = {**bearer(books.key), "idempotency-key": "one"}
    async with http_client(books.server) as client:
        for expected in told:
            answer = await client.post("/told", json={"text": text, "stream": stream}, headers=head)
            assert answer.headers["x-credits"] == expected
            await books.settled()
        answer = await client.get("/v1/speech/usage", headers=bearer(books.key))
    routes = [each["route"] for each in answer.json()["routes"]]
    assert routes == ["telling speech"] * (text == BOTH)


async def test_usage_is_told_to_its_key(books: Books) -> None:
    await books.grant(1_000)
    other = await make_key(books.store)
    await books.post(FIRST)
    async with dial(books.server, headers=bearer(books.key)) as connection:
        socket = SpeechSocket(connection)
        await socket.send({"type": "text", "text": SECOND}, {"type": "end"})
        await socket.receive_until("ended")
    await books.settled()
    told = {}
    async with http_client(books.server) as client:
        for key in (books.key, other):
            answer = await client.get("/v1/speech/usage", headers=bearer(key))
            told[key] = msgspec.json.decode(answer.content, type=UsageInfo)
        minted = await client.post("/v1/speech/tokens", headers=bearer(books.key))
        token = {"authorization": f"Bearer {minted.json()['token']}"}
        refused = await client.get("/v1/speech/usage", headers=token)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    mine, theirs = told.values()
    left = (1_000 - len(BOTH)) / 1_000
    assert mine.credits == theirs.credits == Credits(left, 0, len(BOTH) / 1_000)
    assert (mine.key, mine.account, mine.charged) == (books.key.id, "acme", True)
    assert mine.today == mine.month == mine.total == Spoken(2, len(BOTH), len(BOTH) / 1_000)
    assert {each.route: each.today.chars for each in mine.routes} == {
        "http": len(FIRST),
        "websocket": len(SECOND),
    }
    assert (theirs.total, theirs.routes) == (Spoken(0, 0, 0), ())


async def test_without_accounts_there_is_nothing_to_tell() -> None:
    async with running_server(tone_config()) as server, http_client(server) as client:
        answer = await client.get("/v1/speech/usage")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
        spoken = await client.post(
            "/v1/speech", json={"text": FREE}, headers={"accept": "application/x-ndjson"}
        )
        assert "credits" not in told_of(spoken)[-1]


async def test_failures_of_ours_cost_nothing(books: Books) -> None:
    await books.grant(1_000)
    use_engine(books.server, ChaosEngine(ToneEngine(), {"second": [Fail(), Fail(), Fail()]}))
    answer = await books.post(BOTH, accept="application/x-ndjson")
    assert b"engine_failed" in answer.content
    assert await books.settled() == (len(FIRST), 0)


async def test_whoever_leaves_pays_for_what_was_made(books: Books) -> None:
    await books.grant(100_000)
    text = BOTH * 200
    async with dial(books.server, headers=bearer(books.key)) as connection:
        socket = SpeechSocket(connection)
        await socket.send({"type": "text", "text": text})
        await socket.receive_until("segment_end")
    posted, pending = await books.settled()
    assert pending == 0
    assert len(FIRST) <= posted < len(text)


async def test_without_prices_it_is_only_counted(tmp_path: Path) -> None:
    async with running_server(config(tmp_path, charge=False)) as server:
        assert server.house.store is not None
        books = Books(server, await make_key(server.house.store))
        assert (await books.post(FREE)).is_success
        assert await books.settled() == (0, 0)
        assert await books.store.usage(0) == [Usage("acme", books.key.id, "tone", 1, len(FREE), 0)]


async def test_a_model_has_its_price(tmp_path: Path) -> None:
    async with running_server(config(tmp_path, price=7)) as server:
        assert server.house.store is not None
        books = Books(server, await make_key(server.house.store))
        await books.grant(1_000)
        assert (await books.post(FREE)).is_success
        assert await books.settled() == (7 * len(FREE), 0)


class Noting(ToneEngine):
    """Tells when it has made something."""

    def __init__(self) -> None:
        super().__init__()
        self.made = asyncio.Event()

    async def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        async for report in super().synthesize(order):
            if not isinstance(report, Begun):
                self.made.set()
            yield report


async def test_the_first_audio_waits_for_the_commit_which_runs_beside_the_synthesis(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    await books.grant(1_000)
    engine = Noting()
    use_engine(books.server, engine)
    committed = asyncio.get_running_loop().create_future()
    go = asyncio.Event()
    honest = books.store.reserve

    def held(*asked: object) -> asyncio.Future[int]:
        async def later() -> int:
            amount = await honest(*asked)  # type: ignore[arg-type]
            committed.set_result(None)
            await go.wait()
            return amount

        return asyncio.ensure_future(later())  # noqa: TID251  # ends with the test

    monkeypatch.setattr(books.store, "reserve", held)
    async with dial(books.server, headers=bearer(books.key)) as connection:
        socket = SpeechSocket(connection)
        await socket.send({"type": "text", "text": "Hi."}, {"type": "end"})
        await engine.made.wait()
        await committed
        await socket.send({"type": "ping"})
        await socket.receive_until("pong")
        assert not socket.audio()
        go.set()
        await socket.receive_until("ended")
        assert socket.audio()
    assert await books.settled() == (3, 0)


async def test_without_its_database_nothing_is_spoken(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    await books.grant(1_000)

    def fails(*asked: object) -> asyncio.Future[int]:
        raise AccountsUnavailable("away")

    monkeypatch.setattr(books.store, "reserve", fails)
    answer = await books.post(BOTH)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "accounts_unavailable")


async def test_a_post_that_is_lost_charges_nothing(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    await books.grant(1_000)

    def fails(*asked: object) -> asyncio.Future[None]:
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        failed.set_exception(AccountsUnavailable("away"))
        return failed

    monkeypatch.setattr(books.store, "post", fails)
    assert (await books.post(BOTH)).is_success
    assert await books.settled() == (0, 0)


async def test_what_is_asked_again_is_paid_once(books: Books) -> None:
    """Also when less had been made the first time: then the rest is."""
    await books.grant(1_000)
    first = ChaosEngine(ToneEngine(), {"second": [Fail()] * 3})
    use_engine(books.server, first)
    head = {**bearer(books.key), "idempotency-key": "one", "accept": "application/x-ndjson"}
    async with http_client(books.server) as client:
        for paid, whole in ((len(FIRST), False), (len(BOTH), True), (len(BOTH), True)):
            answer = await client.post("/v1/speech", json={"text": BOTH}, headers=head)
            assert (b'"ended"' in answer.content) == whole
            assert await books.settled() == (paid, 0)
            use_engine(books.server, ToneEngine())


async def test_a_gateway_that_was_restarted_makes_it_anew_and_charges_it(tmp_path: Path) -> None:
    """It has forgotten the key, and the books have not: nothing is doubled that was not made twice."""
    key: Credential | None = None
    for time in (1, 2):
        async with running_server(config(tmp_path)) as server:
            store = cast(SqliteStore, server.house.store)
            key = key or await make_key(store)
            books = Books(server, key)
            await books.grant(1_000)
            head = {**bearer(key), "idempotency-key": "one"}
            async with http_client(server) as client:
                answer = await client.post("/v1/speech", json={"text": FREE}, headers=head)
            assert answer.status_code == 200
            assert "x-replay-of" not in answer.headers
            assert await books.settled() == (time * len(FREE), 0)
