"""Whichever dialect asks: equal text with equal parameters gives equal PCM, before any encoder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import httpx
import pytest
import pytest_asyncio

from gateway.core.params import HTTP_DEFAULTS, Parameters
from gateway.core.resolve import resolve
from tests.equivalence.test_equivalence import TEXTS
from tests.fronts.peers import http_client
from tests.support.server import Message, RunningServer, espeak_config, running_server, tone_config

pytestmark = [pytest.mark.socket, pytest.mark.asyncio(loop_scope="module")]

WAV_HEADER_BYTES = 44


class Way(NamedTuple):
    """A request of a dialect, without its text; and what it means: a voice of the catalog, its language, and parameters of the
    native protocol. `header` is what stands before the samples."""

    dialect: str
    path: str
    body: Message
    voice: str
    language: str
    native: Message
    header: int = 0


def yourvoic(path: str, voice: str, language: str, native: Message, **more: object) -> Way:
    header = WAV_HEADER_BYTES if path.endswith("generate") else 0
    body: Message = {"voice": voice, "language": language, **more}
    return Way("yourvoic", path, body, voice, language, native, header)


STREAM, FILE = "/v1/tts/stream", "/v1/tts/generate"
WAYS = (
    yourvoic(STREAM, "Peter", "en-US", {}),
    yourvoic(STREAM, "Peter", "en-US", {"speed": 1.5}, model="aura-max", speed=1.5),
    yourvoic(STREAM, "Deepika", "hi-IN", {}, model="aura-lite", pitch=7),
    yourvoic(STREAM, "Deepika", "hi-IN", {"pitch": 9}, model="rapid-flash", pitch=20),
    yourvoic(STREAM, "Louis", "fr-FR", {}, model="rapid-max"),
    yourvoic(FILE, "Lukas", "de-DE", {"speed": 0.75, "pitch": -4.5}, speed=0.75, pitch=-10),
    yourvoic(FILE, "Wei", "zh-CN", {}, model="rapid-flash"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["tone", "espeak"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[RunningServer]:
    config = {"tone": tone_config, "espeak": espeak_config}[request.param]()
    async with running_server(config) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(server) as client:
        yield client


@pytest.mark.parametrize(
    "way", WAYS, ids=lambda way: f"{way.dialect}-{way.voice}-{way.body.get('model', 'default')}"
)
async def test_it_is_what_the_native_protocol_gives(
    server: RunningServer, client: httpx.AsyncClient, way: Way
) -> None:
    language = {"zh": "cmn"}.get(way.language[:2], way.language[:2])
    text = TEXTS[language]
    meant = resolve(
        Parameters(voice=way.voice, language=way.language),
        server.house.vendors[way.dialect],
        HTTP_DEFAULTS,
    )
    said: Message = {
        "voice": meant.voice,
        "language": meant.language,
        "format": {"codec": "pcm_s16le", "sample_rate": 24_000},
        **way.native,
    }
    native = await client.post("/v1/speech", json={"text": text, **said})
    assert native.status_code == 200, native.text
    spoken = await client.post(way.path, json={"text": text, **way.body})
    assert spoken.status_code == 200, spoken.text
    assert spoken.content[way.header :] == native.content
    assert len(native.content) > 24_000
