"""What one key has begun or made, another cannot see, go on with, use or have counted: by any route that takes an id."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest

from gateway.accounts.credentials import Credential
from gateway.accounts.sqlite import SqliteStore
from gateway.config import AccountsConfig
from gateway.engines.chaos import ChaosEngine, Hang
from gateway.engines.tone import ToneEngine
from gateway.fronts.described.openapi import OPERATIONS
from tests.accounts.test_access import bearer, dial
from tests.accounts.test_gate import make_key
from tests.fronts.peers import http_client, use_engine
from tests.limits.borders import under_way
from tests.support.leaks import until
from tests.support.server import RunningServer, SpeechSocket, running_server, tone_config

pytestmark = pytest.mark.socket

TEXT = "This is made without any trouble at all."
LEXICON = {"rules": [{"language": "en", "word": "trouble", "alias": "fuss"}]}
UNKNOWN = {"request": "req_000000000000000000000000", "lexicon": "lx_0000000000000000"}
BY_ID = {
    ("get", "/v1/speech/requests/{id}"): ("request", {"owner"}),
    ("get", "/v1/speech/lexicons/{id}"): ("lexicon", {"owner", "colleague"}),
    ("put", "/v1/speech/lexicons/{id}"): ("lexicon", {"owner", "colleague"}),
    ("delete", "/v1/speech/lexicons/{id}"): ("lexicon", {"owner", "colleague"}),
}
"""What the id in the path is of, and who may; the colleague has another key of the same account."""


@dataclass
class Three:
    """Whose is what, what somebody of the same account is, and somebody of another one."""

    server: RunningServer
    client: httpx.AsyncClient
    owner: Credential
    colleague: Credential
    stranger: Credential

    @property
    def others(self) -> tuple[Credential, Credential]:
        return self.colleague, self.stranger

    async def ask(
        self, who: Credential, method: str, path: str, body: object = None
    ) -> tuple[int, str]:
        """The status and the body, without ids."""
        answer = await self.client.request(method, path, json=body, headers=bearer(who))
        return answer.status_code, re.sub("(req|lx)_[0-9a-f]+", "…", answer.text)

    async def ids(self) -> dict[str, str]:
        """Of what the owner has done and made."""
        head = bearer(self.owner)
        spoken = await self.client.post("/v1/speech", json={"text": TEXT}, headers=head)
        made = await self.client.post("/v1/speech/lexicons", json=LEXICON, headers=head)
        return {"request": spoken.headers["x-request-id"], "lexicon": made.json()["id"]}


@pytest.fixture
async def three(tmp_path: Path) -> AsyncIterator[Three]:
    accounts = AccountsConfig(database=str(tmp_path / "accounts.db"), charge=True)
    config = msgspec.structs.replace(tone_config(resume_window_ms=60_000), accounts=accounts)
    async with running_server(config) as server, http_client(server) as client:
        store = server.house.store
        assert isinstance(store, SqliteStore)
        keys = [await make_key(store, account=account) for account in ("acme", "acme", "evil")]
        for account in ("acme", "evil"):
            await store.grant(account, 100_000, "", 1)
        yield Three(server, client, *keys)


def test_every_route_that_takes_an_id_is_here() -> None:
    ours = {
        (each.method, each.path)
        for each in OPERATIONS
        if "{" in each.path and each.path.startswith("/v1/speech/")
    }
    assert ours == set(BY_ID)


@pytest.mark.parametrize(("method", "path"), BY_ID)
async def test_anothers_id_is_as_good_as_none(three: Three, method: str, path: str) -> None:
    of, may = BY_ID[method, path]
    ids = await three.ids()
    body = LEXICON if method == "put" else None
    for who in ("stranger", "colleague", "owner"):
        key = getattr(three, who)
        status, told = await three.ask(key, method, path.format(id=ids[of]), body)
        unknown = await three.ask(key, method, path.format(id=UNKNOWN[of]), body)
        assert unknown[0] == 404
        assert ((status, told) == unknown) == (who not in may), who
        if method == "delete" and who in may:
            ids = await three.ids()


@pytest.mark.parametrize("path", ["/v1/speech", "/v1/speech/segments"])
async def test_anothers_lexicon_is_not_spoken_by(three: Three, path: str) -> None:
    ids = await three.ids()
    asked = [{"text": TEXT, "lexicon": id} for id in (ids["lexicon"], UNKNOWN["lexicon"])]
    answers = [await three.ask(three.stranger, "post", path, body) for body in asked]
    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    assert (await three.ask(three.colleague, "post", path, asked[0]))[0] == 200
    listed = await three.ask(three.stranger, "get", "/v1/speech/lexicons")
    assert listed == (200, '{"lexicons":[]}')


async def test_nor_over_a_websocket(three: Three) -> None:
    ids = await three.ids()
    async with dial(three.server, headers=bearer(three.stranger)) as connection:
        socket = SpeechSocket(connection)
        await socket.send({"type": "configure", "lexicon": ids["lexicon"]})
        assert (await socket.receive_until("error"))["code"] == "unknown_lexicon"


async def test_anothers_session_is_not_resumed_and_not_disturbed(three: Three) -> None:
    """By nobody: a session is its key's, not its account's."""
    connection = await dial(three.server, headers=bearer(three.owner))
    socket = SpeechSocket(connection)
    ready = await socket.receive_until("ready")
    await socket.send({"type": "text", "text": TEXT})
    await socket.receive_until("segment_end")
    connection.transport.abort()
    answers = []
    for key in three.others:
        for token in (ready["resume_token"], "no token at all"):
            async with dial(three.server, headers=bearer(key)) as other:
                asking = SpeechSocket(other)
                await asking.send({"type": "resume", "token": token})
                answers.append(await asking.receive_until("error"))
    assert answers[0]["code"] == "not_found"
    assert answers == answers[:1] * 4
    async with dial(three.server, headers=bearer(three.owner)) as again:
        back = SpeechSocket(again)
        await back.send({"type": "resume", "token": ready["resume_token"]})
        resumed = await back.receive_until("resumed")
        assert resumed["session"] == ready["session"]
    # Nor is it told what the session did.
    for key in three.others:
        path = f"/v1/speech/requests/{ready['session']}"
        assert (await three.ask(key, "get", path))[0] == 404


async def test_anothers_idempotency_key_is_another_one(three: Three) -> None:
    """Also while the first one is being answered."""
    use_engine(three.server, ChaosEngine(ToneEngine(), {"never": [Hang()]}))

    async def answered(key: Credential, text: str) -> httpx.Response:
        head = {"idempotency-key": "one", **bearer(key)}
        return await three.client.post("/v1/speech", json={"text": text}, headers=head)

    async with under_way(answered(three.owner, "This will never be.")) as going_on:
        await until(lambda: three.server.house.admission.contexts == 1)
        for key in three.others:
            for again in (False, True):
                answer = await answered(key, "This will be.")
                assert answer.status_code == 200
                assert ("x-replay-of" in answer.headers) == again
        assert (await answered(three.owner, "This will never be.")).status_code == 409
        going_on.cancel()


async def test_nothing_is_counted_to_another(three: Three) -> None:
    await three.ids()
    store = three.server.house.store
    assert store is not None
    await store.revoke_key("nobody", 0)  # Behind all that was asked.
    told = [
        (await three.client.get("/v1/speech/usage", headers=bearer(key))).json()
        for key in (three.owner, *three.others)
    ]
    assert [each["total"]["chars"] for each in told] == [len(TEXT), 0, 0]
    assert [each["credits"]["spent"] for each in told] == [len(TEXT) / 1_000] * 2 + [0]
