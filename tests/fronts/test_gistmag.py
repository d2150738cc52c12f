"""GistMag's routes over a real socket: its samples, a stream that begins early, a batch that leaves nothing behind, and the
same samples as the native route's."""

from __future__ import annotations

import asyncio
import gc
import io
import shutil
import sys
import tracemalloc
import wave
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pytest
import pytest_asyncio

from gateway.audio.loudness import LoudnessMeter
from gateway.audio.mp3 import Mp3Encoder
from gateway.config import AccountsConfig
from gateway.engines.chaos import ChaosEngine, Fail, Hang
from gateway.engines.tone import ToneEngine
from tests.accounts.test_gate import make_key
from tests.audio.listening import Samples, decode_mp3
from tests.docs.test_examples import ADDRESS
from tests.docs.test_programs import NODE, node_environment
from tests.fronts.peers import http_client, raw_peer, use_engine
from tests.runtime.test_spool import files
from tests.support.checkout import ROOT
from tests.support.documents import blocks
from tests.support.leaks import until
from tests.support.server import RunningServer, espeak_config, running_server, tone_config

pytestmark = [pytest.mark.socket, pytest.mark.asyncio(loop_scope="module")]

SAMPLES = {block.info: block for block in blocks(ROOT / "docs" / "dialects" / "gistmag.md")}
MP3_FRAME = 1_152
DELAY = Mp3Encoder.delay_samples
TEXT = "The first sentence is short. The second one is somewhat longer than that. And a third."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def spoken() -> AsyncIterator[RunningServer]:
    """espeak-ng."""
    async with running_server(espeak_config()) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def speech(spoken: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(spoken) as client:
        yield client


def loudness(samples: Samples, rate: int) -> float:
    meter = LoudnessMeter(rate)
    meter.feed(samples.astype("<i2").tobytes())
    meter.finish()
    return meter.lufs


class TestSamples:
    """Those of the document, with the key in the body and only the host changed: each saves one MP3 that plays."""

    @pytest.mark.parametrize("language", ["sh", "python", "js"])
    async def test_saves_a_file_that_plays(self, language: str, tmp_path: Path) -> None:
        program = {"sh": shutil.which("curl"), "python": sys.executable, "js": NODE}[language]
        if program is None:
            pytest.skip(f"nothing here runs {language}: apt-get install curl nodejs")
        accounts = AccountsConfig(database=str(tmp_path / "accounts.db"))
        config = msgspec.structs.replace(espeak_config(), accounts=accounts)
        async with running_server(config) as server:
            assert server.house.store is not None
            key = (await make_key(server.house.store)).text
            sample = ADDRESS.sub(f"127.0.0.1:{server.port}", SAMPLES[language].text)
            file = (
                tmp_path / {"sh": "sample.sh", "python": "sample.py", "js": "sample.mjs"}[language]
            )
            file.write_text(sample.replace("YOUR_API_KEY", key), encoding="utf-8")
            run = await asyncio.create_subprocess_exec(
                *("sh" if language == "sh" else program, file.name),
                cwd=tmp_path,
                env=node_environment() | {"no_proxy": "*"},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            printed, _ = await run.communicate()
        assert run.returncode == 0, printed.decode()
        heard, rate, bitrate = decode_mp3((tmp_path / "output.mp3").read_bytes())
        assert (rate, bitrate) == (22_050, 128_000)
        assert 1 < len(heard) / rate < 10
        assert np.abs(heard.astype(int)).max() > 3_000


class TestStream:
    async def test_is_one_mp3_of_all_the_pieces(self, speech: httpx.AsyncClient) -> None:
        """As long as what they are made of, with one encoder's delay and not one for each piece."""
        asked = {"buffering": {"auto_flush": False, "max_chars": 40}, "language": "en"}
        native = {"text": TEXT, "format": {"codec": "pcm_s16le"}, **asked}
        pcm = (await speech.post("/v1/speech", json=native)).content
        answer = await speech.post("/tts/stream", json={"text": TEXT, "chunk_size": 40})
        heard, rate, bitrate = decode_mp3(answer.content)
        assert (rate, bitrate) == (22_050, 128_000)
        assert 0 <= len(heard) - len(pcm) // 2 - DELAY <= 2 * MP3_FRAME
        assert "content-length" not in answer.headers

    async def test_the_bytes_are_the_native_routes_of_the_same_pieces(
        self, speech: httpx.AsyncClient
    ) -> None:
        native = {
            "text": TEXT,
            "language": "en",
            "delivery": "progressive",
            "format": {"codec": "mp3", "bitrate": 128_000},
            "buffering": {"auto_flush": False, "max_chars": 40},
        }
        ours = await speech.post("/v1/speech", json=native)
        theirs = await speech.post("/tts/stream", json={"text": TEXT, "chunk_size": 40})
        assert ours.content == theirs.content

    async def test_a_piece_is_heard_while_a_later_one_is_made(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        use_engine(server, ChaosEngine(ToneEngine(), {"never": [Hang(4_000)]}))
        asked = {"text": "This is heard. This never ends.", "chunk_size": 20}
        async with client.stream("POST", "/tts/stream", json=asked) as answer:
            assert answer.headers["content-disposition"] == "inline"
            assert await anext(answer.aiter_raw())
        await until(lambda: server.house.admission.contexts == 0)

    async def test_smaller_pieces_are_heard_before_larger_ones_are_made(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        """The second sentence fails half-way: in a piece of its own it keeps nobody from hearing the first."""
        use_engine(server, ChaosEngine(ToneEngine(), {"fails": [Fail(4_000)] * 2}))
        text, heard = "This is heard. This fails.", b""
        async with client.stream(
            "POST", "/tts/stream", json={"text": text, "chunk_size": 20}
        ) as answer:
            assert answer.status_code == 200
            parts = answer.aiter_raw()
            with suppress(httpx.RemoteProtocolError):
                while True:
                    heard += await anext(parts)
        assert len(decode_mp3(heard)[0]) > 0
        whole = await client.post("/tts/stream", json={"text": text, "chunk_size": 200})
        assert whole.status_code == 500


class TestFile:
    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [
            ({}, {"voice": "en-us"}),
            ({"voice_name": "en-US-Wavenet-D", "speed": 1.5}, {"voice": "en-us", "speed": 1.5}),
            ({"voice_name": "de-DE-Wavenet-B", "pitch": -3}, {"voice": "de+m3", "pitch": -3}),
            ({"language": "fr", "volume_gain_db": -20}, {"voice": "fr", "volume": 0.1}),
        ],
    )
    async def test_its_samples_are_the_native_routes(
        self, speech: httpx.AsyncClient, theirs: dict[str, object], ours: dict[str, object]
    ) -> None:
        language = (
            "de-de" if ours["voice"] == "de+m3" else {"fr": "fr"}.get(str(ours["voice"]), "en")
        )
        native = {"text": TEXT, "format": {"codec": "pcm_s16le"}, "language": language, **ours}
        pcm = (await speech.post("/v1/speech", json=native)).content
        answer = await speech.post("/tts", json={"text": TEXT, **theirs})
        with wave.open(io.BytesIO(answer.content)) as file:
            assert (file.getframerate(), file.getnchannels()) == (22_050, 1)
            assert file.readframes(file.getnframes()) == pcm
        assert int(answer.headers["content-length"]) == len(answer.content)


class TestBatch:
    async def test_pauses_stand_between_the_pieces(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        """Four pieces, three pauses; MP3 counts in frames."""
        sentence = "A sentence of some length that is said again and again. "
        text = sentence * 13
        lengths = {}
        for pause_ms in (500, 1_500):
            answer = await client.post(
                "/tts/batch", json={"text": text, "pause_duration": pause_ms}
            )
            heard, rate, bitrate = decode_mp3(answer.content)
            assert (rate, bitrate) == (44_100, 192_000)
            lengths[pause_ms] = len(heard)
        gaps = -(-len(text) // (4 * len(sentence))) - 1
        assert gaps == 3
        assert abs(lengths[1_500] - lengths[500] - gaps * 44_100) <= MP3_FRAME

    @pytest.mark.parametrize("voice", ["en", "de"])
    async def test_all_are_equally_loud(self, speech: httpx.AsyncClient, voice: str) -> None:
        answer = await speech.post("/tts/batch", json={"text": TEXT, "language": voice})
        heard, rate, _ = decode_mp3(answer.content)
        assert loudness(heard, rate) == pytest.approx(-23.0, abs=0.5)
        assert int(answer.headers["content-length"]) == len(answer.content)

    async def test_memory_does_not_grow_with_the_text(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        """Two and a half minutes are 13 MB of PCM and 4 MB of MP3."""
        text = "Some words that go on. " * 110
        await client.post("/tts/batch", json={"text": "Once before."})
        gc.collect()
        tracemalloc.start()
        try:
            size = 0
            async with client.stream("POST", "/tts/batch", json={"text": text}) as answer:
                async for part in answer.aiter_raw():
                    size += len(part)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert size > 3_000_000
        assert peak < 6_000_000

    @pytest.mark.parametrize("moment", ["gathering", "sending"])
    async def test_who_leaves_leaves_no_file(
        self, server: RunningServer, client: httpx.AsyncClient, moment: str
    ) -> None:
        text = "Some words that go on. " * 60
        before = files()
        if moment == "gathering":
            use_engine(server, ChaosEngine(ToneEngine(), {"never": [Hang()]}))
            text += "And this is never said."
        async with raw_peer(server, receive_buffer_bytes=4_096, read_ahead_bytes=4_096) as peer:
            body = msgspec.json.encode({"text": text})
            await peer.send(
                b"POST /tts/batch HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
                + body
            )
            if moment == "gathering":
                await until(lambda: files() > before)
            else:
                await peer.reader.readexactly(1)
        await until(lambda: files() == before and server.house.admission.contexts == 0)

    async def test_a_piece_that_fails_is_an_error_and_leaves_no_file(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        use_engine(server, ChaosEngine(ToneEngine(), {"late": [Fail(4_000)]}))
        before = files()
        text = "Some words that go on. " * 60 + "This is late."
        answer = await client.post("/tts/batch", json={"text": text})
        assert answer.status_code == 500
        assert set(answer.json()) == {"error", "message"}
        await until(lambda: files() == before)


async def test_without_room_it_is_said_beforehand() -> None:
    config = tone_config(spools_bytes_max=1_024)
    async with running_server(config) as server, http_client(server) as client:
        before = files()
        answer = await client.post("/tts/batch", json={"text": "Some words that go on. " * 60})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["error"] == "Service unavailable"
        assert files() == before
