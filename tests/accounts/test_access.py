"""Keys and tokens on the wire: where they are taken from, and what happens without."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from gateway.accounts.credentials import Credential, Kind, new_credential
from gateway.accounts.model import Scope
from gateway.config import AccountsConfig, Config, ConfigError, ServerConfig, judge_exposure
from gateway.dialects.base import Verdict
from gateway.dialects.native import ErrorBody
from tests.accounts.test_gate import make_key
from tests.fronts.peers import http_client
from tests.limits.borders import border
from tests.support.checkout import ROOT
from tests.support.memory import memory_house, memory_socket
from tests.support.server import RunningServer, SpeechSocket, running_server, tone_config

TEXT = {"text": "One."}
JSON = "speech.v1.json"
KEYED = (
    ("POST", "/v1/speech"),
    ("POST", "/v1/speech/segments"),
    ("POST", "/v1/speech/tokens"),
    ("GET", "/v1/speech/usage"),
    ("GET", "/v1/speech/lexicons"),
    ("GET", "/v1/speech/voices"),
    ("GET", "/v1/speech/models"),
)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    accounts = AccountsConfig(database=str(tmp_path / "accounts.db"))
    config = msgspec.structs.replace(tone_config(resume_window_ms=30_000), accounts=accounts)
    async with running_server(config) as server:
        yield server


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(server) as client:
        yield client


async def key_of(server: RunningServer, *scopes: Scope) -> Credential:
    assert server.house.store is not None
    return await make_key(server.house.store, *scopes)


def bearer(credential: Credential) -> dict[str, str]:
    return {"authorization": f"Bearer {credential.text}"}


def dial(
    server: RunningServer,
    query: str = "",
    *subprotocols: str,
    headers: dict[str, str] | None = None,
) -> connect:
    return connect(
        server.ws_url + query,
        subprotocols=[Subprotocol(name) for name in (JSON, *subprotocols)],
        additional_headers=headers,
        proxy=None,
    )


async def refusal(dialled: connect) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refused:
        await dialled
    response = refused.value.response
    body = msgspec.json.decode(response.body or b"", type=ErrorBody)
    return response.status_code, body.error.code


async def speaks(connection: ClientConnection) -> bool:
    socket = SpeechSocket(connection)
    await socket.send({"type": "text", **TEXT}, {"type": "end"})
    await socket.receive_until("ended")
    return bool(socket.audio())


@pytest.mark.socket
class TestHttp:
    @pytest.mark.parametrize(("method", "path"), KEYED)
    async def test_each_route_asks_for_a_key(
        self, server: RunningServer, client: httpx.AsyncClient, method: str, path: str
    ) -> None:
        body = None if method == "GET" else TEXT
        answer = await client.request(method, path, json=body)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "unauthorized"
        key = await key_of(server)
        for shown in (
            bearer(key),
            {"authorization": f"bearer  {key.text}"},
            {"x-api-key": key.text},
            {**bearer(key), "x-api-key": key.text},
        ):
            answer = await client.request(method, path, json=body, headers=shown)
            assert answer.status_code == 200

    async def test_some_are_for_everybody(self, client: httpx.AsyncClient) -> None:
        for path in ("/healthz", "/readyz", "/openapi.json", "/asyncapi.json"):
            assert (await client.get(path)).status_code == 200

    async def test_a_key_is_shown_in_one_way(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        one, other = await key_of(server), await key_of(server)
        for shown in (
            {**bearer(one), "x-api-key": other.text},
            {"authorization": f"Basic {one.text}"},
            {"authorization": one.text},
            {"authorization": "Bearer"},
            {"x-api-key": ""},
        ):
            answer = await client.post("/v1/speech", json=TEXT, headers=shown)
            assert answer.status_code == 401, shown
        for query in (f"?token={one.text}", f"?api_key={one.text}"):
            assert (await client.post(f"/v1/speech{query}", json=TEXT)).status_code == 401

    async def test_a_key_without_the_scope_is_forbidden(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        key = await key_of(server, Scope.SPEECH)
        answer = await client.post("/v1/speech/tokens", headers=bearer(key))
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "forbidden"

    async def test_a_token_is_good_for_one_request(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        minted = await client.post("/v1/speech/tokens", headers=bearer(await key_of(server)))
        shown = {"authorization": f"Bearer {minted.json()['token']}"}
        for status in (200, 401):
            answer = await client.post("/v1/speech", json=TEXT, headers=shown)
            assert answer.status_code == status

    async def test_what_one_has_asked_for_no_other_sees(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        one, other = bearer(await key_of(server)), bearer(await key_of(server))
        spoken = await client.post("/v1/speech", json=TEXT, headers=one)
        path = f"/v1/speech/requests/{spoken.headers['x-request-id']}"
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers=one)).status_code == 200
        answer = await client.get(path, headers=other)
        unknown = await client.get("/v1/speech/requests/req_0", headers=other)
        assert (answer.status_code, answer.json()["error"]) == (404, unknown.json()["error"])

    async def test_each_has_idempotency_keys_of_its_own(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        one, other = bearer(await key_of(server)), bearer(await key_of(server))
        for key, text, status in ((one, "One.", 200), (other, "Two.", 200), (one, "Two.", 409)):
            headers = {**key, "idempotency-key": "k"}
            answer = await client.post("/v1/speech", json={"text": text}, headers=headers)
            assert answer.status_code == status
            assert "x-replay-of" not in answer.headers

    async def test_work_is_counted_to_the_key(
        self, server: RunningServer, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        owners = []
        new_speaker = type(server.house).new_speaker

        def seen(*given: object, owner: str = "", **named: object) -> object:
            owners.append(owner)
            return new_speaker(*given, owner=owner, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(type(server.house), "new_speaker", seen)
        key = await key_of(server)
        assert (await client.post("/v1/speech", json=TEXT, headers=bearer(key))).is_success
        async with dial(server, headers=bearer(key)) as connection:
            assert await speaks(connection)
        assert owners == [key.id] * 2


@pytest.mark.socket
class TestWebSocket:
    async def test_it_asks_for_a_key_before_it_accepts(self, server: RunningServer) -> None:
        key = await key_of(server)
        for headers in (bearer(key), {"x-api-key": key.text}):
            async with dial(server, headers=headers) as connection:
                assert await speaks(connection)
        assert await refusal(dial(server)) == (401, "unauthorized")
        nobody = new_credential(Kind.KEY)
        assert await refusal(dial(server, headers=bearer(nobody))) == (401, "unauthorized")
        silent = await key_of(server, Scope.TOKENS)
        assert await refusal(dial(server, headers=bearer(silent))) == (403, "forbidden")

    async def test_a_token_comes_as_a_subprotocol_or_in_the_query(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        key = await key_of(server)

        async def mint() -> str:
            answer = await client.post("/v1/speech/tokens", headers=bearer(key))
            return str(answer.json()["token"])

        token = await mint()
        async with dial(server, "", f"token.{token}") as connection:
            assert connection.subprotocol == JSON
            assert await speaks(connection)
        assert await refusal(dial(server, f"?token={token}")) == (401, "unauthorized")
        async with dial(server, f"?token={await mint()}") as connection:
            assert await speaks(connection)

    async def test_a_key_is_no_part_of_an_address(self, server: RunningServer) -> None:
        key = await key_of(server)
        assert await refusal(dial(server, f"?token={key.text}")) == (401, "unauthorized")
        assert await refusal(dial(server, "", f"token.{key.text}")) == (401, "unauthorized")

    async def test_of_all_who_have_a_token_one_comes_in(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        answer = await client.post("/v1/speech/tokens", headers=bearer(await key_of(server)))
        name = f"token.{answer.json()['token']}"
        got = await asyncio.gather(
            *(dial(server, "", name) for _ in range(8)), return_exceptions=True
        )
        came = [each for each in got if isinstance(each, ClientConnection)]
        assert len(came) == 1
        await came[0].close()

    async def test_only_its_owner_resumes_a_session(self, server: RunningServer) -> None:
        one, other = await key_of(server), await key_of(server)
        connection = await dial(server, headers=bearer(one))
        socket = SpeechSocket(connection)
        token = (await socket.receive_until("ready"))["resume_token"]
        await socket.send({"type": "text", **TEXT})
        await socket.receive_until("started")
        connection.transport.abort()
        resume = {"type": "resume", "token": token, "contexts": [{"context": "default"}]}
        for key, answered in ((other, "error"), (one, "resumed")):
            async with dial(server, headers=bearer(key)) as again:
                back = SpeechSocket(again)
                await back.send(resume)
                message = await back.receive_until(answered)
                assert message.get("code") == ("not_found" if key is other else None)

    async def test_it_says_why_it_ends(self, tmp_path: Path) -> None:
        accounts = AccountsConfig(database=str(tmp_path / "short.db"))
        config = msgspec.structs.replace(tone_config(token_session_ms=1), accounts=accounts)
        async with running_server(config) as server, http_client(server) as client:
            answer = await client.post("/v1/speech/tokens", headers=bearer(await key_of(server)))
            token = answer.json()
            assert token["session_ms"] == 1
            connection = await dial(server, "", f"token.{token['token']}")
            await connection.wait_closed()
            assert (connection.close_code, connection.close_reason) == (1008, "session_over")


@pytest.mark.virtual_time
@border("token_session_ms")
async def test_a_connection_by_token_has_its_time(more: int) -> None:
    """However much is said; nobody waits for its client afterwards."""
    async with memory_house(resume_window_ms=30_000) as house:
        clock = asyncio.get_running_loop().time
        async with memory_socket(house, ends_at=clock() + 5) as socket:
            await socket.send({"type": "text", "text": "One. " * 1_000})
            await asyncio.sleep(5 + more / 1_000)
            if more < 0:
                assert not socket.verdict.done()
            else:
                assert await socket.verdict is Verdict.SESSION_OVER
                assert house.lobby.parked == 0


class TestOpen:
    @pytest.mark.socket
    async def test_any_key_or_none_is_local(self) -> None:
        async with running_server() as server, http_client(server) as client:
            for shown in ({}, bearer(new_credential(Kind.KEY)), {"authorization": "Basic x"}):
                for method, path in KEYED:
                    body = None if method == "GET" else TEXT
                    answer = await client.request(method, path, json=body, headers=shown)
                    assert answer.status_code == (404 if path.endswith("usage") else 200)
            token = (await client.post("/v1/speech/tokens")).json()["token"]
            async with dial(server, f"?token={token}", f"token.{token}") as connection:
                assert await speaks(connection)

    @pytest.mark.parametrize(
        ("host", "database", "insecure", "good"),
        [
            ("127.0.0.1", "", False, True),
            ("::1", "", False, True),
            ("localhost", "", False, True),
            ("0.0.0.0", "", False, False),
            ("::", "", False, False),
            ("192.0.2.1", "", False, False),
            ("gateway.example", "", False, False),
            ("0.0.0.0", "", True, True),
            ("0.0.0.0", "accounts.db", False, True),
        ],
    )
    def test_others_come_in_with_keys_or_not_at_all(
        self, host: str, database: str, insecure: bool, good: bool
    ) -> None:
        config = Config(
            server=ServerConfig(host=host, insecure=insecure),
            accounts=AccountsConfig(database=database),
        )
        if good:
            judge_exposure(config)
        else:
            with pytest.raises(ConfigError, match="--insecure"):
                judge_exposure(config)

    @pytest.mark.socket
    @pytest.mark.slow
    async def test_the_start_says_so_or_is_refused(self) -> None:
        for arguments, said in (
            (("--port", "0"), rb"listens on .+\nIt is open: whoever reaches it needs no key"),
            (("--host", "0.0.0.0"), rb"nobody would need a key: .*--insecure"),
        ):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway", "serve", *arguments),
                cwd=ROOT,
                stderr=asyncio.subprocess.PIPE,
            )
            assert process.stderr is not None
            lines = await process.stderr.readline() + await process.stderr.readline()
            if process.returncode is None and b"listens" in lines:
                process.terminate()
            await process.wait()
            assert re.search(said, lines), lines
