"""Sarvam's HTTP routes over a real socket, by espeak-ng: files and streams, and the same samples as the native route."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
import pytest_asyncio

from gateway.config import AccountsConfig
from gateway.core.params import Defaults, Parameters
from gateway.core.resolve import resolve
from gateway.core.vocabulary import Codec, Route
from gateway.dialects.sarvam import CODECS
from gateway.dialects.sarvam_errors import SarvamError, SarvamErrorBody
from gateway.dialects.sarvam_http import SarvamAudios
from gateway.fronts.answer import WRAPPED_BYTES
from tests.accounts.test_gate import make_key
from tests.audio.listening import decode, format_of
from tests.fronts.peers import http_client
from tests.support.server import RunningServer, espeak_config, running_server, tone_config

pytestmark = [pytest.mark.socket, pytest.mark.asyncio(loop_scope="module")]

FILE, STREAM = "/text-to-speech", "/text-to-speech/stream"
RATE = 24_000
TEXTS = {
    "bn-IN": "নমস্কার। আপনি কেমন আছেন?",
    "en-IN": "Good morning. It costs 250 rupees; is that too much?",
    "gu-IN": "નમસ્તે. તમે કેમ છો?",
    "hi-IN": "नमस्ते। आप कैसे हैं? मैं ठीक हूँ।",
    "kn-IN": "ನಮಸ್ಕಾರ. ನೀವು ಹೇಗಿದ್ದೀರಿ?",
    "ml-IN": "നമസ്കാരം. സുഖമാണോ?",
    "mr-IN": "नमस्कार. तुम्ही कसे आहात?",
    "od-IN": "ନମସ୍କାର। ଆପଣ କେମିତି ଅଛନ୍ତି?",
    "pa-IN": "ਸਤ ਸ੍ਰੀ ਅਕਾਲ। ਤੁਸੀਂ ਕਿਵੇਂ ਹੋ?",
    "ta-IN": "வணக்கம். நலமா?",
    "te-IN": "నమస్కారం. ఎలా ఉన్నారు?",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[RunningServer]:
    async with running_server(espeak_config()) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(server) as client:
        yield client


def file_in(answer: httpx.Response) -> bytes:
    """The one file in an answer of `FILE`."""
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert int(answer.headers["content-length"]) == len(answer.content)
    (audio,) = msgspec.json.decode(answer.content, type=SarvamAudios).audios
    return base64.b64decode(audio, validate=True)


def error_in(answer: httpx.Response) -> SarvamError:
    return msgspec.json.decode(answer.content, type=SarvamErrorBody).error


@pytest.mark.parametrize("language", TEXTS)
async def test_streams_files_and_the_native_route_have_the_same_samples(
    client: httpx.AsyncClient, server: RunningServer, language: str
) -> None:
    speaker = {"language_code": language, "speaker": "priya"}
    asked = {**speaker, "output_audio_codec": "linear16", "text": TEXTS[language]}
    # Others than the engine's own, so that the resampler has its part in it.
    stream = await client.post(STREAM, json={**asked, "speech_sample_rate": RATE})
    assert stream.headers["content-type"] == f"audio/pcm;rate={RATE};channels=1"
    file = file_in(await client.post(FILE, json={**asked, "speech_sample_rate": str(RATE)}))
    spoken = server.house.vendors["sarvam"].models["bulbul:v3"].voices["priya"].spoken
    native = await client.post(
        "/v1/speech",
        json={
            "text": TEXTS[language],
            "voice": spoken[language.lower()].voice,
            "language": spoken[language.lower()].language,
            "format": {"codec": "pcm_s16le", "sample_rate": RATE},
        },
    )
    assert stream.content == file == native.content
    samples = memoryview(file).cast("h")
    assert len(samples) > RATE / 2
    assert max(samples) > 3_000


@pytest.mark.parametrize("codec", CODECS)
async def test_every_codec_is_a_file_and_a_stream(client: httpx.AsyncClient, codec: str) -> None:
    asked = {"text": TEXTS["en-IN"], "output_audio_codec": codec}
    stream = await client.post(STREAM, json=asked)
    file = file_in(await client.post(FILE, json=asked))
    if codec in {"linear16", "mulaw", "alaw"}:
        assert stream.content == file
        return
    rate = 24_000 if codec == "opus" else 22_050
    format = format_of(CODECS[codec], rate)
    lengths = [len(decode(format, each)) for each in (stream.content, file)]
    assert lengths[0] == lengths[1] > rate


async def test_a_wav_file_has_exact_sizes_after_which_samples_begin(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post(FILE, json={"text": "One."})
    file = file_in(answer)
    assert file[:4] == b"RIFF"
    assert int.from_bytes(file[4:8], "little") == len(file) - 8
    assert file[36:40] == b"data"
    assert int.from_bytes(file[40:44], "little") == len(file) - 44
    id = msgspec.json.decode(answer.content, type=SarvamAudios).request_id
    assert id[9:17] == answer.headers["x-request-id"][4:12]


async def test_a_long_file_is_wrapped_piece_by_piece(client: httpx.AsyncClient) -> None:
    asked = {"text": TEXTS["en-IN"] * 3, "speech_sample_rate": 48_000, "pace": 0.5}
    file = file_in(await client.post(FILE, json=asked))
    assert int.from_bytes(file[40:44], "little") == len(file) - 44 > 4 * WRAPPED_BYTES


async def test_the_root_and_the_folder_are_alike(client: httpx.AsyncClient) -> None:
    asked = {"text": "One.", "output_audio_codec": "linear16"}
    at_root = await client.post(STREAM, json=asked)
    in_folder = await client.post(f"/sarvam{STREAM}", json=asked)
    assert at_root.content == in_folder.content


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        (b"{", 400, "invalid_request_error"),
        ({"text": "One.", "speaker": "anushka"}, 400, "invalid_request_error"),
        ({"text": "One.", "output_audio_codec": "ogg"}, 400, "invalid_request_error"),
        ({"text": "a" * 3_501}, 400, "invalid_request_error"),
        ({}, 422, "unprocessable_entity_error"),
        ({"text": "One.", "pace": 9}, 422, "unprocessable_entity_error"),
        ({"text": "One.", "dict_id": "p_00000000"}, 404, "not_found_error"),
    ],
)
async def test_errors_have_the_vendors_form(
    client: httpx.AsyncClient, asked: object, status: int, code: str
) -> None:
    body = asked if isinstance(asked, bytes) else msgspec.json.encode(asked)
    for path in (FILE, STREAM):
        answer = await client.post(path, content=body)
        assert answer.headers["content-type"] == "application/json"
        assert (answer.status_code, error_in(answer).code) == (status, code)


async def test_a_key_is_shown_in_either_header_and_a_wrong_one_is_403(tmp_path: Path) -> None:
    accounts = AccountsConfig(database=str(tmp_path / "accounts.db"))
    config = msgspec.structs.replace(tone_config(), accounts=accounts)
    async with running_server(config) as server, http_client(server) as client:
        assert server.house.store is not None
        key = (await make_key(server.house.store)).text
        for headers, status in (
            ({}, 403),
            ({"api-subscription-key": "nonsense"}, 403),
            ({"authorization": f"Basic {key}"}, 403),
            ({"api-subscription-key": key, "authorization": "Bearer another"}, 403),
            ({"Api-Subscription-Key": key}, 200),
            ({"authorization": f"Bearer {key}"}, 200),
            ({"api-subscription-key": key, "authorization": f"Bearer {key}"}, 200),
        ):
            for path in (FILE, STREAM):
                answer = await client.post(path, json={"text": "One."}, headers=headers)
                assert answer.status_code == status
                if status == 403:
                    assert error_in(answer).code == "invalid_api_key_error"


async def test_espeak_speaks_all_that_the_catalog_has(server: RunningServer) -> None:
    catalog = server.house.vendors["sarvam"]
    known = {voice.id for voice in server.house.engines["espeak"].info.voices}
    variants = server.house.engines["espeak"].info.variants
    for model in catalog.models.values():
        for voice in model.voices.values():
            assert len(voice.spoken) == len(TEXTS)
            for spoken in voice.spoken.values():
                base, _, variant = spoken.voice.partition("+")
                assert base in known
                assert not variant or variant in variants
            assert (voice.gender == "female") == ("+f" in voice.spoken["en-in"].voice)
    assert resolve(Parameters(language="od-IN"), catalog, _defaults()).language == "or"


def _defaults() -> Defaults:
    return Defaults(Route.HTTP, Codec.MP3, lead_ms=None)
