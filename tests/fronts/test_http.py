"""`POST /v1/speech` on a real socket: what a stream, a whole file and an error look like on the wire."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
import struct
import wave
from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest
import pytest_asyncio

from gateway.audio.registry import MEDIA_TYPES, media_type
from gateway.core.errors import EngineLost, EngineTimeout
from gateway.core.vocabulary import Codec
from gateway.engines.chaos import ChaosEngine, Delay, Fail, Hang
from gateway.engines.tone import ToneEngine
from gateway.runtime.forecast import Forecast
from tests.audio.listening import LOSSLESS, decode, decode_mp3, format_of, ogg_pages
from tests.fronts.peers import dechunked, http_client, raw_peer, use_engine
from tests.support.leaks import until
from tests.support.server import RunningServer, running_server, tone_config

pytestmark = [pytest.mark.socket, pytest.mark.asyncio(loop_scope="module")]

RAW = {"format": {"codec": "pcm_s16le"}}
WAV = {"format": {"codec": "wav"}}
EVERY_ANSWER = {
    "cache-control": "no-store, no-transform",
    "x-content-type-options": "nosniff",
    "x-accel-buffering": "no",
}


def error_of(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    """The error in an answer that must be a proper one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers.items() >= EVERY_ANSWER.items()
    body = answer.json()
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["error"]["code"] == code
    error: dict[str, object] = body["error"]
    return error


