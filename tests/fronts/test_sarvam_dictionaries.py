"""Sarvam's dictionaries over a real socket: made, listed, shown, changed, forgotten, and heard."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from websockets.asyncio.client import connect

from gateway.config import AccountsConfig
from gateway.dialects.sarvam_dictionaries import DICTIONARIES_MAX, WORDS_MAX, Pronunciations
from gateway.dialects.sarvam_errors import SarvamErrorBody
from gateway.fronts.sarvam_dictionaries import ID_DIGITS, ID_TRIES
from tests.accounts.test_gate import make_key
from tests.dialects.sarvam.test_dictionaries import many
from tests.fronts.peers import http_client
from tests.limits.borders import border
from tests.support.server import RunningServer, espeak_config, running_server, tone_config

pytestmark = pytest.mark.socket

PATH = "/text-to-speech/pronunciation-dictionary"
WORDS: Pronunciations = {"en-IN": {"SQL": "sequel", "url": "earl"}, "hi-IN": {"AI": "ए आई"}}


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    async with running_server() as server:
        yield server


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(server) as client:
        yield client


def form(pronunciations: object) -> dict[str, tuple[str, bytes]]:
    """As clients send it that guess the type from the name."""
    return {"file": ("d.json", msgspec.json.encode({"pronunciations": pronunciations}))}


async def create(client: httpx.AsyncClient, pronunciations: object = WORDS) -> str:
    answer = await client.post(PATH, files=form(pronunciations))
    assert answer.status_code == 200, answer.text
    id: str = answer.json()["dictionary_id"]
    return id


def refused(answer: httpx.Response) -> tuple[int, str]:
    error = msgspec.json.decode(answer.content, type=SarvamErrorBody).error
    return answer.status_code, error.code


async def test_all_that_can_be_done_with_one(client: httpx.AsyncClient) -> None:
    assert (await client.get(PATH)).json() == {"dictionary_count": 0, "dictionaries": []}
    id = await create(client)
    assert re.fullmatch("p_[0-9a-f]{8}", id)
    other = await create(client, {"ta-IN": {"AI": "ஏஐ"}})
    listed = {"dictionary_count": 2, "dictionaries": [id, other]}
    assert (await client.get(PATH)).json() == listed
    assert (await client.get(f"{PATH}/{id}")).json() == {"pronunciations": WORDS}

    # What is given is replaced or added, and the rest stays.
    change = {"en-IN": {"SQL": "ess cue ell", "URL": "earl"}}
    changed = await client.put(PATH, params={"dict_id": id}, files=form(change))
    both = {"en-IN": WORDS["en-IN"] | change["en-IN"], "hi-IN": WORDS["hi-IN"]}
    assert changed.json() == {"dictionary_id": id, "updated_pronunciations": both}
    assert (await client.get(f"{PATH}/{id}")).json() == {"pronunciations": both}

    gone = (await client.delete(PATH, params={"dict_id": id})).json()
    assert gone["success"] is True
    assert id in gone["message"]
    assert (await client.get(PATH)).json() == {"dictionary_count": 1, "dictionaries": [other]}
    for answer in (
        await client.get(f"{PATH}/{id}"),
        await client.put(PATH, params={"dict_id": id}, files=form(WORDS)),
        await client.delete(PATH, params={"dict_id": id}),
        await client.post("/text-to-speech", json={"text": "One.", "dict_id": id}),
        await client.post("/text-to-speech/stream", json={"text": "One.", "dict_id": id}),
    ):
        assert refused(answer) == (404, "not_found_error")


async def test_it_is_heard_in_its_language_word_for_word() -> None:
    async with running_server(espeak_config()) as server, http_client(server) as client:
        id = await create(client)

        async def speech(text: str, language: str, route: str = "/stream", **more: str) -> bytes:
            asked = {"text": text, "language_code": language, "output_audio_codec": "linear16"}
            answer = await client.post(f"/text-to-speech{route}", json={**asked, **more})
            assert answer.status_code == 200
            return answer.content

        plain = await speech("Our SQL is fast.", "en-IN")
        spoken = await speech("Our sequel is fast.", "en-IN")
        assert await speech("Our SQL is fast.", "en-IN", dict_id=id) == spoken != plain
        for text, language in (
            ("Our SQLs are fast.", "en-IN"),
            ("Our sql is fast.", "en-IN"),
            ("Our URL is fast.", "en-IN"),
            ("Our AI is fast.", "en-IN"),
            ("SQL अच्छा है।", "hi-IN"),
        ):
            assert await speech(text, language, dict_id=id) == await speech(text, language)
        assert await speech("AI अच्छा है।", "hi-IN", dict_id=id) != await speech(
            "AI अच्छा है।", "hi-IN"
        )
        assert await over_websocket(server, "Our SQL is fast.", id) == spoken
        # Of files only the ids of the requests differ.
        one, other = [
            await speech("Our SQL is fast.", "en-IN", route="", dict_id=id),
            await speech("Our sequel is fast.", "en-IN", route=""),
        ]
        assert one.partition(b'"audios"')[2] == other.partition(b'"audios"')[2]
        # The oldest model has no dictionaries.
        asked = {"text": "One.", "model": "bulbul:v2", "dict_id": id}
        answer = await client.post("/text-to-speech/stream", json=asked)
        assert answer.headers["x-ignored-parameters"] == "dict_id"


async def over_websocket(server: RunningServer, text: str, id: str) -> bytes:
    """The audio of one text, flushed, by a dictionary."""
    heard = b""
    how = {"target_language_code": "en-IN", "output_audio_codec": "linear16", "dict_id": id}
    async with connect(f"ws://127.0.0.1:{server.port}/text-to-speech/ws", proxy=None) as socket:
        for said in (
            {"type": "config", "data": {**how, "speaker": "shubh"}},
            {"type": "text", "data": {"text": text}},
            {"type": "flush"},
        ):
            await socket.send(msgspec.json.encode(said).decode())
        async for message in socket:
            told = msgspec.json.decode(message)
            if told["type"] == "event":
                return heard
            assert told["type"] == "audio", told
            heard += base64.b64decode(told["data"]["audio"])
    raise AssertionError("there was no final")


async def test_a_change_that_is_refused_changes_nothing(client: httpx.AsyncClient) -> None:
    id = await create(client, many(WORDS_MAX))
    one_more = await client.put(PATH, params={"dict_id": id}, files=form(many(1, "another")))
    assert refused(one_more) == (422, "unprocessable_entity_error")
    for file, expected in (
        (form({"fr-FR": {"AI": "IA"}}), (400, "invalid_request_error")),
        ({"file": ("d.json", b"x" * 1_048_577)}, (413, "invalid_request_error")),
        ({"other": ("d.json", b"{}")}, (422, "unprocessable_entity_error")),
    ):
        for method, params in (("PUT", {"dict_id": id}), ("POST", {})):
            answer = await client.request(method, PATH, params=params, files=file)
            assert refused(answer) == expected
    assert (await client.get(f"{PATH}/{id}")).json() == {"pronunciations": many(WORDS_MAX)}


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_who_names_none_is_told(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, PATH)
    assert refused(answer) == (422, "unprocessable_entity_error")


@border("dialects.sarvam_dictionaries.DICTIONARIES_MAX")
async def test_how_many_there_may_be(client: httpx.AsyncClient, more: int) -> None:
    for _ in range(DICTIONARIES_MAX + more - 1):
        await create(client)
    answer = await client.post(PATH, files=form(WORDS))
    if more <= 0:
        assert answer.status_code == 200
    else:
        assert refused(answer) == (400, "invalid_request_error")
        # Another one may take the place of one.
        (id, *_) = (await client.get(PATH)).json()["dictionaries"]
        await client.delete(PATH, params={"dict_id": id})
        await create(client)


@border("fronts.sarvam_dictionaries.ID_TRIES")
async def test_how_often_an_id_may_be_taken(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    taken = (await create(client)).removeprefix("p_")
    digits = iter([taken] * (ID_TRIES - 1 + more))
    random = secrets.token_hex

    def token_hex(size: int) -> str:
        return next(digits, "00000000") if 2 * size == ID_DIGITS else random(size)

    monkeypatch.setattr(secrets, "token_hex", token_hex)
    answer = await client.post(PATH, files=form(WORDS))
    if more <= 0:
        assert answer.json() == {"dictionary_id": "p_00000000"}
    else:
        assert refused(answer) == (500, "internal_server_error")


async def test_nobody_sees_another_ones_and_nobody_without_a_key_sees_any(tmp_path: Path) -> None:
    accounts = AccountsConfig(database=str(tmp_path / "accounts.db"))
    config = msgspec.structs.replace(tone_config(), accounts=accounts)
    async with running_server(config) as server, http_client(server) as client:
        assert server.house.store is not None
        mine, theirs = [
            {"api-subscription-key": (await make_key(server.house.store, account=account)).text}
            for account in ("a", "b")
        ]
        answer = await client.post(PATH, files=form(WORDS), headers=mine)
        id = answer.json()["dictionary_id"]
        assert (await client.get(f"{PATH}/{id}", headers=mine)).status_code == 200
        assert refused(await client.get(f"{PATH}/{id}", headers=theirs))[0] == 404
        assert (await client.get(PATH, headers=theirs)).json()["dictionary_count"] == 0
        asked = {"text": "One.", "dict_id": id}
        answer = await client.post("/text-to-speech", json=asked, headers=theirs)
        assert refused(answer) == (404, "not_found_error")
        for method in ("GET", "POST", "PUT", "DELETE"):
            answer = await client.request(method, PATH)
            assert refused(answer) == (403, "invalid_api_key_error")
        assert refused(await client.get(f"{PATH}/{id}"))[0] == 403
