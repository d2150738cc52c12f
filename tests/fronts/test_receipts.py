"""`GET /v1/speech/requests/{id}` on a real socket: what became of a request, by the id that its answer had."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateway.core.errors import EngineLost
from gateway.engines.chaos import ChaosEngine, Fail, Hang
from gateway.engines.tone import ToneEngine
from tests.fronts.peers import use_engine
from tests.support.leaks import until
from tests.support.server import RunningServer, speech_socket

pytestmark = [pytest.mark.socket, pytest.mark.asyncio(loop_scope="module")]

RAW = {"format": {"codec": "pcm_s16le"}}
TEXT = "This is made without any trouble at all. This will never be."


async def context_of(client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    """What is told of the request that was answered so, that is: of its only context."""
    found = await client.get(f"/v1/speech/requests/{answer.headers['x-request-id']}")
    assert found.status_code == 200
    assert "trouble" not in found.text, "the text is not told"
    receipt = found.json()
    context: dict[str, Any]
    (context,) = receipt["contexts"]
    assert receipt["id"] == answer.headers["x-request-id"]
    assert receipt["route"] == "http"
    assert receipt["state"] == context["state"]
    return context


@pytest.mark.parametrize("stream", [True, False])
async def test_a_request_that_is_complete(client: httpx.AsyncClient, stream: bool) -> None:
    answer = await client.post("/v1/speech", json={"text": TEXT, "stream": stream, **RAW})
    context = await context_of(client, answer)
    assert context["state"] == "complete"
    assert context["chars"] == len(TEXT)
    assert context["samples_made"] == context["samples_sent"] == len(answer.content) // 2
    assert context["spoken"] == [{"text_start": 0, "text_end": len(TEXT)}]
    assert context["unspoken"] == []
    assert context["timings"]
    assert context["error"] is None
    assert context["voice"] == answer.headers["x-speech-voice"]


async def test_one_that_is_going_on(server: RunningServer, client: httpx.AsyncClient) -> None:
    use_engine(server, ChaosEngine(ToneEngine(), {"never": [Hang()]}))
    asked = {"text": TEXT, **RAW}
    async with client.stream("POST", "/v1/speech", json=asked) as answer:
        await anext(answer.aiter_raw())
        context = await context_of(client, answer)
        assert context["state"] == "running"
        assert context["unspoken"] == [{"text_start": spoken_to(context), "text_end": len(TEXT)}]
    await until(lambda: server.house.admission.contexts == 0)
    context = await context_of(client, answer)
    assert context["state"] == "cancelled"
    assert "never" in TEXT[spoken_to(context) :]


def spoken_to(context: dict[str, Any]) -> int:
    """Where the text that was spoken ends."""
    return int(context["spoken"][-1]["text_end"]) if context["spoken"] else 0


@pytest.mark.parametrize("stream", [True, False])
async def test_one_that_failed(
    server: RunningServer, client: httpx.AsyncClient, stream: bool
) -> None:
    use_engine(
        server, ChaosEngine(ToneEngine(), {"never": [Fail(at_sample=4_000, error=EngineLost)] * 2})
    )
    asked = {"text": TEXT, "stream": stream, **RAW}
    async with client.stream("POST", "/v1/speech", json=asked) as answer:
        try:
            await answer.aread()
        except httpx.RemoteProtocolError:
            assert stream
    context = await context_of(client, answer)
    assert context["state"] == "failed"
    assert context["error"]["code"] == "engine_lost"
    assert bool(spoken_to(context)) == bool(context["samples_sent"]) == stream
    assert "never" in TEXT[spoken_to(context) :]


async def test_of_one_that_was_refused_nothing_is_kept(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/speech", json={"text": ""})
    found = await client.get(f"/v1/speech/requests/{answer.headers['x-request-id']}")
    assert (found.status_code, found.json()["error"]["code"]) == (404, "not_found")


async def test_a_session_by_the_name_in_ready(
    server: RunningServer, client: httpx.AsyncClient
) -> None:
    async with speech_socket(server) as socket:
        ready = await socket.receive_until("ready")
        await socket.send({"type": "text", "text": "Hello."}, {"type": "end"})
        await socket.receive_until("ended")
        found = (await client.get(f"/v1/speech/requests/{ready['session']}")).json()
    assert (found["route"], found["state"]) == ("websocket", "complete")
    assert [context["context"] for context in found["contexts"]] == ["default"]


async def test_it_is_read_and_not_written(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/speech/requests/req_000000000000000000000000")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