class TestStream:
    async def test_audio_leaves_before_synthesis_ends(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        """The last segment hangs for ever, and still the first one is heard."""
        use_engine(server, ChaosEngine(ToneEngine(), {"never": [Hang()]}))
        text = "This is a sentence that comes first of all. " * 3 + "This part is never made."
        async with client.stream("POST", "/v1/speech", json={"text": text, **RAW}) as answer:
            first = await anext(answer.aiter_raw())
            assert answer.status_code == 200
            assert np.frombuffer(first, "<i2").any()
        await until(lambda: server.house.admission.contexts == 0)

    async def test_progressively_only_what_is_finished_leaves(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        """A segment that fails half-way: natively its beginning is sent and cut off, progressively nothing is, so that
        the error has its status."""
        text = "This one breaks off."
        asked = {"text": text, **RAW}
        use_engine(server, ChaosEngine(ToneEngine(), {"breaks": [Fail(4_000, EngineLost)] * 2}))
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/v1/speech", json=asked)
        answer = await client.post("/v1/speech", json={**asked, "delivery": "progressive"})
        error_of(answer, 503, "engine_lost")

    @pytest.mark.parametrize(
        ("parameters", "counts"),
        [({"stream": False}, False), ({}, False), ({"lead_ms": 500}, True)],
    )
    async def test_only_who_hears_it_at_once_is_a_newcomer(
        self,
        server: RunningServer,
        client: httpx.AsyncClient,
        parameters: dict[str, object],
        counts: bool,
    ) -> None:
        """A whole file and a stream that came at once are downloads, which keep nobody out."""
        server.house.admission.forecast = forecast = Forecast(
            server.house.limits,
            server.house.turns,
            server.house.farm,
            asyncio.get_running_loop().time,
        )
        text = "In a word." if counts else "Some words that take a few seconds to say. " * 3
        answer = await client.post("/v1/speech", json={"text": text, **RAW, **parameters})
        assert answer.status_code == 200
        assert (forecast._came.per_s(asyncio.get_running_loop().time()) > 0.01) is counts

    async def test_the_header_comes_once_and_names_no_length(
        self, client: httpx.AsyncClient
    ) -> None:
        text = "The first sentence is here. The second sentence is here too. " * 8
        answer = await client.post("/v1/speech", json={"text": text, **WAV})
        assert "content-length" not in answer.headers
        assert answer.content.count(b"RIFF") == answer.content.count(b"data") == 1
        assert struct.unpack_from("<I", answer.content, 40)[0] == 0xFFFF_FFFF
        assert (len(answer.content) - 44) % 2 == 0

    async def test_mp3_is_what_you_get_without_asking(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/speech", json={"text": "Hello there."})
        assert answer.headers["content-type"] == "audio/mpeg"
        heard, rate, bitrate = decode_mp3(answer.content)
        assert (rate, bitrate) == (22_050, 64_000)
        assert np.abs(heard.astype(int)).max() > 3_000

    async def test_headers_say_what_the_audio_is(self, client: httpx.AsyncClient) -> None:
        asked = {
            "text": "Hello.",
            "voice": "sine-440",
            "format": {"codec": "pcm_s16le", "sample_rate": 16_000},
            "colour": "blue",
        }
        answer = await client.post("/v1/speech", json=asked)
        assert (
            answer.headers.items()
            >= {
                **EVERY_ANSWER,
                "content-type": "audio/pcm;rate=16000;channels=1",
                "transfer-encoding": "chunked",
                "x-sample-rate": "16000",
                "x-channels": "1",
                "x-speech-model": "tone",
                "x-speech-voice": "sine-440",
                "x-ignored-fields": "colour",
            }.items()
        )
        assert re.fullmatch(r"req_[0-9a-f]{24}", answer.headers["x-request-id"])

    @pytest.mark.parametrize("codec", Codec)
    @pytest.mark.parametrize("stream", [True, False])
    async def test_text_with_nothing_to_say_is_an_empty_file(
        self, client: httpx.AsyncClient, codec: Codec, stream: bool
    ) -> None:
        asked = {"text": "... 🙂 !", "format": {"codec": codec}, "stream": stream}
        answer = await client.post("/v1/speech", json=asked)
        assert answer.status_code == 200
        assert answer.headers["x-speech-warnings"] == "nothing_speakable"
        if not stream:
            assert answer.headers["content-length"] == str(len(answer.content))
        rate = int(answer.headers["x-sample-rate"])
        heard = decode(format_of(codec, rate), answer.content)
        assert np.abs(heard.astype(int)).max(initial=0) < 100
        if codec in {*LOSSLESS, Codec.MULAW, Codec.ALAW}:
            assert len(heard) == 0

    async def test_models_list_their_formats(self, client: httpx.AsyncClient) -> None:
        (model,) = (await client.get("/v1/speech/models")).json()["models"]
        listed = {format["codec"]: format for format in model["formats"]}
        assert [*listed] == [*Codec]
        for codec, format in listed.items():
            for rate in format["sample_rates"]:
                asked = {"text": "A.", "format": {"codec": codec, "sample_rate": rate}}
                answer = await client.post("/v1/speech", json=asked)
                assert answer.headers["x-sample-rate"] == str(rate)
                kind = answer.headers["content-type"].partition(";")[0].lower()
                assert kind == format["media_type"]
        assert listed["opus"]["containers"] == ["per_flush", "per_context"]
        assert listed["opus"]["sample_rates"] == [8_000, 12_000, 16_000, 24_000, 48_000]

    @pytest.mark.parametrize("codec", Codec)
    async def test_accept_chooses_a_codec_where_the_body_does_not(
        self, client: httpx.AsyncClient, codec: Codec
    ) -> None:
        headers = {"accept": f"{MEDIA_TYPES[codec]}, */*;q=0.5"}
        answer = await client.post("/v1/speech", json={"text": "Hello."}, headers=headers)
        expected = "x-sample-rate", "8000" if codec in {Codec.MULAW, Codec.ALAW} else "22050"
        if codec is Codec.OPUS:
            expected = "x-sample-rate", "24000"
        assert expected in answer.headers.items()
        assert answer.headers["content-type"] == media_type(format_of(codec, int(expected[1])))
        heard = decode(format_of(codec, int(expected[1])), answer.content)
        assert np.abs(heard.astype(int)).max() > 3_000
        named = {"text": "Hello.", "format": {"codec": "mp3"}}
        answer = await client.post("/v1/speech", json=named, headers=headers)
        assert answer.headers["content-type"] == "audio/mpeg"

    async def test_a_warning_is_given_once_however_often_it_came(
        self, client: httpx.AsyncClient
    ) -> None:
        asked = {"text": "... " * 20_000, "buffering": {"max_chars": 20}}
        answer = await client.post("/v1/speech", json=asked)
        assert answer.headers["x-speech-warnings"] == "nothing_speakable"

    @pytest.mark.parametrize(
        "name", ["x\r\nset-cookie: a=b", "\x00", "☃", "\\ud83d", "a" * 100_000]
    )
    async def test_no_field_name_can_spoil_the_headers(
        self, client: httpx.AsyncClient, name: str
    ) -> None:
        body = (
            b'{"text": "Hi.", "%b": 1, "and": 2}'
            % name.replace("\r\n", "\\r\\n").replace("\x00", "\\u0000").encode()
        )
        answer = await client.post("/v1/speech", content=body)
        assert answer.status_code == 200
        assert answer.headers["x-ignored-fields"].endswith(", and")
        assert "set-cookie" not in answer.headers

    async def test_thousands_of_unknown_fields_make_no_endless_header(
        self, client: httpx.AsyncClient
    ) -> None:
        asked = {"text": "Hi.", **{f"field_{number}": 0 for number in range(20_000)}}
        answer = await client.post("/v1/speech", json=asked)
        assert answer.status_code == 200
        assert len(answer.headers["x-ignored-fields"]) < 1_000

    async def test_the_server_names_the_request(self, client: httpx.AsyncClient) -> None:
        asked = {"text": "Hello."}
        answer = await client.post("/v1/speech", json=asked, headers={"x-request-id": "mine"})
        assert re.fullmatch(r"req_[0-9a-f]{24}", answer.headers["x-request-id"])


class TestWholeFile:
    async def test_sizes_are_exact(self, client: httpx.AsyncClient) -> None:
        answer = await client.post(
            "/v1/speech", json={"text": "Hello there.", "stream": False, **WAV}
        )
        assert answer.headers["content-length"] == str(len(answer.content))
        riff, data = (struct.unpack_from("<I", answer.content, at)[0] for at in (4, 40))
        assert riff == len(answer.content) - 8
        assert data == len(answer.content) - 44
        with wave.open(io.BytesIO(answer.content)) as file:
            assert 2 * file.getnframes() == data

    @pytest.mark.parametrize("codec", [Codec.PCM_S16LE, Codec.MULAW, Codec.MP3, Codec.AAC])
    async def test_it_is_the_stream_with_a_length(
        self, client: httpx.AsyncClient, codec: Codec
    ) -> None:
        asked = {"text": "The same, however it is sent. " * 10, "format": {"codec": codec}}
        streamed = await client.post("/v1/speech", json=asked)
        whole = await client.post("/v1/speech", json={**asked, "stream": False})
        assert whole.headers["content-length"] == str(len(whole.content))
        assert whole.content == streamed.content

    async def test_a_whole_flac_knows_its_length_and_its_md5(
        self, client: httpx.AsyncClient
    ) -> None:
        asked = {"text": "The same, however it is sent. " * 10, "format": {"codec": "flac"}}
        pcm = (await client.post("/v1/speech", json={**asked, **RAW})).content
        streamed = (await client.post("/v1/speech", json=asked)).content
        whole = await client.post("/v1/speech", json={**asked, "stream": False})
        assert whole.headers["content-length"] == str(len(whole.content))
        for data, samples, md5 in (
            (streamed, 0, bytes(16)),
            (whole.content, len(pcm) // 2, hashlib.md5(pcm, usedforsecurity=False).digest()),
        ):
            # STREAMINFO, RFC 9639 §8.2: 36 bits of total samples and the MD5 of the samples at its end.
            assert int.from_bytes(data[21:26], "big") & 0xF_FFFF_FFFF == samples
            assert data[26:42] == md5
            assert decode(format_of(Codec.FLAC, 22_050), data).tobytes() == pcm

    @pytest.mark.parametrize("stream", [True, False])
    async def test_ogg_says_its_length_on_its_last_page(
        self, client: httpx.AsyncClient, stream: bool
    ) -> None:
        asked = {"text": "The same, however it is sent. " * 10, "stream": stream}
        raw = {"codec": "pcm_s16le", "sample_rate": 24_000}
        pcm = (await client.post("/v1/speech", json={**asked, "format": raw})).content
        answer = await client.post("/v1/speech", json={**asked, "format": {"codec": "opus"}})
        assert ("content-length" in answer.headers) is not stream
        pages = list(ogg_pages(answer.content))
        pre_skip = int.from_bytes(pages[0].body[10:12], "little")
        assert pages[-1].ends
        assert pages[-1].granule - pre_skip == len(pcm) // 2 * 2
        assert [page.begins for page in pages].count(True) == 1

    async def test_a_failure_anywhere_is_an_error_with_its_status(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        use_engine(
            server, ChaosEngine(ToneEngine(), {"fail": [Fail(at_sample=2_000, error=EngineLost)]})
        )
        text = "This is made without any trouble at all. This will fail."
        answer = await client.post("/v1/speech", json={"text": text, "stream": False, **WAV})
        error_of(answer, 503, "engine_lost")

    async def test_its_text_is_bounded(self) -> None:
        async with (
            running_server(tone_config(whole_chars_max=20)) as server,
            http_client(server) as client,
        ):
            for chars, status in ((19, 200), (20, 200), (21, 413)):
                asked = {"text": "a" * chars, "stream": False}
                assert (await client.post("/v1/speech", json=asked)).status_code == status
            assert (await client.post("/v1/speech", json={"text": "a" * 21})).status_code == 200


class TestFailure:
    async def test_early_it_is_json_with_the_real_status(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        use_engine(server, ChaosEngine(ToneEngine(), {"fail": [Fail(error=EngineTimeout)]}))
        error = error_of(
            await client.post("/v1/speech", json={"text": "This will fail."}),
            504,
            "engine_timeout",
        )
        assert error["retryable"] is True
        assert (await client.post("/v1/speech", json={"text": "This not."})).status_code == 200

    @pytest.mark.parametrize("codec", ["pcm_s16le", "wav", "mp3"])
    async def test_late_it_truncates_so_that_a_client_notices(
        self, server: RunningServer, client: httpx.AsyncClient, codec: str
    ) -> None:
        plan = {"fail": [Fail(at_sample=30_000), Fail(at_sample=30_000)]}
        use_engine(server, ChaosEngine(ToneEngine(), plan))
        text = "This is made without any trouble at all. And in the middle of this we fail."
        asked = {"text": text, "format": {"codec": codec}}
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/v1/speech", json=asked)
        async with raw_peer(server) as peer:
            await peer.post(httpx.Request("POST", "/", json=asked).content)
            body, complete = dechunked(await peer.read_to_end())
        assert body
        assert not complete, "a truncated body looks like a whole one"
        assert (await client.post("/v1/speech", json={"text": "Next."})).status_code == 200


class TestLeaving:
    @pytest.mark.parametrize("how", ["close", "reset", "half_close"])
    async def test_a_client_that_leaves_frees_its_worker(
        self, server: RunningServer, client: httpx.AsyncClient, how: str
    ) -> None:
        """One worker, busy for minutes with a text whose reader has left; the next request gets it."""
        use_engine(server, ToneEngine(workers=1, realtime_factor=1.0))
        async with raw_peer(server) as peer:
            await peer.post(b'{"text": "%b", "format": {"codec": "wav"}}' % (b"Words. " * 1_000))
            await peer.reader.readuntil(b"RIFF")
            getattr(peer, how)()
            answer = await client.post("/v1/speech", json={"text": "I."})
            assert answer.status_code == 200
        await until(lambda: server.house.admission.contexts == 0)

    async def test_before_the_first_audio_too(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        use_engine(server, ChaosEngine(ToneEngine(workers=1), {"wait": [Delay(delay_ms=60_000)]}))
        async with raw_peer(server) as peer:
            await peer.post(b'{"text": "Please wait."}')
            await until(lambda: server.house.admission.contexts == 1)
            peer.reset()
            assert (await client.post("/v1/speech", json={"text": "I."})).status_code == 200


class TestPathsAndMethods:
    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
    async def test_speech_is_made_by_post(self, client: httpx.AsyncClient, method: str) -> None:
        answer = await client.request(method, "/v1/speech")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
        if method != "HEAD":
            error_of(answer, 405, "method_not_allowed")

    @pytest.mark.parametrize(
        "path", ["/healthz", "/readyz", "/v1/speech/voices", "/v1/speech/models"]
    )
    async def test_questions_are_asked_by_get(self, client: httpx.AsyncClient, path: str) -> None:
        got, headed = await client.get(path), await client.head(path)
        assert got.status_code == headed.status_code == 200
        assert got.headers["content-type"] == "application/json"
        assert got.headers.items() >= EVERY_ANSWER.items()
        assert headed.content == b""
        refused = await client.post(path)
        error_of(refused, 405, "method_not_allowed")
        assert refused.headers["allow"] == "GET, HEAD"

    @pytest.mark.parametrize(
        "path", ["/", "/v1", "/v1/speech/", "/v1/speech/nothing", "/v2/speech"]
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_other_paths_have_nothing(
        self, client: httpx.AsyncClient, method: str, path: str
    ) -> None:
        error_of(await client.request(method, path), 404, "not_found")


class TestBody:
    LIMIT = 2_000

    @pytest_asyncio.fixture(loop_scope="module")
    async def server(self) -> AsyncIterator[RunningServer]:
        async with running_server(tone_config(body_bytes_max=self.LIMIT, body_read_ms=300)) as it:
            yield it

    def body(self, size: int) -> bytes:
        head = b'{"text": "Hi.", "padding": "'
        return head + b"a" * (size - len(head) - 2) + b'"}'

    @pytest.mark.parametrize(("more", "status"), [(-1, 200), (0, 200), (1, 413)])
    @pytest.mark.parametrize("chunked", [False, True])
    async def test_size_is_bounded(
        self, client: httpx.AsyncClient, more: int, status: int, chunked: bool
    ) -> None:
        body = self.body(self.LIMIT + more)

        async def parts() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 100):
                yield body[start : start + 100]

        answer = await client.post("/v1/speech", content=parts() if chunked else body)
        assert answer.status_code == status
        if status == 413:
            error_of(answer, 413, "message_too_large")
        assert (await client.post("/v1/speech", json={"text": "I."})).status_code == 200

    async def test_a_body_that_does_not_come_is_an_error(self, server: RunningServer) -> None:
        async with raw_peer(server) as peer:
            await peer.post(b'{"text": "Hi', length=500)
            status, body = await peer.answer()
            assert (status, b"request_timeout" in body) == (408, True)
        await until(lambda: server.house.admission.connections == 0)

    async def test_a_client_may_leave_in_the_middle_of_it(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        async with raw_peer(server) as peer:
            await peer.post(b'{"text": "Hi', length=500)
            await until(lambda: server.house.admission.connections == 1)
            peer.reset()
            await until(lambda: server.house.admission.connections == 0)
        assert (await client.post("/v1/speech", json={"text": "I."})).status_code == 200


async def test_connections_are_bounded_and_given_back() -> None:
    async with running_server(tone_config(connections_max=2)) as server:
        use_engine(server, ChaosEngine(ToneEngine(), {"wait": [Hang(), Hang()]}))
        async with http_client(server) as client:
            async with raw_peer(server) as one, raw_peer(server) as two:
                await one.post(b'{"text": "Please wait."}')
                await two.post(b'{"text": "Please wait."}')
                await until(lambda: server.house.admission.contexts == 2)
                refused = await client.post("/v1/speech", json={"text": "I."})
                error_of(refused, 503, "overloaded")
                assert int(refused.headers["retry-after"]) >= 1
                one.reset()
                await until(lambda: server.house.admission.connections == 1)
                assert (await client.post("/v1/speech", json={"text": "I."})).status_code == 200
            await until(lambda: server.house.admission.connections == 0)


async def test_several_requests_on_one_connection(server: RunningServer) -> None:
    """Keep-alive after a success, after a refusal, and with the next request sent ahead."""
    async with raw_peer(server) as peer:
        for body, status in (
            (b'{"text": "One.", "stream": false}', 200),
            (b'{"text": ""}', 422),
            (b'{"text": "Two.", "stream": false}', 200),
        ):
            await peer.post(body)
            await peer.post(body)
            for _ in range(2):
                assert (await peer.answer())[0] == status


async def test_many_at_once_get_their_own_voices(server: RunningServer) -> None:
    async with http_client(server) as client:

        async def heard(pitch: int) -> bytes:
            asked = {"text": "Hello there. " * 5, "voice": "sine-440", "pitch": pitch, **RAW}
            return (await client.post("/v1/speech", json=asked)).content

        pitches = range(-5, 6)
        alone = [await heard(pitch) for pitch in pitches]
        assert len(set(alone)) == len(pitches)
        assert await asyncio.gather(*(heard(pitch) for pitch in pitches)) == alone
