"""The same text, asked for in three dialects with the same voice and controls, is the same samples before any codec."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.equivalence.speaking import UNTIMED
from tests.fronts.peers import http_client
from tests.support.server import RunningServer, espeak_config, running_server, tone_config

pytestmark = [pytest.mark.socket, pytest.mark.asyncio(loop_scope="module")]

RATE = 22_050
TEXT = (
    "Good morning, and welcome aboard. The train leaves at nine; it stops twice, at Bath and at Bristol. "
    "Mr. Smith paid 3.50 for a coffee! Was that too much? Nobody said so, although many thought it, and some wrote it down."
)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["tone", "espeak"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[RunningServer]:
    config = {"tone": tone_config, "espeak": espeak_config}[request.param]()
    async with running_server(config) as running:
        yield running


def named(server: RunningServer, dialect: str, language: str) -> dict[str, str]:
    """A dialect's names for the engine's voices of a language."""
    catalog = server.house.vendors[dialect]
    voices = catalog.models[catalog.default_model].voices.values()
    return {voice.spoken[language].voice: voice.id for voice in voices if language in voice.spoken}


async def samples(client: httpx.AsyncClient, path: str, **asked: object) -> bytes:
    answer = await client.post(path, json={"text": TEXT, **asked})
    assert answer.status_code == 200, answer.text
    if answer.headers["content-type"] != "audio/wav":
        return answer.content
    with wave.open(io.BytesIO(answer.content)) as file:
        assert (file.getframerate(), file.getnchannels()) == (RATE, 1)
        pcm: bytes = file.readframes(file.getnframes())
        return pcm


@pytest.mark.parametrize("speed", [1.0, 1.7])
@pytest.mark.parametrize("language", ["en-US", "hi-IN"])
async def test_three_dialects_say_the_same(
    server: RunningServer, language: str, speed: float
) -> None:
    yourvoic = named(server, "yourvoic", language.lower())
    gistmag = named(server, "gistmag", language.lower())
    both = sorted(yourvoic.keys() & gistmag.keys())
    assert both, "the catalogs have a voice in common"
    voice = both[0]
    tone = server.house.catalog.default_model == "tone"
    async with http_client(server) as client:
        native = await samples(
            *(client, "/v1/speech"),
            voice=voice,
            language="en" if tone else language,
            speed=speed,
            format={"codec": "pcm_s16le"},
            buffering=UNTIMED,
        )
        assert len(native) > RATE
        theirs = {"language": language, "speed": speed}
        for path in ("/v1/tts/stream", "/yourvoic/api/v1/tts/stream"):
            asked = {"voice": yourvoic[voice], "format": "pcm", "sample_rate": RATE}
            assert await samples(client, path, **theirs, **asked) == native
        name = gistmag[voice].split("-")[-1]
        for path in ("/tts", "/gistmag/tts"):
            asked = {"voice_name": f"{language}-Wavenet-{name}"}
            assert await samples(client, path, **theirs, **asked) == native
