"""Sarvam's handshake on a real socket: where keys are shown, what is echoed, and how a no looks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from gateway.config import AccountsConfig
from gateway.dialects.sarvam_errors import SarvamErrorBody
from tests.accounts.test_gate import make_key
from tests.support.server import Message, RunningServer, running_server, tone_config

pytestmark = pytest.mark.socket

PATH = "/text-to-speech/ws"
KEY_HEADER = "api-subscription-key"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    accounts = AccountsConfig(database=str(tmp_path / "accounts.db"))
    config = msgspec.structs.replace(tone_config(), accounts=accounts)
    async with running_server(config) as server:
        yield server


@pytest.fixture
async def key(server: RunningServer) -> str:
    assert server.house.store is not None
    return (await make_key(server.house.store)).text


def dial(server: RunningServer, path: str, headers: dict[str, str], *offered: str) -> connect:
    return connect(
        f"ws://127.0.0.1:{server.port}{path}",
        additional_headers=headers,
        subprotocols=[Subprotocol(name) for name in offered] or None,
        proxy=None,
    )


async def test_a_key_opens_every_path_wherever_it_is_shown(server: RunningServer, key: str) -> None:
    for path in (PATH, f"{PATH}/v2", f"/sarvam{PATH}", f"/sarvam{PATH}/v2"):
        async with dial(server, path, {KEY_HEADER: key}) as connection:
            assert connection.subprotocol is None
    async with dial(server, PATH, {"Authorization": f"Bearer {key}"}):
        pass
    # As browsers do, and as the client for Node, which sends a header, too.
    offered = f"{KEY_HEADER}.{key}"
    for headers in ({}, {KEY_HEADER: key}):
        async with dial(server, PATH, headers, "chat", offered) as connection:
            assert connection.subprotocol == offered


@pytest.mark.parametrize(
    ("headers", "query", "status", "code"),
    [
        ({}, "", 403, "invalid_api_key_error"),
        ({KEY_HEADER: "sk_wrong"}, "", 403, "invalid_api_key_error"),
        ({"Authorization": "Basic sk_wrong"}, "", 403, "invalid_api_key_error"),
        (
            {KEY_HEADER: "«key»", "Authorization": "Bearer sk_other"},
            "",
            403,
            "invalid_api_key_error",
        ),
        ({KEY_HEADER: "«key»"}, "?model=bulbul:v9", 400, "invalid_request_error"),
    ],
)
async def test_a_no_is_an_answer_of_http(
    server: RunningServer,
    key: str,
    headers: dict[str, str],
    query: str,
    status: int,
    code: str,
) -> None:
    shown = {name: value.replace("«key»", key) for name, value in headers.items()}
    with pytest.raises(InvalidStatus) as refused:
        await dial(server, PATH + query, shown)
    response = refused.value.response
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert response.body is not None
    assert msgspec.json.decode(response.body, type=SarvamErrorBody).error.code == code


async def test_more_configs_than_can_wait_are_refused(server: RunningServer, key: str) -> None:
    """Each has a context of its own until its text is spoken, and a connection may have so many."""
    async with dial(server, PATH, {KEY_HEADER: key}) as connection:
        for _ in range(2 * server.house.limits.contexts_max):
            await connection.send('{"type":"config","data":{"output_audio_codec":"linear16"}}')
            await connection.send('{"type":"text","data":{"text":"Spoken by the next config."}}')
        kinds: set[object] = set()
        async for frame in connection:
            message = msgspec.json.decode(frame, type=Message)
            kinds.add(message["type"])
            if message["type"] == "error":
                data = message["data"]
                assert isinstance(data, dict)
                assert data["code"] == 429
        assert kinds <= {"audio", "error"}
