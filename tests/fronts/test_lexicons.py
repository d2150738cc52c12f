"""Lexicons over HTTP: made, shown, changed, removed, and spoken by; those of one account are not there for another."""

from __future__ import annotations

import asyncio
import io
import wave
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import msgspec
import pytest

from gateway.accounts.lexicons import KeptLexicon, LexiconKind
from gateway.config import AccountsConfig
from gateway.core.lexicon import Lexicon, Rule
from gateway.fronts.lexicons import LexiconInfo
from tests.accounts.test_access import bearer
from tests.accounts.test_gate import make_key
from tests.docs.test_examples import Request
from tests.fronts.peers import http_client
from tests.limits.borders import border
from tests.support.checkout import ROOT
from tests.support.documents import blocks
from tests.support.server import (
    Message,
    RunningServer,
    espeak_config,
    running_server,
    speech_socket,
    tone_config,
)

PATH = "/v1/speech/lexicons"
SQL = {"language": "en", "word": "SQL", "alias": "sequel"}
HINDI = {"language": "hi-in", "word": "नमस्ते", "alias": "नमस्कार"}
PLS = """<?xml version="1.0" encoding="UTF-8"?>
<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="ipa" xml:lang="en-US">
  <lexeme><grapheme>W3C</grapheme><grapheme>WWWC</grapheme><alias>World Wide Web Consortium</alias></lexeme>
</lexicon>"""
FEW = 3

pytestmark = pytest.mark.socket


@pytest.fixture
async def keyed(tmp_path: Path) -> AsyncIterator[RunningServer]:
    accounts = AccountsConfig(database=str(tmp_path / "accounts.db"))
    async with running_server(msgspec.structs.replace(tone_config(), accounts=accounts)) as server:
        yield server


