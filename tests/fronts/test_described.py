"""The API for machines says what the server does: every path, message, error and example, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from starlette.routing import Route, WebSocketRoute

from gateway.config import AccountsConfig
from gateway.core.errors import all_errors
from gateway.dialects.native import MESSAGES, Tagged
from gateway.fronts.described.openapi import EXAMPLES, LEXICON, TOLD
from tests.accounts.test_access import bearer
from tests.accounts.test_gate import make_key
from tests.docs.test_examples import lines
from tests.fronts.peers import http_client
from tests.support.server import (
    Message,
    RunningServer,
    running_server,
    speech_socket,
    tone_config,
)

pytestmark = [pytest.mark.socket, pytest.mark.asyncio(loop_scope="module")]

LIMIT = 2_000
SOMETIMES = {
    *("X-Ignored-Fields", "X-Ignored-Parameters", "X-Adjusted-Parameters"),
    *("X-Speech-Warnings", "X-Replay-Of"),
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
}
"""Headers of successes that depend on more than the route."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[RunningServer]:
    async with running_server(tone_config(text_chars_max=LIMIT, whole_chars_max=LIMIT)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(server) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def keyed(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Who has a key, of a gateway that asks for one."""
    accounts = AccountsConfig(database=str(tmp_path / "accounts.db"))
    config = msgspec.structs.replace(tone_config(), accounts=accounts)
    async with running_server(config) as running, http_client(running) as client:
        assert running.house.store is not None
        client.headers.update(bearer(await make_key(running.house.store)))
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def http(client: httpx.AsyncClient) -> Message:
    return cast(Message, (await client.get("/openapi.json")).json())


@pytest_asyncio.fixture(loop_scope="module")
async def websocket(client: httpx.AsyncClient) -> Message:
    return cast(Message, (await client.get("/asyncapi.json")).json())


def at(document: Message, *path: str) -> Message:
    """What is at a path of a document."""
    for name in path:
        document = cast(Message, document[name])
    return document


def check(document: Message, schema: object, value: object) -> None:
    """Raises jsonschema's ValidationError when the value is none of this schema of the document."""
    whole = {"components": document["components"], "allOf": [schema]}
    Draft202012Validator(whole).validate(value)


def named(name: str) -> Message:
    return {"$ref": f"#/components/schemas/{name}"}


DICTIONARY: Any = {"file": ("d.json", b'{"pronunciations": {"en-IN": {"SQL": "sequel"}}}')}


class TestOpenApi:
    async def test_it_is_openapi(self, http: Message) -> None:
        validate(http)

    async def test_it_has_every_path_and_no_other(
        self, server: RunningServer, http: Message
    ) -> None:
        """A vendor's are described once, with the places where they are."""
        routes = {route.path for route in server.routes if isinstance(route, Route)}
        described = {
            cast(dict[str, str], place)["url"].rstrip("/") + path
            for path, item in at(http, "paths").items()
            for place in cast(Message, item).get("servers", [{"url": "/"}])  # type: ignore[attr-defined]
        }
        assert described == routes

    async def test_every_success_is_as_described(
        self, keyed: httpx.AsyncClient, http: Message
    ) -> None:
        spoken = await keyed.post("/v1/speech", json=EXAMPLES[0])
        lexicon = (await keyed.post("/v1/speech/lexicons", json=LEXICON)).json()
        for path, method, operation in operations(http):
            asked = example_of(operation)
            of_lexicons = path.startswith("/v1/speech/lexicons")
            id = lexicon["id"] if of_lexicons else spoken.headers["x-request-id"]
            url = path.format(id=id, dict_id=await dictionary(keyed))
            if any(each["in"] == "query" for each in parameters(operation)):
                asked["params"] = {"dict_id": await dictionary(keyed)}
            answer = await keyed.request(method, url, **asked)
            if "200" not in cast(Message, operation["responses"]):
                assert answer.status_code == 501, url
                continue
            assert answer.status_code == 200, url
            described = at(operation, "responses", "200")
            type_ = answer.headers["content-type"].partition(";")[0]
            content = at(described, "content", type_)
            if type_ == "application/json":
                check(http, content["schema"], answer.json())
            for name, header in at(http, "components", "headers").items():
                if cast(Message, header).get("required"):
                    assert name in answer.headers
            for name in set(at(described, "headers")) - SOMETIMES:
                assert name in answer.headers, (url, name)

    async def test_every_error_is_named_and_has_an_example(self, http: Message) -> None:
        codes = {error.code for error in all_errors()}
        properties = at(http, "components", "schemas", "ErrorMessage", "properties")
        assert set(cast(list[str], at(properties, "code")["enum"])) == codes
        only_on_websockets = {
            *("format_fixed", "input_ended", "context_unknown", "too_many_contexts"),
            *("text_backlog_full", "too_many_pending", "resume_expired", "resume_gone"),
        }
        shown = list(error_examples(http))
        assert codes - {code for _, code, _, _ in shown} == only_on_websockets
        statuses = {error.code: str(error.status) for error in all_errors()}
        for status, code, schema, body in shown:
            if schema == named("ErrorBody"):
                assert status == statuses[code]
            check(http, schema, body)

    async def test_what_the_server_refuses_is_described(
        self, client: httpx.AsyncClient, http: Message
    ) -> None:
        for body, accept in (
            ({"text": ""}, "*/*"),
            ({"text": "a" * (LIMIT + 1)}, "*/*"),
            ({"text": "Hi.", "voice": "nobody"}, "*/*"),
            ({"text": "Hi."}, "image/png"),
        ):
            answer = await client.post("/v1/speech", json=body, headers={"accept": accept})
            described = at(
                http, "paths", "/v1/speech", "post", "responses", str(answer.status_code)
            )
            assert answer.json()["error"]["code"] in str(described["description"])
            check(http, named("ErrorBody"), answer.json())

    async def test_bodies_are_judged_alike(self, client: httpx.AsyncClient, http: Message) -> None:
        """What the schema takes the server takes, and the other way round."""
        for body, good in (
            *((example, True) for example in EXAMPLES[:1]),
            ({"text": "a" * LIMIT}, True),
            ({"text": "a" * (LIMIT + 1)}, False),
            ({"text": ""}, False),
            ({}, False),
            ({"text": "Hi.", "format": {"codec": "tape"}}, False),
            ({"text": "Hi.", "lead_ms": 99}, False),
            ({"text": "Hi.", "lead_ms": 100.0}, True),
            ({"text": "Hi.", "lead_ms": 100.5}, False),
            ({"text": "Hi.", "lead_ms": 1e300}, False),
            ({"text": "Hi.", "buffering": {"schedule": [20.0, 40], "min_chars": 2e1}}, True),
            ({"text": "Hi.", "model": "tone", "speed": 0.5}, True),
            ({"text": "Hi.", "model": "nobody's"}, False),
            ({"text": "Hi.", "speed": 0.49}, False),
            ({"text": "Hi.", "pitch": 9.1}, False),
            ({"text": "Hi.", "volume": 2}, True),
            ({"text": "Hi.", "lead_ms": None, "colour": "blue"}, True),
        ):
            schema = Draft202012Validator({**named("SpeechBody"), "components": http["components"]})
            assert schema.is_valid(body) == good
            answer = await client.post("/v1/speech/segments", json=body)
            assert (answer.status_code == 200) == good

    async def test_events_are_as_described(self, client: httpx.AsyncClient, http: Message) -> None:
        asked = {"text": "Hello there. ...", "timestamps": True, "colour": "blue"}
        answer = await client.post(
            "/v1/speech", json=asked, headers={"accept": "application/x-ndjson"}
        )
        told = [msgspec.json.decode(line, type=Message) for line in answer.text.split("\n")[:-1]]
        for message in told:
            check(http, named("Told"), message)
        errors = {"error"}  # which would be the last one
        assert {m["type"] for m in told} | errors == {t.__struct_config__.tag for t in TOLD}


def operations(http: Message) -> Iterator[tuple[str, str, Message]]:
    """Path and method of every operation, and how it is described."""
    for path, item in at(http, "paths").items():
        for method, operation in cast(dict[str, Message], item).items():
            if method != "servers":
                yield path, method, operation


def example_of(operation: Message) -> dict[str, Any]:
    """The first body that it takes, as httpx sends it; empty = it takes none."""
    if "requestBody" not in operation:
        return {}
    content = at(operation, "requestBody", "content")
    if "application/json" not in content:
        return {"files": DICTIONARY}
    examples = at(content, "application/json", "examples")
    return {"json": cast(Message, examples["example_0"])["value"]}


def parameters(operation: Message) -> list[Message]:
    return cast(list[Message], operation.get("parameters", []))


async def dictionary(client: httpx.AsyncClient) -> str:
    """The id of the account's last one; there is always one."""
    path = "/text-to-speech/pronunciation-dictionary"
    if not (ids := (await client.get(path)).json()["dictionaries"]):
        return cast(str, (await client.post(path, files=DICTIONARY)).json()["dictionary_id"])
    return cast(str, ids[-1])


def error_examples(http: Message) -> Iterator[tuple[str, str, object, object]]:
    """Status, code, schema and body of every example of an error."""
    for _, _, operation in operations(http):
        for status, response in at(operation, "responses").items():
            if status != "200":
                content = at(cast(Message, response), "content", "application/json")
                for code, example in at(content, "examples").items():
                    yield status, code, content["schema"], cast(Message, example)["value"]


class TestAsyncApi:
    async def test_every_message_is_there_with_examples_that_are_valid(
        self, websocket: Message
    ) -> None:
        told = {str(message.__struct_config__.tag) for message in Tagged.__subclasses__()}
        messages = at(websocket, "components", "messages")
        assert set(messages) == {*MESSAGES, *told, "audio_frame"}
        for kind in (*MESSAGES, *told):
            message = at(messages, kind)
            examples = cast(list[Message], message["examples"])
            assert examples, f"{kind} has no example"
            for example in examples:
                assert cast(Message, example["payload"])["type"] == kind
                check(websocket, message["payload"], example["payload"])

    async def test_every_reference_leads_somewhere(self, websocket: Message) -> None:
        found = list(references(websocket))
        assert len(found) > 40
        for reference in found:
            assert at(websocket, *reference.removeprefix("#/").split("/"))

    async def test_each_side_says_what_it_says(self, websocket: Message) -> None:
        for name, action, kinds in (
            ("hear", "receive", set(MESSAGES)),
            (
                *("tell", "send"),
                {str(t.__struct_config__.tag) for t in Tagged.__subclasses__()} | {"audio_frame"},
            ),
        ):
            operation = at(websocket, "operations", name)
            assert operation["action"] == action
            said = {ref.rpartition("/")[2] for ref in references(operation["messages"])}
            assert said == kinds

    async def test_the_address_is_the_route(
        self, server: RunningServer, websocket: Message
    ) -> None:
        routes = [route for route in server.routes if isinstance(route, WebSocketRoute)]
        # Vendors have described their own.
        (route,) = (route for route in routes if route.path.startswith("/v1/"))
        assert at(websocket, "channels", "speech")["address"] == route.path

    async def test_what_is_said_is_as_described(
        self, server: RunningServer, websocket: Message
    ) -> None:
        async with speech_socket(server, "?audio=base64") as socket:
            await socket.send(
                {"type": "configure", "timestamps": True, "lead_ms": None, "colour": "blue"},
                {"type": "text", "text": "Hello there."},
                {"type": "flush", "id": "f1"},
                {"type": "sing"},
                {"type": "ping"},
            )
            await socket.receive_until("flushed")
            await socket.send({"type": "clear"}, {"type": "end"})
            await socket.receive_until("ended")
        told = [message for message in socket.received if isinstance(message, dict)]
        for message in told:
            payload = at(websocket, "components", "messages", str(message["type"]))["payload"]
            check(websocket, payload, message)
        assert len({message["type"] for message in told}) == 12

    async def test_the_documents_examples_are_as_described(self, websocket: Message) -> None:
        for line in [*lines("json client"), *lines("json server")]:
            if "…" in line:
                continue
            message = msgspec.json.decode(line, type=Message)
            payload = at(websocket, "components", "messages", str(message["type"]))["payload"]
            check(websocket, payload, message)


def references(inside: object) -> Iterator[str]:
    """Every reference of a document."""
    if isinstance(inside, dict):
        for name, value in inside.items():
            if name == "$ref":
                yield str(value)
            else:
                yield from references(value)
    elif isinstance(inside, list):
        for value in inside:
            yield from references(value)
