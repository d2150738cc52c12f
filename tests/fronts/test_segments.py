"""The dry run over a real socket: it cuts as the speech would be cut, and judges what the speech would be judged by."""

from __future__ import annotations

import httpx
import msgspec
import pytest

from tests.support.server import RunningServer, running_server, speech_socket, tone_config

pytestmark = pytest.mark.socket

TEXT = (
    "Sure! Here are **three options** for dinner in Berlin:\n\n1. *Katz Orange*, about $45 per person.\n"
    "2. A quick bite at the station, e.g. a Döner. " * 3
)


async def ask(server: RunningServer, **body: object) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.base_url) as client:
        return await client.post("/v1/speech/segments", json=body)


@pytest.mark.parametrize("cleanup", ["off", "markdown", "speech"])
async def test_it_cuts_as_speech_is_cut(cleanup: str) -> None:
    async with running_server(tone_config()) as server:
        answer = await ask(server, text=TEXT, cleanup=cleanup)
        segments = answer.json()["segments"]
        async with speech_socket(server) as speech:
            await speech.send({"type": "configure", "cleanup": cleanup, "lead_ms": None})
            await speech.send({"type": "text", "text": TEXT}, {"type": "end"})
            await speech.receive_until("ended")
            heard = speech.messages("segment")
    keys = ("text_start", "text_end", "reason", "kind")
    assert [[cut[key] for key in keys] for cut in segments] == [
        [cut[key] for key in keys] for cut in heard
    ]
    assert [cut["text_start"] for cut in segments[1:]] == [cut["text_end"] for cut in segments[:-1]]
    assert segments[-1]["text_end"] == len(TEXT)
    if cleanup == "off":
        assert "".join(cut["text"] for cut in segments) == TEXT
    else:
        assert "**" not in "".join(cut["text"] for cut in segments)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "text_missing"),
        ({"text": ""}, 422, "text_missing"),
        ({"text": "x", "cleanup": "html"}, 422, "invalid_value"),
        ({"text": "x", "buffering": {"max_chars": 19}}, 422, "invalid_value"),
        ({"text": "x" * 101}, 413, "text_too_long"),
        ({"text": "x", "voice": "nobody"}, 404, "unknown_voice"),
    ],
)
async def test_it_judges_as_speech_is_judged(
    body: dict[str, object], status: int, code: str
) -> None:
    config = tone_config(text_chars_max=100, whole_chars_max=100)
    async with running_server(config) as server:
        answer = await ask(server, **body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert (await ask(server, text="x" * 100)).status_code == 200


async def test_other_methods_are_refused() -> None:
    async with running_server(tone_config()) as server, httpx.AsyncClient() as client:
        answer = await client.get(f"{server.base_url}/v1/speech/segments")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert msgspec.json.decode(answer.content)["error"]["code"] == "method_not_allowed"
