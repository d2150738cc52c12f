"""`POST /v1/speech` once more: with the same `Idempotency-Key`, and from the sample at which it broke off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
import pytest_asyncio

from gateway.core.errors import EngineLost
from gateway.core.vocabulary import Codec
from gateway.engines.chaos import ChaosEngine, Fail
from gateway.engines.tone import ToneEngine
from gateway.fronts.idempotency import KEY_CHARS_MAX
from tests.audio.listening import LOSSLESS, decode, format_of
from tests.fronts.peers import dechunked, http_client, raw_peer, use_engine
from tests.limits.borders import border
from tests.support.leaks import until
from tests.support.server import Message, RunningServer, espeak_config, running_server

pytestmark = [pytest.mark.socket, pytest.mark.asyncio(loop_scope="module")]

TEXT = "The first sentence is here. The second one is here, too; and it is longer. " * 3
RAW: Message = {"text": TEXT, "format": {"codec": "pcm_s16le"}}


async def post(
    client: httpx.AsyncClient, key: str | None, asked: Message | None = None, accept: str = "*/*"
) -> httpx.Response:
    headers = {"accept": accept} | ({} if key is None else {"idempotency-key": key})
    return await client.post("/v1/speech", json=asked or RAW, headers=headers)


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The error of an answer that must be this one."""
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    error: dict[str, Any] = answer.json()["error"]
    return error


