from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.support.server import running_server, speech_socket, tone_config

pytestmark = pytest.mark.socket


async def test_both_protocols_speak_and_nothing_is_left_over() -> None:
    before = asyncio.all_tasks()
    async with running_server() as server:
        async with httpx.AsyncClient(base_url=server.base_url, trust_env=False) as client:
            answer = await client.post(
                "/v1/speech", json={"text": "Hello.", "format": {"codec": "pcm_s16le"}}
            )
        async with speech_socket(server) as socket:
            await socket.receive_until("ready")
            await socket.send({"type": "text", "text": "Hello."}, {"type": "end"})
            ended = await socket.receive_until("ended")
        assert socket.audio() == answer.content
        assert ended["samples"] == len(answer.content) // 2
    assert asyncio.all_tasks() == before


async def test_limits_can_be_changed() -> None:
    async with (
        running_server(tone_config(contexts_max=3)) as server,
        speech_socket(server) as socket,
    ):
        ready = await socket.receive_until("ready")
        assert ready["limits"]["contexts_max"] == 3  # type: ignore[index]
        assert server.house.limits.contexts_max == 3