async def key(server: RunningServer, account: str) -> dict[str, str]:
    assert server.house.store is not None
    return bearer(await make_key(server.house.store, account=account))


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def made(client: httpx.AsyncClient, *rules: Mapping[str, str], **more: object) -> Message:
    answer = await client.post(PATH, json={"rules": rules or (SQL,), **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_it_is_made_shown_changed_and_removed() -> None:
    async with running_server() as server, http_client(server) as client:
        new = await made(client, SQL, HINDI, name="brands")
        assert (new["version"], new["name"], new["rules"]) == (1, "brands", [SQL, HINDI])
        path = f"{PATH}/{new['id']}"
        assert (await client.get(path)).json() == new
        (entry,) = (await client.get(PATH)).json()["lexicons"]
        assert entry == {**new, "rules": 2}
        changed = (await client.put(path, json={"rules": [HINDI]})).json()
        assert (changed["version"], changed["name"], changed["rules"]) == (2, "", [HINDI])
        assert changed["created_ms"] == new["created_ms"] <= changed["changed_ms"]
        assert (await client.delete(path)).json() == {"removed": new["id"]}
        for method in ("GET", "PUT", "DELETE"):
            answer = await client.request(method, path, json={"rules": []})
            assert code(answer) == (404, "unknown_lexicon")
        assert (await client.get(PATH)).json() == {"lexicons": []}


async def test_what_is_wrong_is_named_and_changes_nothing() -> None:
    async with running_server() as server, http_client(server) as client:
        path = f"{PATH}/{(await made(client))['id']}"
        for body, field in (
            ({}, "rules"),
            ({"rules": [{"language": "en", "word": "a"}]}, "rules[0].alias"),
            ({"rules": [SQL, {**SQL, "word": ""}]}, "rules[1].word"),
            ({"rules": [{**SQL, "word": 7}]}, "rules[0].word"),
            ({"rules": [], "name": "a" * 101}, "name"),
        ):
            for method, where in (("POST", PATH), ("PUT", path)):
                answer = await client.request(method, where, json=body)
                assert code(answer) == (422, "invalid_value")
                assert answer.json()["error"]["field"] == field
        assert code(await client.post(PATH, content=b"<lexicon/>")) == (400, "invalid_message")
        assert code(await client.request("PATCH", path)) == (405, "method_not_allowed")
        assert code(await client.delete(PATH)) == (405, "method_not_allowed")
        assert (await client.get(path)).json()["version"] == 1


async def test_another_account_does_not_see_it(keyed: RunningServer) -> None:
    async with http_client(keyed) as client:
        assert code(await client.get(PATH)) == (401, "unauthorized")
        mine, next_one, other = [await key(keyed, account) for account in ("a", "a", "b")]
        client.headers.update(mine)
        id = (await made(client))["id"]
        asked = {"text": "SQL.", "lexicon": id}
        assert (await client.post("/v1/speech", json=asked)).status_code == 200
        client.headers.update(other)
        assert (await client.get(PATH)).json() == {"lexicons": []}
        for method in ("GET", "PUT", "DELETE"):
            answer = await client.request(method, f"{PATH}/{id}", json={"rules": []})
            assert code(answer) == (404, "unknown_lexicon")
        for path in ("/v1/speech", "/v1/speech/segments"):
            assert code(await client.post(path, json=asked)) == (404, "unknown_lexicon")
        client.headers.update(next_one)
        assert (await client.get(f"{PATH}/{id}")).json()["rules"] == [SQL]


async def test_a_token_reads_and_changes_nothing(keyed: RunningServer) -> None:
    async with http_client(keyed) as client:
        shown = await key(keyed, "a")
        new = (await client.post(PATH, json={"rules": [SQL]}, headers=shown)).json()
        for method, path, status in (
            ("GET", PATH, 200),
            ("POST", PATH, 403),
            ("PUT", f"{PATH}/{new['id']}", 403),
            ("DELETE", f"{PATH}/{new['id']}", 403),
        ):
            token = (await client.post("/v1/speech/tokens", headers=shown)).json()["token"]
            by_token = {"authorization": f"Bearer {token}"}
            answer = await client.request(method, path, json={"rules": []}, headers=by_token)
            assert answer.status_code == status


async def test_one_that_another_protocol_made_is_spoken_by_and_not_changed() -> None:
    async with running_server() as server, http_client(server) as client:
        lexicon = Lexicon("p_12345678", 1, (Rule(**SQL),))
        kept = KeptLexicon("local", LexiconKind.SARVAM, "", lexicon, 0, 0)
        await server.house.lexicons.add_lexicon(kept, lexicons_max=1)
        for method in ("GET", "PUT", "DELETE"):
            answer = await client.request(method, f"{PATH}/p_12345678", json={"rules": []})
            assert code(answer) == (404, "unknown_lexicon")
        asked = {"text": "SQL.", "lexicon": "p_12345678"}
        (segment,) = (await client.post("/v1/speech/segments", json=asked)).json()["segments"]
        assert segment["text"] == "sequel."


async def test_pls_is_read() -> None:
    async with running_server() as server, http_client(server) as client:
        for type_ in ("application/pls+xml", "text/xml; charset=utf-8", "Application/XML"):
            answer = await client.post(
                f"{PATH}?name=w3c%20one", content=PLS, headers={"content-type": type_}
            )
            assert answer.status_code == 200, answer.text
            assert answer.json()["name"] == "w3c one"
            assert answer.json()["rules"] == [
                {"language": "en-us", "word": word, "alias": "World Wide Web Consortium"}
                for word in ("W3C", "WWWC")
            ]


async def test_it_is_spoken_alike_over_both_protocols_and_as_if_it_were_written() -> None:
    async with running_server() as server, http_client(server) as client:
        id = (await made(client))["id"]
        form = {"format": {"codec": "wav"}}
        text, written = "MySQL, SQL.", "MySQL, sequel."
        asked = {"text": text, "lexicon": id}
        told = (await client.post("/v1/speech/segments", json=asked)).json()["segments"]
        assert [(each["text"], each["applied"]) for each in told] == [(written, 1)]
        by_rule = await client.post("/v1/speech", json={**asked, **form, "stream": False})
        as_written = await client.post(
            "/v1/speech", json={"text": written, **form, "stream": False}
        )
        assert by_rule.content == as_written.content
        path = f"/v1/speech/requests/{by_rule.headers['x-request-id']}"
        assert (await client.get(path)).json()["contexts"][0]["applied"] == 1
        async with speech_socket(server) as socket:
            await socket.send(
                {"type": "configure", "lexicon": id, "lead_ms": None},
                *[Message(type="text", text=character) for character in text],
                {"type": "end"},
            )
            ended = await socket.receive_until("ended")
        assert (ended["chars"], ended["applied"]) == (len(text), 1)
        with wave.open(io.BytesIO(as_written.content)) as file:
            assert socket.audio() == file.readframes(file.getnframes())


async def test_a_context_keeps_what_it_read() -> None:
    async with running_server() as server, http_client(server) as client:
        id = (await made(client))["id"]
        async with speech_socket(server) as socket:
            await socket.send({"type": "configure", "lexicon": id}, {"type": "ping"})
            await socket.receive_until("pong")
            other = {"rules": [{**SQL, "alias": "squirrel"}, {**SQL, "word": "PR"}]}
            assert (await client.put(f"{PATH}/{id}", json=other)).status_code == 200
            await socket.send(
                {"type": "configure", "speed": 1.5},
                {"type": "text", "text": "SQL PR."},
                {"type": "flush"},
            )
            assert (await socket.receive_until("segment"))["applied"] == 1
            await socket.send(
                {"type": "configure", "lexicon": id},
                {"type": "text", "text": "SQL PR."},
                {"type": "end"},
            )
            assert (await socket.receive_until("segment"))["applied"] == 2
            assert (await socket.receive_until("ended"))["applied"] == 3
        versions = [message["settings"]["lexicon"] for message in socket.messages("started")]  # type: ignore[index]
        assert versions == [{"id": id, "version": version} for version in (1, 1, 2)]


async def test_what_is_asked_again_is_never_spoken_half_by_another_version() -> None:
    async with running_server() as server, http_client(server) as client:
        path = f"{PATH}/{(await made(client))['id']}"
        asked = {"text": "SQL.", "lexicon": path.rpartition("/")[2]}
        named = {"idempotency-key": "once"}
        assert (await client.post("/v1/speech", json=asked, headers=named)).status_code == 200
        await client.put(path, json={"rules": [{**SQL, "alias": "squirrel"}]})
        rest = {**asked, "format": {"codec": "pcm_s16le"}, "sample_start": 100}
        for again in (asked, rest):
            answer = await client.post("/v1/speech", json=again, headers=named)
            assert code(answer) == (409, "idempotency_key_reused")


async def test_phonemes_are_spoken_by_espeak_and_refused_where_nobody_can() -> None:
    phonemes = {"language": "en", "word": "SQL", "phonemes": "s'i:kw@l"}
    async with running_server() as server, http_client(server) as client:
        alone, beside = await made(client, phonemes), await made(client, {**SQL, **phonemes})
        assert alone["rules"] == [phonemes]
        for path in ("/v1/speech", "/v1/speech/segments"):
            answer = await client.post(path, json={"text": "SQL.", "lexicon": alone["id"]})
            assert code(answer) == (422, "unsupported")
            assert answer.json()["error"]["field"] == "lexicon"
        asked = {"text": "SQL.", "lexicon": beside["id"]}
        (segment,) = (await client.post("/v1/speech/segments", json=asked)).json()["segments"]
        assert segment["text"] == "sequel."
        async with speech_socket(server) as socket:
            await socket.send({"type": "configure", "lexicon": alone["id"]}, {"type": "ping"})
            assert (await socket.receive_until("error"))["code"] == "unsupported"
            await socket.receive_until("pong")
    async with running_server(espeak_config()) as server, http_client(server) as client:
        client.headers["accept"] = "application/x-ndjson"
        lexicon = (await made(client, phonemes, {**phonemes, "word": "squeal"}))["id"]

        async def said(text: str, **more: object) -> tuple[bytes, list[str]]:
            asked = {"text": text, "timestamps": True, "format": {"codec": "pcm_s16le"}, **more}
            answer = await client.post("/v1/speech", json=asked)
            told = [msgspec.json.decode(line) for line in answer.text.splitlines()]
            audio = b"".join(b64decode(each.get("data", "")) for each in told)
            marks = [word for message in told for word in message.get("words", ())]
            return audio, [text[word["text_start"] : word["text_end"]] for word in marks]

        by_rule, words = await said("My SQL, now.", lexicon=lexicon)
        assert words == ["My", "SQL,", "now."]
        assert by_rule == (await said("My squeal, now.", lexicon=lexicon))[0]
        assert by_rule != (await said("My SQL, now."))[0]
        # What a caller writes is text, whether or not there are phonemes beside it.
        written = await said("My [[s'i:kw@l]], now.", lexicon=lexicon)
        assert written[0] == (await said("My [[s'i:kw@l]], now."))[0] != by_rule
        squares, round_ones = "SQL [[d'Og]] [[[SQL]]].", "SQL ((d'Og)) (((SQL)))."
        assert (await said(squares, lexicon=lexicon))[0] == (
            await said(round_ones, lexicon=lexicon)
        )[0]


DOCUMENT = tuple(blocks(ROOT / "docs" / "lexicons.md"))


async def test_the_examples_of_the_document_are_taken() -> None:
    commands = [block.text for block in DOCUMENT if block.text.startswith("curl ")]
    assert len(commands) == 3
    async with running_server(espeak_config()) as server:
        for command in commands:
            request = Request.of(command)._replace(host=f"127.0.0.1:{server.port}")
            answer = await asyncio.to_thread(request.send)
            assert msgspec.json.decode(answer, type=LexiconInfo).rules


def test_the_answer_in_the_document_is_one() -> None:
    (shown,) = (block.text.strip() for block in DOCUMENT if block.info == "json lexicon")
    assert msgspec.json.encode(msgspec.json.decode(shown, type=LexiconInfo)).decode() == shown


@border("lexicons_max")
async def test_how_many(more: int) -> None:
    async with (
        running_server(tone_config(lexicons_max=FEW)) as server,
        http_client(server) as client,
    ):
        for _ in range(FEW - 1):
            await made(client)
        answers = [await client.post(PATH, json={"rules": []}) for _ in range(1 + more)]
        assert [answer.status_code for answer in answers] == [200, 409][: 1 + more]


@border("lexicon_rules_max")
async def test_how_many_rules(more: int) -> None:
    async with (
        running_server(tone_config(lexicon_rules_max=FEW)) as server,
        http_client(server) as client,
    ):
        rules = [{**SQL, "word": f"word{number}"} for number in range(FEW + more)]
        answer = await client.post(PATH, json={"rules": rules})
        assert answer.status_code == (422 if more > 0 else 200)


@border("lexicon_word_chars_max", "lexicon_alias_chars_max")
@pytest.mark.parametrize("part", ["word", "alias"])
async def test_how_long_a_rule_is(part: str, more: int) -> None:
    limit = {f"lexicon_{part}_chars_max": FEW}
    async with running_server(tone_config(**limit)) as server, http_client(server) as client:
        answer = await client.post(PATH, json={"rules": [{**SQL, part: "ä" * (FEW + more)}]})
        assert answer.status_code == (422 if more > 0 else 200)


@border("lexicon_bytes_max")
async def test_how_large(more: int) -> None:
    async with (
        running_server(tone_config(lexicon_bytes_max=1_024)) as server,
        http_client(server) as client,
    ):
        answer = await client.post(PATH, content=b'{"rules": []}'.ljust(1_024 + more))
        assert answer.status_code == (413 if more > 0 else 200)