class TestKeys:
    async def test_a_repeat_is_the_same_speech(self, client: httpx.AsyncClient) -> None:
        first = await post(client, "a")
        assert "x-replay-of" not in first.headers
        for _ in range(3):
            again = await post(client, "a")
            assert again.content == first.content
            assert again.headers["x-replay-of"] == first.headers["x-request-id"]
            assert again.headers["x-request-id"] != first.headers["x-request-id"]
        refused(await post(client, "a"), 409, "idempotency_key_spent")
        assert (await post(client, "another")).content == first.content

    async def test_with_something_else_it_is_refused(self, client: httpx.AsyncClient) -> None:
        assert (await post(client, "b")).status_code == 200
        others: tuple[tuple[Message, str], ...] = (
            ({**RAW, "text": "Something else."}, "*/*"),
            ({**RAW, "speed": 1.1}, "*/*"),
            ({**RAW, "stream": False}, "*/*"),
            (RAW, "application/x-ndjson"),
            ({"text": TEXT}, "audio/flac"),
        )
        for asked, accept in others:
            error = refused(await post(client, "b", asked, accept), 409, "idempotency_key_reused")
            assert error["field"] == "Idempotency-Key"
        alike: Message = {**RAW, "speed": 1.0, "colour": "blue", "lead_ms": None}
        assert (await post(client, "b", alike)).status_code == 200, "it asks for the same"

    async def test_what_was_refused_leaves_the_key_free(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        refused(await post(client, "d", {**RAW, "voice": "nobody"}), 404, "unknown_voice")
        use_engine(server, ChaosEngine(ToneEngine(), {"fails": [Fail(error=EngineLost)] * 2}))
        refused(await post(client, "d", {**RAW, "text": "It fails."}), 503, "engine_lost")
        answer = await post(client, "d")
        assert answer.status_code == 200
        assert "x-replay-of" not in answer.headers

    @pytest.mark.parametrize("stream", [True, False])
    async def test_events_and_whole_files_have_keys_too(
        self, client: httpx.AsyncClient, stream: bool
    ) -> None:
        key, accept = f"e {stream}".replace(" ", ""), "application/x-ndjson" if stream else "*/*"
        first, again = [await post(client, key, {**RAW, "stream": stream}, accept) for _ in "12"]
        if stream:
            assert audio_in(again) == audio_in(first) != b""
        else:
            assert again.content == first.content
        assert again.headers["x-replay-of"] == first.headers["x-request-id"]

    @border("fronts.idempotency.KEY_CHARS_MAX")
    async def test_it_is_so_long(self, client: httpx.AsyncClient, more: int) -> None:
        answer = await post(client, "~" * (KEY_CHARS_MAX + more))
        assert answer.status_code == (422 if more > 0 else 200)

    @pytest.mark.parametrize("keys", [[""], ["a b"], ["k\xe4"], ["k", "k"]])
    async def test_it_is_one_of_visible_characters(
        self, client: httpx.AsyncClient, keys: list[str]
    ) -> None:
        headers = [(b"idempotency-key", key.encode("latin-1")) for key in keys]
        answer = await client.post("/v1/speech", json=RAW, headers=headers)
        assert refused(answer, 422, "invalid_value")["field"] == "Idempotency-Key"
        assert (await post(client, "!")).status_code == 200


def audio_in(answer: httpx.Response) -> bytes:
    """The audio among the events of an answer."""
    told = [msgspec.json.decode(line) for line in answer.text.splitlines()]
    assert told[-1]["type"] == "ended"
    data = (message["data"] for message in told if message["type"] == "audio")
    return b"".join(msgspec.convert(part, bytes) for part in data)


class TestWhileItIsAnswered:
    async def test_a_repeat_is_told_to_wait(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        """The first listener is served to the end, whatever comes meanwhile."""
        use_engine(server, ToneEngine(realtime_factor=0.05))
        body = httpx.Request("POST", "/", json=RAW).content
        async with raw_peer(server) as peer:
            await peer.post(body, key="f")
            await peer.reader.readuntil(b"\r\n\r\n")
            answer = await post(client, "f")
            refused(answer, 409, "idempotency_key_in_use")
            assert int(answer.headers["retry-after"]) >= 1
            refused(await post(client, "f", {"text": "No."}), 409, "idempotency_key_reused")
            rest = await peer.reader.readuntil(b"\r\n0\r\n\r\n")
            assert len(rest) > 10_000
        assert (await post(client, "f")).status_code == 200

    async def test_who_says_where_he_was_need_not(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        """A client whose connection is dead comes back before the server has noticed."""
        use_engine(server, ToneEngine(realtime_factor=0.05))
        async with raw_peer(server) as peer:
            await peer.post(httpx.Request("POST", "/", json=RAW).content, key="g")
            await peer.reader.readuntil(b"\r\n\r\n")
            answer = await post(client, "g", {**RAW, "sample_start": 0})
            rest = await peer.read_to_end()
            _, complete = dechunked(b"Transfer-Encoding: chunked\r\n\r\n" + rest)
            assert not complete
        use_engine(server, ToneEngine())
        assert answer.content == (await post(client, None)).content

    async def test_it_is_free_as_soon_as_its_client_has_left(
        self, server: RunningServer, client: httpx.AsyncClient
    ) -> None:
        use_engine(server, ToneEngine(realtime_factor=1.0))
        async with raw_peer(server) as peer:
            await peer.post(httpx.Request("POST", "/", json=RAW).content, key="h")
            await peer.reader.readuntil(b"\r\n\r\n")
            peer.reset()
            await until(lambda: server.house.replays.running == 0)
        use_engine(server, ToneEngine())
        assert (await post(client, "h")).status_code == 200


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def espeak() -> AsyncIterator[httpx.AsyncClient]:
    async with running_server(espeak_config()) as server, http_client(server) as client:
        yield client


class TestSampleStart:
    @pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
    async def test_pcm_is_exactly_the_rest(self, espeak: httpx.AsyncClient, rate: int) -> None:
        asked: Message = {**RAW, "format": {"codec": "pcm_s16le", "sample_rate": rate}}
        whole = (await post(espeak, None, asked)).content
        samples = len(whole) // 2
        for start in (0, 1, 999, rate, samples // 2, samples - 1, samples):
            for stream in (True, False):
                answer = await post(
                    espeak, None, {**asked, "sample_start": start, "stream": stream}
                )
                assert answer.content == whole[2 * start :]
        error = refused(
            await post(espeak, None, {**asked, "sample_start": samples + 1}), 422, "invalid_value"
        )
        assert (error["field"], error["allowed"]) == ("sample_start", f"at most {samples}")

    @pytest.mark.parametrize("codec", Codec)
    @pytest.mark.parametrize("stream", [True, False])
    async def test_other_codecs_begin_anew_there(
        self, client: httpx.AsyncClient, codec: Codec, stream: bool
    ) -> None:
        asked: Message = {"text": TEXT, "format": {"codec": codec}, "stream": stream}
        start = 12_345
        whole = await post(client, None, asked)
        rest = await post(client, None, {**asked, "sample_start": start})
        format = format_of(codec, int(whole.headers["x-sample-rate"]))
        heard, missed = decode(format, whole.content), decode(format, rest.content)
        if codec in {*LOSSLESS, Codec.MULAW, Codec.ALAW}:
            assert np.array_equal(missed, heard[start:])
        elif codec is Codec.OPUS:
            assert len(missed) == len(heard) - start
        else:
            assert abs(len(missed) - (len(heard) - start)) <= 1_152
            assert np.abs(missed.astype(int)).max() > 3_000

    async def test_among_events_positions_go_on(self, client: httpx.AsyncClient) -> None:
        whole = (await post(client, None)).content
        answer = await post(client, None, {**RAW, "sample_start": 10_001}, "application/x-ndjson")
        told = [msgspec.json.decode(line) for line in answer.text.splitlines()]
        audio = [message for message in told if message["type"] == "audio"]
        assert audio[0]["sample_start"] == 10_001
        ends = [message["sample_start"] + message["sample_count"] for message in audio]
        assert [message["sample_start"] for message in audio[1:]] == ends[:-1]
        assert ends[-1] == told[-1]["samples"] == len(whole) // 2
        assert audio_in(answer) == whole[20_002:]

    async def test_behind_the_end_events_end_with_the_error(
        self, client: httpx.AsyncClient
    ) -> None:
        asked: Message = {**RAW, "sample_start": 10**9}
        answer = await post(client, None, asked, "application/x-ndjson")
        last = msgspec.json.decode(answer.text.splitlines()[-1])
        assert (last["type"], last["code"], last["field"]) == (
            *("error", "invalid_value"),
            "sample_start",
        )

    @pytest.mark.parametrize("codec", Codec)
    async def test_behind_the_end_there_is_no_file(
        self, client: httpx.AsyncClient, codec: Codec
    ) -> None:
        asked: Message = {"text": "Hi.", "format": {"codec": codec}, "sample_start": 10**9}
        refused(await post(client, None, asked), 422, "invalid_value")

    async def test_what_is_paced_is_not_paced_again(self, client: httpx.AsyncClient) -> None:
        asked: Message = {**RAW, "sample_start": 10, "lead_ms": 1_000}
        error = refused(await post(client, None, asked), 422, "unsupported")
        assert error["field"] == "sample_start"

    @pytest.mark.parametrize("start", [-1, 1.5, "1", True])
    async def test_it_is_a_position(self, client: httpx.AsyncClient, start: object) -> None:
        error = refused(
            await post(client, None, {**RAW, "sample_start": start}), 422, "invalid_value"
        )
        assert error["field"] == "sample_start"
